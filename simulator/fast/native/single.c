/* One machine: everything that a Trace holds. */
#include "charge.h"
#include "prepare.h"

#define TIME int64_t
#define NUMBER int64_t
#define LANES 1
#define VECTOR 1
#define TARGET

#define NAME(x) x##_logged
#define RECORD 1
struct log;
#include "times.h"

/* EVENT_DTYPE, SHIFT_DTYPE and STALL_DTYPE of simulator/trace.py. */
struct __attribute__((packed)) event {
    int64_t instruction;
    uint8_t unit;
    int64_t dispatch, start, busy_end, end;
};
struct shift {
    int64_t wload, matmul, start, end;
};
struct __attribute__((packed)) stall {
    uint8_t unit;
    int64_t start, end;
    uint8_t reason;
    int64_t instruction, cause;
    uint8_t cause_unit;
};
_Static_assert(sizeof(struct event) == 41 && sizeof(struct shift) == 32 && sizeof(struct stall) == 35,
               "simulator/trace.py");

struct log {
    struct event *events;
    struct shift *shifts;
    int64_t shifted;
    struct stall *stalls[TRACE_UNITS]; /* one after the other, with room for all that a unit may wait */
    int64_t stalled[TRACE_UNITS];
    struct held held; /* the sequencer's latest wait for room */
};

static inline void add_stall(struct log *log, int unit, int64_t start, int64_t end, int reason,
                             int64_t instruction, int64_t cause, int cause_unit)
{
    log->stalls[unit][log->stalled[unit]++] = (struct stall){
        (uint8_t)unit, start, end, (uint8_t)reason, instruction, cause, (uint8_t)cause_unit};
}

static inline void log_wait(struct log *log, int unit, int64_t start, int64_t end, const struct charge *charge,
                            int64_t instruction)
{
    if (end > start)
        add_stall(log, unit, start, end, charge->reason, instruction, charge->cause, charge->unit);
}

/* The unit's queue was empty: charged to what held the sequencer back meanwhile, if anything did. */
static inline void log_empty(struct log *log, int unit, int64_t free, int64_t visible, const struct held *held)
{
    if (visible > free && held->until > free)
        add_stall(log, unit, free, visible, DISPATCH, -1, held->cause, held->unit);
    else if (visible > free)
        add_stall(log, unit, free, visible, DISPATCH, -1, -1, SEQUENCER);
}

static inline void log_event(struct log *log, int64_t i, int unit, int64_t dispatch, int64_t start,
                             int64_t occupancy, int64_t end)
{
    log->events[i] = (struct event){i, (uint8_t)unit, dispatch, start, start + occupancy, end};
}

static inline void log_shift(struct log *log, int64_t tile, int64_t wload, int64_t start, int64_t lines)
{
    log->shifts[tile] = (struct shift){wload, -1, start, start + lines};
    ++log->shifted;
}

static inline void log_swap(struct log *log, int64_t tile, int64_t matmul)
{
    log->shifts[tile].matmul = matmul;
}

#include "merge.h"

/* What the shifter has not decided when HALT ends does not happen. */
static void forget_shifts(struct log *log, int64_t cycles, int64_t operand)
{
    while (log->shifted && log->shifts[log->shifted - 1].start - operand > cycles)
        --log->shifted;
    int64_t *count = &log->stalled[SHIFTER];
    while (*count && log->stalls[SHIFTER][*count - 1].end - operand > cycles)
        --*count;
}

/* Closes the account with what no unit waits for, and puts the stalls of all units side by side. */
static int64_t finish(struct log *log, const struct state_logged *s, int64_t cycles)
{
    struct stall *end = log->stalls[SEQUENCER];
    for (int u = 0; u < TRACE_UNITS; ++u) {
        int64_t idle = u == SEQUENCER ? cycles : u < UNITS ? s->units[u].free[0] : 0;
        if (u == SHIFTER && log->shifted)
            idle = log->shifts[log->shifted - 1].end;
        if (idle < cycles)
            add_stall(log, u, idle, cycles, FINISHED, -1, s->is->n - 1, SEQUENCER);
        memmove(end, log->stalls[u], (size_t)log->stalled[u] * sizeof *end);
        end += log->stalled[u];
    }
    return end - log->stalls[SEQUENCER];
}

/* `room`: how many stalls each unit may have; `found`: cycles, shifts, stalls. When the outcome is UNFINISHED,
 * an instruction that has not started keeps what `events` held before. */
EXPORT int pulsetrain_fast_simulate(const struct program *program, const int64_t *numbers, struct event *events,
                                    struct shift *shifts, struct stall *stalls, const int64_t *room,
                                    int64_t found[3])
{
    struct log log = {.events = events, .shifts = shifts};
    for (int u = 0; u < TRACE_UNITS; stalls += room[u++])
        log.stalls[u] = stalls;
    struct machines_logged machine;
    int64_t only = 0, array[ARRAY_TIMES];
    read_machines_logged(&machine, numbers, 1, &only, 1);
    struct structure is = structure_of(program, machine.shared);
    int64_t *times = malloc((size_t)(TIMES * program->kinds) * sizeof *times);
    struct state_logged s = {0};
    enum outcome outcome = times ? DONE : NO_MEMORY;
    if (outcome == DONE) {
        double bound = times_logged(&machine, program, times, array);
        outcome = bound > 0 && bound <= WIDE_CYCLES ? DONE : REFUSED;
    }
    if (outcome == DONE && !open_logged(&s, program->instructions, &is, times, array, 1))
        outcome = NO_MEMORY;
    if (outcome != DONE) {
        close_logged(&s);
        free(times);
        return (int)outcome;
    }
    s.log = &log;
    merge_logged(&s);
    outcome = outcome_logged(&s);
    int64_t cycles = s.units[SEQUENCER].end[0];
    if (outcome == DONE) {
        forget_shifts(&log, cycles, numbers[READ]);
        for (int u = DMA; u < UNITS; ++u)
            if (s.units[u].end[0] > cycles)
                outcome = UNFINISHED;
        if (log.shifted && log.shifts[log.shifted - 1].end > cycles)
            outcome = UNFINISHED;
    }
    found[0] = cycles;
    found[1] = log.shifted;
    found[2] = outcome == DONE ? finish(&log, &s, cycles) : 0;
    close_logged(&s);
    free(times);
    return (int)outcome;
}
