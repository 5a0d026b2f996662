/* common.h: the few macros and helpers that every C file uses. */
#ifndef NPC_CORE_COMMON_H
#define NPC_CORE_COMMON_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define NPC_INLINE static inline __attribute__((always_inline))
#define NPC_LIKELY(x) __builtin_expect(!!(x), 1)
#define NPC_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define NPC_CACHE_LINE 64

NPC_INLINE int64_t npc_min(int64_t a, int64_t b) { return a < b ? a : b; }
NPC_INLINE int64_t npc_max(int64_t a, int64_t b) { return a > b ? a : b; }

/* a / b rounded up, for a >= 0, b > 0. */
NPC_INLINE int64_t npc_ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0); }

NPC_INLINE int64_t npc_greatest_common_divisor(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The start of part `part` when `total` things are split as evenly as possible into `parts`. */
NPC_INLINE int64_t npc_split(int64_t total, int64_t parts, int64_t part)
{
    int64_t base = total / parts, rest = total % parts;
    return part * base + npc_min(part, rest);
}

/* Sizes of volumes given as D, H, W triples. */
NPC_INLINE int64_t npc_volume(const int64_t size[3]) { return size[0] * size[1] * size[2]; }

NPC_INLINE size_t npc_round_up(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

#endif
