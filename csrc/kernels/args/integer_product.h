/* integer_product.h: what kernels take for products of integers. */
#ifndef NPC_KERNELS_ARGS_INTEGER_PRODUCT_H
#define NPC_KERNELS_ARGS_INTEGER_PRODUCT_H

#include "../../core/common.h"

/* Sums of products of integers: c[row][lane] (+)= sum over i < depth of a[row][i] * b[i][lane], for
 * lanes = NPC_INTEGER_VECS vectors. The float64 table has those of int64, modulo 2^64. The float32
 * table has those of int16, modulo 2^32; its panel holds pairs of rows, b[i / 2][lane][i % 2], the
 * last one filled up with zeros where depth is odd. */
enum { NPC_INTEGER_ROWS = 4, NPC_INTEGER_VECS = 2 };
typedef struct npc_integer_product_args {
    int64_t depth;
    int32_t rows, accumulate;
    const void *a;
    int64_t a_stride; /* elements from row to row */
    const void *b;    /* aligned to vectors */
    void *c;          /* rows x lanes of int32 or int64, dense */
} npc_integer_product_args;
typedef void npc_integer_product_fn(const npc_integer_product_args *args);

#endif
