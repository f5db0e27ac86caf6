/* What is on chip when: simulator/compiler/residency.py, which says why. */
#include "room.h"
#include "tokens.h"

static const struct tensor *tensor_of(const struct compilation *c, int64_t block)
{
    return &c->low.tensor[c->low.block_tensor[block]];
}

static int64_t next_use(const struct block *block, const struct compilation *c)
{
    return block->uses < block->last_use ? c->uses[block->uses] : NEVER;
}

static void occupy(struct compilation *c, int64_t number, const struct segment *segment)
{
    struct block *block = &c->block[number];
    block->segment = *segment;
    block->written = no_hazards;
    block->read = segment->past;
    block->resident = 1;
    block->place = c->resident.count;
    push(&c->resident, number);
}

/* The block's room is free; the next owner waits for all who used it. */
static void drop(struct compilation *c, int64_t number)
{
    struct block *block = &c->block[number];
    block->segment.past = later(block->written, block->read);
    release(c, block->segment, c->emitted - SETTLED);
    block->resident = 0;
    if (c->resident.failed)
        return;
    int64_t last = c->resident.at[--c->resident.count];
    c->resident.at[block->place] = last;
    c->block[last].place = block->place;
}

static int64_t name_of(struct compilation *c, int64_t name)
{
    if (c->named[name] < 0) {
        c->named[name] = c->names.count;
        push(&c->names, name);
    }
    return c->named[name];
}

/* Fields of a LOAD or STORE of a block; gives the stride in memory. */
static int64_t transfer(const struct compilation *c, int64_t number, const struct placement *placement, int whole,
                        struct record *record)
{
    const struct tensor *t = tensor_of(c, number);
    struct bounds b = bounds_of(t, number - t->first_block);
    int64_t address = placement->address, stride = b.last_row - b.row, panels = b.last_panel - b.panel;
    if (whole) {
        address += (b.panel * t->rows + b.row) << t->item;
        stride = t->rows;
    }
    *record = (struct record){
        .item = (uint32_t)t->item, .flags = (uint32_t)placement->flags, .rows = (uint32_t)(b.last_row - b.row),
        .panels = (uint32_t)panels, .src = {0, (uint32_t)(address & 0xffffff), (uint32_t)(address >> 24)}};
    return panels > 1 ? stride : 0;
}

/* A LOAD or STORE of a block that is only timed. */
static int64_t emit_transfer(struct compilation *c, int64_t number, const struct placement *placement,
                             int opcode, const hazards *after)
{
    int host = (placement->flags & F_HOST) != 0;
    struct instruction *known = &c->transfer[number * TRANSFERS + 2 * (opcode == STORE) + host];
    if (known->kind == NONE) {
        struct record record;
        transfer(c, number, placement, 1, &record);
        record.opcode = (uint32_t)opcode;
        c->out_of_memory |= !c->timing->read(c->timer, &record, known);
    }
    return emit_timed(c, DMA, after, *known);
}

static void load(struct compilation *c, int64_t number, int64_t operation)
{
    struct block *block = &c->block[number];
    hazards after = later(block->written, block->read);
    after.of[DMA] = NONE;
    int64_t emitted;
    if (c->timer)
        emitted = emit_transfer(c, number, &block->home, LOAD, &after);
    else {
        struct record record;
        int64_t stride = transfer(c, number, &block->home, block->whole, &record);
        record.opcode = LOAD;
        record.dst = (uint32_t)block->segment.address;
        record.dst_stride = record.panels > 1 ? record.rows : 0;
        record.src_stride[0] = (uint32_t)stride;
        enum traffic traffic = block->spilled ? FILL : block->fetched || block->begun ? REFETCH : INPUT;
        emitted = emit(c, DMA, &after, &record, operation, traffic, 0, name_of(c, block->home.name));
    }
    mark(&block->written, DMA, emitted);
    block->fetched = 1;
    block->dirty = 0;
}

static void write_out(struct compilation *c, int64_t number, const struct placement *placement, int whole,
                      enum traffic traffic)
{
    struct block *block = &c->block[number];
    int64_t emitted;
    if (c->timer)
        emitted = emit_transfer(c, number, placement, STORE, &block->written);
    else {
        struct record record;
        int64_t stride = transfer(c, number, placement, whole, &record);
        record.opcode = STORE;
        record.src[0] = (uint32_t)block->segment.address;
        record.src_stride[0] = record.panels > 1 ? record.rows : 0;
        record.dst_stride = (uint32_t)stride;
        emitted = emit(c, DMA, &block->written, &record, block->operation, traffic, 0,
                       name_of(c, placement->name));
    }
    mark(&block->read, DMA, emitted);
    block->dirty = 0;
    block->home = *placement;
    block->whole = (int8_t)whole;
}

