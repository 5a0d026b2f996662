#include "dtype.h"

#include <string.h>

static const size_t sizes[] = {
#define NPC_DTYPE(name, ctype, text) sizeof(ctype),
#include "dtype.def"
#undef NPC_DTYPE
};

size_t npc_dtype_size(npc_dtype dtype) { return sizes[dtype]; }

const char *npc_dtype_name(npc_dtype dtype)
{
    static const char *const names[] = {
#define NPC_DTYPE(name, ctype, text) text,
#include "dtype.def"
#undef NPC_DTYPE
    };
    return names[dtype];
}

/* IEEE binary16 -> float: 1 sign, 5 exponent (bias 15), 10 fraction bits. Exact. */
static float half_to_float(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = half >> 10 & 31, fraction = half & 0x3FF;
    uint32_t bits;
    if (exponent == 0) { /* zero or subnormal: fraction * 2^-24 */
        const float magnitude = (float)fraction * 0x1p-24f;
        memcpy(&bits, &magnitude, sizeof bits);
        bits |= sign;
    } else if (exponent == 31) {
        bits = sign | 0x7F800000u | fraction << 13;
    } else {
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

NPC_INLINE void fetch(void *to, const char *source, size_t size, int swapped)
{
    if (!swapped) {
        memcpy(to, source, size);
    } else {
        for (size_t i = 0; i < size; i++) ((char *)to)[i] = source[size - 1 - i];
    }
}

/* VALUE_F16 marks the one dtype whose C type is not its value. */
#define VALUE_F32(v) (v)
#define VALUE_F64(v) (v)
#define VALUE_F16(v) half_to_float(v)
#define VALUE_I8(v) (v)
#define VALUE_U8(v) (v)
#define VALUE_I16(v) (v)
#define VALUE_U16(v) (v)
#define VALUE_I32(v) (v)
#define VALUE_U32(v) (v)
#define VALUE_I64(v) (v)
#define VALUE_U64(v) (v)

double npc_load(const char *source, npc_dtype dtype, int swapped)
{
    switch (dtype) {
#define NPC_DTYPE(name, ctype, text)                                                               \
    case NPC_##name: {                                                                             \
        ctype v;                                                                                   \
        fetch(&v, source, sizeof v, swapped);                                                      \
        return (double)VALUE_##name(v);                                                            \
    }
#include "dtype.def"
#undef NPC_DTYPE
    default:
        return 0.0;
    }
}

/* One loop for each pair of source dtype and byte order, so that the choice stays outside it. */
#define READ_LOOP(name, ctype, target, swap)                                                       \
    for (int64_t i = 0; i < count; i++) {                                                          \
        ctype v;                                                                                   \
        fetch(&v, source + i * stride, sizeof v, swap);                                            \
        ((target *)to)[i] = (target)VALUE_##name(v);                                               \
    }

#define READ_CASE(name, ctype, target)                                                             \
    case NPC_##name:                                                                               \
        if (array->swapped) {                                                                      \
            READ_LOOP(name, ctype, target, 1)                                                      \
        } else {                                                                                   \
            READ_LOOP(name, ctype, target, 0)                                                      \
        }                                                                                          \
        break;

void npc_read_run(const npc_array *array, const char *source, int64_t stride, int64_t count,
                  npc_dtype dtype, void *to)
{
    if (npc_is_plain(array, dtype) && stride == (int64_t)sizes[dtype]) {
        memcpy(to, source, (size_t)count * sizes[dtype]);
        return;
    }
    if (dtype == NPC_F32) {
        switch (array->dtype) {
#define NPC_DTYPE(name, ctype, text) READ_CASE(name, ctype, float)
#include "dtype.def"
#undef NPC_DTYPE
        default:
            break;
        }
    } else {
        switch (array->dtype) {
#define NPC_DTYPE(name, ctype, text) READ_CASE(name, ctype, double)
#include "dtype.def"
#undef NPC_DTYPE
        default:
            break;
        }
    }
}

void npc_write_run(const void *from, npc_dtype dtype, char *target, int64_t stride, int64_t count)
{
    const int64_t size = (int64_t)sizes[dtype];
    if (stride == size) {
        memcpy(target, from, (size_t)(count * size));
    } else if (dtype == NPC_F32) {
        for (int64_t i = 0; i < count; i++)
            memcpy(target + i * stride, (const float *)from + i, sizeof(float));
    } else {
        for (int64_t i = 0; i < count; i++)
            memcpy(target + i * stride, (const double *)from + i, sizeof(double));
    }
}
