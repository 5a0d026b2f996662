/* What every kernel file includes, beside the header of ../args/ that says what its kernels take.
 * Each file of this folder is compiled once for every ISA and dtype, with these set by the build:
 *
 *   NPC_ISA avx512, ...    NPC_SIMD the path of its simd.h, from here
 *   NPC_TYPE f32 or f64    NPC_T float or double    NPC_DTYPE_ID NPC_F32 or NPC_F64
 *
 * simd.h supplies for each dtype the vocabulary
 *
 *   <dtype>_vec, <dtype>_lanes
 *   zero() broadcast(p) load(p) store(p, v) add(a, b) fma(a, b, c) = a * b + c
 *   load_first(p, n), store_first(p, v, n)   the first n lanes, 1 <= n <= lanes; others zero, kept
 *   load_masked(p, mask)                     the lanes in mask; others zero, not read
 *   load_even(p, mask)                       lane i from p[2 i] where bit 2 i of mask is set,
 *                                            likewise
 *   merge(a, b)                              lanes of both, where at most one is not zero
 *   even(a, b) odd(a, b)                     every second lane of a, then of b, from lane 0 or 1
 *   zip_low(a, b) zip_high(a, b)             lanes of a and b in turn, of their lower or upper
 *                                            halves
 *   load_step(p, step, n)                    lane i < n from p[i * step]; others zero
 *   stream(p, v), fence()                    an aligned store past the caches; what orders it
 *   + - * / between vectors, never fused; root(v), the square root
 *   (NPC_BITS) between vectors of elements and of as many integers, without conversion
 *   mask, beats(a, b), select(mask, a, b)    a > b, or a is NaN and b is not; a where mask, else b
 *   undercuts(a, b)                          a < b, or a is NaN and b is not
 *   mul(a, b), not_above(a, b)               a * b; the lanes of a, but b where a > b
 *   lanes_of(mask)                           the mask of the lanes whose bits are set
 *   total(v)                                 the sum of the lanes, in a fixed order
 *   load_pairs(p, n, &a, &b)                 lane i < n of a from p[2 i], of b from p[2 i + 1];
 *                                            others anything, not read
 *   store_pairs(p, a, b, n)                  the reverse: the first n of a[0] b[0] a[1] b[1] ...
 *   match(p, n)                              where the byte p[lane] is n; all lanes are read
 *   add_where(mask, a, b)                    a + b where mask, else a
 *   ints                                     as many integers of the size of an element:
 *                                            int_broadcast(n) int_load(p) int_store(p, v)
 *                                            int_add(a, b) int_select(mask, a, b)
 *   int_sum_products(a, b, c)                c + a * b modulo 2^64 where they are of 64 bits; of 32
 *                                            bits are pairs of int16: c + both products of a lane
 *   int_equal(a, b), mask_bits(mask)         where they are equal; lane i as bit i
 *   load_int64(p, n), load_bytes(p, n)       the low bits of the first n int64, or uint8, as ints
 *   store_int64(p, v, n), store_bytes(p, v, n)   the first n of v, as int64 or as uint8 (those
 *                                            of all lanes fit)
 *   transpose(v)                             lane i of v[j] and lane j of v[i] change places, for
 *                                            all of v[lanes]
 *
 * and the register tiles that fit: NPC_UK1_ROWS_<vecs>, NPC_DOT_ROWS, NPC_DOT_COLS.
 */
#ifndef NPC_KERNELS_GENERIC_KERNEL_H
#define NPC_KERNELS_GENERIC_KERNEL_H

#include NPC_SIMD

#define NPC_PASTE2(a, b) a##b
#define NPC_PASTE(a, b) NPC_PASTE2(a, b)
#define NPC_NAME4(dtype, name, isa) npc_##dtype##_##name##__##isa
#define NPC_NAME3(dtype, name, isa) NPC_NAME4(dtype, name, isa)
#define NPC_NAME(name) NPC_NAME3(NPC_TYPE, name, NPC_ISA)
#define NPC_V(name) NPC_PASTE(NPC_PASTE(NPC_TYPE, _), name)
#define NPC_VEC NPC_V(vec)
#define NPC_LANES NPC_V(lanes)
/* The bits of a vector's elements as integers. */
typedef uint32_t f32_bits __attribute__((vector_size(sizeof(f32_vec))));
typedef uint64_t f64_bits __attribute__((vector_size(sizeof(f64_vec))));
#define NPC_BITS NPC_V(bits)
#define NPC_UNROLL _Pragma("GCC unroll 16")
/* Keeps the compiler from computing or loading a vector once more for each use. */
#if defined(__x86_64__)
#define NPC_IN_REGISTER(vector) __asm__("" : "+v"(vector))
#else
#define NPC_IN_REGISTER(vector) ((void)0)
#endif

/* The prototype of a kernel of kernels.def, before its definition. */
#define NPC_DECLARE(name) npc_##name##_fn NPC_NAME(name)

#endif
