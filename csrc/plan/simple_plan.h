/* simple_plan.h: what the operations with one algorithm share: kernels, info, zeroing. */
#ifndef NPC_PLAN_SIMPLE_PLAN_H
#define NPC_PLAN_SIMPLE_PLAN_H

#include "../core/parallel.h"
#include "../kernels/kernels.h"

/* The kernels of the forced or best ISA, or NPC_UNSUPPORTED_ISA. */
npc_status npc_simple_kernels(const npc_options *options, npc_dtype dtype,
                              const npc_kernels **kernels);

void npc_simple_info(npc_plan_info *info, const char *operation, const npc_kernels *kernels,
                     const npc_team *team);

/* Whether so many bytes to be written at an address are so many that writing past the caches is
 * faster; not where they are fresh from the system. */
int npc_is_large(const void *address, double bytes);

/* UK2 and UK4 write results once, tile by tile: past the caches that is faster from fewer bytes on,
 * and no slower where they are fresh. */
#define NPC_STREAM_PRODUCT_BYTES (8 << 20)

/* Whether an array of this shape is so large that writing past the caches is faster, and has each
 * row begin with a cache line. */
int npc_beyond_caches(const npc_array *array, int64_t n, int64_t c, int64_t d, int64_t h, int64_t w,
                      int64_t size);

/* Sets a (D, H, W) plane of an array to zero. */
void npc_zero_plane(const npc_array *array, char *plane, int64_t d, int64_t h, int64_t w,
                    int64_t size);

#endif
