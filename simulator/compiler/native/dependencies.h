/* Who needs whom, whatever the machine: what simulator/compiler/interleave.py finds before it orders anything. */
#ifndef PULSETRAIN_DEPENDENCIES_H
#define PULSETRAIN_DEPENDENCIES_H
#include "lowered.h"

struct result {
    int64_t number, gate, operation;
};

struct interleaving {
    const struct lowered *low;
    const struct costs *costs;
    const uint8_t *off_chip;   /* tensors that are loaded or stored */
    int64_t *slot;             /* of each entry's first instruction, in the arrays of those that have state */
    uint8_t *state, *wanted;   /* by slot */
    int32_t *gate;             /* by slot: position of the last anchor that it depends on (or is), NONE */
    int64_t *begin, *done;     /* by block: its writers in `writer`; the first of them that may be missing */
    int32_t *writer;
    struct list later, reader; /* a writer, and one that has read before what it overwrites; by writer */
    struct list chain, stack, needs, results, pending;
    uint8_t *moved; /* by block */
    struct result *result; /* that no anchor needs, in the order in which they can be computed */
    int64_t n_results, slots, anchors, array, vector, memory;
    struct cursor cursor;
    struct order *order;
};

static inline int64_t slot_of(const struct interleaving *s, const struct cursor *at)
{
    return s->slot[at->entry] + at->number - s->low->first[at->entry];
}

static inline int is_anchor(const struct entry *e)
{
    return of_array(e) || e->tile != NONE;
}

/* Writers of every block, gates, and who has read what is overwritten. */
static void find_dependencies(struct interleaving *s)
{
    const struct lowered *low = s->low;
    struct symbolic room;
    const struct symbolic *x;
    struct cursor at = {0, 0};
    int64_t position = 0;
    int32_t *last = malloc((size_t)(low->blocks + 1) * sizeof *last);   /* writer of each block */
    int32_t *latest = malloc((size_t)(low->tensors + 1) * sizeof *latest);
    int32_t *written = malloc((size_t)(low->blocks + 1) * sizeof *written); /* gate of its writers so far */
    int64_t *waiting = malloc((size_t)(low->blocks + 1) * sizeof *waiting); /* its readers, in `pending` */
    if (!last || !latest || !written || !waiting) {
        s->stack.failed = 1;
        goto end;
    }
    memset(last, 0xff, (size_t)low->blocks * sizeof *last);
    memset(latest, 0xff, (size_t)low->tensors * sizeof *latest);
    memset(written, 0xff, (size_t)low->blocks * sizeof *written);
    memset(waiting, 0xff, (size_t)low->blocks * sizeof *waiting);
    for (int64_t i = 0; i < low->entries; ++i) {
        if (of_array(&low->entry[i]))
            continue;
        for (int64_t number = low->first[i]; number < low->first[i + 1]; ++number) {
            seek(low, &at, number);
            x = expand(low, &at, &room);
            ++s->begin[x->dst.block + 1];
            last[x->dst.block] = (int32_t)number;
            latest[low->block_tensor[x->dst.block]] = (int32_t)number;
        }
    }
    for (int64_t block = 0; block < low->blocks; ++block) {
        s->begin[block + 1] += s->begin[block];
        s->done[block] = s->begin[block];
    }
    s->writer = malloc((size_t)(s->begin[low->blocks] + 1) * sizeof *s->writer);
    if (!s->writer) {
        s->stack.failed = 1;
        goto end;
    }
    for (int64_t i = 0; i < low->entries; ++i) {
        const struct entry *e = &low->entry[i];
        int64_t count = low->first[i + 1] - low->first[i];
        int rewritten = 0; /* something that the loop reads is written later */
        for (int k = 0; k < SOURCES; ++k)
            rewritten |= e->src[k].tensor >= 0 && latest[e->src[k].tensor] >= low->first[i];
        if (of_array(e) && !rewritten) {
            position += count;
            continue;
        }
        for (int64_t number = low->first[i]; number < low->first[i] + count; ++number) {
            seek(low, &at, number);
            x = expand(low, &at, &room);
            int64_t gate = NONE;
            for (int k = 0; k < x->sources; ++k)
                if (x->src[k].block >= 0)
                    gate = MAX(gate, written[x->src[k].block]);
            if (x->dst.block >= 0) {
                gate = MAX(gate, written[x->dst.block]);
                for (int64_t node = waiting[x->dst.block]; node >= 0; node = s->pending.at[node + 2]) {
                    gate = MAX(gate, s->pending.at[node + 1]);
                    push(&s->later, number);
                    push(&s->reader, s->pending.at[node]);
                }
                waiting[x->dst.block] = NONE;
                s->writer[s->done[x->dst.block]++] = (int32_t)number;
            }
            if (is_anchor(e))
                gate = position++;
            if (!of_array(e))
                s->gate[slot_of(s, &at)] = (int32_t)gate;
            if (x->dst.block >= 0)
                written[x->dst.block] = (int32_t)MAX(written[x->dst.block], gate);
            for (int k = 0; k < x->sources; ++k) {
                int64_t block = x->src[k].block;
                if (block >= 0 && last[block] > number) {
                    int64_t node = s->pending.count;
                    push(&s->pending, number);
                    push(&s->pending, gate);
                    push(&s->pending, waiting[block]);
                    waiting[block] = node;
                }
            }
        }
    }
    s->anchors = position;
    for (int64_t block = 0; block < low->blocks; ++block)
        s->done[block] = s->begin[block];
end:
    free(last);
    free(latest);
    free(written);
    free(waiting);
}

