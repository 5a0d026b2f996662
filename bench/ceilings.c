/* Measures what this machine can do at best: fused multiply-adds per second from registers, and
 * memcpy. `ceilings.py` compiles and runs it; one compiled file serves every ISA, each loop being
 * built for its own target and run only where the CPU supports it.
 *
 *   ceilings list                               the ISAs that can be measured, best first
 *   ceilings fma ISA DTYPE THREADS SECONDS      prints best and median GFLOP/s, all threads
 * together ceilings memcpy THREADS SECONDS             prints best and median GB/s, read plus write
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET(features) __attribute__((target(features), noinline))
#endif

enum {
    CHAINS = 12, /* independent sums: latency 4 times two units needs 8; 16 registers allow 12 */
    ROUNDS = 100000, /* fma block: 1.2 million vectors, about a quarter of a millisecond */
    MAX_SAMPLES = 100000,
    MAX_THREADS = 1024
};
static const size_t COPY_BYTES = (size_t)256 << 20; /* beyond any cache */

/* acc = acc * a + b with a just below 1 settles near 1: no overflow, no denormals. Both come from
 * volatile memory so that nothing is known when compiling; every chain starts elsewhere, or the
 * compiler would see that they are all the same and keep only one. */
static volatile double scale_source = 0.999999, shift_source = 1e-6;
static volatile double sink;

#define FMA_BLOCK(NAME, ATTRIBUTE, VECTOR, SCALAR, SET1, FMA)                                      \
    ATTRIBUTE static void NAME(void)                                                               \
    {                                                                                              \
        VECTOR a = SET1((SCALAR)scale_source), b = SET1((SCALAR)shift_source);                     \
        VECTOR s0 = b, s1 = a + b, s2 = s1 + b, s3 = s2 + b, s4 = s3 + b, s5 = s4 + b;             \
        VECTOR s6 = s5 + b, s7 = s6 + b, s8 = s7 + b, s9 = s8 + b, s10 = s9 + b, s11 = s10 + b;    \
        for (long i = 0; i < ROUNDS; i++) {                                                        \
            s0 = FMA(s0, a, b), s1 = FMA(s1, a, b), s2 = FMA(s2, a, b), s3 = FMA(s3, a, b);        \
            s4 = FMA(s4, a, b), s5 = FMA(s5, a, b), s6 = FMA(s6, a, b), s7 = FMA(s7, a, b);        \
            s8 = FMA(s8, a, b), s9 = FMA(s9, a, b), s10 = FMA(s10, a, b), s11 = FMA(s11, a, b);    \
        }                                                                                          \
        VECTOR sums[CHAINS] = {s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11};                  \
        double total = 0;                                                                          \
        for (int i = 0; i < CHAINS; i++) {                                                         \
            SCALAR lane;                                                                           \
            memcpy(&lane, &sums[i], sizeof lane);                                                  \
            total += lane;                                                                         \
        }                                                                                          \
        sink = total;                                                                              \
    }

/* 16-byte vectors in the compiler's own notation: SSE on x86-64, NEON (contracted to FMA) on Arm.
 */
typedef float plain_f32 __attribute__((vector_size(16)));
typedef double plain_f64 __attribute__((vector_size(16)));
#define SET4(v) ((plain_f32){v, v, v, v})
#define SET2(v) ((plain_f64){v, v})
#define MULTIPLY_ADD(x, y, z) ((x) * (y) + (z))
FMA_BLOCK(fma_plain_f32, __attribute__((noinline)), plain_f32, float, SET4, MULTIPLY_ADD)
FMA_BLOCK(fma_plain_f64, __attribute__((noinline)), plain_f64, double, SET2, MULTIPLY_ADD)

#if defined(__x86_64__)
FMA_BLOCK(fma_avx2_f32, TARGET("avx2,fma"), __m256, float, _mm256_set1_ps, _mm256_fmadd_ps)
FMA_BLOCK(fma_avx2_f64, TARGET("avx2,fma"), __m256d, double, _mm256_set1_pd, _mm256_fmadd_pd)
FMA_BLOCK(fma_avx512_f32, TARGET("avx512f"), __m512, float, _mm512_set1_ps, _mm512_fmadd_ps)
FMA_BLOCK(fma_avx512_f64, TARGET("avx512f"), __m512d, double, _mm512_set1_pd, _mm512_fmadd_pd)
#endif

typedef struct {
    const char *isa, *dtype;
    int lanes;
    void (*block)(void);
} fma_loop;

