/* Instructions as they are written, and as the fast engine times them. */
#ifndef PULSETRAIN_TIMED_H
#define PULSETRAIN_TIMED_H
#include <stdint.h>

struct record { /* INSTRUCTION_DTYPE of simulator/isa.py */
    uint32_t opcode, function, wait, post, item, flags, tail, rows, panels, dst, src[3], dst_stride,
        src_stride[3];
};
_Static_assert(sizeof(struct record) == 68, "INSTRUCTION_DTYPE");

struct instruction { /* of simulator/fast/native/program.h */
    uint8_t opcode, wait, post, flags;
    int32_t kind;
};
_Static_assert(sizeof(struct instruction) == 8, "INSTRUCTION_DTYPE of simulator/fast/core.py");

/* What times Programs, given by simulator/fast/native/cycles.c. */
struct timer;
struct timing {
    struct timer *(*open)(const void *bits); /* NULL without memory */
    /* What is kept of a record, whose addresses are not looked at. 0: it is none, or no memory. */
    int (*read)(struct timer *, const struct record *, struct instruction *);
    /* The cycles on a machine with these numbers; 0 where the Program does not run to its end. */
    int (*run)(struct timer *, int64_t n, const struct instruction *, const int64_t *numbers, int64_t *cycles);
    void (*close)(struct timer *);
};
#endif
