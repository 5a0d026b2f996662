/* Every kernel, written once: included by kernels/<isa>/kernels.c after its simd.h, which supplies
 * for each dtype (f32, f64) the vocabulary
 *
 *   <dtype>_vec, <DTYPE>_LANES
 *   zero() broadcast(p) load(p) store(p, v) add(a, b) fma(a, b, c) = a * b + c
 *   load_first(p, n), store_first(p, v, n)   the first n lanes, 1 <= n <= lanes; others zero, kept
 *   load_masked(p, mask)                     the lanes in mask; others zero, not read
 *   load_even(p, mask)                       lane i from p[2 i] where bit 2 i of mask is set,
 * likewise merge(a, b)                              lanes of both, where at most one is not zero
 *   load_step(p, step, n)                    lane i < n from p[i * step]; others anything
 *   mask, beats(a, b), select(mask, a, b)    a > b, or a is NaN and b is not; a where mask, else b
 *   total(v)                                 the sum of the lanes, in a fixed order
 *
 * and the register tiles that fit: NPC_UK1_ROWS_<vecs>, NPC_DOT_ROWS, NPC_DOT_COLS.
 * NPC_ISA is defined by the build and proves that the file got this ISA's flags.
 */
#define NPC_PASTE2(a, b) a##b
#define NPC_PASTE(a, b) NPC_PASTE2(a, b)
#define NPC_NAME4(dtype, name, isa) npc_##dtype##_##name##__##isa
#define NPC_NAME3(dtype, name, isa) NPC_NAME4(dtype, name, isa)
#define NPC_NAME(name) NPC_NAME3(NPC_TYPE, name, NPC_ISA)
#define NPC_V(name) NPC_PASTE(NPC_PASTE(NPC_TYPE, _), name)
#define NPC_UNROLL _Pragma("GCC unroll 16")

#define NPC_TYPE f32
#define NPC_T float
#define NPC_VEC f32_vec
#define NPC_LANES F32_LANES
#define NPC_DTYPE_ID NPC_F32
#include "pack.h"
#include "uk1.h"
#include "dot.h"
#include "elementwise.h"
#include "max_row.h"
#include "table.h"
#undef NPC_TYPE
#undef NPC_T
#undef NPC_VEC
#undef NPC_LANES
#undef NPC_DTYPE_ID

#define NPC_TYPE f64
#define NPC_T double
#define NPC_VEC f64_vec
#define NPC_LANES F64_LANES
#define NPC_DTYPE_ID NPC_F64
#include "pack.h"
#include "uk1.h"
#include "dot.h"
#include "elementwise.h"
#include "max_row.h"
#include "table.h"

const npc_kernels *NPC_PASTE(npc_kernels__, NPC_ISA)(npc_dtype dtype);
const npc_kernels *NPC_PASTE(npc_kernels__, NPC_ISA)(npc_dtype dtype)
{
    return dtype == NPC_F32 ? &NPC_NAME3(f32, kernels, NPC_ISA) : &NPC_NAME3(f64, kernels, NPC_ISA);
}
