/* What steps are cut into: tensors in blocks, and instructions over them, most of them as loops.
 *
 * The structures are those of simulator/compiler/symbolic.py. Instructions are numbered in program order. */
#ifndef PULSETRAIN_LOWERED_H
#define PULSETRAIN_LOWERED_H

#include "steps.h"

#include <stdlib.h>
#include <string.h>

enum { LOAD, STORE, WLOAD, MATMUL, DRAIN, TRANSPOSE, VEC, HALT };
enum { SEQUENCER, DMA, LOADER, MATRIX, VECTOR, TRANSPOSER, UNITS };
enum { F_HOST = 1 << 0, F_ACCUMULATE = 1 << 3 };
enum { F_ACCUMULATOR = 1 << 6, F_REPLICATE = 1 << 9, F_SAME_ROW = 1 << 12 }; /* of the first source */
enum kind { ONE, BLOCKS, TRANSPOSES, STATIONARY, OUTPUT };
enum { SOURCES = 3, NATURAL = -1 };

struct place { /* a line of a tensor; NATURAL is the stride of its block */
    int64_t tensor, panel, row, stride;
};

struct entry { /* one instruction or a loop of `count` */
    int64_t kind, count, operation, function, flags, item, rows, panels, tail, tile, tile_line, sources;
    struct place dst, src[SOURCES]; /* tensor NONE: no destination; the accumulators */
};

struct tensor {
    int64_t first_block, rows, cols, panels, chunk, group, item, row_blocks;
};

struct lowered {
    int64_t entries, tensors, blocks, line, rows, cols, tiles;
    struct entry *entry;
    struct tensor *tensor;
    int32_t *block_tensor;
    int64_t entry_room;
    int failed; /* no memory */
    int64_t *first; /* number of each entry's first instruction; behind the last how many there are */
    struct symbolic *expanded; /* all of them, NULL where they are too many */
};

struct operand {
    int64_t block, offset, stride;
};

struct symbolic { /* an instruction without addresses; `block` NONE: no destination; the accumulators */
    int64_t operation, rows, panels, flags, tail, sub0, sub1, tile, tile_line, macs;
    int opcode, function, item, sources;
    struct operand dst, src[SOURCES];
    int64_t entry; /* of those that have been expanded: what they belong to */
};

enum { FEW_INSTRUCTIONS = 1 << 14 }; /* that may be expanded all at once: 3 MB */

/* Where a number lies; moving on is cheap. */
struct cursor {
    int64_t number, entry;
};

static inline void seek(const struct lowered *low, struct cursor *at, int64_t number)
{
    if (low->expanded)
        at->entry = low->expanded[number].entry;
    else if (number < low->first[at->entry] || number >= low->first[at->entry + 1]) {
        int64_t below = 0, above = low->entries;
        if (number >= low->first[at->entry] && at->entry + 2 <= low->entries &&
            number < low->first[at->entry + 2])
            below = at->entry + 1, above = below + 1;
        while (above - below > 1) {
            int64_t middle = (below + above) / 2;
            if (low->first[middle] <= number)
                below = middle;
            else
                above = middle;
        }
        at->entry = below;
    }
    at->number = number;
}

static inline int64_t blocks_of(const struct tensor *t)
{
    return CEIL(t->panels, t->group) * t->row_blocks;
}

struct bounds {
    int64_t panel, last_panel, row, last_row;
};

static inline struct bounds bounds_of(const struct tensor *t, int64_t block)
{
    int64_t panel = block / t->row_blocks * t->group, row = block % t->row_blocks * t->chunk;
    return (struct bounds){panel, MIN(panel + t->group, t->panels), row, MIN(row + t->chunk, t->rows)};
}

static inline int64_t lines_of(const struct tensor *t, int64_t block)
{
    struct bounds b = bounds_of(t, block);
    return (b.last_panel - b.panel) * (b.last_row - b.row);
}

static inline int64_t tail_of(const struct lowered *low, const struct tensor *t, int64_t panel)
{
    return MIN(low->line, t->cols - panel * low->line);
}

static inline struct operand operand_of(const struct lowered *low, int64_t tensor, int64_t panel, int64_t row)
{
    const struct tensor *t = &low->tensor[tensor];
    int64_t column = panel / t->group, chunk = row / t->chunk;
    int64_t first = chunk * t->chunk, stride = MIN(t->chunk, t->rows - first);
    return (struct operand){t->first_block + column * t->row_blocks + chunk,
                            (panel - column * t->group) * stride + row - first, stride};
}

