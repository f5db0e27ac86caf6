/* The order of simulator/compiler/interleave.py, which says why; the instructions are not listed but expanded
 * when they are looked at. Those of a loop of the array ("cells") are all anchors and need no state. */
#ifndef PULSETRAIN_INTERLEAVE_H
#define PULSETRAIN_INTERLEAVE_H
#include "dependencies.h"

enum { EMITTED = 1, SEEN = 2 };
enum { DIVIDE = 7, SQRT = 8, EXP = 16, LOG = 17, TANH = 18 }; /* functions of simulator/isa.py */

/* Cycles per beat. */
static inline int64_t interval_of(const struct costs *costs, int function)
{
    switch (function) {
    case DIVIDE:
        return costs->divide;
    case SQRT:
        return costs->sqrt;
    case EXP:
    case LOG:
    case TANH:
        return costs->table;
    }
    return 1;
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

/* Whether it was still to be emitted. */
static int emit_one(struct interleaving *s, int64_t number)
{
    const struct lowered *low = s->low;
    seek(low, &s->cursor, number);
    const struct entry *e = &low->entry[s->cursor.entry];
    if (!of_array(e)) {
        uint8_t *state = &s->state[slot_of(s, &s->cursor)];
        if (*state & EMITTED)
            return 0;
        *state |= EMITTED;
    }
    append(s->order, number);
    struct symbolic room;
    const struct symbolic *x;
    x = expand(low, &s->cursor, &room);
    if (x->opcode == MATMUL)
        s->array += x->rows;
    if (x->opcode == VEC)
        s->vector += x->rows * x->panels * s->costs->beats * interval_of(s->costs, x->function);
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
    return 1;
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
            if (emitted_aside < aside.count) {
                if (emit_one(s, aside.at[emitted_aside++]))
                    push(&s->order->aside, at);
            } else if (result < s->n_results && results[result].gate <= at) {
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

/* The order on a machine with these costs. Gives 0 without memory. */
static int arrange(struct interleaving *s, const struct costs *costs, struct order *order)
{
    s->costs = costs;
    s->order = order;
    s->array = s->vector = s->memory = 0;
    order->starts.count = order->counts.count = order->aside.count = 0;
    s->cursor = (struct cursor){0, 0};
    memset(s->state, 0, (size_t)s->slots);
    memset(s->moved, 0, (size_t)s->low->blocks);
    memcpy(s->done, s->begin, (size_t)s->low->blocks * sizeof *s->done);
    emit_anchors(s);
    return !without_memory(s) && !order->starts.failed && !order->counts.failed && !order->aside.failed;
}
#endif
