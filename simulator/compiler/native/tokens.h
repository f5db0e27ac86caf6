/* Instructions and who waits for whom: simulator/compiler/emit.py, which says why. */
#include "compilation.h"

static int64_t outstanding(const struct compilation *c, int producer, int consumer)
{
    return c->waits[producer][consumer].count - c->known[producer][consumer];
}

static uint32_t take_tokens(struct compilation *c, int unit, const hazards *after)
{
    hazards bounded = *after;
    uint32_t wait = 0;
    for (int consumer = 0; consumer < UNITS; ++consumer)
        if (consumer != unit && outstanding(c, unit, consumer) >= SOME_TOKENS) {
            const struct list *taken = &c->waits[unit][consumer];
            bounded.of[consumer] = MAX(bounded.of[consumer], (int32_t)taken->at[taken->count - SOME_TOKENS / 2]);
        }
    for (int producer = 0; producer < UNITS; ++producer) {
        int32_t needed = bounded.of[producer];
        if (needed <= c->synced[producer][unit])
            continue;
        if (outstanding(c, producer, unit) >= MANY_TOKENS)
            needed = c->last[producer];
        c->synced[producer][unit] = needed;
        push(&c->waits[producer][unit], c->emitted);
        const struct list *taken = &c->waits[unit][producer];
        int64_t *known = &c->known[unit][producer];
        while (*known < taken->count && taken->at[*known] <= needed)
            ++*known;
        if (c->timer)
            c->steps[needed].post |= (uint8_t)(1 << unit);
        else if (!c->writing)
            c->posts[needed] |= (uint8_t)(1 << unit);
        wait |= 1u << producer;
    }
    return wait;
}

/* The next instruction of a Program that is only timed; gives its number. */
static int64_t emit_timed(struct compilation *c, int unit, const hazards *after, struct instruction prototype)
{
    int64_t index = c->emitted;
    if (index == c->steps_capacity) {
        int64_t capacity = index ? 2 * index : 1024;
        struct instruction *larger = realloc(c->steps, (size_t)capacity * sizeof *larger);
        if (!larger) {
            c->out_of_memory = 1;
            return index;
        }
        c->steps = larger;
        c->steps_capacity = capacity;
    }
    prototype.wait = (uint8_t)take_tokens(c, unit, after);
    c->steps[index] = prototype;
    c->last[unit] = (int32_t)index;
    ++c->emitted;
    return index;
}

/* The next instruction; starts when those of `after` have ended. Gives its number. */
static int64_t emit(struct compilation *c, int unit, const hazards *after, struct record *record,
                    int64_t operation, enum traffic traffic, int64_t macs, int64_t tensor)
{
    int64_t index = c->emitted;
    record->wait = take_tokens(c, unit, after);
    if (c->writing) {
        int64_t at = index - c->out_begin;
        record->post = c->posts[index];
        c->out.records[at] = *record;
        c->out.operation[at] = (int32_t)operation;
        c->out.traffic[at] = (uint8_t)traffic;
        c->out.macs[at] = macs;
        c->out.tensor[at] = (int32_t)tensor;
    } else {
        if (index + 1 >= c->posts_capacity) {
            int64_t capacity = 2 * c->posts_capacity;
            uint8_t *larger = realloc(c->posts, (size_t)capacity);
            if (!larger) {
                c->out_of_memory = 1;
                return index;
            }
            c->posts = larger;
            c->posts_capacity = capacity;
        }
        c->posts[index + 1] = 0;
    }
    c->last[unit] = (int32_t)index;
    ++c->emitted;
    return index;
}
