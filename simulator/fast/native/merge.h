/* The rules of docs/timing.md as one pass over a Program, for LANES machines of one structure at once.
 *
 * Program order is not the order of dependencies: a WLOAD may need the FIFO slot that a later MATMUL frees, and
 * a wait may come before its post. So this is a merge over the units: each goes on while what the head of its
 * queue waits for is known. What is known stays known, so the order in which units are tried does not matter.
 *
 * The including file defines NAME(x), TIME (an integer type), LANES and how many of them are a VECTOR, RECORD
 * (0, or 1 to keep a log, for one lane) and TARGET (attributes of every function). `s->vectors` are in use. */

#define ROW(name) name[LANES] __attribute__((aligned(LANES == 1 ? sizeof(TIME) : 64)))
#define EACH                                                                                                  \
    for (int v = 0; v < (LANES == 1 ? 1 : s->vectors); ++v)                                                   \
        for (int l = v * VECTOR; l < (v + 1) * VECTOR; ++l)
#define MOST(a, b) ((a) > (b) ? (a) : (b))
#define FUNCTION static inline TARGET

#include "state.h"

/* The earliest start is at least `met`; charged is what was met last, the first of those of one cycle. */
FUNCTION void NAME(meet)(const struct NAME(state) *s, TIME *restrict start, const TIME *restrict met,
                         struct charge *charge, int reason, int64_t cause, int unit)
{
    if (RECORD && met[0] > start[0])
        *charge = (struct charge){reason, unit, cause};
    EACH start[l] = MOST(start[l], met[l]);
}

/* The same for the oldest entry of a ring, which is used up. */
FUNCTION void NAME(take)(const struct NAME(state) *s, TIME *restrict start, struct NAME(ring) *ring,
                         struct charge *charge, int reason, int unit)
{
    NAME(meet)(s, start, ring->times + (size_t)ring->head * LANES, charge, reason, ring->causes[ring->head],
               unit);
    ring->head = (ring->head + 1) & (ring->capacity - 1);
    --ring->count;
}

/* What the head of a queue waits for is there now. */
FUNCTION void NAME(provide)(struct NAME(state) *s, int u, int provider)
{
    if (s->missing[u] == 1 << provider)
        s->wake |= 1 << u;
    s->missing[u] &= (uint8_t)~(1 << provider);
}

FUNCTION void NAME(take_tokens)(struct NAME(state) *s, int u, int wait, TIME *restrict start,
                                struct charge *charge)
{
    for (; wait; wait &= wait - 1) {
        int producer = __builtin_ctz((unsigned)wait);
        struct NAME(ring) *ring = &s->tokens[u][producer];
        NAME(take)(s, start, ring, charge, TOKEN, producer);
        if (!ring->count)
            s->posted[u] &= (uint8_t)~(1 << producer);
    }
}

/* HALT is executed by the sequencer itself. */
FUNCTION void NAME(halt)(struct NAME(state) *s)
{
    struct instruction x = s->program[s->next];
    struct NAME(unit) *unit = &s->units[SEQUENCER];
    s->missing[SEQUENCER] = x.wait & ~s->posted[SEQUENCER];
    if (s->missing[SEQUENCER])
        return;
    const TIME *occupancy = s->times + (size_t)x.kind * 3 * LANES, *latency = occupancy + LANES;
    struct charge charge = {-1, 0, 0};
    TIME ROW(start);
    EACH start[l] = s->ready[l] + 1;
    NAME(take_tokens)(s, SEQUENCER, x.wait, start, &charge);
    EACH unit->end[l] = start[l] + latency[l];
    s->halted = 1;
#if RECORD
    log_wait(s->log, SEQUENCER, s->ready[0] + 1, start[0], &charge, s->next);
    log_event(s->log, s->next, SEQUENCER, s->ready[0], start[0], occupancy[0], unit->end[0]);
#endif
}

