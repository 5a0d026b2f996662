#include "integer_read.h"

#include <assert.h>
#include <string.h>

/* The usual strides as constants, so that the loops become vectors. */
#define READ_LOOP(ctype, target, fetch)                                                            \
    for (int64_t i = 0; i < count; i++) {                                                          \
        ctype v;                                                                                   \
        memcpy(&v, source + i * stride, sizeof v);                                                 \
        *(target *)(to + i * to_stride) = (target)fetch(v);                                        \
    }

#define AS_IS(v) (v)
#define SWAPPED_16(v) __builtin_bswap16((uint16_t)(v))
#define SWAPPED_32(v) __builtin_bswap32((uint32_t)(v))
#define SWAPPED_64(v) __builtin_bswap64((uint64_t)(v))

static void read_narrow(const npc_array *array, const char *source, int64_t stride, int64_t count,
                        char *to, int64_t to_stride)
{
    if (array->dtype == NPC_I8)
        READ_LOOP(int8_t, int16_t, AS_IS)
    else
        READ_LOOP(uint8_t, int16_t, AS_IS)
}

#define READ_WIDE(ctype, swap)                                                                     \
    if (array->swapped)                                                                            \
        READ_LOOP(ctype, int64_t, (ctype)swap)                                                     \
    else                                                                                           \
        READ_LOOP(ctype, int64_t, AS_IS)                                                           \
    break;

void npc_read_integers(const npc_array *array, const char *source, int64_t stride, int64_t count,
                       int64_t item_bytes, char *to, int64_t to_stride)
{
    if (item_bytes == sizeof(int16_t)) {
        assert(array->dtype == NPC_I8 || array->dtype == NPC_U8);
        if (stride == 1 && to_stride == 4)
            read_narrow(array, source, 1, count, to, 4);
        else
            read_narrow(array, source, stride, count, to, to_stride);
        return;
    }
    switch (array->dtype) {
    case NPC_I8:
        READ_WIDE(int8_t, AS_IS)
    case NPC_U8:
        READ_WIDE(uint8_t, AS_IS)
    case NPC_I16:
        READ_WIDE(int16_t, SWAPPED_16)
    case NPC_U16:
        READ_WIDE(uint16_t, SWAPPED_16)
    case NPC_I32:
        READ_WIDE(int32_t, SWAPPED_32)
    case NPC_U32:
        READ_WIDE(uint32_t, SWAPPED_32)
    case NPC_I64:
        READ_WIDE(int64_t, SWAPPED_64)
    case NPC_U64:
        READ_WIDE(uint64_t, SWAPPED_64)
    default:
        assert(!"an integer dtype");
    }
}
