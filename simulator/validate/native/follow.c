/* The checks of simulator/validate that follow a Program instruction by instruction, stretch after stretch:
 * matrix.py, tokens.py, replay.py, clocks.py and races.py say why. Whatever is wrong, those say it in words. */
#include "follower.h"

#define EXPORT __attribute__((visibility("default")))

/* -- the matrix unit --------------------------------------------------------------------------------------- */

static enum fault follow_tiles(struct follower *f, const struct record *r)
{
    if (r->opcode == WLOAD) {
        int32_t *tile = add(&f->loaded, 2);
        if (!tile)
            return NO_MEMORY;
        tile[0] = (int32_t)r->rows;
        tile[1] = (int32_t)r->item;
        return FINE;
    }
    if (r->opcode != MATMUL)
        return FINE;
    if (r->flags & SWAP) {
        if ((f->must_release && f->active && !f->released) || !f->loaded.count)
            return TILES;
        f->rows = first(&f->loaded, 2)[0];
        f->item = first(&f->loaded, 2)[1];
        drop(&f->loaded);
        f->active = 1;
        f->released = 0;
    } else if (!f->active || f->released)
        return TILES;
    if ((int64_t)r->tail > f->rows || (int32_t)r->item != f->item)
        return TILES;
    f->released = (r->flags & RELEASE) != 0;
    int64_t dst = r->dst, rows = r->rows, sub = r->src[2] >> 12;
    int overlaps = f->dst < dst + rows && dst < f->dst + f->dst_rows;
    if (r->flags & ACCUMULATE && f->dst >= 0 && overlaps && f->dst != dst && f->sub == sub)
        return ADDS;
    f->dst = dst;
    f->dst_rows = rows;
    f->sub = sub;
    return FINE;
}

static enum fault follow_chains(struct follower *f, const struct record *r)
{
    if (r->opcode != MATMUL && r->opcode != DRAIN)
        return FINE;
    int integer = (r->flags & INTEGER) != 0;
    if (r->opcode == MATMUL && !(r->flags & ACCUMULATE))
        f->chain = integer;
    else if (f->chain != integer)
        return CHAIN;
    if (r->opcode == DRAIN)
        f->chain = NONE;
    return FINE;
}

/* -- tokens and progress ------------------------------------------------------------------------------------ */

static enum fault follow_tokens(struct follower *f, const struct record *r, int unit)
{
    for (uint32_t wait = r->wait; wait; wait &= wait - 1) {
        int producer = __builtin_ctz(wait);
        if (++f->waits[producer][unit] > f->posts[producer][unit])
            return TOKEN_MISSING;
    }
    for (uint32_t post = r->post; post; post &= post - 1) {
        int consumer = __builtin_ctz(post);
        int64_t left = ++f->posts[unit][consumer] - f->waits[unit][consumer];
        if (left > f->outstanding[consumer])
            f->outstanding[consumer] = left;
    }
    return FINE;
}

static int execute_head(struct replay *s, const struct follower *f, int unit)
{
    struct queue *queue = &s->queues[unit];
    if (!queue->count)
        return 0;
    const int32_t *head = first(queue, ENTRY);
    for (uint32_t wait = (uint32_t)head[2]; wait; wait &= wait - 1)
        if (!s->tokens[__builtin_ctz(wait)][unit])
            return 0;
    if (head[0] == WLOAD) {
        if (s->loaded - f->slots > s->released)
            return 0;
        ++s->loaded;
    } else if (head[0] == MATMUL) {
        if (head[1] & SWAP && (s->loaded <= s->swapped || s->released < s->swapped))
            return 0;
        s->swapped += (head[1] & SWAP) != 0;
        s->released += (head[1] & f->releasing) != 0;
    }
    for (uint32_t wait = (uint32_t)head[2]; wait; wait &= wait - 1)
        --s->tokens[__builtin_ctz(wait)][unit];
    for (uint32_t post = (uint32_t)head[3]; post; post &= post - 1) {
        int consumer = __builtin_ctz(post);
        int32_t tokens = ++s->tokens[unit][consumer];
        if (consumer == s->lazy && tokens > s->most)
            s->most = tokens;
    }
    drop(queue);
    return 1;
}

