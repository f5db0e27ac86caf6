/* One compilation, or those of many machines whose graph is lowered alike. */
#include "pass.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void pulsetrain_compile_close(struct compilation *c)
{
    struct list *lists[] = {&c->resident, &c->due, &c->due_block, &c->spills, &c->names,
                            &c->stretches, &c->order.starts, &c->order.counts};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; ++i)
        free(lists[i]->at);
    for (int i = 0; i < UNITS * UNITS; ++i)
        free(c->waits[i / UNITS][i % UNITS].at);
    forget(&c->plan);
    void *arrays[] = {c->low.first, c->low.expanded, c->begin, c->filled, c->uses, c->space.free, c->block,
                      c->named, c->slot_read, c->slot_written, c->posts, c->kept, c};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; ++i)
        free(arrays[i]);
}

/* What compilations of the same instructions share: all but the order. Where they are few they are expanded
 * here. The outcome says whether there is memory for it. */
static enum outcome begin(struct compilation *c, const struct job *job)
{
    const int64_t *sizes = job->sizes;
    int64_t blocks = sizes[2], number = 0;
    c->low = (struct lowered){.entries = sizes[0], .tensors = sizes[1], .blocks = blocks, .line = sizes[4],
                              .rows = sizes[5], .cols = sizes[6], .entry = job->entries, .tensor = job->tensors,
                              .block_tensor = job->block_tensor};
    c->n_names = sizes[3];
    c->homes = job->homes;
    c->first_output = job->first_output;
    c->outputs = job->outputs;
    c->tensor_names = job->tensor_names;
    c->low.first = malloc((size_t)(sizes[0] + 1) * sizeof *c->low.first);
    c->begin = calloc((size_t)blocks + 2, sizeof *c->begin);
    c->filled = malloc((size_t)(blocks + 1) * sizeof *c->filled);
    c->block = malloc((size_t)(blocks + 1) * sizeof *c->block);
    c->named = malloc((size_t)(c->n_names + 1) * sizeof *c->named);
    c->posts_capacity = 1024;
    c->posts = calloc((size_t)c->posts_capacity, 1);
    if (!c->low.first || !c->begin || !c->filled || !c->block || !c->named || !c->posts)
        return NO_MEMORY;
    for (int64_t i = 0; i <= sizes[0]; ++i) {
        c->low.first[i] = number;
        number += i < sizes[0] ? job->entries[i].count : 0;
    }
    if (number >= NEVER)
        return TOO_LONG;
    return expand_all(&c->low) && plan(&c->plan, &c->low, job->off_chip) ? COMPILED : NO_MEMORY;
}

/* The order on a machine with these costs. Gives 0 without memory. */
static int arrange_for(struct compilation *c, const struct costs *costs)
{
    return arrange(&c->plan, costs, &c->order) && find_uses(c);
}

/* What is given for this machine, and everything as it is before the first instruction. Gives 0 without
 * memory. */
static int set_machine(struct compilation *c, const struct machine *machine)
{
    if (!c->slot_read || machine->slots > c->machine.slots) {
        free(c->slot_read);
        free(c->slot_written);
        c->slot_read = malloc((size_t)machine->slots * sizeof *c->slot_read);
        c->slot_written = malloc((size_t)machine->slots * sizeof *c->slot_written);
        c->machine.slots = 0;
        if (!c->slot_read || !c->slot_written)
            return 0;
    }
    c->machine = *machine;
    c->space.frame = machine->frame ? machine->frame : GRANULES;
    c->does_not_fit = c->out_of_memory = c->posts[0] = 0;
    reset(c);
    return 1;
}

static enum outcome outcome_of(const struct compilation *c)
{
    if (failed(c) || c->stretches.failed)
        return NO_MEMORY;
    return c->does_not_fit ? DOES_NOT_FIT : c->emitted >= NEVER ? TOO_LONG : COMPILED;
}

/* Plans a compilation: the order, and a first pass; `stretch`: instructions of a stretch. `found`: outcome,
 * instructions, spills, names, end of the spills, stretches; the size that did not fit and beside how many. The
 * arrays that are given must live until it is closed. */
EXPORT struct compilation *pulsetrain_compile_open(const struct job *job, const struct machine *machine,
                                                   const struct costs *costs, int64_t stretch, int64_t found[8])
{
    struct compilation *c = calloc(1, sizeof *c);
    found[0] = NO_MEMORY;
    if (!c)
        return NULL;
    found[0] = begin(c, job);
    if (found[0] != COMPILED)
        return c;
    found[0] = NO_MEMORY;
    if (!arrange_for(c, costs) || !set_machine(c, machine))
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

/* What the first pass has found beside: spills (tensor, address, rows, columns), names in their order, ends of
 * the stretches. The next stretch is the first one then. */
EXPORT void pulsetrain_compile_found(struct compilation *c, int64_t *spills, int64_t *names, int64_t *stretches)
{
    memcpy(spills, c->spills.at, (size_t)c->spills.count * sizeof *spills);
    memcpy(names, c->names.at, (size_t)c->names.count * sizeof *names);
    memcpy(stretches, c->stretches.at, (size_t)c->stretches.count * sizeof *stretches);
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

/* The cycles of a Program's records on a machine with these numbers; 0 where it has run to its end. */
typedef int timing(int64_t count, const struct record *records, const void *bits, const int64_t *numbers,
                   int64_t *cycles);

/* Compiles for each of `count` machines and times each Program, of which nothing is kept. `numbers`: `width` of
 * each machine, which `timed` reads, as it does `bits`. `cycles` are NONE where either fails; `spill_end`: behind
 * the Program's spills. */
EXPORT void pulsetrain_compile_cycles(const struct job *job, int64_t count, const struct machine *machines,
                                      const struct costs *costs, timing *timed, const void *bits,
                                      const int64_t *numbers, int64_t width, int64_t *cycles, int64_t *spill_end)
{
    struct compilation *c = calloc(1, sizeof *c);
    int ready = c && begin(c, job) == COMPILED;
    if (c)
        c->keeping = 1;
    const struct costs *arranged = NULL;
    for (int64_t i = 0; i < count; ++i) {
        cycles[i] = spill_end[i] = NONE;
        if (!ready)
            continue;
        if (!arranged || memcmp(arranged, &costs[i], sizeof *costs)) {
            if (!arrange_for(c, &costs[i]))
                break;
            arranged = &costs[i];
        }
        if (!set_machine(c, &machines[i]))
            continue;
        go_on(c, NEVER);
        if (outcome_of(c) != COMPILED)
            continue;
        for (int64_t k = 0; k < c->emitted; ++k)
            c->kept[k].post = c->posts[k];
        spill_end[i] = c->spill_address;
        if (timed(c->emitted, c->kept, bits, numbers + i * width, &cycles[i]))
            cycles[i] = NONE;
    }
    if (c)
        pulsetrain_compile_close(c);
}
