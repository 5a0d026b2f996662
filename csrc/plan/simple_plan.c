#include "simple_plan.h"

#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "../core/dtype.h"

/* Of a result that its caller can hardly find in a cache. */
#define NPC_STREAM_BYTES 16e6

npc_plan_info *npc_last_plan(void)
{
    static _Thread_local npc_plan_info last;
    return &last;
}

npc_status npc_simple_kernels(const npc_options *options, npc_dtype dtype,
                              const npc_kernels **kernels)
{
    const int isa = options->isa == NPC_AUTO ? npc_best_isa() : options->isa;
    if (!npc_isa_compiled(isa) || !npc_isa_supported(isa)) return NPC_UNSUPPORTED_ISA;
    *kernels = npc_kernels_of(isa, dtype);
    return NPC_OK;
}

void npc_simple_info(npc_plan_info *info, const char *operation, const npc_kernels *kernels,
                     const npc_team *team)
{
    const int threads = team->threads_used > 0 ? team->threads_used : 1;
    *info = (npc_plan_info){.operation = operation,
                            .algorithm = "direct",
                            .isa = npc_isa_name(kernels->isa),
                            .dtype = npc_dtype_name(kernels->dtype),
                            .num_threads = threads,
                            .pieces = team->pieces,
                            .workspace_bytes = (int64_t)team->scratch_bytes * threads};
}

/* Whether there is memory behind an address yet. The system clears a page at its first touch, which
 * brings it into cache: writing past that would take longer. */
static int is_backed(const void *address)
{
#ifdef __linux__
    enum { PAGE = 4096 };
    unsigned char present = 1;
    if (mincore((void *)((uintptr_t)address & ~(uintptr_t)(PAGE - 1)), PAGE, &present) != 0)
        return 1; /* larger pages, or not allowed */
    return present & 1;
#else
    (void)address;
    return 1;
#endif
}

int npc_is_large(const void *address, double bytes)
{
    return bytes >= NPC_STREAM_BYTES && is_backed(address) &&
           is_backed((const char *)address + (size_t)bytes / 2);
}

int npc_beyond_caches(const npc_array *array, int64_t n, int64_t c, int64_t d, int64_t h, int64_t w,
                      int64_t size)
{
    const int64_t extent[NPC_AXES] = {n, c, d, h, w};
    const double bytes = (double)n * (double)c * (double)d * (double)h * (double)(w * size);
    if (array->stride[4] != size || (uintptr_t)array->data % NPC_CACHE_LINE) return 0;
    for (int i = 0; i < NPC_AXES - 1; i++)
        if (extent[i] > 1 && array->stride[i] % NPC_CACHE_LINE) return 0;
    return npc_is_large(array->data, bytes);
}

void npc_zero_plane(const npc_array *array, char *plane, int64_t d, int64_t h, int64_t w,
                    int64_t size)
{
    const int joined = array->stride[4] == size || w == 1;
    for (int64_t i = 0; i < d; i++) {
        for (int64_t j = 0; j < h; j++) {
            char *row = plane + i * array->stride[2] + j * array->stride[3];
            if (joined)
                memset(row, 0, (size_t)(w * size));
            else
                for (int64_t k = 0; k < w; k++) memset(row + k * array->stride[4], 0, (size_t)size);
        }
    }
}
