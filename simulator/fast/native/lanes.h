/* Many machines, LANES at a time: what merge.h needs around it. Defines the same names. */
#include "merge.h"

/* `count` machines from the one at `at` on; unused lanes repeat the last. A cycle of -1 is one that
 * `pulsetrain_fast_simulate` must decide. */
static TARGET enum outcome NAME(block)(const struct instruction *program, const struct structure *is,
                                       const struct machines *of, int64_t at, int count, TIME *rows,
                                       int64_t *cycles)
{
    int64_t times = 3 * of->kinds;
    for (int64_t row = 0; row < times + 2; ++row) {
        const int64_t *from = row < times ? of->times + row * of->count : of->arrays + (row - times) * of->count;
        for (int l = 0; l < LANES; ++l)
            rows[row * LANES + l] = (TIME)from[at + (l < count ? l : count - 1)];
    }
    TIME *in_place = rows + times * LANES, *adder = in_place + LANES;
    struct NAME(state) s;
    if (!NAME(open)(&s, program, is, rows, in_place, adder, (count + VECTOR - 1) / VECTOR))
        return NO_MEMORY;
    NAME(merge)(&s);
    enum outcome outcome = NAME(outcome)(&s);
    for (int l = 0; l < count && outcome == DONE; ++l)
        cycles[l] = NAME(ends_with_halt)(&s, l) ? s.units[SEQUENCER].end[l] : -1;
    NAME(close)(&s);
    return outcome;
}

static enum outcome NAME(many)(const struct instruction *program, const struct structure *is,
                               const struct machines *of, int64_t *cycles)
{
    TIME *rows = NAME(rows)(3 * of->kinds + 2, 0);
    enum outcome outcome = rows ? DONE : NO_MEMORY;
    for (int64_t at = 0; at < of->count && outcome == DONE; at += LANES)
        outcome = NAME(block)(program, is, of, at, of->count - at < LANES ? (int)(of->count - at) : LANES,
                              rows, cycles + at);
    free(rows);
    return outcome;
}