static int run_ahead(struct replay *s, const struct follower *f)
{
    int happened = 0, progress = 1;
    while (progress) {
        progress = 0;
        for (int unit = 0; unit < UNITS; ++unit)
            while (unit != s->lazy && execute_head(s, f, unit))
                progress = happened = 1;
    }
    return happened;
}

/* All instructions before this one are dispatched; now this one is. HALT has no queue of its own: it waits at
 * the sequencer, where nothing follows it. */
static enum fault dispatch(struct replay *s, const struct follower *f, const struct record *r, int unit)
{
    while (s->queues[unit].count >= f->depth)
        if (!run_ahead(s, f) && (s->lazy == NONE || !execute_head(s, f, s->lazy)))
            return STUCK;
    int32_t *entry = add(&s->queues[unit], ENTRY);
    if (!entry)
        return NO_MEMORY;
    entry[0] = (int32_t)r->opcode;
    entry[1] = (int32_t)r->flags;
    entry[2] = (int32_t)r->wait;
    entry[3] = (int32_t)r->post;
    return FINE;
}

/* -- who is known to have ended ------------------------------------------------------------------------------ */

static void join(struct clock *one, const int32_t *other)
{
    for (int u = 0; u < UNITS; ++u)
        if (other[u] > one->of[u])
            one->of[u] = other[u];
}

static enum fault follow_clocks(struct follower *f, const struct record *r, int unit, struct clock *known)
{
    *known = unit == VECTOR ? f->ended[unit] : f->started[unit];
    for (uint32_t wait = r->wait; wait; wait &= wait - 1) {
        struct queue *tokens = &f->clocks[__builtin_ctz(wait)][unit];
        join(known, first(tokens, UNITS));
        drop(tokens);
    }
    struct clock ended = f->ended[unit];
    if (r->opcode == MATMUL && r->flags & SWAP && f->tiles.count) { /* that there is one is a rule of tiles */
        join(known, first(&f->tiles, 2 * UNITS));
        join(&ended, first(&f->tiles, 2 * UNITS) + UNITS);
        drop(&f->tiles);
    }
    join(&ended, known->of);
    ended.of[unit] = ++f->issued[unit];
    f->started[unit] = *known;
    f->ended[unit] = ended;
    if (r->opcode == WLOAD) {
        int32_t *tile = add(&f->tiles, 2 * UNITS);
        if (!tile)
            return NO_MEMORY;
        memcpy(tile, known->of, sizeof known->of);
        memcpy(tile + UNITS, ended.of, sizeof ended.of);
    }
    for (uint32_t post = r->post; post; post &= post - 1) {
        int32_t *token = add(&f->clocks[unit][__builtin_ctz(post)], UNITS);
        if (!token)
            return NO_MEMORY;
        memcpy(token, ended.of, sizeof ended.of);
    }
    return FINE;
}

/* -- accesses ----------------------------------------------------------------------------------------------- */

static int any_later(const int32_t *last, int64_t count, int32_t known)
{
    int later = 0;
    for (int64_t i = 0; i < count; ++i)
        later |= last[i] > known;
    return later;
}

static void set_all(int32_t *last, int64_t count, int32_t number)
{
    for (int64_t i = 0; i < count; ++i)
        last[i] = number;
}

static enum fault follow_access(struct lines *m, int which, int64_t at, int64_t count, const struct region *g,
                                int unit, const struct clock *known, int32_t number)
{
    for (int row = 0; row < m->writers; ++row) {
        int writer = writers_of[which][row];
        if ((writer != unit || !g->write) && any_later(m->written + row * m->size + at, count, known->of[writer]))
            return RACE;
    }
    if (!g->write) {
        set_all(m->read + row_of_reader[which][unit] * m->size + at, count, number);
        return FINE;
    }
    for (int row = 0; row < m->readers; ++row) {
        int reader = readers_of[which][row];
        if (reader != unit && any_later(m->read + row * m->size + at, count, known->of[reader]))
            return RACE;
    }
    set_all(m->written + row_of_writer[unit] * m->size + at, count, number);
    return FINE;
}

