/* Steps over whole tensors to entries: simulator/compiler/cut.py, vector.py and gemm.py, which say why. */
#ifndef PULSETRAIN_CUT_H
#define PULSETRAIN_CUT_H
#include "lowered.h"

enum step { ELEMENTWISE, COPY, REDUCE, TRANSPOSED, MULTIPLY };
enum { HEAD = 3 }; /* kind, length, operation */

static const struct place nowhere = {NONE, 0, 0, 0};

struct run { /* rows of a result, and the first one of an operand that serves them */
    int64_t row, last_row, source_row, moves;
};

struct source { /* tensor NONE: the accumulator tile */
    int64_t tensor, replicate, n_runs;
    const struct run *runs;
};

struct mapped {
    int64_t function, flags, item, out, sources;
    struct source source[SOURCES];
};

struct tile { /* rows of one panel of a result */
    int64_t number, panel, row, last_row;
};

static struct mapped read_mapped(const int64_t *words)
{
    struct mapped m = {words[0], words[1], words[2], words[3], words[4], {{0}}};
    words += 5;
    for (int i = 0; i < m.sources; ++i) {
        m.source[i] = (struct source){words[0], words[1], words[2], (const struct run *)(words + 3)};
        words += 3 + words[2] * (int64_t)(sizeof(struct run) / sizeof *words);
    }
    return m;
}

static void add_entry(struct lowered *low, struct entry entry)
{
    if (low->entries == low->entry_room) {
        int64_t room = low->entry_room ? 2 * low->entry_room : 256;
        struct entry *larger = realloc(low->entry, (size_t)room * sizeof *larger);
        if (!larger) {
            low->failed = 1;
            return;
        }
        low->entry = larger;
        low->entry_room = room;
    }
    for (int64_t i = entry.sources; i < SOURCES; ++i)
        entry.src[i] = nowhere;
    low->entry[low->entries++] = entry;
}

static inline int64_t next_cut(int64_t at, int64_t step)
{
    return (at / step + 1) * step;
}

static const struct run *run_at(const struct source *source, int64_t row)
{
    const struct run *run = source->runs;
    while (row >= run->last_row)
        ++run;
    return run;
}

static inline int64_t source_row(const struct run *run, int64_t row)
{
    return run->source_row + (run->moves ? row - run->row : 0);
}

/* Whether no operand changes its run or its block within a block of the result. */
static int block_by_block(const struct lowered *low, const struct mapped *m)
{
    const struct tensor *out = &low->tensor[m->out];
    for (int i = 0; i < m->sources; ++i) {
        const struct source *source = &m->source[i];
        const struct tensor *t = &low->tensor[source->tensor];
        const struct run *run = source->runs;
        if (source->n_runs > 1 || (run->moves && (t->chunk % out->chunk || run->source_row % t->chunk)))
            return 0;
        if (!source->replicate && t->group % out->group)
            return 0;
    }
    return 1;
}

static void all_blocks(struct lowered *low, int64_t operation, const struct mapped *m)
{
    const struct tensor *out = &low->tensor[m->out];
    struct entry e = {.kind = BLOCKS, .count = blocks_of(out), .operation = operation, .function = m->function,
                      .flags = m->flags, .item = m->item, .tile = NONE, .sources = m->sources,
                      .dst = {m->out, 0, 0, NATURAL}};
    for (int i = 0; i < m->sources; ++i) {
        const struct source *source = &m->source[i];
        e.src[i] = (struct place){source->tensor, 0, source->runs->source_row, source->replicate ? 0 : NATURAL};
        e.tile_line |= source->runs->moves << i;
        e.flags |= source->replicate ? F_REPLICATE << i : 0;
    }
    add_entry(low, e);
}

/* Panels [panel, last) and rows [row, last_row) of the result, none of them cut by a block. */
static void add_vec(struct lowered *low, int64_t operation, const struct mapped *m, const struct tile *tile,
                    int64_t panel, int64_t last_panel, int64_t row, int64_t last_row)
{
    struct entry e = {.kind = ONE, .count = 1, .operation = operation, .function = m->function,
                      .flags = m->flags, .item = m->item, .rows = last_row - row, .panels = last_panel - panel,
                      .tail = tail_of(low, &low->tensor[m->out], last_panel - 1), .sources = m->sources,
                      .tile = tile ? tile->number : NONE, .tile_line = tile ? row - tile->row : 0,
                      .dst = {m->out, panel, row, NATURAL}};
    for (int i = 0; i < m->sources; ++i) {
        const struct source *source = &m->source[i];
        if (source->tensor < 0) {
            e.src[i] = nowhere;
            e.flags |= F_ACCUMULATOR << i;
            continue;
        }
        const struct run *run = run_at(source, row);
        e.src[i] = source->replicate ? (struct place){source->tensor, 0, source_row(run, row), 0}
                                     : (struct place){source->tensor, panel, source_row(run, row), NATURAL};
        e.flags |= source->replicate ? F_REPLICATE << i : 0;
        e.flags |= !run->moves && last_row - row > 1 ? F_SAME_ROW << i : 0;
    }
    add_entry(low, e);
}