FUNCTION void NAME(dispatch)(struct NAME(state) *s)
{
    int depth = (int)s->is->queue_depth;
    for (; s->next < s->is->n - 1; ++s->next) {
        int u = unit_of[s->program[s->next].opcode];
        struct NAME(unit) *unit = &s->units[u];
        if (unit->waiting == depth) {
            s->blocked_by = u;
            return;
        }
        int place = unit->tail;
        TIME *restrict slot = unit->places + (size_t)place * LANES;
        if (place == unit->used) { /* for the first time */
            EACH slot[l] = -1;
            ++unit->used;
        }
#if RECORD
        if (slot[0] + 1 > s->ready[0]) {
            struct charge charge = {QUEUE, u, unit->instructions[place]};
            log_wait(s->log, SEQUENCER, s->ready[0], slot[0] + 1, &charge, s->next);
            s->log->held = (struct held){slot[0] + 1, charge.cause, u};
        }
        unit->held[place] = s->log->held;
#endif
        EACH {
            slot[l] = MOST(s->ready[l], slot[l] + 1);
            s->ready[l] = slot[l] + 1;
        }
        unit->instructions[place] = (int32_t)s->next;
        unit->tail = place + 1 == depth ? 0 : place + 1;
        if (!unit->waiting++)
            s->wake |= 1 << u;
    }
    NAME(halt)(s);
}

/* What the unit's own earlier instructions and its own counters impose on a start. */
FUNCTION void NAME(own_conditions)(struct NAME(state) *s, int u, struct instruction x, TIME *restrict start,
                                   struct charge *charge, int64_t i)
{
    struct NAME(unit) *unit = &s->units[u];
    switch (x.opcode) {
    case LOAD:
    case STORE:
        if (unit->latest >= 0 && (s->program[unit->latest].flags ^ x.flags) & HOST)
            NAME(meet)(s, start, unit->end, charge, MEMORY_SWITCH, unit->latest, DMA);
        break;
    case WLOAD:
        NAME(meet)(s, start, s->fifo + (size_t)s->load_slot * LANES, charge, WEIGHT_FIFO,
                   s->wloads[s->load_slot], SHIFTER);
        break;
    case MATMUL:
        if (x.flags & SWAP) {
            NAME(take)(s, start, &s->in_place, charge, WEIGHTS, SHIFTER);
#if RECORD
            log_swap(s->log, s->swapped, i);
#endif
            ++s->swapped;
        }
        if (x.flags & ADD && s->is->adds)
            NAME(meet)(s, start, s->written, charge, ACCUMULATE, s->matmul, MATRIX);
        break;
    case DRAIN:
        NAME(meet)(s, start, s->results, charge, ARRAY, s->matmul, MATRIX);
        break;
    }
    (void)i;
}

/* What an instruction that has started tells the units, beyond its tokens. */
FUNCTION void NAME(own_posts)(struct NAME(state) *s, int u, struct instruction x, const TIME *restrict start,
                              const TIME *restrict release, int64_t i)
{
    const TIME *end = s->units[u].end;
    if (x.opcode == WLOAD) {
        TIME *slot = s->fifo + (size_t)s->load_slot * LANES;
        EACH slot[l] = end[l];
        s->wloads[s->load_slot] = (int32_t)i;
        s->load_slot = s->load_slot + 1 == s->is->fifo_depth ? 0 : s->load_slot + 1;
        ++s->loaded;
        s->wake |= 1 << SHIFTER;
    } else if (x.opcode == MATMUL) {
        EACH s->written[l] = start[l] + s->adder[l];
        EACH s->results[l] = end[l];
        s->matmul = (int32_t)i;
        if (x.flags & s->is->releasing) {
            TIME *released = NAME(push)(s, &s->released, i);
            EACH released[l] = start[l] + release[l];
            s->wake |= 1 << SHIFTER;
        }
    }
}

