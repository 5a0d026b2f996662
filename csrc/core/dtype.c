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

NPC_INLINE float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

NPC_INLINE uint32_t to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* IEEE binary16 -> float: 1 sign, 5 exponent (bias 15), 10 fraction bits. Exact, and without
 * branches, so that loops over it become vectors. */
NPC_INLINE float half_to_float(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = (uint32_t)(half & 0x7FFF) << 13;
    const uint32_t exponent = rest & 0x0F800000u;
    const uint32_t normal = rest + (112u << 23), special = rest | 0x7F800000u;
    /* Zero and subnormals, fraction * 2^-24: the fraction under a leading one, less that one. */
    const uint32_t tiny = to_bits(from_bits(rest + (113u << 23)) - 0x1p-14f);
    const uint32_t finite = exponent == 0 ? tiny : normal;
    return from_bits(sign | (exponent == 0x0F800000u ? special : finite));
}

NPC_INLINE float bfloat_to_float(uint16_t bits) { return from_bits((uint32_t)bits << 16); }

/* The reverse, to the nearest, ties to even. */
NPC_INLINE uint16_t float_to_half(float value)
{
    const uint32_t bits = to_bits(value), sign = bits >> 16 & 0x8000, size = bits & 0x7FFFFFFFu;
    /* Subnormals are multiples of 2^-24, the unit in the last place of 0.5. */
    const uint32_t tiny = to_bits(from_bits(size) + 0.5f) - to_bits(0.5f);
    const uint32_t normal = (size - (112u << 23) + 0xFFF + (size >> 13 & 1)) >> 13;
    const uint32_t finite = size < (113u << 23) ? tiny : normal;
    const uint32_t special = size > 0x7F800000u ? 0x7E00u | (size >> 13 & 0x3FF) : 0x7C00u;
    return (uint16_t)(sign | (size >= (143u << 23) ? special : finite));
}

NPC_INLINE uint16_t float_to_bfloat(float value)
{
    const uint32_t bits = to_bits(value), rounded = bits + 0x7FFF + (bits >> 16 & 1);
    return (uint16_t)((bits & 0x7FFFFFFFu) > 0x7F800000u ? bits >> 16 | 0x40 : rounded >> 16);
}

void npc_round_run(const float *from, int64_t count, npc_dtype dtype, void *to)
{
    uint16_t *rounded = to;
    if (dtype == NPC_F16)
        for (int64_t i = 0; i < count; i++) rounded[i] = float_to_half(from[i]);
    else
        for (int64_t i = 0; i < count; i++) rounded[i] = float_to_bfloat(from[i]);
}

NPC_INLINE void fetch(void *to, const char *source, size_t size, int swapped)
{
    if (!swapped) {
        memcpy(to, source, size);
    } else {
        for (size_t i = 0; i < size; i++) ((char *)to)[i] = source[size - 1 - i];
    }
}

/* VALUE_F16 and VALUE_BF16 mark the dtypes whose C type is not their value. */
#define VALUE_F32(v) (v)
#define VALUE_F64(v) (v)
#define VALUE_F16(v) half_to_float(v)
#define VALUE_BF16(v) bfloat_to_float(v)
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
        } else if (stride == sizeof(ctype)) { /* a constant, for vectors */                        \
            stride = sizeof(ctype);                                                                \
            READ_LOOP(name, ctype, target, 0)                                                      \
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