/* A part of the result within one block of it, cut wherever an operand changes its run or its block. */
static void cut_part(struct lowered *low, int64_t operation, const struct mapped *m, const struct tile *tile,
                     struct bounds b)
{
    for (int64_t panel = b.panel, last_panel; panel < b.last_panel; panel = last_panel) {
        last_panel = b.last_panel;
        for (int i = 0; i < m->sources; ++i)
            if (m->source[i].tensor >= 0 && !m->source[i].replicate)
                last_panel = MIN(last_panel, next_cut(panel, low->tensor[m->source[i].tensor].group));
        for (int64_t row = b.row, last_row; row < b.last_row; row = last_row) {
            last_row = b.last_row;
            for (int i = 0; i < m->sources; ++i) {
                if (m->source[i].tensor < 0)
                    continue;
                const struct run *run = run_at(&m->source[i], row);
                int64_t at = source_row(run, row);
                last_row = MIN(last_row, run->last_row);
                if (run->moves)
                    last_row = MIN(last_row, row + next_cut(at, low->tensor[m->source[i].tensor].chunk) - at);
            }
            add_vec(low, operation, m, tile, panel, last_panel, row, last_row);
        }
    }
}

static void cut_elementwise(struct lowered *low, int64_t operation, const struct mapped *m)
{
    const struct tensor *out = &low->tensor[m->out];
    if (block_by_block(low, m))
        all_blocks(low, operation, m);
    else
        for (int64_t block = 0; block < blocks_of(out); ++block)
            cut_part(low, operation, m, NULL, bounds_of(out, block));
}

/* What an accumulator tile holds. */
static void cut_tile(struct lowered *low, int64_t operation, const struct mapped *m, const struct tile *tile)
{
    const struct tensor *out = &low->tensor[m->out];
    for (int64_t row = tile->row; row < tile->last_row; row = next_cut(row, out->chunk))
        cut_part(low, operation, m, tile,
                 (struct bounds){tile->panel, tile->panel + 1, row,
                                 MIN(tile->last_row, MIN(out->rows, next_cut(row, out->chunk)))});
}

static void cut_copy(struct lowered *low, int64_t operation, const int64_t *words)
{
    const struct tensor *out = &low->tensor[words[0]], *source = &low->tensor[words[3]];
    int64_t rows = words[6], panels = words[7] == NONE ? out->panels : words[7];
    int64_t out_step = words[8], source_step = words[9];
    int stepping = out_step != 1 || source_step != 1;
    for (int64_t panel = 0; panel < panels; ++panel)
        for (int64_t done = 0, n; done < rows; done += n) {
            int64_t to = words[1] + done * out_step, at = words[4] + done * source_step;
            n = MIN(rows - done, CEIL(next_cut(to, out->chunk) - to, out_step));
            n = MIN(n, CEIL(next_cut(at, source->chunk) - at, source_step));
            add_entry(low, (struct entry){
                .kind = ONE, .count = 1, .operation = operation, .item = out->item, .rows = stepping ? 1 : n,
                .panels = stepping ? n : 1, .tail = low->line, .tile = NONE, .sources = 1,
                .dst = {words[0], words[2] + panel, to, stepping ? out_step : NATURAL},
                .src = {{words[3], words[5] + panel, at, stepping ? source_step : NATURAL}}});
        }
}

static void cut_reduce(struct lowered *low, int64_t operation, const int64_t *words)
{
    const struct tensor *out = &low->tensor[words[2]], *source = &low->tensor[words[4]];
    int64_t first = words[5], end = first + words[6];
    for (int64_t panel = 0, last_panel; panel < out->panels; panel = last_panel) {
        last_panel = MIN(out->panels, MIN(next_cut(panel, out->group), next_cut(panel, source->group)));
        for (int64_t row = first, last_row; row < end; row = last_row) {
            last_row = MIN(end, next_cut(row, source->chunk));
            add_entry(low, (struct entry){
                .kind = ONE, .count = 1, .operation = operation, .function = words[0],
                .flags = words[1] | (row > first ? F_ACCUMULATE : 0), .rows = last_row - row,
                .panels = last_panel - panel, .tail = tail_of(low, out, last_panel - 1), .tile = NONE,
                .sources = 1, .dst = {words[2], panel, words[3], NATURAL},
                .src = {{words[4], panel, row, NATURAL}}});
        }
    }
}

static void cut_transpose(struct lowered *low, int64_t operation, const int64_t *words)
{
    const struct tensor *source = &low->tensor[words[2]];
    add_entry(low, (struct entry){
        .kind = TRANSPOSES, .count = CEIL(words[4], low->line) * source->panels, .operation = operation,
        .item = source->item, .rows = words[4], .tile = NONE, .sources = 1,
        .dst = {words[0], 0, words[1], NATURAL}, .src = {{words[2], 0, words[3], NATURAL}}});
}