static void spill(struct compilation *c, int64_t number)
{
    const struct tensor *t = tensor_of(c, number);
    int64_t tensor = c->low.block_tensor[number];
    struct bounds b = bounds_of(t, number - t->first_block);
    int64_t lines = lines_of(t, number - t->first_block), rows = b.last_row - b.row;
    struct placement placement = {0, c->spill_address, c->job->values[tensor].name};
    push(&c->spills, tensor);
    push(&c->spills, c->spill_address);
    push(&c->spills, rows);
    push(&c->spills, lines / rows * c->low.line);
    c->spill_address += CEIL(lines << t->item, GRANULE_LINES) * GRANULE_LINES;
    write_out(c, number, &placement, 0, SPILL);
    c->block[number].spilled = 1;
}

/* Stores a finished block to every place that wants it; room without further use is freed. */
static void store(struct compilation *c, int64_t number)
{
    struct block *block = &c->block[number];
    int64_t tensor = c->low.block_tensor[number];
    block->pending = 0;
    for (int64_t i = c->first_output[tensor]; i < c->first_output[tensor + 1]; ++i)
        write_out(c, number, &c->outputs[i], 1, OUTPUT_);
    block->spilled = 0;
    if (block->uses == block->last_use)
        drop(c, number);
}

static void skip_stored(struct compilation *c)
{
    while (c->due_head < c->due.count && !c->block[c->due_block.at[c->due_head]].pending)
        ++c->due_head;
}

static int pinned(const struct compilation *c, int64_t number)
{
    for (int i = 0; i < c->n_pinned; ++i)
        if (c->pinned[i] == number)
            return 1;
    return 0;
}

/* A block that exists off chip and is needed after `use` leaves; whether there was one. */
static int evict_clean(struct compilation *c, int64_t use)
{
    int64_t victim = NONE, farthest = use;
    for (int64_t i = 0; i < c->resident.count; ++i) {
        int64_t number = c->resident.at[i];
        const struct block *block = &c->block[number];
        if (block->dirty || block->home.name < 0 || block->pending)
            continue;
        int64_t needed = next_use(block, c);
        if (needed > use && (needed > farthest || (needed == farthest && number > victim))) {
            victim = number;
            farthest = needed;
        }
    }
    if (victim >= 0)
        drop(c, victim);
    return victim >= 0;
}

/* One block leaves: one that only waits for its store, otherwise the one that is needed last. */
static void make_room(struct compilation *c, int64_t size)
{
    for (int64_t i = c->due_head; i < c->due.count; ++i) {
        int64_t waiting = c->due_block.at[i];
        const struct block *block = &c->block[waiting];
        if (block->pending && !pinned(c, waiting) && block->uses == block->last_use) {
            store(c, waiting);
            return;
        }
    }
    int64_t victim = NONE, farthest = NONE;
    for (int64_t i = 0; i < c->resident.count; ++i) {
        int64_t number = c->resident.at[i];
        const struct block *block = &c->block[number];
        if (pinned(c, number) || block->last_write >= c->position)
            continue;
        int64_t needed = next_use(block, c);
        if (needed > farthest || (needed == farthest && number > victim)) {
            victim = number;
            farthest = needed;
        }
    }
    if (victim < 0) {
        c->does_not_fit = 1;
        c->failed_size = size;
        return;
    }
    struct block *block = &c->block[victim];
    if (block->pending)
        store(c, victim);
    if (!block->resident)
        return;
    if (block->dirty)
        spill(c, victim);
    drop(c, victim);
    c->evicted = 1;
}

static int64_t granules_of(const struct compilation *c, int64_t number)
{
    const struct tensor *t = tensor_of(c, number);
    return lines_of(t, number - t->first_block) << t->item;
}

/* Makes room for a block and loads it if it exists. */
static void bring(struct compilation *c, int64_t number, int64_t operation)
{
    struct segment segment;
    int64_t size = granules_of(c, number);
    while (!allocate(c, size, &segment)) {
        make_room(c, size);
        if (c->does_not_fit || c->out_of_memory)
            return;
    }
    occupy(c, number, &segment);
    if (c->block[number].home.name >= 0)
        load(c, number, operation);
}
