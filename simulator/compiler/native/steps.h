/* What is given for a compilation: steps over whole tensors, and a machine's sizes.
 *
 * Steps are those of simulator/compiler/steps.py, numbers of a machine those of simulator/compiler/sizes.py. */
#ifndef PULSETRAIN_STEPS_H
#define PULSETRAIN_STEPS_H
#include <stdint.h>

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CEIL(a, b) (((a) + (b) - 1) / (b))

enum { NONE = -1 };
enum outcome { COMPILED, DOES_NOT_FIT, NO_MEMORY, TOO_LONG, REFUSED };
enum { HBM, HBM_CURRENT, HBM_NEXT, HOST, SPACES };

struct value { /* a tensor, however it is cut */
    int64_t rows, cols, item, whole_rows, name;
};

struct home { /* where a tensor comes from or goes to; `like`: at the address of that home, NONE: its own */
    int64_t tensor, space, flags, name, is_output, like;
};

struct job {
    const int64_t *sizes; /* words, tensors, homes, names; the most tiles and accumulator tiles of a matmul */
    const int64_t *words;
    const struct value *values;
    const struct home *homes;
};

struct core { /* the numbers of a machine that the compiler goes by */
    int64_t rows, cols, lanes, dataflow, buffer_bytes, lines, divide, sqrt, table, capacity_bytes, numerator,
        denominator;
};
enum { OUTPUT_STATIONARY = 1 }; /* a dataflow */

struct geometry { /* how tensors and tiles are cut: simulator/compiler/tensors.py, which says why */
    int64_t rows, cols, line, chunk, accumulate;
};

struct costs { /* what steers the order */
    int64_t ahead, beats, divide, sqrt, table, numerator, denominator;
};

struct machine { /* what there is room for */
    int64_t granules, frame, slots, output_stationary, capacity_bytes;
};

enum { GRANULE_LINES = 4, BLOCKS_THAT_FIT = 16, MOST_ROWS = 1 << 15, LONG_CHUNK = 1024, FEW_BLOCKS = 16 };

static inline int power_of_two(int64_t x) { return x > 0 && !(x & (x - 1)); }

/* REFUSED for sizes that no Program is made for. */
static inline enum outcome measure(const struct core *core, struct geometry *g, struct costs *costs,
                                   struct machine *machine)
{
    int sums_stay = core->dataflow == OUTPUT_STATIONARY;
    if (!power_of_two(core->rows) || !power_of_two(core->cols) || !power_of_two(core->lanes) ||
        (sums_stay && core->lines < core->rows))
        return REFUSED;
    int64_t line = MAX(MAX(core->rows, core->cols), core->lanes), half = core->lines / 2;
    int64_t granules = core->buffer_bytes / (GRANULE_LINES * line) * GRANULE_LINES;
    *g = (struct geometry){core->rows, core->cols, line, line, 1};
    while (g->chunk * 2 * BLOCKS_THAT_FIT <= granules / GRANULE_LINES && g->chunk * 2 <= MOST_ROWS &&
           g->chunk < LONG_CHUNK)
        g->chunk *= 2;
    if (sums_stay)
        half = MAX(half, core->rows);
    while (g->accumulate * 2 <= MIN(half, g->chunk))
        g->accumulate *= 2;
    int64_t frame = GRANULE_LINES * g->chunk;
    *machine = (struct machine){granules, granules / frame < FEW_BLOCKS ? frame : GRANULE_LINES,
                                MAX(1, core->lines / g->accumulate), sums_stay, core->capacity_bytes};
    *costs = (struct costs){g->chunk, CEIL(line, core->lanes), core->divide, core->sqrt, core->table,
                            core->numerator, core->denominator};
    return COMPILED;
}
#endif
