/* Rows of elements that are padded, and the reverse: see npc_pad_rows_args and npc_fold_rows_args.
 * A part is taken through all rows of a block that stays in L1, so that its length is looked at
 * once, and every store ends where its part does. */
#include "../args/rows.h"
#include "kernel.h"

enum { ROW_BLOCK_BYTES = 16 * 1024 };

/* Whole vectors, the last of which may overlap the one before. */
NPC_INLINE void NPC_V(row_copy)(const NPC_T *from, NPC_T *to, int64_t count)
{
    if (count < NPC_LANES) {
        NPC_V(store_first)(to, NPC_V(load_first)(from, (int)count), (int)count);
        return;
    }
    for (int64_t i = 0; i < count - NPC_LANES; i += NPC_LANES)
        NPC_V(store)(to + i, NPC_V(load)(from + i));
    NPC_V(store)(to + count - NPC_LANES, NPC_V(load)(from + count - NPC_LANES));
}

NPC_INLINE void NPC_V(row_fill)(NPC_T value, NPC_T *to, int64_t count)
{
    const NPC_VEC v = NPC_V(broadcast)(&value);
    if (count < NPC_LANES) {
        NPC_V(store_first)(to, v, (int)count);
        return;
    }
    for (int64_t i = 0; i < count - NPC_LANES; i += NPC_LANES) NPC_V(store)(to + i, v);
    NPC_V(store)(to + count - NPC_LANES, v);
}

/* A part of all rows of a block. */
NPC_INLINE void NPC_V(pad_part)(const npc_row_part *part, const char *from, int64_t from_stride,
                                char *to, int64_t to_stride, int64_t rows)
{
    const int64_t count = part->count, at = part->at, source = part->source;
#define EACH_ROW(...)                                                                              \
    for (int64_t i = 0; i < rows; i++) {                                                           \
        const NPC_T *restrict row =                                                                \
            (const NPC_T *)(const void *)(from + i * from_stride) + source;                        \
        NPC_T *restrict put = (NPC_T *)(void *)(to + i * to_stride) + at;                          \
        (void)row;                                                                                 \
        __VA_ARGS__;                                                                               \
    }
    if (part->kind == NPC_ROW_CONSTANT) {
        const NPC_T value = *(const NPC_T *)part->constant;
        if (count == 1)
            EACH_ROW(put[0] = value)
        else
            EACH_ROW(NPC_V(row_fill)(value, put, count))
    } else if (count == 1) {
        EACH_ROW(put[0] = row[0])
    } else if (part->kind == NPC_ROW_FORWARD) {
        EACH_ROW(NPC_V(row_copy)(row, put, count))
    } else if (part->kind == NPC_ROW_REPEAT) {
        EACH_ROW(NPC_V(row_fill)(row[0], put, count))
    } else if (count == 2) { /* short ones by themselves, without a loop */
        EACH_ROW(const NPC_T a = row[0], b = row[-1]; put[0] = a; put[1] = b)
    } else if (count == 3) {
        EACH_ROW(const NPC_T a = row[0], b = row[-1], c = row[-2]; put[0] = a; put[1] = b;
                 put[2] = c)
    } else if (count < NPC_LANES) {
        EACH_ROW(for (int k = 0; k < (int)count; k++) put[k] = row[-k])
    } else {
        EACH_ROW(for (int64_t k = 0; k < count; k++) put[k] = row[-k])
    }
#undef EACH_ROW
}

NPC_DECLARE(pad_rows);
void NPC_NAME(pad_rows)(const npc_pad_rows_args *args)
{
    const int64_t room = ROW_BLOCK_BYTES / (args->to_stride_bytes ? args->to_stride_bytes : 1);
    const int64_t block = room > 1 ? room : 1;
    const char *from = args->from;
    char *to = args->to;
    for (int64_t i = 0; i < args->rows; i += block) {
        const int64_t rows = args->rows - i < block ? args->rows - i : block;
        for (int p = 0; p < args->parts; p++)
            NPC_V(pad_part)(&args->part[p], from, args->from_stride_bytes, to,
                            args->to_stride_bytes, rows);
        from += rows * args->from_stride_bytes;
        to += rows * args->to_stride_bytes;
    }
}

