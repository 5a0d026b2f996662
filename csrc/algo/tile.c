#include "tile.h"

npc_pixels npc_pixels_of(const npc_array *array, const int64_t extent[NPC_SPATIAL], npc_dtype dtype)
{
    npc_pixels p = {.array = array,
                    .dtype = dtype,
                    .size = (int64_t)npc_dtype_size(dtype),
                    .pixels = npc_volume(extent),
                    .extent = {1, 1, 1}};
    int at = NPC_SPATIAL - 1; /* the axis that the next outer one may join */
    p.stride[at] = p.size;
    for (int i = NPC_SPATIAL - 1; i >= 0; i--) {
        const int64_t stride = array->stride[2 + i];
        if (extent[i] == 1) continue;
        if (p.extent[at] > 1 && stride != p.stride[at] * p.extent[at]) at--;
        if (p.extent[at] == 1) p.stride[at] = stride;
        p.extent[at] *= extent[i];
    }
    const int plain = npc_is_plain(array, dtype);
    const int last = NPC_SPATIAL - 1;
    p.flat = plain && (p.pixels == 1 || (p.extent[last] == p.pixels && p.stride[last] == p.size));
    p.channels_last = plain && array->stride[1] == p.size && (p.pixels == 1 || !p.flat);
    return p;
}

/* Where a pixel of channel 0 is, and how many from it on lie evenly. */
static char *find(const npc_pixels *p, int64_t pixel, int64_t *run)
{
    const int64_t position = pixel % p->pixels, rest = position / p->extent[2];
    char *at = p->array->data + pixel / p->pixels * p->array->stride[0];
    at += position % p->extent[2] * p->stride[2];
    at += rest % p->extent[1] * p->stride[1] + rest / p->extent[1] * p->stride[0];
    *run = p->extent[2] - position % p->extent[2];
    return at;
}

/* A pixel's channels follow each other: one line of memory goes to, or comes from, many rows. */
#define TURN(type)                                                                                 \
    for (int64_t j = 0; j < count; j++) {                                                          \
        type *at = (type *)(void *)(pixel + j * step);                                             \
        type *row = (type *)tile + j;                                                              \
        if (writing)                                                                               \
            for (int64_t c = 0; c < channels; c++) at[c] = row[c * pitch];                         \
        else                                                                                       \
            for (int64_t c = 0; c < channels; c++) row[c * pitch] = at[c];                         \
    }
NPC_INLINE void turn(char *pixel, int64_t step, int64_t channels, int64_t count, void *tile,
                     int64_t pitch, int64_t size, const int writing)
{
    if (size == sizeof(float)) {
        TURN(float)
    } else {
        TURN(double)
    }
}

NPC_INLINE void transfer(const npc_pixels *p, int64_t channel, int64_t channels, int64_t pixel,
                         int64_t count, char *tile, int64_t pitch, const int writing)
{
    const npc_array *array = p->array;
    const int64_t step = p->stride[2];
    for (int64_t j = 0; j < count;) {
        int64_t run;
        char *at = find(p, pixel + j, &run) + channel * array->stride[1];
        /* Images of one pixel follow each other evenly too. */
        const int64_t between = p->pixels == 1 ? array->stride[0] : step;
        if (p->pixels == 1) run = count;
        run = npc_min(run, count - j);
        char *to = tile + j * p->size;
        if (p->channels_last && channels > 1) {
            turn(at, between, channels, run, to, pitch, p->size, writing);
        } else {
            for (int64_t c = 0; c < channels; c++) {
                if (writing)
                    npc_write_run(to + c * pitch * p->size, p->dtype, at + c * array->stride[1],
                                  between, run);
                else
                    npc_read_run(array, at + c * array->stride[1], between, run, p->dtype,
                                 to + c * pitch * p->size);
            }
        }
        j += run;
    }
}

void npc_tile_read(const npc_pixels *from, int64_t channel, int64_t channels, int64_t pixel,
                   int64_t count, void *tile, int64_t pitch)
{
    transfer(from, channel, channels, pixel, count, tile, pitch, 0);
}

void npc_tile_write(const npc_pixels *to, int64_t channel, int64_t channels, int64_t pixel,
                    int64_t count, const void *tile, int64_t pitch)
{
    /* Only read when writing. */
    transfer(to, channel, channels, pixel, count, (char *)(uintptr_t)tile, pitch, 1);
}
