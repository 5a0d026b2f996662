#include "parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

#include "common.h"
#include "fp_env.h"
#include "scratch.h"

/* Waking the other threads costs about 5 us, and much more where another process holds their cores;
 * below this much work, 0.1 ms, one thread is safer. */
#define SERIAL_FLOPS 8e6
#define POLL_NANOSECONDS 20000000
/* Where pieces are many the clock is read every few of them: that takes as long as a small one. */
#define MANY_PIECES 64
#define PIECES_A_LOOK 8

static atomic_int default_threads; /* 0: not set yet */

int npc_has_openmp(void)
{
#ifdef _OPENMP
    return 1;
#else
    return 0;
#endif
}

int npc_max_threads(void)
{
    long cores = 0;
#if defined(__linux__) && defined(CPU_COUNT)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
#endif
    if (cores <= 0) cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? (int)cores : 1;
}

int npc_get_num_threads(void)
{
    int threads = atomic_load_explicit(&default_threads, memory_order_relaxed);
    if (threads == 0) {
        threads = npc_max_threads();
        atomic_store_explicit(&default_threads, threads, memory_order_relaxed);
    }
    return threads;
}

void npc_set_num_threads(int num_threads)
{
    atomic_store_explicit(&default_threads, num_threads, memory_order_relaxed);
}

/* libgomp's worker threads do not exist in a forked child, and its next region there waits for them
 * for ever. So its pool is dismissed before every fork; where the runtime cannot do that, the child
 * computes on one thread. */
static atomic_int serial_only;

#ifdef _OPENMP
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static atomic_int pause_failed;

static void before_fork(void)
{
#if NPC_HAVE_OMP_PAUSE
    atomic_store(&pause_failed, omp_pause_resource_all(omp_pause_soft) != 0);
#else
    atomic_store(&pause_failed, 1);
#endif
}

static void in_child(void)
{
    if (atomic_load(&pause_failed)) atomic_store(&serial_only, 1);
}

static void watch_forks(void)
{
    if (pthread_atfork(before_fork, NULL, in_child) != 0) atomic_store(&serial_only, 1);
}
#endif

npc_team npc_make_team(const npc_options *options, double flops)
{
    npc_team team = {0};
    team.threads = options->num_threads > 0 ? options->num_threads : npc_get_num_threads();
    if (flops < SERIAL_FLOPS || !npc_has_openmp() || atomic_load(&serial_only)) team.threads = 1;
    team.interrupted = options->interrupted;
    return team;
}

typedef struct loop {
    npc_task task;
    void *context;
    int64_t pieces;
    size_t scratch_bytes;
    int (*interrupted)(void);
    atomic_llong next;
    atomic_int status;
} loop;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void stop(loop *l, npc_status status)
{
    int expected = NPC_OK;
    atomic_compare_exchange_strong(&l->status, &expected, status);
}

/* What each thread does; `caller` is true on the thread that may ask for signals. */
static void work(loop *l, int caller)
{
    void *scratch = NULL;
    if (l->scratch_bytes) {
        scratch = npc_scratch(l->scratch_bytes);
        if (!scratch) {
            stop(l, NPC_NO_MEMORY);
            return;
        }
    }
    const npc_fp_env env = npc_fp_enter();
    const int poll = caller && l->interrupted;
    const int64_t look = l->pieces < MANY_PIECES ? 1 : PIECES_A_LOOK;
    int64_t asked = poll ? now() : 0;
    for (int64_t done = 1;; done++) {
        const int64_t piece = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
        if (piece >= l->pieces) break;
        if (atomic_load_explicit(&l->status, memory_order_relaxed) != NPC_OK) break;
        const npc_status status = l->task(l->context, piece, scratch);
        if (status != NPC_OK) stop(l, status);
        if (poll && done % look == 0 && now() - asked > POLL_NANOSECONDS) {
            if (l->interrupted()) stop(l, NPC_INTERRUPTED);
            asked = now();
        }
    }
    npc_fp_leave(env);
}

/* A small call: no more than the task. */
static npc_status run_one(npc_team *team, npc_task task, void *context)
{
    team->pieces++;
    if (team->threads_used == 0) team->threads_used = 1;
    const npc_fp_env env = npc_fp_enter();
    const npc_status status = task(context, 0, NULL);
    npc_fp_leave(env);
    return status;
}

npc_status npc_parallel_for(npc_team *team, int64_t pieces, size_t scratch_bytes, npc_task task,
                            void *context)
{
    if (pieces <= 0) return NPC_OK;
    if (pieces == 1 && scratch_bytes == 0) return run_one(team, task, context);
    loop l = {.task = task,
              .context = context,
              .pieces = pieces,
              .scratch_bytes = scratch_bytes,
              .interrupted = team->interrupted};
    atomic_init(&l.next, 0);
    atomic_init(&l.status, NPC_OK);
    const int threads = (int)npc_min(team->threads, pieces);

    team->pieces += pieces;
    if (scratch_bytes > team->scratch_bytes) team->scratch_bytes = scratch_bytes;
    if (threads > team->threads_used) team->threads_used = threads;

#ifdef _OPENMP
    if (threads > 1) {
        pthread_once(&fork_once, watch_forks);
#pragma omp parallel num_threads(threads)
        work(&l, omp_get_thread_num() == 0);
        return (npc_status)atomic_load(&l.status);
    }
#endif
    work(&l, 1);
    return (npc_status)atomic_load(&l.status);
}
