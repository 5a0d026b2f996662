/* pointwise.h: products whose panels lie in the image.
 *
 * Where every window is a pixel, a row of the implicit matrix product's right-hand operand is a
 * channel as it is stored, so micro-kernel UK2 reads tiles of pixels where they lie and nothing is
 * packed. The sums are npc_implicit_gemm_run's, bit by bit.
 */
#ifndef NPC_ALGO_POINTWISE_H
#define NPC_ALGO_POINTWISE_H

#include "implicit_gemm.h"

/* Whether that is faster than packing panels of `channels` rows of `pixels` pixels, so many bytes
 * apart, for so many rows of weights. */
int npc_pointwise_repays(const npc_kernels *kernels, int64_t rows, int64_t channels, int64_t pixels,
                         int64_t stride_bytes);

/* Of a window that was joined to one row, and a target whose pixels follow each other and which is
 * not added to itself. */
npc_status npc_pointwise_run(const npc_implicit_gemm *gemm, npc_team *team);

#endif