NPC_INLINE void NPC_V(row_add)(const NPC_T *from, NPC_T *to, int64_t count, const int accumulate)
{
    int64_t i = 0;
    for (; i + NPC_LANES <= count; i += NPC_LANES) {
        const NPC_VEC before = accumulate ? NPC_V(load)(to + i) : NPC_V(zero)();
        NPC_V(store)(to + i, NPC_V(add)(before, NPC_V(load)(from + i)));
    }
    const int rest = (int)(count - i);
    if (rest == 0) return;
    const NPC_VEC before = accumulate ? NPC_V(load_first)(to + i, rest) : NPC_V(zero)();
    NPC_V(store_first)(to + i, NPC_V(add)(before, NPC_V(load_first)(from + i, rest)), rest);
}

NPC_INLINE void NPC_V(fold_part)(const npc_row_part *part, const char *from, int64_t from_stride,
                                 char *to, int64_t to_stride, int64_t rows, int accumulate)
{
    const int64_t count = part->count, at = part->at, source = part->source;
#define EACH_ROW(...)                                                                              \
    for (int64_t i = 0; i < rows; i++) {                                                           \
        const NPC_T *restrict row = (const NPC_T *)(const void *)(from + i * from_stride) + at;    \
        NPC_T *restrict put = (NPC_T *)(void *)(to + i * to_stride) + source;                      \
        __VA_ARGS__;                                                                               \
    }
    if (part->kind == NPC_ROW_FORWARD) {
        if (!accumulate)
            EACH_ROW(NPC_V(row_add)(row, put, count, 0))
        else
            EACH_ROW(NPC_V(row_add)(row, put, count, 1))
    } else if (part->kind == NPC_ROW_REPEAT) {
        EACH_ROW(NPC_T sum = put[0]; for (int64_t k = 0; k < count; k++) sum += row[k];
                 put[0] = sum)
    } else {
        EACH_ROW(for (int64_t k = 0; k < count; k++) put[-k] += row[k])
    }
#undef EACH_ROW
}

NPC_DECLARE(fold_rows);
void NPC_NAME(fold_rows)(const npc_fold_rows_args *args)
{
    const int64_t room = ROW_BLOCK_BYTES / (args->to_stride_bytes ? args->to_stride_bytes : 1);
    const int64_t block = room > 1 ? room : 1;
    const char *from = args->from;
    char *to = args->to;
    for (int64_t i = 0; i < args->rows; i += block) {
        const int64_t rows = args->rows - i < block ? args->rows - i : block;
        for (int p = 0; p < args->parts; p++)
            NPC_V(fold_part)(&args->part[p], from, args->from_stride_bytes, to,
                             args->to_stride_bytes, rows, args->accumulate || p > 0);
        from += rows * args->from_stride_bytes;
        to += rows * args->to_stride_bytes;
    }
}

NPC_DECLARE(copy_out);
void NPC_NAME(copy_out)(const npc_copy_out_args *args)
{
    const NPC_T *from = args->from;
    NPC_T *to = args->to;
    int64_t count = args->count;
    const int64_t past = (int64_t)((uintptr_t)to % sizeof(NPC_VEC) / sizeof(NPC_T));
    const int64_t ahead = past ? NPC_LANES - past : 0, head = ahead < count ? ahead : count;
    if (head > 0) NPC_V(store_first)(to, NPC_V(load_first)(from, (int)head), (int)head);
    from += head;
    to += head;
    count -= head;
    if (args->stream) {
        for (; count >= NPC_LANES; count -= NPC_LANES, from += NPC_LANES, to += NPC_LANES)
            NPC_V(stream)(to, NPC_V(load)(from));
    }
    if (count > 0) NPC_V(row_copy)(from, to, count);
}
