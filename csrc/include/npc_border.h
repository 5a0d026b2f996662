/* npc_border.h: the C API of convolutions of images whose border is not zero. */
#ifndef NPC_BORDER_H
#define NPC_BORDER_H

#include "npc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What surrounds the images of a convolution, with widths along D, H and W. */
typedef struct npc_border {
    npc_pad_mode mode; /* not NPC_PAD_CONSTANT */
    int64_t before[NPC_SPATIAL], after[NPC_SPATIAL];
} npc_border;

/* npc_conv of images within a border: `geometry` is that of the padded images and has no padding,
 * arrays->x are the images without their border. Results have the bits of npc_conv's for padded
 * images. The image's gradient, which NPC_INPUT_GRAD writes, is C-contiguous, its channels last if
 * the options say so; bias, add and activation are for NPC_FORWARD only. */
npc_status npc_conv_bordered(npc_conv_operation operation, const npc_conv_geometry *geometry,
                             const npc_conv_arrays *arrays, const npc_border *border,
                             npc_dtype dtype, const npc_options *options, npc_plan_info *info);

#ifdef __cplusplus
}
#endif
#endif
