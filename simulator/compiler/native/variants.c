/* Compilations of many machines whose graph is lowered alike: their Programs are timed and nothing is kept. */
#include "begin.h"

#include <stddef.h>

/* A machine that the graph is compiled for. */
struct design {
    int64_t index;
    struct geometry geometry;
    struct costs costs;
    struct machine machine;
};

struct variants {
    struct compilation *c; /* of the geometry at hand */
    struct design *design;
    const int64_t *numbers; /* `width` of each machine, which the timing reads */
    int64_t width, *cycles;
    const struct order *order; /* in which the instructions are at present */
};

/* 0 for designs that are cut alike; otherwise the sign is that of qsort. */
static int cut_unlike(const struct design *a, const struct design *b)
{
    return memcmp(&a->geometry, &b->geometry, sizeof a->geometry);
}

/* 0 for designs that may be ordered alike: they differ in the memory's rate at most. */
static int unlike(const struct design *a, const struct design *b)
{
    int differ = cut_unlike(a, b);
    return differ ? differ : memcmp(&a->costs, &b->costs, offsetof(struct costs, numerator));
}

/* The slower memory first; rates are of 31 bits. */
static int slower(const void *a, const void *b)
{
    const struct design *one = a, *other = b;
    int differ = unlike(one, other);
    int64_t left = one->costs.numerator * other->costs.denominator;
    int64_t right = other->costs.numerator * one->costs.denominator;
    return differ ? differ : (left > right) - (left < right);
}

static int same_list(const struct list *a, const struct list *b)
{
    return a->count == b->count && (!a->count || !memcmp(a->at, b->at, (size_t)a->count * sizeof *a->at));
}

static int same_order(const struct order *a, const struct order *b)
{
    return same_list(&a->starts, &b->starts) && same_list(&a->counts, &b->counts) &&
           same_list(&a->aside, &b->aside);
}

/* What the timing keeps of all instructions; 0 where it does not take them or without memory. */
static int read_instructions(struct compilation *c)
{
    int64_t count = c->low.first[c->low.entries];
    struct cursor at = {0, 0};
    struct symbolic room;
    struct record record = {.opcode = HALT};
    c->prototype = malloc((size_t)(count + 1) * sizeof *c->prototype);
    c->transfer = malloc((size_t)(c->low.blocks + 1) * TRANSFERS * sizeof *c->transfer);
    if (!c->prototype || !c->transfer)
        return 0;
    memset(c->transfer, 0xff, (size_t)c->low.blocks * TRANSFERS * sizeof *c->transfer); /* kind NONE */
    if (!c->timing->read(c->timer, &record, &c->prototype[count]))
        return 0;
    for (int64_t i = 0; i < count; ++i) {
        seek(&c->low, &at, i);
        record = record_of(expand(&c->low, &at, &room));
        if (!c->timing->read(c->timer, &record, &c->prototype[i]))
            return 0;
    }
    return 1;
}

/* Parameters, state and spills have room in the memory. */
static int has_room(const struct compilation *c)
{
    int64_t step = MAX(c->filled_of[HBM_CURRENT], c->filled_of[HBM_NEXT]);
    return (c->spill_address + 2 * step) * c->low.line <= c->machine.capacity_bytes;
}

static void time_design(struct variants *v, int64_t at, const struct order *order)
{
    struct compilation *c = v->c;
    int64_t index = v->design[at].index, *cycles = &v->cycles[index];
    if (v->order != order) {
        v->order = order;
        if (!find_uses(c, order)) {
            v->order = NULL;
            return;
        }
    }
    if (!set_machine(c, &v->design[at].machine))
        return;
    go_on(c, NEVER);
    if (outcome_of(c) != COMPILED || !has_room(c))
        return;
    if (!c->timing->run(c->timer, c->emitted, c->steps, v->numbers + index * v->width, cycles))
        *cycles = NONE;
}

/* The designs between two that differ in the memory's rate alone, given the orders of the two. Instructions that
 * no anchor needs come when memory and vector unit are behind the array. A faster memory is behind wherever a
 * slower one is, so what comes with the same anchor for both does so for all rates between theirs. */
static void time_between(struct variants *v, int64_t slow, int64_t fast, const struct order *of_slow,
                         const struct order *of_fast)
{
    if (same_order(of_slow, of_fast)) {
        for (int64_t at = slow + 1; at < fast; ++at)
            time_design(v, at, of_slow);
        return;
    }
    int64_t middle = (slow + fast) / 2;
    struct order order = {0};
    if (middle != slow && arrange(&v->c->plan, &v->design[middle].costs, &order)) {
        time_between(v, slow, middle, of_slow, &order);
        time_design(v, middle, &order);
        time_between(v, middle, fast, &order, of_fast);
    }
    v->order = NULL;
    forget_order(&order);
}

/* All designs that differ in the memory's rate at most, the slowest and the fastest included. */
static void time_alike(struct variants *v, int64_t slow, int64_t fast)
{
    struct order of_slow = {0}, of_fast = {0};
    if (arrange(&v->c->plan, &v->design[slow].costs, &of_slow)) {
        time_design(v, slow, &of_slow);
        if (slow < fast && arrange(&v->c->plan, &v->design[fast].costs, &of_fast)) {
            time_between(v, slow, fast, &of_slow, &of_fast);
            time_design(v, fast, &of_fast);
        }
    }
    v->order = NULL;
    forget_order(&of_slow);
    forget_order(&of_fast);
}

/* The designs first, first + 1, ..., last - 1, which are cut alike. */
static void time_geometry(struct variants *v, const struct job *job, const struct timing *timing, const void *bits,
                          int64_t first, int64_t last)
{
    struct compilation *c = v->c = calloc(1, sizeof *c);
    if (!c)
        return;
    c->timing = timing;
    if (begin(c, job, &v->design[first].geometry) == COMPILED && (c->timer = timing->open(bits)) &&
        read_instructions(c))
        for (int64_t end; first < last; first = end) {
            for (end = first + 1; end < last && !unlike(&v->design[first], &v->design[end]);)
                ++end;
            time_alike(v, first, end - 1);
        }
    if (c->timer)
        timing->close(c->timer);
    end_compilation(c);
}

/* Compiles for each of `count` machines and times each Program. `numbers`: `width` of each machine, which the
 * timing reads, as it does `bits`. `cycles` are NONE where either fails. */
EXPORT void pulsetrain_compile_cycles(const struct job *job, int64_t count, const struct core *cores,
                                      const struct timing *timing, const void *bits, const int64_t *numbers,
                                      int64_t width, int64_t *cycles)
{
    struct variants v = {.numbers = numbers, .width = width, .cycles = cycles};
    int64_t designs = 0;
    v.design = malloc((size_t)(count + 1) * sizeof *v.design);
    for (int64_t i = 0; i < count; ++i) {
        struct design design = {.index = i};
        cycles[i] = NONE;
        if (v.design && measure(&cores[i], &design.geometry, &design.costs, &design.machine) == COMPILED)
            v.design[designs++] = design;
    }
    if (v.design)
        qsort(v.design, (size_t)designs, sizeof *v.design, slower);
    for (int64_t at = 0, end; at < designs; at = end) {
        for (end = at + 1; end < designs && !cut_unlike(&v.design[at], &v.design[end]);)
            ++end;
        time_geometry(&v, job, timing, bits, at, end);
    }
    free(v.design);
}
