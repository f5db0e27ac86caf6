/* From lowered instructions to records: simulator/compiler/schedule.py, which says why. */
#ifndef PULSETRAIN_PASS_H
#define PULSETRAIN_PASS_H
#include "residency.h"
#include "interleave.h"

enum { STORE_DELAY = 8, LOOK_AHEAD = 64, EVICT_AHEAD = 16 };

static const int unit_of[] = {DMA, DMA, LOADER, MATRIX, MATRIX, TRANSPOSER, VECTOR, SEQUENCER};

/* An instruction without its addresses: all that its time depends on. */
static struct record record_of(const struct symbolic *x)
{
    return (struct record){.opcode = (uint32_t)x->opcode, .function = (uint32_t)x->function,
                           .item = (uint32_t)x->item, .flags = (uint32_t)x->flags, .tail = (uint32_t)x->tail,
                           .rows = (uint32_t)x->rows, .panels = x->opcode == VEC ? (uint32_t)x->panels : 0};
}

static void place_record(const struct compilation *c, const struct symbolic *x, int64_t slot,
                         struct record *record)
{
    int64_t line = slot * c->accumulate + x->tile_line;
    int strides = x->opcode == VEC;
    if (x->dst.block >= 0) {
        const struct tensor *t = tensor_of(c, x->dst.block);
        record->dst = (uint32_t)(c->block[x->dst.block].segment.address + (x->dst.offset << t->item));
        record->dst_stride = strides ? (uint32_t)x->dst.stride : 0;
    } else if (slot >= 0 && !(c->machine.output_stationary && x->opcode == MATMUL))
        record->dst = (uint32_t)line;
    for (int i = 0; i < x->sources; ++i) {
        const struct operand *from = &x->src[i];
        if (from->block < 0) {
            record->src[i] = (uint32_t)line;
            continue;
        }
        const struct tensor *t = tensor_of(c, from->block);
        record->src[i] = (uint32_t)(c->block[from->block].segment.address + (from->offset << t->item));
        record->src_stride[i] = strides ? (uint32_t)from->stride : 0;
    }
    if (x->opcode != VEC && x->opcode != TRANSPOSE)
        record->src[2] = (uint32_t)(x->sub0 | x->sub1 << 12);
}

static void place_one(struct compilation *c, const struct symbolic *x)
{
    int unit = unit_of[x->opcode];
    int64_t slot = x->tile < 0 ? NONE : x->tile % c->machine.slots;
    hazards after = no_hazards;
    int32_t own = NONE;
    int64_t done;
    for (int i = 0; i < x->sources; ++i)
        if (x->src[i].block >= 0) {
            const hazards *written = &c->block[x->src[i].block].written;
            after = later(after, *written);
            own = MAX(own, written->of[unit]);
        }
    if (x->dst.block >= 0) {
        const struct block *target = &c->block[x->dst.block];
        after = later(after, later(target->written, target->read));
    }
    if (unit != DMA && unit != TRANSPOSER)
        after.of[unit] = NONE;
    else if (x->dst.block >= 0)
        after.of[unit] = own;
    if (slot >= 0) {
        if (x->opcode == VEC)
            after = later(after, c->slot_written[slot]);
        else if (!(x->opcode == MATMUL && c->machine.output_stationary))
            after = later(after, c->slot_read[slot]);
    }
    if (c->timer)
        done = emit_timed(c, unit, &after, c->prototype[c->now.at.number]);
    else {
        struct record record = record_of(x);
        place_record(c, x, slot, &record);
        done = emit(c, unit, &after, &record, x->operation, NO_TRAFFIC, x->macs, NONE);
    }
    for (int i = 0; i < x->sources; ++i)
        if (x->src[i].block >= 0)
            mark(&c->block[x->src[i].block].read, unit, done);
    if (x->dst.block >= 0) {
        struct block *block = &c->block[x->dst.block];
        mark(&block->written, unit, done);
        block->dirty = block->begun = 1;
    }
    if (slot >= 0)
        mark(x->opcode == VEC ? &c->slot_read[slot] : &c->slot_written[slot], unit, done);
}

