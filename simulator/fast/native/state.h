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
    int head, tail, waiting;
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

    TIME *fifo; /* slots, used in turn: when the tile is whole, then when the slot is free */
    int32_t *wloads;
    int load_slot, shift_slot;
    int64_t loaded, shifted, swapped; /* tiles */
    TIME ROW(shifter_free);
    struct NAME(ring) in_place, released;

    TIME ROW(written), ROW(results); /* of the latest MATMUL: the adder is free, the end */
    int32_t matmul;
};

/* Room for one more entry, to be filled. */
FUNCTION TIME *NAME(push)(struct NAME(state) *s, struct NAME(ring) *ring, int64_t cause)
{
    if (ring->count == ring->capacity) {
        int capacity = ring->capacity ? 2 * ring->capacity : 4;
        TIME *times = aligned_alloc(64, ((size_t)capacity * LANES * sizeof(TIME) + 63) / 64 * 64);
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

/* `count` rows of LANES times, all `value`. */
static TIME *NAME(rows)(int64_t count, TIME value)
{
    TIME *rows = aligned_alloc(64, ((size_t)count * LANES * sizeof(TIME) + 63) / 64 * 64);
    for (int64_t i = 0; rows && i < count * LANES; ++i)
        rows[i] = value;
    return rows;
}

/* Everything as it is at reset: empty queues, free slots, one release of the weight registers. */
static int NAME(open)(struct NAME(state) *s, const struct instruction *program, const struct structure *is,
                      const TIME *times, const TIME *array, int vectors)
{
    memset(s, 0, sizeof *s);
    s->vectors = vectors;
    s->program = program;
    s->is = is;
    s->times = times;
    s->in_place_after = array + IN_PLACE * LANES;
    s->adder = array + ADDS_AFTER * LANES;
    s->blocked_by = s->matmul = -1;
    s->fifo = NAME(rows)(is->fifo_depth, 0);
    s->wloads = calloc((size_t)is->fifo_depth, sizeof *s->wloads);
    int complete = s->fifo && s->wloads;
    for (int u = DMA; u < UNITS; ++u) {
        struct NAME(unit) *unit = &s->units[u];
        unit->latest = -1;
        unit->places = NAME(rows)(is->queue_depth, -1);
        unit->instructions = calloc((size_t)is->queue_depth, sizeof *unit->instructions);
        unit->held = RECORD ? calloc((size_t)is->queue_depth, sizeof *unit->held) : NULL;
        complete = complete && unit->places && unit->instructions && (!RECORD || unit->held);
    }
    TIME *released = NAME(push)(s, &s->released, -1);
    EACH released[l] = 0;
    if (!complete || s->no_memory) {
        NAME(close)(s);
        return 0;
    }
    return 1;
}