static int sooner(const void *a, const void *b)
{
    const struct result *one = a, *other = b;
    if (one->gate != other->gate)
        return one->gate < other->gate ? -1 : 1;
    if (one->operation != other->operation)
        return one->operation > other->operation ? -1 : 1;
    return (one->number > other->number) - (one->number < other->number);
}

/* Results that no anchor needs, in the order in which they can be computed. Gives how many, or NONE. */
static int64_t find_results(struct interleaving *s, struct result **results)
{
    const struct lowered *low = s->low;
    struct symbolic room;
    const struct symbolic *x;
    struct cursor at = {0, 0};
    enum { READ = 1, NEEDED = 2 };
    uint8_t *block = calloc((size_t)low->blocks + 1, 1);
    int64_t found = 0, capacity = 64, later = s->later.count;
    *results = malloc((size_t)capacity * sizeof **results);
    for (int64_t i = low->entries - 1; block && *results && i >= 0; --i) {
        const struct entry *e = &low->entry[i];
        for (int64_t number = low->first[i + 1] - 1; number >= low->first[i]; --number) {
            seek(low, &at, number);
            x = expand(low, &at, &room);
            uint8_t mine = is_anchor(e) ? NEEDED : 0;
            if (!of_array(e))
                mine |= s->wanted[slot_of(s, &at)];
            if (x->dst.block >= 0)
                mine |= block[x->dst.block];
            uint8_t passes = READ | (mine & NEEDED);
            for (int k = 0; k < x->sources; ++k)
                if (x->src[k].block >= 0)
                    block[x->src[k].block] |= passes;
            if (x->dst.block >= 0)
                block[x->dst.block] |= passes;
            for (; later && s->later.at[later - 1] == number; --later) {
                seek(low, &s->cursor, s->reader.at[later - 1]);
                if (!of_array(&low->entry[s->cursor.entry]))
                    s->wanted[slot_of(s, &s->cursor)] |= passes;
            }
            if (mine)
                continue;
            if (found == capacity) {
                struct result *larger = realloc(*results, (size_t)(capacity *= 2) * sizeof **results);
                if (!larger)
                    goto failed;
                *results = larger;
            }
            (*results)[found++] = (struct result){number, s->gate[slot_of(s, &at)], x->operation};
        }
    }
    if (block && *results) {
        qsort(*results, (size_t)found, sizeof **results, sooner);
        free(block);
        return found;
    }
failed:
    free(block);
    return NONE;
}

static int without_memory(const struct interleaving *s)
{
    return s->later.failed | s->reader.failed | s->chain.failed | s->stack.failed | s->needs.failed |
           s->results.failed | s->pending.failed;
}

/* All that does not depend on costs. Gives 0 without memory. */
static int plan(struct interleaving *s, const struct lowered *low, const uint8_t *off_chip)
{
    s->low = low;
    s->off_chip = off_chip;
    s->slot = malloc((size_t)(low->entries + 1) * sizeof *s->slot);
    for (int64_t i = 0; s->slot && i < low->entries; ++i) {
        s->slot[i] = s->slots;
        s->slots += of_array(&low->entry[i]) ? 0 : low->first[i + 1] - low->first[i];
    }
    s->state = calloc((size_t)s->slots + 1, 1);
    s->wanted = calloc((size_t)s->slots + 1, 1);
    s->gate = malloc((size_t)(s->slots + 1) * sizeof *s->gate);
    s->begin = calloc((size_t)low->blocks + 2, sizeof *s->begin);
    s->done = calloc((size_t)low->blocks + 1, sizeof *s->done);
    s->moved = calloc((size_t)low->blocks + 1, 1);
    if (!s->slot || !s->state || !s->wanted || !s->gate || !s->begin || !s->done || !s->moved)
        return 0;
    find_dependencies(s);
    if (without_memory(s))
        return 0;
    s->n_results = find_results(s, &s->result);
    return s->n_results >= 0;
}

static void forget(struct interleaving *s)
{
    struct list *lists[] = {&s->later, &s->reader, &s->chain, &s->stack, &s->needs, &s->results, &s->pending};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; ++i)
        free(lists[i]->at);
    void *arrays[] = {s->slot, s->state, s->wanted, s->gate, s->begin, s->done, s->moved, s->writer, s->result};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; ++i)
        free(arrays[i]);
}
#endif