/* Room for blocks that the next instructions read; for the very next, other blocks leave. Then the loads, from
 * the faster memory first. */
static void look_ahead(struct compilation *c, int64_t total)
{
    int64_t coming[(SOURCES + 1) * LOOK_AHEAD], operation[(SOURCES + 1) * LOOK_AHEAD], blocks[SOURCES + 1];
    int count = 0;
    struct symbolic room;
    const struct symbolic *x;
    if (c->ahead <= c->position) { /* where it looks is behind: go on from here */
        c->ahead = c->position + 1;
        c->coming = c->now;
    }
    int64_t end = MIN(c->position + 1 + LOOK_AHEAD, total);
    while (c->ahead < end) {
        struct walk before = c->coming;
        step(&c->low, &c->order, &c->coming);
        x = expand(&c->low, &c->coming.at, &room);
        int touches = touched(x, blocks), full = 0;
        for (int i = 0; i < touches && !full; ++i) {
            const struct block *block = &c->block[blocks[i]];
            struct segment segment;
            if (block->resident || block->home.name < 0)
                continue;
            int64_t size = granules_of(c, blocks[i]);
            int found = allocate(c, size, &segment);
            while (!found && c->ahead - c->position <= EVICT_AHEAD && evict_clean(c, c->ahead))
                found = allocate(c, size, &segment);
            full = !found;
            if (full)
                break;
            occupy(c, blocks[i], &segment);
            coming[count] = blocks[i];
            operation[count++] = x->operation;
        }
        if (full) {
            c->coming = before;
            break;
        }
        ++c->ahead;
    }
    for (int host = 0; host < 2; ++host)
        for (int i = 0; i < count; ++i)
            if ((c->block[coming[i]].home.flags == F_HOST) == host)
                load(c, coming[i], operation[i]);
}

static void one_step(struct compilation *c, const struct symbolic *x, int64_t total)
{
    while (skip_stored(c), c->due_head < c->due.count && c->due.at[c->due_head] <= c->position)
        store(c, c->due_block.at[c->due_head]);
    c->n_pinned = touched(x, c->pinned);
    for (int i = 0; i < c->n_pinned; ++i)
        if (!c->block[c->pinned[i]].resident) {
            bring(c, c->pinned[i], x->operation);
            if (c->does_not_fit || c->out_of_memory)
                return;
        }
    place_one(c, x);
    for (int i = 0; i < c->n_pinned; ++i) {
        int64_t number = c->pinned[i];
        int again = 0;
        for (int k = 0; k < i; ++k)
            again |= c->pinned[k] == number;
        if (again)
            continue;
        struct block *block = &c->block[number];
        int64_t tensor = c->low.block_tensor[number];
        ++block->uses;
        if (block->last_write == c->position && c->first_output[tensor] < c->first_output[tensor + 1]) {
            block->pending = 1;
            push(&c->due, c->position + STORE_DELAY);
            push(&c->due_block, number);
        } else if (block->uses == block->last_use && !block->pending)
            drop(c, number);
    }
    if (c->evicted) {
        c->ahead = 0;
        c->evicted = 0;
    }
    look_ahead(c, total);
}

/* Everything as it is before the first instruction. */
static void reset(struct compilation *c)
{
    c->space.count = 0;
    int64_t usable = c->machine.granules / c->space.frame * c->space.frame;
    if (usable) {
        struct segment *all = insert_segments(c, 0, 0, 1);
        if (all)
            *all = (struct segment){0, usable, no_hazards, NONE};
    }
    memcpy(c->block, c->fresh, (size_t)c->low.blocks * sizeof *c->block);
    for (int64_t i = 0; i < c->machine.slots; ++i)
        c->slot_read[i] = c->slot_written[i] = no_hazards;
    for (int64_t i = 0; i < c->n_names; ++i)
        c->named[i] = NONE;
    for (int i = 0; i < UNITS; ++i) {
        c->last[i] = NONE;
        for (int k = 0; k < UNITS; ++k) {
            c->waits[i][k].count = c->known[i][k] = 0;
            c->synced[i][k] = NONE;
        }
    }
    c->resident.count = c->due.count = c->due_block.count = c->spills.count = c->names.count = 0;
    c->due_head = c->position = c->ahead = c->emitted = c->evicted = 0;
    c->spill_address = c->filled_of[HBM];
    c->now = c->coming = (struct walk){0};
}

