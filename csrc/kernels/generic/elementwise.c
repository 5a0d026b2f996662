/* Loops over elements that the compiler vectorises for the ISA by itself, and blocked sums. */
#include "../args/elementwise.h"
#include "kernel.h"

NPC_DECLARE(has_nan);
int NPC_NAME(has_nan)(const void *c, int64_t stride, int64_t rows, int64_t cols)
{
    int found = 0;
    for (int64_t i = 0; i < rows; i++) {
        const NPC_T *row = (const NPC_T *)c + i * stride;
        for (int64_t j = 0; j < cols; j++) found |= row[j] != row[j];
    }
    return found;
}

/* v - v is NaN for infinities and NaNs, else zero. */
NPC_DECLARE(all_finite);
int NPC_NAME(all_finite)(const void *from, int64_t count)
{
    const NPC_T *v = from;
    int found = 0;
    for (int64_t i = 0; i < count; i++) {
        const NPC_T difference = v[i] - v[i];
        found |= difference != difference;
    }
    return !found;
}

NPC_DECLARE(fence);
void NPC_NAME(fence)(void) { NPC_V(fence)(); }

NPC_DECLARE(add);
void NPC_NAME(add)(void *to, const void *from, int64_t count)
{
    NPC_T *restrict target = to;
    const NPC_T *restrict source = from;
    for (int64_t i = 0; i < count; i++) target[i] += source[i];
}

/* Four chains of vectors, summed pairwise: the order depends on count alone. */
NPC_INLINE NPC_T NPC_V(sum_body)(const NPC_T *source, int64_t count)
{
    NPC_VEC acc[4] = {NPC_V(zero)(), NPC_V(zero)(), NPC_V(zero)(), NPC_V(zero)()};
    int64_t i = 0;
    for (; i + 4 * NPC_LANES <= count; i += 4 * NPC_LANES) {
        NPC_UNROLL
        for (int j = 0; j < 4; j++)
            acc[j] = NPC_V(add)(acc[j], NPC_V(load)(source + i + j * NPC_LANES));
    }
    for (; i + NPC_LANES <= count; i += NPC_LANES)
        acc[0] = NPC_V(add)(acc[0], NPC_V(load)(source + i));
    if (i < count) acc[1] = NPC_V(add)(acc[1], NPC_V(load_first)(source + i, (int)(count - i)));
    acc[0] = NPC_V(add)(acc[0], acc[1]);
    acc[2] = NPC_V(add)(acc[2], acc[3]);
    return NPC_V(total)(NPC_V(add)(acc[0], acc[2]));
}

NPC_DECLARE(sum);
void NPC_NAME(sum)(const void *from, int64_t count, void *total)
{
    *(NPC_T *)total = NPC_V(sum_body)(from, count);
}

NPC_DECLARE(row_sums);
void NPC_NAME(row_sums)(const npc_row_sums_args *args)
{
    const char *row = args->from;
    NPC_T *to = args->to;
    for (int64_t i = 0; i < args->rows; i++, row += args->row_stride_bytes)
        to[i] = NPC_V(sum_body)((const NPC_T *)(const void *)row, args->count);
}