static inline struct operand place_of(const struct lowered *low, const struct place *at)
{
    if (at->tensor < 0)
        return (struct operand){NONE, 0, 0};
    struct operand found = operand_of(low, at->tensor, at->panel, at->row);
    if (at->stride != NATURAL)
        found.stride = at->stride;
    return found;
}

static inline void expand_blocks(const struct lowered *low, const struct entry *e, int64_t j, struct symbolic *x)
{
    const struct tensor *out = &low->tensor[e->dst.tensor];
    struct bounds b = bounds_of(out, j);
    x->rows = b.last_row - b.row;
    x->panels = b.last_panel - b.panel;
    x->tail = tail_of(low, out, b.last_panel - 1);
    x->dst = operand_of(low, e->dst.tensor, b.panel, b.row);
    for (int i = 0; i < x->sources; ++i) {
        const struct place *from = &e->src[i];
        int moves = e->tile_line >> i & 1;
        x->src[i] = operand_of(low, from->tensor, from->stride ? b.panel : 0, from->row + (moves ? b.row : 0));
        if (!from->stride)
            x->src[i].stride = 0;
        if (!moves && x->rows > 1)
            x->flags |= F_SAME_ROW << i;
    }
    x->tile_line = 0;
}

static inline void expand_transposes(const struct lowered *low, const struct entry *e, int64_t j,
                                     struct symbolic *x)
{
    const struct tensor *from = &low->tensor[e->src[0].tensor];
    int64_t square = j / from->panels, panel = j % from->panels, row = square * low->line;
    x->rows = MIN(low->line, e->rows - row);
    x->tail = tail_of(low, from, panel);
    x->dst = operand_of(low, e->dst.tensor, square, e->dst.row + panel * low->line);
    x->src[0] = operand_of(low, e->src[0].tensor, panel, e->src[0].row + row);
}

static inline void expand_stationary(const struct lowered *low, const struct entry *e, int64_t j,
                                     struct symbolic *x)
{
    int64_t steps = CEIL(e->tail, low->rows), sub = j / (2 * steps), step = j % (2 * steps);
    int64_t k = step / 2 * low->rows, depth = MIN(low->rows, e->tail - k);
    x->panels = x->sources = 1;
    if (step % 2 == 0) {
        x->opcode = WLOAD;
        x->rows = depth;
        x->tail = x->flags = 0;
        x->tile = NONE;
        x->sub0 = sub;
        x->item = (int)low->tensor[e->src[1].tensor].item;
        x->src[0] = operand_of(low, e->src[1].tensor, e->src[1].panel, k);
        return;
    }
    x->opcode = MATMUL;
    x->tail = depth;
    x->sub0 = k % low->line / low->rows;
    x->sub1 = sub;
    x->flags |= k ? F_ACCUMULATE : 0;
    x->macs = x->rows * depth * MIN(low->cols, e->panels - sub * low->cols);
    x->item = (int)low->tensor[e->src[0].tensor].item;
    x->src[0] = operand_of(low, e->src[0].tensor, k / low->line, e->src[0].row);
}

static inline void expand_output(const struct lowered *low, const struct entry *e, int64_t j, struct symbolic *x)
{
    int64_t chunk = e->tile_line, steps = CEIL(e->tail, chunk), subs = CEIL(e->panels, low->cols);
    int64_t cell = j / (steps + 1), step = j % (steps + 1), sub = cell % subs;
    int64_t line = cell / subs * low->rows, rows = MIN(low->rows, e->rows - line), row = e->src[0].row + line;
    x->panels = 1;
    x->sub1 = sub;
    if (step == steps) {
        x->opcode = DRAIN;
        x->rows = rows;
        x->tail = 0;
        x->tile_line = line;
        x->sources = x->item = 0;
        return;
    }
    int64_t k = step * chunk, depth = MIN(chunk, e->tail - k);
    x->opcode = MATMUL;
    x->rows = depth;
    x->tail = rows;
    x->tile_line = 0;
    x->sub0 = row % low->line / low->rows;
    x->flags |= k ? F_ACCUMULATE : 0;
    x->macs = depth * rows * MIN(low->cols, e->panels - sub * low->cols);
    x->item = (int)low->tensor[e->src[1].tensor].item;
    x->src[0] = operand_of(low, e->src[0].tensor, row / low->line, k);
    x->src[1] = operand_of(low, e->src[1].tensor, e->src[1].panel, k);
}