/* What an order says of every block: the positions at which it is used, its last write. How often it is used is
 * the same in any order. */
static int find_uses(struct compilation *c, const struct order *order)
{
    struct symbolic room;
    const struct symbolic *x;
    int64_t blocks[SOURCES + 1];
    c->order = *order;
    for (int64_t i = 0; i < c->low.blocks; ++i)
        c->fresh[i] = (struct block){.last_write = NONE, .operation = NONE, .whole = 1, .written = no_hazards,
                                     .read = no_hazards, .home = c->homes[c->low.block_tensor[i]]};
    for (int counted = c->uses != NULL;; ++counted) {
        struct walk walk = {0};
        for (int64_t i = 0; counted && i < c->low.blocks; ++i)
            c->filled[i] = c->begin[i];
        for (int64_t position = 0; step(&c->low, &c->order, &walk); ++position) {
            x = expand(&c->low, &walk.at, &room);
            int count = touched(x, blocks);
            for (int i = 0; i < count; ++i) {
                int again = 0;
                for (int k = 0; k < i; ++k)
                    again |= blocks[k] == blocks[i];
                if (again)
                    continue;
                if (counted)
                    c->uses[c->filled[blocks[i]]++] = (int32_t)position;
                else
                    ++c->begin[blocks[i] + 1];
            }
            if (x->dst.block >= 0) {
                c->fresh[x->dst.block].last_write = (int32_t)position;
                c->fresh[x->dst.block].operation = (int32_t)x->operation;
            }
        }
        for (int64_t i = 0; counted && i < c->low.blocks; ++i) {
            c->fresh[i].uses = c->begin[i];
            c->fresh[i].last_use = c->begin[i + 1];
        }
        if (counted)
            return 1;
        for (int64_t i = 0; i < c->low.blocks; ++i)
            c->begin[i + 1] += c->begin[i];
        c->uses = malloc((size_t)(c->begin[c->low.blocks] + 1) * sizeof *c->uses);
        if (!c->uses)
            return 0;
    }
}

static int failed(const struct compilation *c)
{
    int lists = c->resident.failed | c->due.failed | c->due_block.failed | c->spills.failed | c->names.failed;
    for (int i = 0; i < UNITS; ++i)
        for (int k = 0; k < UNITS; ++k)
            lists |= c->waits[i][k].failed;
    return lists | c->out_of_memory;
}

/* Goes on until `stop` instructions are there, or to the end of the Program. Gives whether there are more. */
static int go_on(struct compilation *c, int64_t stop)
{
    int64_t total = c->low.first[c->low.entries];
    struct symbolic room;
    const struct symbolic *x;
    for (; c->position < total; ++c->position) {
        if (c->emitted >= stop)
            return 1;
        step(&c->low, &c->order, &c->now);
        x = expand(&c->low, &c->now.at, &room);
        one_step(c, x, total);
        if (c->does_not_fit || c->out_of_memory || c->due.failed || c->due_block.failed)
            return 0;
    }
    while (skip_stored(c), c->due_head < c->due.count)
        store(c, c->due_block.at[c->due_head]);
    hazards after = no_hazards;
    for (int unit = DMA; unit < UNITS; ++unit)
        after.of[unit] = c->last[unit];
    struct record record = {.opcode = HALT};
    if (c->timer)
        emit_timed(c, SEQUENCER, &after, c->prototype[total]);
    else
        emit(c, SEQUENCER, &after, &record, NONE, NO_TRAFFIC, 0, NONE);
    return 0;
}
#endif
