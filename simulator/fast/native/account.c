/* One machine: where every cycle of every unit goes, by operation and reason, without a Trace. What is summed
 * here is what simulator/metrics sums over a Trace. */
#include "charge.h"
#include "prepare.h"

#define TIME int64_t
#define NUMBER int64_t
#define LANES 1
#define VECTOR 1
#define TARGET
#define NAME(x) x##_accounted
#define RECORD 1

enum { REASONS = QUEUE + 1, GAP = -1 };
struct log;
#include "times.h"

struct log {
    const int32_t *operation; /* of each instruction, -1 for none */
    int64_t rows;             /* operations, and one for none */
    int64_t *first, *last;    /* [row]: first start, last end */
    int64_t *busy;            /* [unit][row] */
    int64_t *stalls;          /* [unit][row][reason] */
    int64_t at[TRACE_UNITS];  /* until when the cycles of a unit are accounted for */
    int64_t idle[TRACE_UNITS]; /* waiting that is charged to the unit's next instruction */
    int64_t lines, shifted, swapped;
    int gap; /* a cycle that is counted twice or not at all */
    struct held held;
};

static inline int64_t row_of(const struct log *log, int64_t instruction)
{
    int64_t operation = instruction < 0 ? -1 : log->operation[instruction];
    return operation < 0 ? log->rows - 1 : operation;
}

static inline void charge_stall(struct log *log, int unit, int64_t row, int reason, int64_t cycles)
{
    log->stalls[(unit * log->rows + row) * REASONS + reason] += cycles;
}

/* The sequencer's dispatches are not logged in their order: of its cycles the sum is checked. */
static inline void go_on(struct log *log, int unit, int64_t start, int64_t end)
{
    log->gap |= unit != SEQUENCER && start != log->at[unit];
    log->at[unit] = unit == SEQUENCER ? log->at[unit] + end - start : end;
}

static inline void log_wait(struct log *log, int unit, int64_t start, int64_t end, const struct charge *charge,
                            int64_t instruction)
{
    if (end <= start)
        return;
    charge_stall(log, unit, row_of(log, instruction), charge->reason, end - start);
    go_on(log, unit, start, end);
}

static inline void log_empty(struct log *log, int unit, int64_t free, int64_t visible, const struct held *held)
{
    (void)held;
    if (visible <= free)
        return;
    log->idle[unit] += visible - free;
    go_on(log, unit, free, visible);
}

static inline void log_event(struct log *log, int64_t i, int unit, int64_t dispatch, int64_t start,
                             int64_t occupancy, int64_t end)
{
    int64_t row = row_of(log, i);
    charge_stall(log, unit, row, DISPATCH, log->idle[unit]);
    log->idle[unit] = 0;
    log->busy[unit * log->rows + row] += occupancy;
    go_on(log, unit, start, start + occupancy);
    ++log->busy[SEQUENCER * log->rows + row];
    go_on(log, SEQUENCER, dispatch, dispatch + 1);
    if (start < log->first[row])
        log->first[row] = start;
    if (end > log->last[row])
        log->last[row] = end;
}

static inline void log_shift(struct log *log, int64_t tile, int64_t wload, int64_t start, int64_t lines)
{
    (void)tile, (void)wload;
    log->lines = lines;
    ++log->shifted;
    go_on(log, SHIFTER, start, start + lines);
}

/* A tile's shift belongs to the MATMUL that makes it the active one. */
static inline void log_swap(struct log *log, int64_t tile, int64_t matmul)
{
    (void)tile;
    ++log->swapped;
    log->busy[SHIFTER * log->rows + row_of(log, matmul)] += log->lines;
}

#include "merge.h"

/* `first`, `last`, `busy` and `stalls` as in `struct log`, `first` filled with what is above all cycles, the
 * others with 0. GAP where a cycle is counted twice or not at all. */
EXPORT int pulsetrain_fast_account(const struct program *program, const int64_t *numbers,
                                   const int32_t *operation, int64_t rows, int64_t *first, int64_t *last,
                                   int64_t *busy, int64_t *stalls, int64_t *cycles)
{
    struct log log = {.operation = operation, .rows = rows, .first = first, .last = last, .busy = busy,
                      .stalls = stalls};
    struct machines_accounted machine;
    int64_t only = 0, array[ARRAY_TIMES];
    read_machines_accounted(&machine, numbers, 1, &only, 1);
    struct structure is = structure_of(program, machine.shared);
    int64_t *times = malloc((size_t)(TIMES * program->kinds) * sizeof *times);
    if (!times)
        return NO_MEMORY;
    double bound = times_accounted(&machine, program, times, array);
    struct state_accounted s = {0};
    enum outcome outcome = bound > 0 && bound <= WIDE_CYCLES ? DONE : REFUSED;
    if (outcome == DONE && !open_accounted(&s, program->instructions, &is, times, array, 1))
        outcome = NO_MEMORY;
    if (outcome != DONE) {
        close_accounted(&s);
        free(times);
        return (int)outcome;
    }
    s.log = &log;
    merge_accounted(&s);
    outcome = outcome_accounted(&s);
    *cycles = s.units[SEQUENCER].end[0];
    if (outcome == DONE && (!ends_with_halt_accounted(&s, 0) || log.swapped != log.shifted))
        outcome = UNFINISHED;
    for (int unit = 0; outcome == DONE && unit < TRACE_UNITS; ++unit) {
        charge_stall(&log, unit, rows - 1, FINISHED, *cycles - log.at[unit]);
        log.gap |= log.at[unit] > *cycles || (unit == SEQUENCER && log.at[unit] != *cycles);
    }
    close_accounted(&s);
    free(times);
    return outcome == DONE && log.gap ? GAP : (int)outcome;
}
