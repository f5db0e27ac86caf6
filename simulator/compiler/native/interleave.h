/* The order of simulator/compiler/interleave.py, which says why; the instructions are not listed but expanded
 * when they are looked at. Those of a loop of the array ("cells") are all anchors and need no state. */
#ifndef PULSETRAIN_INTERLEAVE_H
#define PULSETRAIN_INTERLEAVE_H
#include "lowered.h"

struct costs { /* the machine's numbers that steer the order */
    int64_t ahead, beats, numerator, denominator, interval[32];
};

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

enum { EMITTED = 1, SEEN = 2 };

static inline int64_t slot_of(const struct interleaving *s, const struct cursor *at)
{
    return s->slot[at->entry] + at->number - s->low->first[at->entry];
}

static inline int is_anchor(const struct entry *e)
{
    return of_array(e) || e->tile != NONE;
}

/* Anchors come in their order, so those of a loop that are needed have been emitted. */
static inline int emitted(struct interleaving *s, int64_t number)
{
    seek(s->low, &s->cursor, number);
    return of_array(&s->low->entry[s->cursor.entry]) || s->state[slot_of(s, &s->cursor)] & EMITTED;
}

static int ascending(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

static int64_t first_later(const struct interleaving *s, int64_t number)
{
    int64_t below = 0, above = s->later.count;
    while (below < above) {
        int64_t middle = (below + above) / 2;
        if (s->later.at[middle] < number)
            below = middle + 1;
        else
            above = middle;
    }
    return below;
}

/* What an instruction needs and is not there yet, in ascending order. */
static void gather(struct interleaving *s, int64_t number, const struct symbolic *x)
{
    int64_t blocks[SOURCES + 1];
    int count = touched(x, blocks), lists = 0;
    s->needs.count = 0;
    for (int i = 0; i < count; ++i) {
        int64_t at = s->done[blocks[i]], end = s->begin[blocks[i] + 1], before = s->needs.count;
        while (at < end && emitted(s, s->writer[at]))
            ++at;
        s->done[blocks[i]] = at;
        for (; at < end && s->writer[at] < number; ++at)
            if (!emitted(s, s->writer[at]))
                push(&s->needs, s->writer[at]);
        lists += s->needs.count > before;
    }
    if (x->dst.block >= 0)
        for (int64_t at = first_later(s, number); at < s->later.count && s->later.at[at] == number; ++at)
            if (!emitted(s, s->reader.at[at])) {
                push(&s->needs, s->reader.at[at]);
                lists = 2;
            }
    if (lists < 2)
        return;
    qsort(s->needs.at, (size_t)s->needs.count, sizeof *s->needs.at, ascending);
    int64_t kept = 0;
    for (int64_t i = 0; i < s->needs.count; ++i)
        if (!kept || s->needs.at[i] != s->needs.at[kept - 1])
            s->needs.at[kept++] = s->needs.at[i];
    s->needs.count = kept;
}

static void emit_one(struct interleaving *s, int64_t number)
{
    const struct lowered *low = s->low;
    seek(low, &s->cursor, number);
    const struct entry *e = &low->entry[s->cursor.entry];
    if (!of_array(e)) {
        uint8_t *state = &s->state[slot_of(s, &s->cursor)];
        if (*state & EMITTED)
            return;
        *state |= EMITTED;
    }
    append(s->order, number);
    struct symbolic room;
    const struct symbolic *x;
    x = expand(low, &s->cursor, &room);
    if (x->opcode == MATMUL)
        s->array += x->rows;
    if (x->opcode == VEC)
        s->vector += x->rows * x->panels * s->costs->beats * s->costs->interval[x->function];
    int64_t blocks[SOURCES + 1];
    for (int i = touched(x, blocks) - 1; i >= 0; --i) {
        if (s->moved[blocks[i]])
            continue;
        s->moved[blocks[i]] = 1;
        int64_t number_of_tensor = low->block_tensor[blocks[i]];
        if (s->off_chip[number_of_tensor]) {
            const struct tensor *t = &low->tensor[number_of_tensor];
            int64_t bytes = (lines_of(t, blocks[i] - t->first_block) << t->item) * low->line;
            s->memory += CEIL(bytes * s->costs->denominator, s->costs->numerator);
        }
    }
}

/* The instruction and all that it needs that is not there yet, what is needed first. */
static void find_chain(struct interleaving *s, int64_t number)
{
    struct symbolic room;
    const struct symbolic *x;
    s->chain.count = s->stack.count = 0;
    push(&s->stack, number);
    while (s->stack.count) {
        int64_t at = s->stack.at[--s->stack.count];
        if (at < 0) { /* all that it needs is in the chain */
            push(&s->chain, ~at);
            continue;
        }
        seek(s->low, &s->cursor, at);
        if (!of_array(&s->low->entry[s->cursor.entry])) {
            uint8_t *state = &s->state[slot_of(s, &s->cursor)];
            if (*state)
                continue;
            *state = SEEN;
        }
        x = expand(s->low, &s->cursor, &room);
        gather(s, at, x);
        push(&s->stack, ~at);
        for (int64_t i = s->needs.count - 1; i >= 0; --i)
            push(&s->stack, s->needs.at[i]);
    }
    for (int64_t i = 0; i < s->chain.count; ++i) {
        seek(s->low, &s->cursor, s->chain.at[i]);
        if (!of_array(&s->low->entry[s->cursor.entry]))
            s->state[slot_of(s, &s->cursor)] &= (uint8_t)~SEEN;
    }
}

static void emit_chain(struct interleaving *s, int64_t number)
{
    find_chain(s, number);
    for (int64_t i = 0; i < s->chain.count; ++i)
        emit_one(s, s->chain.at[i]);
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

/* The next anchor after a cursor (entry NONE: the first). */
static void next_anchor(const struct lowered *low, struct cursor *at)
{
    if (at->entry >= 0 && at->number + 1 < low->first[at->entry + 1]) {
        ++at->number; /* loops are of anchors alone, or of none */
        return;
    }
    do
        ++at->entry;
    while (at->entry < low->entries && !is_anchor(&low->entry[at->entry]));
    at->number = at->entry < low->entries ? low->first[at->entry] : 0;
}

/* The positions in `chain` from `from` on are emitted while vector unit and memory are behind the array. */
static void emit_anchors(struct interleaving *s)
{
    const struct lowered *low = s->low;
    const struct result *results = s->result;
    struct symbolic room;
    const struct symbolic *x;
    struct list aside = {0};
    int64_t emitted_aside = 0, result = 0, looked = 0, reach = 0;
    struct cursor anchor = {0, NONE}, ahead = {0, NONE};
    for (int64_t at = 0; at < s->anchors; ++at) {
        next_anchor(low, &anchor);
        while (looked < s->anchors && reach - s->array < s->costs->ahead) {
            next_anchor(low, &ahead);
            x = expand(low, &ahead, &room);
            gather(s, ahead.number, x);
            int64_t count = s->needs.count;
            if (count) {
                s->results.count = 0;
                for (int64_t i = 0; i < count; ++i)
                    push(&s->results, s->needs.at[i]);
                for (int64_t i = 0; i < count; ++i) {
                    seek(low, &s->cursor, s->results.at[i]);
                    if (s->gate[slot_of(s, &s->cursor)] < at)
                        emit_chain(s, s->results.at[i]);
                }
            }
            reach += x->opcode == MATMUL ? x->rows : 0;
            ++looked;
        }
        emit_chain(s, anchor.number);
        while (MAX(s->vector, s->memory) < s->array) {
            if (emitted_aside < aside.count)
                emit_one(s, aside.at[emitted_aside++]);
            else if (result < s->n_results && results[result].gate <= at) {
                find_chain(s, results[result++].number);
                aside.count = emitted_aside = 0;
                for (int64_t i = 0; i < s->chain.count; ++i)
                    push(&aside, s->chain.at[i]);
            } else
                break;
        }
    }
    while (emitted_aside < aside.count)
        emit_one(s, aside.at[emitted_aside++]);
    while (result < s->n_results)
        emit_chain(s, results[result++].number);
    s->stack.failed |= aside.failed;
    free(aside.at);
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

/* The order on a machine with these costs. Gives 0 without memory. */
static int arrange(struct interleaving *s, const struct costs *costs, struct order *order)
{
    s->costs = costs;
    s->order = order;
    s->array = s->vector = s->memory = order->starts.count = order->counts.count = 0;
    s->cursor = (struct cursor){0, 0};
    memset(s->state, 0, (size_t)s->slots);
    memset(s->moved, 0, (size_t)s->low->blocks);
    memcpy(s->done, s->begin, (size_t)s->low->blocks * sizeof *s->done);
    emit_anchors(s);
    return !without_memory(s) && !order->starts.failed && !order->counts.failed;
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
