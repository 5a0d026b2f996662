/* CPU detection. AVX state must be enabled by the operating system as well as present in the CPU:
 * CPUID.OSXSAVE -> XCR0 -> CPUID feature bits, in this order. */
#include "cpu.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "../include/npc.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

enum {
    FEATURE_FMA,
    FEATURE_F16C,
    FEATURE_AVX2,
    FEATURE_AVX512F,
    FEATURE_AVX512DQ,
    FEATURE_AVX512BW,
    FEATURE_AVX512VL,
    FEATURE_COUNT
};

static const char *const feature_names[] = {"fma",      "f16c",     "avx2",    "avx512f",
                                            "avx512dq", "avx512bw", "avx512vl"};

static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}

static unsigned find_features(void)
{
    unsigned a, b, c, d, found = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    const uint64_t xcr0 = read_xcr0();
    const int avx_state = (xcr0 & 0x06) == 0x06;    /* xmm, ymm */
    const int avx512_state = (xcr0 & 0xE6) == 0xE6; /* and opmask, zmm0-15 upper, zmm16-31 */
    if (!avx_state) return 0;
    if (c & bit_FMA) found |= 1u << FEATURE_FMA;
    if (c & bit_F16C) found |= 1u << FEATURE_F16C;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
    if (b & bit_AVX2) found |= 1u << FEATURE_AVX2;
    if (!avx512_state) return found;
    if (b & bit_AVX512F) found |= 1u << FEATURE_AVX512F;
    if (b & bit_AVX512DQ) found |= 1u << FEATURE_AVX512DQ;
    if (b & bit_AVX512BW) found |= 1u << FEATURE_AVX512BW;
    if (b & bit_AVX512VL) found |= 1u << FEATURE_AVX512VL;
    return found;
}
#else
enum { FEATURE_COUNT = 0 };
static const char *const feature_names[] = {""};
static unsigned find_features(void) { return 0; }
#endif

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned features;
static char feature_text[256];

static void detect(void)
{
    features = find_features();
    for (int i = 0; i < FEATURE_COUNT; i++) {
        if (!(features >> i & 1)) continue;
        if (feature_text[0]) strcat(feature_text, " ");
        strcat(feature_text, feature_names[i]);
    }
}

static unsigned cpu_features(void)
{
    pthread_once(&once, detect);
    return features;
}

const char *npc_cpu_features(void)
{
    cpu_features();
    return feature_text;
}

#if defined(__x86_64__) || defined(__i386__)
static int npc_cpu_has_avx512(void)
{
    const unsigned needed = 1u << FEATURE_FMA | 1u << FEATURE_AVX512F | 1u << FEATURE_AVX512DQ |
                            1u << FEATURE_AVX512BW | 1u << FEATURE_AVX512VL;
    return (cpu_features() & needed) == needed;
}

static int npc_cpu_has_avx2(void)
{
    const unsigned needed = 1u << FEATURE_FMA | 1u << FEATURE_AVX2;
    return (cpu_features() & needed) == needed;
}
#else
static int npc_cpu_has_avx512(void) { return 0; }
static int npc_cpu_has_avx2(void) { return 0; }
#endif

static int npc_cpu_has_neon(void)
{
#if defined(__aarch64__)
    return 1; /* part of the base architecture */
#else
    return 0;
#endif
}

static int npc_cpu_has_plain(void) { return 1; }

int npc_isa_count(void) { return NPC_ISA_COUNT; }

const char *npc_isa_name(int isa)
{
    static const char *const names[] = {
#define NPC_ISA_ENTRY(name, compiled) #name,
#include "isa.def"
#undef NPC_ISA_ENTRY
    };
    return isa >= 0 && isa < NPC_ISA_COUNT ? names[isa] : "";
}

int npc_isa_compiled(int isa)
{
    static const int compiled_in[] = {
#define NPC_ISA_ENTRY(name, compiled) compiled,
#include "isa.def"
#undef NPC_ISA_ENTRY
    };
    return isa >= 0 && isa < NPC_ISA_COUNT && compiled_in[isa];
}

int npc_isa_supported(int isa)
{
    switch (isa) {
#define NPC_ISA_ENTRY(name, compiled)                                                              \
    case NPC_ISA_##name:                                                                           \
        return npc_cpu_has_##name();
#include "isa.def"
#undef NPC_ISA_ENTRY
    default:
        return 0;
    }
}

int npc_best_isa(void)
{
    int isa = 0;
    while (!npc_isa_compiled(isa) || !npc_isa_supported(isa)) isa++; /* `plain` ends it */
    return isa;
}
