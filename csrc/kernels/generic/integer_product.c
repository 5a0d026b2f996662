/* Exact sums of products: see npc_integer_product_args. */
#include "../args/integer_product.h"
#include "kernel.h"

#include <string.h>

enum {
    PAIRED = sizeof(NPC_T) == sizeof(int32_t), /* two int16 in each lane */
    STEP = PAIRED ? 2 : 1,
    ITEM_BYTES = PAIRED ? sizeof(int16_t) : sizeof(int64_t),
    PANEL_BYTES = NPC_INTEGER_VECS * sizeof(NPC_VEC),
};

typedef NPC_V(ints) NPC_V(integer_sums)[NPC_INTEGER_ROWS][NPC_INTEGER_VECS];

/* What all lanes of a row are multiplied with. */
NPC_INLINE NPC_V(ints) NPC_V(integer_factor)(const char *a, const int items)
{
    int64_t value = 0;
    int32_t pair = 0;
    memcpy(PAIRED ? (void *)&pair : &value, a, (size_t)items * ITEM_BYTES);
    return NPC_V(int_broadcast)(PAIRED ? pair : value);
}

NPC_INLINE void NPC_V(integer_step)(NPC_V(integer_sums) sum, const char *a, int64_t a_stride_bytes,
                                    const char *b, const int rows, const int items)
{
    NPC_V(ints) panel[NPC_INTEGER_VECS];
    NPC_UNROLL
    for (int j = 0; j < NPC_INTEGER_VECS; j++)
        panel[j] = NPC_V(int_load)(b + (size_t)j * sizeof(NPC_VEC));
    NPC_UNROLL
    for (int i = 0; i < rows; i++) {
        const NPC_V(ints) factor = NPC_V(integer_factor)(a + i * a_stride_bytes, items);
        NPC_UNROLL
        for (int j = 0; j < NPC_INTEGER_VECS; j++)
            sum[i][j] = NPC_V(int_sum_products)(factor, panel[j], sum[i][j]);
    }
}

NPC_INLINE void NPC_V(integer_rows)(const npc_integer_product_args *args, const int rows)
{
    const int64_t stride = args->a_stride * ITEM_BYTES;
    const char *a = args->a, *b = args->b;
    NPC_V(integer_sums) sum;

    NPC_UNROLL
    for (int i = 0; i < rows; i++) {
        const char *c = (const char *)args->c + i * PANEL_BYTES;
        NPC_UNROLL
        for (int j = 0; j < NPC_INTEGER_VECS; j++)
            sum[i][j] = args->accumulate ? NPC_V(int_load)(c + (size_t)j * sizeof(NPC_VEC))
                                         : NPC_V(int_broadcast)(0);
    }
    int64_t d = 0;
    for (; d + STEP <= args->depth; d += STEP, a += STEP * ITEM_BYTES, b += PANEL_BYTES)
        NPC_V(integer_step)(sum, a, stride, b, rows, STEP);
    if (d < args->depth) NPC_V(integer_step)(sum, a, stride, b, rows, 1);
    NPC_UNROLL
    for (int i = 0; i < rows; i++) {
        char *c = (char *)args->c + i * PANEL_BYTES;
        NPC_UNROLL
        for (int j = 0; j < NPC_INTEGER_VECS; j++)
            NPC_V(int_store)(c + (size_t)j * sizeof(NPC_VEC), sum[i][j]);
    }
}

NPC_DECLARE(integer_product);
void NPC_NAME(integer_product)(const npc_integer_product_args *args)
{
    assert(args->rows >= 1 && args->rows <= NPC_INTEGER_ROWS);
    switch (args->rows) {
    case 1:
        NPC_V(integer_rows)(args, 1);
        return;
    case 2:
        NPC_V(integer_rows)(args, 2);
        return;
    case 3:
        NPC_V(integer_rows)(args, 3);
        return;
    default:
        NPC_V(integer_rows)(args, NPC_INTEGER_ROWS);
    }
}
