/* element.h: one result by the definition, for what the kernels cannot compute as it is defined. */
#ifndef NPC_ALGO_ELEMENT_H
#define NPC_ALGO_ELEMENT_H

#include "panel.h"

typedef struct npc_element {
    int64_t image, channel, channels; /* of the source: the first channel, and how many */
    int64_t pixel[NPC_SPATIAL];
    const char *weight; /* of the first channel and tap */
    int64_t channel_stride_bytes, tap_stride_bytes;
    const char *bias; /* one, or NULL */
} npc_element;

/* bias + the sum over channels and taps of weight * source, in that order and in double precision;
 * taps outside the source are skipped, not multiplied by zero. */
double npc_element_value(const npc_window *window, const npc_element *element);

#endif
