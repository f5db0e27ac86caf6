/* The state of the pass in merge.h: queues, counters and slots, with a cycle for each of LANES machines. */

#include "charge.h"

/* Cycles that one unit has announced to another and that the other has not used yet, first in, first out. */
struct NAME(ring) {
    TIME *times; /* [capacity][LANES] */
    int32_t *causes;
    int head, count, capacity;
};

struct NAME(unit) {
    TIME ROW(free), ROW(end); /* of the latest instruction */
    /* Places of the queue, used in turn: when its instruction was dispatched, then when it started. */
    TIME *places;
    int32_t *instructions;
    struct held *held;
    int head, tail, waiting, used; /* used: places that have been */
    int32_t latest;
};

struct NAME(state) {
    const struct instruction *program;
    const struct structure *is;
    const TIME *times; /* [kind][occupancy, latency, release][LANES] */
    const TIME *in_place_after, *adder;
    int vectors;
    struct log *log;

    int wake;               /* units that may be able to go on */
    uint8_t missing[UNITS]; /* what the head of a queue waits for: producers, the shifter */
    uint8_t posted[UNITS];  /* producers of whom there are tokens */
    struct NAME(ring) tokens[UNITS][UNITS]; /* [consumer][producer] */
    struct NAME(unit) units[UNITS];

    int64_t next;    /* the instruction to be dispatched */
    int blocked_by;  /* the queue without room for it */
    TIME ROW(ready); /* when the sequencer can dispatch it */
    int halted, no_memory;
    TIME ROW(nowhere);

    int64_t queue_room, fifo_room; /* what there is memory for */
    TIME *fifo; /* slots, used in turn: when the tile is whole, then when the slot is free */
    int32_t *wloads;
    int load_slot, shift_slot;
    int64_t loaded, shifted, swapped; /* tiles */
    TIME ROW(shifter_free);
    struct NAME(ring) in_place, released;

    TIME ROW(written), ROW(results); /* of the latest MATMUL: the adder is free, the end */
    int32_t matmul;
};

/* Memory for `count` rows of LANES times. */
static TIME *NAME(rows)(int64_t count)
{
    return aligned_alloc(64, ((size_t)count * LANES * sizeof(TIME) + 63) / 64 * 64);
}

/* Room for one more entry, to be filled. */
FUNCTION TIME *NAME(push)(struct NAME(state) *s, struct NAME(ring) *ring, int64_t cause)
{
    if (ring->count == ring->capacity) {
        int capacity = ring->capacity ? 2 * ring->capacity : 4;
        TIME *times = NAME(rows)(capacity);
        int32_t *causes = malloc((size_t)capacity * sizeof *causes);
        if (!times || !causes) {
            free(times);
            free(causes);
            s->no_memory = 1;
            return s->nowhere;
        }
        for (int i = 0; i < ring->count; ++i) {
            int from = (ring->head + i) & (ring->capacity - 1);
            memcpy(times + (size_t)i * LANES, ring->times + (size_t)from * LANES, LANES * sizeof(TIME));
            causes[i] = ring->causes[from];
        }
        free(ring->times);
        free(ring->causes);
        *ring = (struct NAME(ring)){times, causes, 0, ring->count, capacity};
    }
    int place = (ring->head + ring->count++) & (ring->capacity - 1);
    ring->causes[place] = (int32_t)cause;
    return ring->times + (size_t)place * LANES;
}

static void NAME(free_ring)(struct NAME(ring) *ring)
{
    free(ring->times);
    free(ring->causes);
}

static void NAME(close)(struct NAME(state) *s)
{
    for (int u = 0; u < UNITS; ++u) {
        free(s->units[u].places);
        free(s->units[u].instructions);
        free(s->units[u].held);
        for (int p = 0; p < UNITS; ++p)
            NAME(free_ring)(&s->tokens[u][p]);
    }
    NAME(free_ring)(&s->in_place);
    NAME(free_ring)(&s->released);
    free(s->fifo);
    free(s->wloads);
}

/* `count` rows of LANES times in the place of those that `had` rows were for; NULL without memory. */
static TIME *NAME(more_rows)(TIME *rows, int64_t had, int64_t count)
{
    if (had >= count)
        return rows;
    free(rows);
    return NAME(rows)(count);
}

/* Memory for queues of these lengths, as far as there is none yet. Gives 0 without it. */
static int NAME(make_room)(struct NAME(state) *s, int64_t queue, int64_t fifo)
{
    s->fifo = NAME(more_rows)(s->fifo, s->fifo_room, fifo);
    int complete = s->fifo != NULL;
    if (s->fifo_room < fifo) {
        free(s->wloads);
        s->wloads = malloc((size_t)fifo * sizeof *s->wloads);
        complete = complete && s->wloads;
    }
    for (int u = DMA; u < UNITS; ++u) {
        struct NAME(unit) *unit = &s->units[u];
        unit->places = NAME(more_rows)(unit->places, s->queue_room, queue);
        complete = complete && unit->places;
        if (s->queue_room >= queue)
            continue;
        free(unit->instructions);
        free(unit->held);
        unit->instructions = malloc((size_t)queue * sizeof *unit->instructions);
        unit->held = RECORD ? malloc((size_t)queue * sizeof *unit->held) : NULL;
        complete = complete && unit->instructions && (!RECORD || unit->held);
    }
    s->fifo_room = complete ? MOST(s->fifo_room, fifo) : 0;
    s->queue_room = complete ? MOST(s->queue_room, queue) : 0;
    return complete;
}

/* Everything as it is at reset: empty queues, free slots, one release of the weight registers. A state is all 0
 * before the first time; it keeps its memory until it is closed. Gives 0 without memory. */
static int NAME(open)(struct NAME(state) *s, const struct instruction *program, const struct structure *is,
                      const TIME *times, const TIME *array, int vectors)
{
    if (!NAME(make_room)(s, is->queue_depth, is->fifo_depth))
        return 0;
    s->vectors = vectors;
    s->program = program;
    s->is = is;
    s->times = times;
    s->in_place_after = array + IN_PLACE * LANES;
    s->adder = array + ADDS_AFTER * LANES;
    s->blocked_by = s->matmul = -1;
    s->next = s->loaded = s->shifted = s->swapped = 0;
    s->halted = s->no_memory = s->load_slot = s->shift_slot = 0;
    s->in_place.count = s->released.count = 0;
    memset(s->missing, 0, sizeof s->missing);
    memset(s->posted, 0, sizeof s->posted);
    memset(s->fifo, 0, (size_t)is->fifo_depth * LANES * sizeof *s->fifo);
    EACH s->ready[l] = s->shifter_free[l] = s->written[l] = s->results[l] = 0;
    for (int u = SEQUENCER; u < UNITS; ++u) {
        struct NAME(unit) *unit = &s->units[u];
        EACH unit->free[l] = unit->end[l] = 0;
        unit->head = unit->tail = unit->waiting = unit->used = 0;
        unit->latest = -1;
        for (int p = 0; p < UNITS; ++p)
            s->tokens[u][p].count = 0;
    }
    TIME *released = NAME(push)(s, &s->released, -1);
    EACH released[l] = 0;
    return !s->no_memory;
}