static const fma_loop fma_loops[] = {
#if defined(__x86_64__)
    {"avx512", "float32", 16, fma_avx512_f32}, {"avx512", "float64", 8, fma_avx512_f64},
    {"avx2", "float32", 8, fma_avx2_f32},      {"avx2", "float64", 4, fma_avx2_f64},
#endif
    {"plain", "float32", 4, fma_plain_f32},    {"plain", "float64", 2, fma_plain_f64},
};
enum { LOOPS = sizeof fma_loops / sizeof *fma_loops };

static int supported(const char *isa)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!strcmp(isa, "avx512")) return __builtin_cpu_supports("avx512f");
    if (!strcmp(isa, "avx2"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return !strcmp(isa, "plain");
}

/* One team of threads does the same step at the same time; the slowest one ends the step. */
static struct {
    void (*block)(void); /* NULL: copy instead */
    char *from, *to;
    int threads;
    double seconds;
    atomic_long started, finished;
} team;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void step(int thread)
{
    if (team.block) {
        team.block();
        return;
    }
    size_t part = COPY_BYTES / (size_t)team.threads & ~(size_t)4095;
    memcpy(team.to + part * (size_t)thread, team.from + part * (size_t)thread, part);
}

static void *follow(void *argument)
{
    int thread = (int)(size_t)argument;
    for (long turn = 1;; turn++) {
        long started;
        while ((started = atomic_load(&team.started)) < turn && started >= 0) {
        }
        if (started < 0) return NULL;
        step(thread);
        atomic_fetch_add(&team.finished, 1);
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Runs steps for the given time and prints work / fastest and work / median time, in 1e9 a second.
 */
static int measure(double work)
{
    static double samples[MAX_SAMPLES];
    static pthread_t helpers[MAX_THREADS];
    for (int i = 1; i < team.threads; i++)
        if (pthread_create(&helpers[i], NULL, follow, (void *)(size_t)i)) return 1;
    long count = 0;
    double begin = now();
    for (long turn = 1; count < MAX_SAMPLES; turn++) {
        double t = now();
        atomic_store(&team.started, turn);
        step(0);
        while (atomic_load(&team.finished) < turn * (team.threads - 1)) {
        }
        double end = now();
        if (turn > 1) /* the first one warms up */
            samples[count++] = end - t;
        if (count >= 3 && end - begin > team.seconds) break;
    }
    atomic_store(&team.started, -1);
    for (int i = 1; i < team.threads; i++) pthread_join(helpers[i], NULL);
    qsort(samples, (size_t)count, sizeof *samples, ascending);
    printf("%.3f %.3f\n", 1e-9 * work / samples[0], 1e-9 * work / samples[count / 2]);
    return 0;
}

static int set_team(const char *threads, const char *seconds)
{
    team.threads = atoi(threads);
    team.seconds = atof(seconds);
    return team.threads >= 1 && team.threads <= MAX_THREADS;
}

/* One block, for `kernel`, which loads this file as a library: its floating-point operations, or 0
 * if there is no such loop here. */
double ceilings_fma_block(const char *isa, const char *dtype)
{
    for (int i = 0; i < LOOPS; i++) {
        const fma_loop *loop = &fma_loops[i];
        if (strcmp(loop->isa, isa) || strcmp(loop->dtype, dtype) || !supported(isa)) continue;
        loop->block();
        return 2.0 * CHAINS * ROUNDS * loop->lanes;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "list")) {
        for (int i = 0; i < LOOPS; i += 2)
            if (supported(fma_loops[i].isa)) puts(fma_loops[i].isa);
        return 0;
    }
    if (argc == 6 && !strcmp(argv[1], "fma") && supported(argv[2]) && set_team(argv[4], argv[5])) {
        for (int i = 0; i < LOOPS; i++) {
            const fma_loop *loop = &fma_loops[i];
            if (!strcmp(loop->isa, argv[2]) && !strcmp(loop->dtype, argv[3])) {
                team.block = loop->block;
                return measure(2.0 * CHAINS * ROUNDS * loop->lanes * team.threads);
            }
        }
    }
    if (argc == 4 && !strcmp(argv[1], "memcpy") && set_team(argv[2], argv[3])) {
        team.from = malloc(COPY_BYTES);
        team.to = malloc(COPY_BYTES);
        if (!team.from || !team.to) return 1;
        memset(team.from, 1, COPY_BYTES); /* untouched pages would all be the one zero page */
        memset(team.to, 2, COPY_BYTES);
        size_t part = COPY_BYTES / (size_t)team.threads & ~(size_t)4095;
        return measure(2.0 * (double)part * team.threads);
    }
    fputs("usage: ceilings list | fma ISA DTYPE THREADS SECONDS | memcpy THREADS SECONDS\n",
          stderr);
    return 2;
}