static inline void expand_one(const struct lowered *low, const struct cursor *at, struct symbolic *x)
{
    const struct entry *e = &low->entry[at->entry];
    int64_t j = at->number - low->first[at->entry];
    *x = (struct symbolic){
        .operation = e->operation, .rows = e->rows, .panels = e->panels, .flags = e->flags, .tail = e->tail,
        .tile = e->tile, .tile_line = e->tile_line, .opcode = VEC, .function = (int)e->function,
        .item = (int)e->item, .sources = (int)e->sources, .dst = {NONE, 0, 0}};
    switch (e->kind) {
    case ONE:
        x->dst = place_of(low, &e->dst);
        for (int i = 0; i < x->sources; ++i)
            x->src[i] = place_of(low, &e->src[i]);
        break;
    case BLOCKS:
        expand_blocks(low, e, j, x);
        break;
    case TRANSPOSES:
        x->opcode = TRANSPOSE;
        x->panels = 1;
        expand_transposes(low, e, j, x);
        break;
    case STATIONARY:
        expand_stationary(low, e, j, x);
        break;
    case OUTPUT:
        expand_output(low, e, j, x);
        break;
    }
}

/* The instruction under a cursor; `room` is for one that has not been expanded. */
static inline const struct symbolic *expand(const struct lowered *low, const struct cursor *at,
                                            struct symbolic *room)
{
    if (low->expanded)
        return &low->expanded[at->number];
    expand_one(low, at, room);
    return room;
}

/* Expands the instructions, if they are few, once for all. Gives 0 without memory. */
static int expand_all(struct lowered *low)
{
    int64_t count = low->first[low->entries];
    if (count > FEW_INSTRUCTIONS)
        return 1;
    struct symbolic *expanded = malloc((size_t)(count + 1) * sizeof *expanded);
    struct cursor at = {0, 0};
    for (int64_t i = 0; expanded && i < count; ++i) {
        seek(low, &at, i);
        expand_one(low, &at, &expanded[i]);
        expanded[i].entry = at.entry;
    }
    low->expanded = expanded;
    return expanded != NULL;
}

/* The blocks that an instruction reads, then the one that it writes. */
static inline int touched(const struct symbolic *x, int64_t blocks[SOURCES + 1])
{
    int count = 0;
    for (int i = 0; i < x->sources; ++i)
        if (x->src[i].block >= 0)
            blocks[count++] = x->src[i].block;
    if (x->dst.block >= 0)
        blocks[count++] = x->dst.block;
    return count;
}

static inline int of_array(const struct entry *e)
{
    return e->kind == STATIONARY || e->kind == OUTPUT;
}

/* Arrays that grow. */
struct list {
    int64_t *at, count, capacity;
    int failed;
};

static inline void push(struct list *list, int64_t value)
{
    if (list->count == list->capacity) {
        int64_t capacity = list->capacity ? 2 * list->capacity : 64;
        int64_t *larger = realloc(list->at, (size_t)capacity * sizeof *larger);
        if (!larger) {
            list->failed = 1;
            return;
        }
        list->at = larger;
        list->capacity = capacity;
    }
    list->at[list->count++] = value;
}

/* An order of instructions: runs of consecutive numbers. */
struct order {
    struct list starts, counts;
    struct list aside; /* by which anchor there was time for each instruction that no anchor needs */
};

static inline void forget_order(struct order *order)
{
    free(order->starts.at);
    free(order->counts.at);
    free(order->aside.at);
}

static inline void append(struct order *order, int64_t number)
{
    int64_t last = order->starts.count - 1;
    if (last >= 0 && order->starts.at[last] + order->counts.at[last] == number) {
        ++order->counts.at[last];
        return;
    }
    push(&order->starts, number);
    push(&order->counts, 1);
}

/* Goes through an order, one instruction after the other. */
struct walk {
    int64_t run, within;
    struct cursor at;
};

static inline int step(const struct lowered *low, const struct order *order, struct walk *walk)
{
    if (walk->run == order->starts.count)
        return 0;
    seek(low, &walk->at, order->starts.at[walk->run] + walk->within);
    if (++walk->within == order->counts.at[walk->run]) {
        ++walk->run;
        walk->within = 0;
    }
    return 1;
}
#endif
