/* Many machines, LANES at a time: what merge.h needs around it. Defines the same names. */
#include "times.h"
#include "merge.h"

/* Room for the times of one Program, used by block after block. */
struct NAME(room) {
    struct NAME(machines) machines;
    TIME array[ARRAY_TIMES * LANES] __attribute__((aligned(64)));
    TIME *times;
};

/* The machines `at`: their cycles, -1 for one that `pulsetrain_fast_simulate` must decide. REFUSED where they
 * may need more cycles than TIME holds, or take no time for something. */
static TARGET enum outcome NAME(block)(const struct program *program, const struct designs *designs,
                                       const int64_t *at, int used, struct NAME(room) *room, int64_t *cycles)
{
    NAME(read_machines)(&room->machines, designs->numbers, designs->count, at, used);
    double bound = NAME(times)(&room->machines, program, room->times, room->array);
    if (bound == 0 || bound > (sizeof(TIME) == 4 ? NARROW_CYCLES : WIDE_CYCLES))
        return REFUSED;
    struct structure is = structure_of(program, room->machines.shared);
    struct NAME(state) s;
    memset(&s, 0, sizeof s);
    enum outcome outcome = NO_MEMORY;
    if (NAME(open)(&s, program->instructions, &is, room->times, room->array, (used + VECTOR - 1) / VECTOR)) {
        NAME(merge)(&s);
        outcome = NAME(outcome)(&s);
        for (int l = 0; l < used; ++l)
            cycles[at[l]] = outcome == DONE && NAME(ends_with_halt)(&s, l) ? s.units[SEQUENCER].end[l] : -1;
    }
    NAME(close)(&s);
    return outcome == NO_MEMORY ? NO_MEMORY : DONE;
}

static enum outcome NAME(many)(const struct program *program, const struct designs *designs, const int64_t *at,
                               int64_t count, int64_t *cycles)
{
    struct NAME(room) *room = aligned_alloc(64, (sizeof *room + 63) / 64 * 64);
    enum outcome outcome = NO_MEMORY;
    if (room && (room->times = NAME(rows)(TIMES * program->kinds)))
        for (outcome = DONE; count > 0 && outcome == DONE; at += LANES, count -= LANES) {
            int used = count < LANES ? (int)count : LANES;
            outcome = NAME(block)(program, designs, at, used, room, cycles);
            if (outcome == REFUSED)
                outcome = OTHERWISE(program, designs, at, used, cycles);
        }
    if (room)
        free(room->times);
    free(room);
    return outcome;
}