/* Start the head of a queue, if everything that it waits for is known. */
FUNCTION int NAME(issue)(struct NAME(state) *s, int u)
{
    struct NAME(unit) *unit = &s->units[u];
    if (!unit->waiting)
        return 0;
    int64_t i = unit->instructions[unit->head];
    struct instruction x = s->program[i];
    s->missing[u] = x.wait & ~s->posted[u];
    if ((x.opcode == WLOAD && s->loaded - s->shifted == s->is->fifo_depth) ||
        (x.opcode == MATMUL && x.flags & SWAP && !s->in_place.count))
        s->missing[u] |= 1 << SHIFTER;
    if (s->missing[u])
        return 0;

    TIME *restrict slot = unit->places + (size_t)unit->head * LANES;
    const TIME *occupancy = s->times + (size_t)x.kind * 3 * LANES;
    const TIME *latency = occupancy + LANES, *release = latency + LANES;
    struct charge charge = {-1, 0, 0};
    TIME ROW(start);
    EACH start[l] = MOST(slot[l] + 1, unit->free[l]);
#if RECORD
    int64_t dispatched = slot[0], since = start[0];
    log_empty(s->log, u, unit->free[0], dispatched + 1, &unit->held[unit->head]);
#endif
    NAME(take_tokens)(s, u, x.wait, start, &charge);
    NAME(own_conditions)(s, u, x, start, &charge, i);
    EACH {
        slot[l] = start[l];
        unit->free[l] = start[l] + occupancy[l];
        unit->end[l] = MOST(start[l] + latency[l], unit->end[l] + 1);
    }
#if RECORD
    log_wait(s->log, u, since, start[0], &charge, i);
    log_event(s->log, i, u, dispatched, start[0], occupancy[0], unit->end[0]);
#endif
    for (unsigned post = x.post; post; post &= post - 1) {
        int consumer = __builtin_ctz(post);
        TIME *restrict token = NAME(push)(s, &s->tokens[consumer][u], i);
        EACH token[l] = unit->end[l];
        s->posted[consumer] |= (uint8_t)(1 << u);
        NAME(provide)(s, consumer, u);
    }
    NAME(own_posts)(s, u, x, start, release, i);
    unit->latest = (int32_t)i;
    unit->head = unit->head + 1 == s->is->queue_depth ? 0 : unit->head + 1;
    --unit->waiting;
    if (s->blocked_by == u) {
        s->blocked_by = -1;
        s->wake |= 1 << SEQUENCER;
    }
    return !s->no_memory;
}

/* Move the next tile into the array, if it is known when it can be. */
FUNCTION int NAME(shift)(struct NAME(state) *s)
{
    if (s->shifted == s->loaded || !s->released.count)
        return 0;
    TIME *slot = s->fifo + (size_t)s->shift_slot * LANES;
    int32_t wload = s->wloads[s->shift_slot];
    struct charge charge = {-1, 0, 0};
    TIME ROW(first);
    EACH first[l] = s->shifter_free[l];
    NAME(meet)(s, first, slot, &charge, WEIGHTS, wload, LOADER);
    NAME(take)(s, first, &s->released, &charge, WEIGHT_RELEASE, MATRIX);
#if RECORD
    log_wait(s->log, SHIFTER, s->shifter_free[0], first[0], &charge, wload);
    log_shift(s->log, s->shifted, wload, first[0], s->is->lines);
#endif
    TIME *restrict in_place = NAME(push)(s, &s->in_place, wload);
    EACH {
        in_place[l] = first[l] + s->in_place_after[l];
        slot[l] = s->shifter_free[l] = first[l] + (TIME)s->is->lines;
    }
    s->shift_slot = s->shift_slot + 1 == s->is->fifo_depth ? 0 : s->shift_slot + 1;
    ++s->shifted;
    NAME(provide)(s, LOADER, SHIFTER);
    NAME(provide)(s, MATRIX, SHIFTER);
    return !s->no_memory;
}

FUNCTION void NAME(merge)(struct NAME(state) *s)
{
    s->wake = 1 << SEQUENCER;
    while (s->wake && !s->no_memory) {
        /* The sequencer last: it then has more to dispatch. */
        int u = s->wake == 1 << SEQUENCER ? SEQUENCER : __builtin_ctz((unsigned)s->wake & ~1u);
        s->wake &= ~(1 << u);
        if (u == SEQUENCER)
            NAME(dispatch)(s);
        else if (u == SHIFTER)
            while (NAME(shift)(s))
                ;
        else
            while (NAME(issue)(s, u))
                ;
    }
}

/* After `merge`: whether HALT has ended, and everything else before. */
FUNCTION enum outcome NAME(outcome)(const struct NAME(state) *s)
{
    if (s->no_memory)
        return NO_MEMORY;
    if (!s->halted)
        return DEADLOCK;
    for (int u = DMA; u < UNITS; ++u)
        if (s->units[u].waiting)
            return UNFINISHED;
    return DONE;
}

FUNCTION int NAME(ends_with_halt)(const struct NAME(state) *s, int l)
{
    TIME last = s->shifter_free[l];
    for (int u = DMA; u < UNITS; ++u)
        last = MOST(last, s->units[u].end[l]);
    return last <= s->units[SEQUENCER].end[l];
}