/* Whether a matmul takes more tiles than are compiled: simulator/compiler/tiles.py. */
static int too_many_tiles(const struct job *job, const int64_t *words, const struct geometry *g)
{
    int sums_stay = words[0] != 0;
    const struct value *a = &job->values[words[1]], *b = &job->values[words[2]];
    double streamed = (double)CEIL(sums_stay ? a->cols : a->rows, g->accumulate);
    double sums = streamed * (double)CEIL(b->cols, g->line), across = (double)CEIL(b->cols, g->cols);
    double tiles = sums_stay ? (double)CEIL(a->cols, g->rows) * across
                             : streamed * across * (double)CEIL(a->cols, g->rows);
    return tiles > (double)job->sizes[4] || sums > (double)job->sizes[5];
}

/* A matmul, accumulator tile by accumulator tile. */
static void cut_matmul(struct lowered *low, int64_t operation, const int64_t *words, int64_t accumulate)
{
    int sums_stay = words[0] != 0;
    const struct tensor *a = &low->tensor[words[1]], *b = &low->tensor[words[2]];
    struct mapped epilogue = read_mapped(words + 4);
    int64_t streamed = sums_stay ? a->cols : a->rows, depth = sums_stay ? a->rows : a->cols;
    int64_t chunk = MIN(a->chunk, b->chunk);
    for (int64_t panel = 0; panel < b->panels; ++panel)
        for (int64_t row = 0; row < streamed; row += accumulate) {
            struct tile tile = {low->tiles++, panel, row, MIN(streamed, row + accumulate)};
            int64_t rows = tile.last_row - row, width = tail_of(low, b, panel);
            int64_t subs = CEIL(width, low->cols);
            int64_t count = sums_stay ? CEIL(rows, low->rows) * subs * (CEIL(depth, chunk) + 1)
                                      : 2 * CEIL(depth, low->rows) * subs;
            add_entry(low, (struct entry){
                .kind = sums_stay ? OUTPUT : STATIONARY, .count = count, .operation = operation,
                .flags = words[3], .rows = rows, .panels = width, .tail = depth, .tile = tile.number,
                .tile_line = sums_stay ? chunk : 0, .sources = 2, .dst = nowhere,
                .src = {{words[1], 0, row, NATURAL}, {words[2], panel, 0, NATURAL}}});
            cut_tile(low, operation, &epilogue, &tile);
        }
}

/* Tensors with their blocks. Gives 0 without memory. */
static int cut_tensors(struct lowered *low, const struct job *job, const struct geometry *g)
{
    low->tensors = job->sizes[1];
    low->tensor = malloc((size_t)(low->tensors + 1) * sizeof *low->tensor);
    if (!low->tensor)
        return 0;
    for (int64_t i = 0; i < low->tensors; ++i) {
        const struct value *v = &job->values[i];
        struct tensor *t = &low->tensor[i];
        *t = (struct tensor){.first_block = low->blocks, .rows = v->rows, .cols = v->cols, .item = v->item,
                             .panels = CEIL(v->cols, g->line),
                             .chunk = v->whole_rows ? v->rows : MIN(g->chunk, v->rows),
                             .group = MAX(1, g->line / v->rows)};
        t->row_blocks = CEIL(t->rows, t->chunk);
        low->blocks += blocks_of(t);
    }
    low->block_tensor = malloc((size_t)(low->blocks + 1) * sizeof *low->block_tensor);
    for (int64_t i = 0; low->block_tensor && i < low->tensors; ++i)
        for (int64_t k = 0; k < blocks_of(&low->tensor[i]); ++k)
            low->block_tensor[low->tensor[i].first_block + k] = (int32_t)i;
    return low->block_tensor != NULL;
}

static enum outcome cut(struct lowered *low, const struct job *job, const struct geometry *g)
{
    for (int64_t at = 0; at < job->sizes[0]; at += job->words[at + 1])
        if (job->words[at] == MULTIPLY && too_many_tiles(job, &job->words[at + HEAD], g))
            return REFUSED;
    low->line = g->line;
    low->rows = g->rows;
    low->cols = g->cols;
    if (!cut_tensors(low, job, g))
        return NO_MEMORY;
    for (int64_t at = 0; at < job->sizes[0]; at += job->words[at + 1]) {
        const int64_t *words = &job->words[at + HEAD];
        int64_t operation = words[-1];
        struct mapped mapped;
        switch (words[-HEAD]) {
        case ELEMENTWISE:
            mapped = read_mapped(words);
            cut_elementwise(low, operation, &mapped);
            break;
        case COPY:
            cut_copy(low, operation, words);
            break;
        case REDUCE:
            cut_reduce(low, operation, words);
            break;
        case TRANSPOSED:
            cut_transpose(low, operation, words);
            break;
        case MULTIPLY:
            cut_matmul(low, operation, words, g->accumulate);
        }
    }
    return low->failed ? NO_MEMORY : COMPILED;
}
#endif