static int all_written(const struct lines *m, int64_t subs, int64_t at, int64_t count)
{
    if (subs == 1)
        return !memchr(m->ever + at, 0, (size_t)count);
    for (int64_t i = at; i < at + count; ++i) {
        int written = 0;
        for (int64_t sub = 0; sub < subs; ++sub)
            written |= m->ever[sub * m->size + i];
        if (!written)
            return 0;
    }
    return 1;
}

static int all_stored(const uint64_t *bits, int64_t at, int64_t end)
{
    for (; at < end; ++at) {
        if (!(at & 63) && at + 64 <= end && bits[at >> 6] == UINT64_MAX)
            at += 63;
        else if (!(bits[at >> 6] >> (at & 63) & 1))
            return 0;
    }
    return 1;
}

static void set_stored(uint64_t *bits, int64_t at, int64_t end)
{
    for (; at < end; ++at) {
        if (!(at & 63) && at + 64 <= end) {
            bits[at >> 6] = UINT64_MAX;
            at += 63;
        } else
            bits[at >> 6] |= UINT64_C(1) << (at & 63);
    }
}

static enum fault follow_region(struct follower *f, const struct region *g, int unit, const struct clock *known,
                                int64_t subs)
{
    for (int64_t panel = 0; panel < g->panels; ++panel) {
        int64_t at = g->base + panel * g->stride, count = g->length;
        if (g->memory >= OFF_CHIP) {
            /* The one DMA unit accesses these memories in order, so a write before the read is enough. */
            uint64_t *bits = f->off_chip[g->memory - OFF_CHIP];
            if (g->write)
                set_stored(bits, at, at + count);
            else if (!all_stored(bits, at, at + count))
                return UNWRITTEN;
            continue;
        }
        int which = (int)g->memory;
        struct lines *m = &f->memory[which];
        int64_t sub = g->sub < 0 ? 0 : g->sub;
        if (!g->write && !all_written(m, which == BUFFER ? 1 : subs, at, count))
            return UNWRITTEN;
        if (g->write && g->adds && memchr(m->ever + sub * m->size + at, 0, (size_t)count))
            return UNWRITTEN;
        if (g->write)
            memset(m->ever + sub * m->size + at, 1, (size_t)count);
        enum fault fault = follow_access(m, which, at, count, g, unit, known, f->issued[unit]);
        if (fault)
            return fault;
    }
    return FINE;
}

/* -- the whole ----------------------------------------------------------------------------------------------- */

EXPORT void pulsetrain_follow_close(struct follower *f)
{
    free(f->loaded.at);
    free(f->tiles.at);
    for (int i = 0; i < UNITS * UNITS; ++i)
        free(f->clocks[i / UNITS][i % UNITS].at);
    for (int i = 0; i < 1 + UNITS; ++i)
        for (int u = 0; u < UNITS; ++u)
            free(f->replay[i].queues[u].at);
    for (int i = 0; i < 2; ++i) {
        free(f->memory[i].written);
        free(f->memory[i].read);
        free(f->memory[i].ever);
    }
    for (int i = 0; i < SPACES; ++i)
        free(f->off_chip[i]);
    free(f);
}

/* `machine`: queue depth, slots of the weight FIFO, the releasing flag, whether output-stationary, whether tiles
 * must be released before the next, granules of the buffer, lines of the accumulators, sub-lines, whether to
 * look for counters that run over; then the granules of the off-chip spaces. */
