/* The state of a compilation, after interleaving.
 *
 * Everything happens twice: a first pass finds how many instructions there are and what each posts, a second
 * one writes them, so that a Program need not be in memory as a whole. A Program that is only timed is kept by
 * the first pass, as far as its time depends on it. */
#ifndef PULSETRAIN_COMPILATION_H
#define PULSETRAIN_COMPILATION_H
#include "interleave.h"
#include "timed.h"

enum { SETTLED = 256, SOME_TOKENS = 100, MANY_TOKENS = 200, NEVER = 1 << 30 };
enum traffic { NO_TRAFFIC, INPUT, OUTPUT_, REFETCH, SPILL, FILL };

enum { TRANSFERS = 4 }; /* of a block that take different times: LOAD or STORE, HBM or host */
enum { HAZARDS = 8 }; /* one for each unit; two more make whole vectors */

typedef struct {
    int32_t of[HAZARDS];
} hazards;

static const hazards no_hazards = {{NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE}};

static inline hazards later(hazards a, hazards b)
{
    for (int u = 0; u < HAZARDS; ++u)
        a.of[u] = MAX(a.of[u], b.of[u]);
    return a;
}

static inline void mark(hazards *past, int unit, int64_t instruction)
{
    past->of[unit] = MAX(past->of[unit], (int32_t)instruction);
}

static inline int32_t newest(const hazards *past)
{
    int32_t most = NONE;
    for (int u = 0; u < HAZARDS; ++u)
        most = MAX(most, past->of[u]);
    return most;
}

struct segment { /* a stretch of the unified buffer, and who may still touch it */
    int64_t address, size;
    hazards past;
    int32_t age; /* the newest of them, in free stretches */
};

struct space {
    int64_t frame, count, capacity;
    struct segment *free;
};

struct placement { /* off chip; `flags` say in which space */
    int64_t flags, address, name;
};

struct block {
    int64_t uses, last_use; /* its uses from now on, in `uses` */
    int64_t place;       /* in the list of those that are resident */
    int32_t last_write, operation; /* the instruction that writes it last, and its operation */
    struct placement home;         /* where a copy lies off chip, name NONE: nowhere */
    int8_t whole, resident, dirty, begun, fetched, spilled, pending;
    struct segment segment;
    hazards written, read;
};

struct spilled { /* a placement made on the way */
    int64_t tensor, address, rows, cols;
};

struct output { /* arrays of a stretch of the Program */
    struct record *records;
    int32_t *operation, *tensor;
    uint8_t *traffic;
    int64_t *macs;
};

struct compilation {
    struct lowered low;
    struct interleaving plan;
    struct machine machine;
    const struct job *job;
    int64_t accumulate;        /* lines of a tile */
    struct placement *homes;   /* by tensor, name NONE: none */
    int64_t *first_output;     /* by tensor: its first in `outputs` */
    struct placement *outputs; /* where tensors go */
    int64_t filled_of[SPACES]; /* granules, before there are spills */
    int64_t n_names, slots;    /* slots: what there is room for */
    uint8_t *off_chip;         /* tensors that have a place there */
    struct order order;
    int64_t *begin, *filled; /* by block: its first in `uses`; behind its last so far */
    int32_t *uses;           /* positions in the order */

    struct space space;
    struct block *block, *fresh; /* fresh: as they are before the first instruction */
    struct list resident, due, due_block, spills, names; /* spills: 4 numbers each; names in order */
    int64_t *named;                                        /* the number of each name, NONE: not yet */
    int64_t due_head, spill_address, position, ahead;
    struct walk now, coming;
    int evicted;
    int64_t pinned[SOURCES + 1];
    int n_pinned;
    hazards *slot_read, *slot_written;

    struct list stretches; /* where they end */
    struct list waits[UNITS][UNITS]; /* [producer][consumer]: who took each token */
    int64_t known[UNITS][UNITS];     /* how many of them the producer knows to be taken */
    int32_t synced[UNITS][UNITS], last[UNITS];
    int64_t emitted, failed_size;
    uint8_t *posts;
    int64_t posts_capacity;
    int writing, out_of_memory, does_not_fit;
    const struct timing *timing; /* NULL: records are written */
    struct timer *timer;
    struct instruction *prototype, *transfer, *steps; /* of each instruction; of LOADs and STOREs; all of them */
    int64_t steps_capacity;
    struct output out;
    int64_t out_begin;
};
#endif
