#include "scratch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

typedef struct block {
    size_t size;
    void *memory;
} block;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int key_made;
static _Thread_local block mine;

static void release(void *arg)
{
    block *b = arg;
    free(b->memory);
    b->memory = NULL;
    b->size = 0;
}

/* The key exists for its destructor, which runs when a thread ends. */
static void make_key(void) { key_made = pthread_key_create(&key, release) == 0; }

void *npc_scratch(size_t size)
{
    assert(size <= NPC_SCRATCH_LIMIT);
    if (size > mine.size) {
        pthread_once(&once, make_key);
        const size_t rounded = npc_round_up(size, 4096);
        void *memory = NULL;
        if (!key_made || posix_memalign(&memory, 4096, rounded) != 0) return NULL;
        free(mine.memory);
        mine.memory = memory;
        mine.size = rounded;
        pthread_setspecific(key, &mine);
    }
#ifndef NDEBUG
    memset(mine.memory, 0xA5, mine.size); /* a read of what was not written shows in the tests */
#endif
    return mine.memory;
}
