/* Room in the unified buffer: simulator/compiler/space.py, which says why. */
#include "compilation.h"

static struct segment *insert_segments(struct compilation *c, int64_t at, int64_t remove, int64_t count)
{
    struct space *space = &c->space;
    int64_t size = space->count - remove + count;
    if (size > space->capacity) {
        struct segment *larger = realloc(space->free, (size_t)(2 * size + 16) * sizeof *larger);
        if (!larger) {
            c->out_of_memory = 1;
            return NULL;
        }
        space->free = larger;
        space->capacity = 2 * size + 16;
    }
    memmove(space->free + at + count, space->free + at + remove,
            (size_t)(space->count - at - remove) * sizeof *space->free);
    space->count = size;
    return space->free + at;
}

/* A stretch of (rounded) `size` granules, the longest unused; 0 where no hole is long enough. */
static int allocate(struct compilation *c, int64_t size, struct segment *found)
{
    struct space *space = &c->space;
    int64_t want = CEIL(size, space->frame) * space->frame, best = NONE, best_last = 0;
    int32_t age = 0;
    for (int64_t first = 0; first < space->count; ++first) {
        int64_t length = 0, last = first;
        int32_t most = NONE;
        while (length < want && last < space->count) {
            const struct segment *s = &space->free[last];
            if (last > first && s->address != s[-1].address + s[-1].size)
                break;
            most = MAX(most, s->age);
            if (best >= 0 && most >= age) /* no better than the best */
                break;
            length += s->size;
            ++last;
        }
        if (length >= want && (best < 0 || most < age)) {
            age = most;
            best = first;
            best_last = last;
            if (most < 0)
                break;
        }
    }
    if (best < 0)
        return 0;
    *found = (struct segment){space->free[best].address, want, no_hazards, NONE};
    int64_t left = want;
    struct segment rest = {0, 0, no_hazards, NONE};
    for (int64_t i = best; i < best_last; ++i) {
        struct segment *s = &space->free[i];
        found->past = later(found->past, s->past);
        if (s->size > left)
            rest = (struct segment){s->address + left, s->size - left, s->past, s->age};
        left -= MIN(left, s->size);
    }
    struct segment *at = insert_segments(c, best, best_last - best, rest.size > 0);
    if (at && rest.size)
        *at = rest;
    return at != NULL;
}

static int alike(const hazards *a, const hazards *b)
{
    return !memcmp(a, b, sizeof *a);
}

/* Gives a stretch back; neighbours last used before instruction `settled` grow together. */
static void release(struct compilation *c, struct segment segment, int64_t settled)
{
    struct space *space = &c->space;
    int64_t at = 0, above = space->count;
    while (at < above) {
        int64_t middle = (at + above) / 2;
        if (space->free[middle].address < segment.address)
            at = middle + 1;
        else
            above = middle;
    }
    struct segment *place = insert_segments(c, at, 0, 1);
    if (!place)
        return;
    segment.age = newest(&segment.past);
    *place = segment;
    for (int64_t i = at; i >= at - 1; --i) {
        if (i < 0 || i >= space->count - 1)
            continue;
        struct segment *left = &space->free[i], *right = left + 1;
        int old = MAX(left->age, right->age) < settled;
        if (left->address + left->size == right->address && (alike(&left->past, &right->past) || old)) {
            left->size += right->size;
            left->past = later(left->past, right->past);
            left->age = MAX(left->age, right->age);
            insert_segments(c, i + 1, 1, 0);
        }
    }
}