EXPORT struct follower *pulsetrain_follow_open(const int64_t machine[9 + SPACES])
{
    struct follower *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->depth = machine[0];
    f->slots = machine[1];
    f->releasing = machine[2];
    f->output_stationary = machine[3];
    f->must_release = machine[4];
    f->replays = machine[8] ? 1 + UNITS : 1;
    f->dst = f->chain = NONE;
    for (int i = 0; i < 1 + UNITS; ++i)
        f->replay[i].lazy = i - 1;
    int complete = 1;
    for (int i = 0; i < 2; ++i) {
        struct lines *m = &f->memory[i];
        m->size = machine[5 + i];
        m->writers = i == BUFFER ? 3 : 1;
        m->readers = i == BUFFER ? 5 : 1;
        m->written = calloc((size_t)(m->writers * m->size), sizeof *m->written);
        m->read = calloc((size_t)(m->readers * m->size), sizeof *m->read);
        m->ever = calloc((size_t)((i == BUFFER ? 1 : machine[7]) * m->size), 1);
        complete = complete && m->written && m->read && m->ever;
    }
    for (int i = 0; i < SPACES; ++i) {
        f->off_chip_size[i] = machine[9 + i];
        f->off_chip[i] = calloc((size_t)(machine[9 + i] / 64 + 1), sizeof(uint64_t));
        complete = complete && f->off_chip[i];
    }
    if (complete)
        return f;
    pulsetrain_follow_close(f);
    return NULL;
}

/* Granules [at, end) of an off-chip space are there before the first instruction. */
EXPORT void pulsetrain_follow_write(struct follower *f, int64_t space, int64_t at, int64_t end)
{
    set_stored(f->off_chip[space], at, end);
}

/* Whether granules [at, end) of an off-chip space: 0 none, 1 some, 2 all have been stored. */
EXPORT int pulsetrain_follow_stored(const struct follower *f, int64_t space, int64_t at, int64_t end)
{
    if (all_stored(f->off_chip[space], at, end))
        return 2;
    for (int64_t i = at; i < end; ++i)
        if (f->off_chip[space][i >> 6] >> (i & 63) & 1)
            return 1;
    return 0;
}

/* The next stretch; `regions` are sorted by instruction, and name those from 0 on. Gives the fault of the first
 * instruction that has one, and leaves its number in `found`. */
EXPORT int pulsetrain_follow_next(struct follower *f, int64_t n, const struct record *records, int64_t n_regions,
                                  const struct region *regions, int64_t subs, int64_t *found)
{
    const struct region *region = regions, *last = regions + n_regions;
    for (int64_t i = 0; i < n; ++i, ++f->number) {
        const struct record *r = &records[i];
        int unit = unit_of[r->opcode];
        struct clock known;
        *found = f->number;
        enum fault fault = f->output_stationary ? follow_chains(f, r) : follow_tiles(f, r);
        if (!fault)
            fault = follow_tokens(f, r, unit);
        if (!fault)
            fault = follow_clocks(f, r, unit, &known);
        for (; !fault && region < last && region->instruction == i; ++region)
            fault = follow_region(f, region, unit, &known, subs);
        for (int64_t k = 0; !fault && k < f->replays; ++k)
            fault = dispatch(&f->replay[k], f, r, unit);
        for (int u = DMA; !fault && r->opcode == HALT && u < UNITS; ++u)
            if (known.of[u] < f->issued[u])
                fault = RUNNING;
        if (fault)
            return (int)fault;
    }
    return FINE;
}

/* After the last stretch. `outstanding`: by consumer, the most tokens of a pair at any place of the Program;
 * `most`: by consumer, how many its counters hold when it is as late as can be. */
EXPORT int pulsetrain_follow_end(struct follower *f, int64_t outstanding[UNITS], int64_t most[UNITS])
{
    if (!f->output_stationary && f->loaded.count)
        return TILES;
    for (int i = 0; i < UNITS * UNITS; ++i)
        if (f->posts[i / UNITS][i % UNITS] != f->waits[i / UNITS][i % UNITS])
            return TOKEN_LEFT;
    for (int64_t i = 0; i < f->replays; ++i) {
        struct replay *s = &f->replay[i];
        while (run_ahead(s, f) || (s->lazy != NONE && execute_head(s, f, s->lazy)))
            ;
        for (int u = 0; u < UNITS; ++u)
            if (s->queues[u].count)
                return STUCK;
        if (i)
            most[s->lazy] = s->most;
    }
    for (int u = 0; u < UNITS; ++u)
        outstanding[u] = f->outstanding[u];
    return FINE;
}
