/* How a compilation begins, on one machine after the other, and ends. */
#ifndef PULSETRAIN_BEGIN_H
#define PULSETRAIN_BEGIN_H
#include "cut.h"
#include "pass.h"

#define EXPORT __attribute__((visibility("default")))

static void end_compilation(struct compilation *c)
{
    struct list *lists[] = {&c->resident, &c->due, &c->due_block, &c->spills, &c->names, &c->stretches};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; ++i)
        free(lists[i]->at);
    for (int i = 0; i < UNITS * UNITS; ++i)
        free(c->waits[i / UNITS][i % UNITS].at);
    forget(&c->plan);
    void *arrays[] = {c->low.first, c->low.expanded, c->low.entry, c->low.tensor, c->low.block_tensor,
                      c->homes, c->outputs, c->first_output, c->off_chip, c->begin, c->filled, c->uses,
                      c->space.free, c->block, c->fresh, c->named, c->slot_read, c->slot_written, c->posts,
                      c->prototype, c->transfer, c->steps, c};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; ++i)
        free(arrays[i]);
}

/* Where every home lies, in spaces that are filled from the bottom. Gives 0 without memory. */
static int place_homes(struct compilation *c)
{
    int64_t tensors = c->job->sizes[1], homes = c->job->sizes[2];
    int64_t *address = malloc((size_t)(homes + 1) * sizeof *address);
    c->homes = malloc((size_t)(tensors + 1) * sizeof *c->homes);
    c->outputs = malloc((size_t)(homes + 1) * sizeof *c->outputs);
    c->first_output = calloc((size_t)tensors + 2, sizeof *c->first_output);
    c->off_chip = calloc((size_t)tensors + 1, 1);
    int complete = address && c->homes && c->outputs && c->first_output && c->off_chip;
    for (int64_t i = 0; complete && i < tensors; ++i)
        c->homes[i] = (struct placement){NONE, NONE, NONE};
    for (int64_t i = 0; complete && i < homes; ++i) {
        const struct home *home = &c->job->homes[i];
        const struct tensor *t = &c->low.tensor[home->tensor];
        int64_t *filled = &c->filled_of[home->space], size = t->rows * t->panels << t->item;
        address[i] = home->like < 0 ? *filled : address[home->like];
        *filled = MAX(*filled, address[i] + CEIL(size, GRANULE_LINES) * GRANULE_LINES);
        c->off_chip[home->tensor] = 1;
        if (home->is_output)
            ++c->first_output[home->tensor];
        else
            c->homes[home->tensor] = (struct placement){home->flags, address[i], home->name};
    }
    for (int64_t i = 0; complete && i < tensors; ++i)
        c->first_output[i + 1] += c->first_output[i];
    for (int64_t i = homes - 1; complete && i >= 0; --i) { /* from the last: what was an end becomes a begin */
        const struct home *home = &c->job->homes[i];
        if (home->is_output)
            c->outputs[--c->first_output[home->tensor]] =
                (struct placement){home->flags, address[i], home->name};
    }
    free(address);
    return complete;
}

/* What compilations for machines of one geometry share: all but the order. Where instructions are few they are
 * expanded here. */
static enum outcome begin(struct compilation *c, const struct job *job, const struct geometry *geometry)
{
    int64_t number = 0;
    c->job = job;
    c->accumulate = geometry->accumulate;
    enum outcome outcome = cut(&c->low, job, geometry);
    if (outcome != COMPILED)
        return outcome;
    int64_t blocks = c->low.blocks, entries = c->low.entries;
    c->n_names = job->sizes[3];
    c->low.first = malloc((size_t)(entries + 1) * sizeof *c->low.first);
    c->begin = calloc((size_t)blocks + 2, sizeof *c->begin);
    c->filled = malloc((size_t)(blocks + 1) * sizeof *c->filled);
    c->block = malloc((size_t)(blocks + 1) * sizeof *c->block);
    c->fresh = malloc((size_t)(blocks + 1) * sizeof *c->fresh);
    c->named = malloc((size_t)(c->n_names + 1) * sizeof *c->named);
    c->posts_capacity = 1024;
    c->posts = calloc((size_t)c->posts_capacity, 1);
    if (!c->low.first || !c->begin || !c->filled || !c->block || !c->fresh || !c->named || !c->posts)
        return NO_MEMORY;
    for (int64_t i = 0; i <= entries; ++i) {
        c->low.first[i] = number;
        number += i < entries ? c->low.entry[i].count : 0;
    }
    if (number >= NEVER)
        return TOO_LONG;
    int complete = place_homes(c) && expand_all(&c->low) && plan(&c->plan, &c->low, c->off_chip);
    return complete ? COMPILED : NO_MEMORY;
}

/* Everything as it is before the first instruction on this machine. Gives 0 without memory. */
static int set_machine(struct compilation *c, const struct machine *machine)
{
    if (machine->slots > c->slots) {
        free(c->slot_read);
        free(c->slot_written);
        c->slot_read = malloc((size_t)machine->slots * sizeof *c->slot_read);
        c->slot_written = malloc((size_t)machine->slots * sizeof *c->slot_written);
        c->slots = c->slot_read && c->slot_written ? machine->slots : 0;
        if (!c->slots)
            return 0;
    }
    c->machine = *machine;
    c->space.frame = machine->frame;
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
#endif
