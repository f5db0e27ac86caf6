/* One machine after the other: their cycles alone. */
#include "prepare.h"

#define TIME int64_t
#define NUMBER int64_t
#define LANES 1
#define VECTOR 1
#define TARGET
#define NAME(x) x##_unlogged
#define RECORD 0
struct log;
#include "times.h"
#include "merge.h"

/* Memory that is used by one Program after the other. */
struct room {
    struct state_unlogged state;
    int64_t kinds, *times;
};

static void leave(struct room *room)
{
    close_unlogged(&room->state);
    free(room->times);
}

/* UNFINISHED where only `pulsetrain_fast_simulate` can tell. */
static enum outcome run(struct room *room, const struct program *program, const int64_t *numbers, int64_t *cycles)
{
    struct machines_unlogged machine;
    int64_t only = 0, array[ARRAY_TIMES];
    if (program->kinds > room->kinds) {
        free(room->times);
        room->times = malloc((size_t)(TIMES * program->kinds) * sizeof *room->times);
        room->kinds = room->times ? program->kinds : 0;
        if (!room->times)
            return NO_MEMORY;
    }
    read_machines_unlogged(&machine, numbers, 1, &only, 1);
    struct structure is = structure_of(program, machine.shared);
    double bound = times_unlogged(&machine, program, room->times, array);
    if (!(bound > 0 && bound <= WIDE_CYCLES))
        return REFUSED;
    struct state_unlogged *s = &room->state;
    if (!open_unlogged(s, program->instructions, &is, room->times, array, 1))
        return NO_MEMORY;
    merge_unlogged(s);
    *cycles = s->units[SEQUENCER].end[0];
    enum outcome outcome = outcome_unlogged(s);
    return outcome == DONE && !ends_with_halt_unlogged(s, 0) ? UNFINISHED : outcome;
}

/* What there is of each kind. */
static void count_kinds(const struct instruction *instructions, int64_t n, int64_t *count, int64_t kinds)
{
    memset(count, 0, (size_t)kinds * sizeof *count);
    for (int64_t i = 0; i < n; ++i)
        ++count[instructions[i].kind];
}

EXPORT int pulsetrain_fast_cycles(const struct program *program, const int64_t *numbers, int64_t *cycles)
{
    struct room room = {0};
    enum outcome outcome = run(&room, program, numbers, cycles);
    leave(&room);
    return (int)outcome;
}

/* The same of a Program that is read for this one machine. */
EXPORT int pulsetrain_fast_cycles_of(int64_t n, const struct record *records,
                                     const uint32_t bits[OPCODES][FIELDS], const int64_t *numbers,
                                     int64_t *cycles)
{
    struct instruction *instructions = malloc((size_t)LARGER(n, 1) * sizeof *instructions);
    struct reader reader;
    fast_open_reader(&reader, bits);
    enum outcome outcome = instructions ? fast_read_program(&reader, n, records, instructions) : NO_MEMORY;
    int64_t *count = outcome == DONE ? malloc((size_t)reader.kinds * sizeof *count) : NULL;
    if (count) {
        struct program program = {n, reader.kinds, instructions, reader.records, count};
        count_kinds(instructions, n, count, reader.kinds);
        outcome = pulsetrain_fast_cycles(&program, numbers, cycles);
    } else if (outcome == DONE)
        outcome = NO_MEMORY;
    fast_close_reader(&reader);
    free(instructions);
    free(count);
    return (int)outcome;
}

/* How other parts of the library time Programs: compiler/native/timed.h. */
struct timing {
    struct timer *(*open)(const void *bits);
    int (*read)(struct timer *, const struct record *, struct instruction *);
    int (*run)(struct timer *, int64_t n, const struct instruction *, const int64_t *numbers, int64_t *cycles);
    void (*close)(struct timer *);
};

struct timer {
    struct reader reader;
    struct room room;
    int64_t *count, counted; /* of each kind; how many there is memory for */
};

static void timer_close(struct timer *timer)
{
    if (!timer)
        return;
    fast_close_reader(&timer->reader);
    leave(&timer->room);
    free(timer->count);
    free(timer);
}

static struct timer *timer_open(const void *bits)
{
    struct timer *timer = calloc(1, sizeof *timer);
    if (timer)
        fast_open_reader(&timer->reader, bits);
    return timer;
}

static int timer_read(struct timer *timer, const struct record *record, struct instruction *instruction)
{
    return fast_read(&timer->reader, record, instruction) == DONE;
}

static int timer_run(struct timer *timer, int64_t n, const struct instruction *instructions,
                     const int64_t *numbers, int64_t *cycles)
{
    int64_t kinds = timer->reader.kinds;
    if (timer->counted < kinds) {
        free(timer->count);
        timer->count = malloc((size_t)kinds * sizeof *timer->count);
        timer->counted = timer->count ? kinds : 0;
        if (!timer->count)
            return 0;
    }
    count_kinds(instructions, n, timer->count, kinds);
    struct program program = {n, kinds, instructions, timer->reader.records, timer->count};
    return run(&timer->room, &program, numbers, cycles) == DONE;
}

static const struct timing timing = {timer_open, timer_read, timer_run, timer_close};

EXPORT const struct timing *pulsetrain_fast_timing(void)
{
    return &timing;
}
