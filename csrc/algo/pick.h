/* pick.h: tables for the kernels pick and fold_planes, which move small planes of elements. */
#ifndef NPC_ALGO_PICK_H
#define NPC_ALGO_PICK_H

#include "../include/npc.h"
#include "panel.h"

enum { NPC_PICKS = 256, NPC_PICK_PLACES = 4096 };

/* What is to be picked for the elements of a plane: term t of element i is from[t * elements + i],
 * a position in the plane's source, which has `length` elements; -1: nothing. */
typedef struct npc_pick_list {
    int64_t elements, length, terms;
    int32_t from[NPC_PICK_PLACES];
    uint16_t count[NPC_PICK_PLACES]; /* terms of each element, where they are added one by one */
} npc_pick_list;

/* Starts one of no terms, to be added or filled in; 0 if the planes are too small or large for
 * kernels of so many lanes. */
int npc_pick_start(npc_pick_list *list, int64_t elements, int64_t length, int lanes);
/* Another term of an element; 0 where there is no room. */
int npc_pick_add(npc_pick_list *list, int64_t element, int64_t from);
/* Their table, of at most NPC_PICKS, for elements of `size` bytes; 0 if there is none. For the
 * kernel pick, elements have one term at most. */
int npc_pick_table(const npc_pick_list *list, int lanes, int size, npc_pick *pick);

/* Tables for planes of the last two axes; 0 if there is none. Constants are zeros. */
int npc_pad_picks(const npc_pad_geometry *g, int lanes, int size, npc_pick *pick);
int npc_pad_folds(const npc_pad_geometry *g, int lanes, int size, npc_pick *pick);

/* Likewise, for the taps of a channel. */
int npc_column_picks(const npc_window *window, int lanes, npc_pick *pick);
int npc_column_folds(const npc_window *window, int lanes, npc_pick *pick);

#endif
