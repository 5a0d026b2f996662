/* recycle.c: memory of results and workspaces, kept for the next ones.
 *
 * The system hands out memory page by page at first touch; for a result of 50 MB this takes as
 * long as computing it. So blocks that come back wait here, few and not large in all, for a
 * request that they fit.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "common.h"
#include "npc.h"

#define ALIGNMENT 64
#define HUGE_PAGES ((size_t)4 << 20) /* from here on they are asked for, as NumPy does */

/* In front of every block, in an aligned slot of its own. */
typedef union header {
    struct {
        size_t capacity;
        void *memory; /* as the C library gave it */
    };
    char slot[ALIGNMENT];
} header;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static header *kept[NPC_RECYCLE_BLOCKS]; /* the one that came back last comes first */
static int count;
static size_t kept_bytes;
static int enabled = 1;

static header *remove_kept(int i)
{
    header *block = kept[i];
    kept_bytes -= block->capacity;
    count--;
    memmove(kept + i, kept + i + 1, (size_t)(count - i) * sizeof *kept);
    return block;
}

static void release(header *block) { free(block->memory); }

static void drop_all(void)
{
    while (count) release(remove_kept(count - 1));
}

/* A forked child gets its pages by copying: what the parent keeps would cost it more than fresh
 * memory. */
static void before_fork(void) { pthread_mutex_lock(&lock); }
static void in_parent(void) { pthread_mutex_unlock(&lock); }
static void in_child(void)
{
    drop_all();
    pthread_mutex_unlock(&lock);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void watch_forks(void)
{
    if (pthread_atfork(before_fork, in_parent, in_child) != 0) enabled = 0;
}

/* Aligned here and not by posix_memalign, which asks for more than it returns to the heap: the
 * place that a result leaves would be too small for the next of its size, and the heap's end,
 * where that goes instead, be given back to the system and taken anew by turns. */
static header *allocate(size_t capacity)
{
    if (capacity > SIZE_MAX - sizeof(header) - ALIGNMENT) return NULL;
    const size_t total = sizeof(header) + capacity + ALIGNMENT;
    char *memory = malloc(total);
    if (!memory) return NULL;
#ifdef MADV_HUGEPAGE
    if (capacity >= HUGE_PAGES) {
        const uintptr_t first = ((uintptr_t)memory + 4095) & ~(uintptr_t)4095;
        const uintptr_t end = ((uintptr_t)memory + total) & ~(uintptr_t)4095;
        madvise((void *)first, end - first, MADV_HUGEPAGE); /* a wish; it may fail */
    }
#endif
    header *block = (header *)npc_round_up((uintptr_t)memory, ALIGNMENT);
    block->capacity = capacity;
    block->memory = memory;
    return block;
}

void *npc_recycle_take(size_t bytes)
{
    header *block = NULL;
    if (bytes >= NPC_RECYCLE_SMALLEST) {
        pthread_once(&once, watch_forks);
        pthread_mutex_lock(&lock);
        for (int i = 0; i < count && !block; i++) {
            /* A block much larger than asked for would be memory that nobody can use. */
            if (kept[i]->capacity >= bytes && kept[i]->capacity - bytes <= bytes / 8)
                block = remove_kept(i);
        }
        pthread_mutex_unlock(&lock);
    }
    if (!block) block = allocate(bytes);
    return block ? block + 1 : NULL;
}

void npc_recycle_give(void *memory)
{
    if (!memory) return;
    header *block = (header *)memory - 1;
    const size_t capacity = block->capacity;
    if (capacity < NPC_RECYCLE_SMALLEST || capacity > NPC_RECYCLE_BYTES) {
        release(block);
        return;
    }
    header *dropped[NPC_RECYCLE_BLOCKS];
    int drops = 0, keep;
    pthread_mutex_lock(&lock);
    keep = enabled;
    if (keep) {
        while (count == NPC_RECYCLE_BLOCKS || (count && kept_bytes + capacity > NPC_RECYCLE_BYTES))
            dropped[drops++] = remove_kept(count - 1);
        memmove(kept + 1, kept, (size_t)count * sizeof *kept);
        kept[0] = block;
        count++;
        kept_bytes += capacity;
    }
    pthread_mutex_unlock(&lock);
    /* Giving pages back takes the system a while: not under the lock. */
    for (int i = 0; i < drops; i++) release(dropped[i]);
    if (!keep) release(block);
}

size_t npc_recycle_capacity(const void *memory) { return ((const header *)memory - 1)->capacity; }

void npc_recycle_enable(int on)
{
    pthread_mutex_lock(&lock);
    enabled = on;
    if (!on) drop_all();
    pthread_mutex_unlock(&lock);
}

void npc_recycle_state(int *blocks, int64_t *bytes)
{
    pthread_mutex_lock(&lock);
    *blocks = count;
    *bytes = (int64_t)kept_bytes;
    pthread_mutex_unlock(&lock);
}
