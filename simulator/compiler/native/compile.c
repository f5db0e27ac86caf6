/* One compilation: a Program, whole or in parts. */
#include "begin.h"

EXPORT void pulsetrain_compile_close(struct compilation *c)
{
    forget_order(&c->order);
    end_compilation(c);
}

/* Plans a compilation: the order, and a first pass; `stretch`: instructions of a stretch. `found`: outcome,
 * instructions, spills, names, end of the spills, stretches; the size that did not fit and beside how many. What
 * is given must live until it is closed. */
EXPORT struct compilation *pulsetrain_compile_open(const struct job *job, const struct core *core,
                                                   int64_t stretch, int64_t found[8])
{
    struct compilation *c = calloc(1, sizeof *c);
    struct geometry geometry;
    struct costs costs;
    struct machine machine;
    found[0] = NO_MEMORY;
    if (!c)
        return NULL;
    found[0] = measure(core, &geometry, &costs, &machine);
    if (found[0] == COMPILED)
        found[0] = begin(c, job, &geometry);
    if (found[0] != COMPILED)
        return c;
    found[0] = NO_MEMORY;
    if (!arrange(&c->plan, &costs, &c->order) || !find_uses(c, &c->order) || !set_machine(c, &machine))
        return c;
    forget(&c->plan);
    c->plan = (struct interleaving){0};
    while (go_on(c, c->emitted + stretch))
        push(&c->stretches, c->emitted);
    push(&c->stretches, c->emitted);
    found[0] = outcome_of(c);
    found[1] = c->emitted;
    found[2] = c->spills.count / 4;
    found[3] = c->names.count;
    found[4] = c->spill_address;
    found[5] = c->stretches.count;
    found[6] = c->failed_size;
    int distinct = 0;
    for (int i = 0; i < c->n_pinned; ++i) {
        int again = 0;
        for (int k = 0; k < i; ++k)
            again |= c->pinned[k] == c->pinned[i];
        distinct += !again;
    }
    found[7] = distinct;
    return c;
}

static void copy_list(int64_t *to, const struct list *list)
{
    if (list->count) /* there may be no memory of an empty one */
        memcpy(to, list->at, (size_t)list->count * sizeof *to);
}

/* What the first pass has found beside: spills (tensor, address, rows, columns), names in their order, ends of
 * the stretches. The next stretch is the first one then. */
EXPORT void pulsetrain_compile_found(struct compilation *c, int64_t *spills, int64_t *names, int64_t *stretches)
{
    copy_list(spills, &c->spills);
    copy_list(names, &c->names);
    copy_list(stretches, &c->stretches);
    reset(c);
    c->writing = 1;
}

/* Writes the instructions of the next stretch, which ends at `end`. Gives 0 without memory. */
EXPORT int pulsetrain_compile_next(struct compilation *c, int64_t end, struct record *records,
                                   int32_t *operation, uint8_t *traffic, int64_t *macs, int32_t *tensor)
{
    c->out = (struct output){records, operation, tensor, traffic, macs};
    c->out_begin = c->emitted;
    go_on(c, end);
    return !failed(c) && c->emitted == end;
}
