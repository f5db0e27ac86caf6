/* A Program as the recurrence reads it, and the machines that it is timed on. All times are cycles.
 *
 * Opcodes, units, flags and reasons are those of simulator/isa.py and simulator/trace.py. */
#ifndef PULSETRAIN_FAST_PROGRAM_H
#define PULSETRAIN_FAST_PROGRAM_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum opcode { LOAD, STORE, WLOAD, MATMUL, DRAIN, TRANSPOSE, VEC, HALT, OPCODES };
enum unit { SEQUENCER, DMA, LOADER, MATRIX, VECTOR, TRANSPOSER, SHIFTER, TRACE_UNITS };
enum { UNITS = SHIFTER }; /* those that a token can name */
enum reason { DISPATCH, TOKEN, WEIGHTS, WEIGHT_FIFO, WEIGHT_RELEASE, ACCUMULATE, ARRAY, MEMORY_SWITCH,
              FINISHED, QUEUE };

/* Flags that timing depends on, in the one byte that is kept of them. */
enum flag { HOST = 1 << 0, ADD = 1 << 3, SWAP = 1 << 4, RELEASE = 1 << 7 };
enum { RELEASE_SHIFT = 8 }; /* where a record's flags have RELEASE, further up */

static const uint8_t unit_of[OPCODES] = {DMA, DMA, LOADER, MATRIX, MATRIX, TRANSPOSER, VECTOR, SEQUENCER};

/* INSTRUCTION_DTYPE of simulator/isa.py. */
struct record {
    uint32_t opcode, function, wait, post, item, flags, tail, rows, panels, addresses[4], strides[4];
};
_Static_assert(sizeof(struct record) == 68, "INSTRUCTION_DTYPE");

struct instruction {
    uint8_t opcode, wait, post, flags;
    int32_t kind; /* instructions of one kind take equally long on every machine */
};

struct program {
    int64_t n, kinds;
    const struct instruction *instructions;
    const struct record *of_kind; /* one instruction of each kind */
    const int64_t *count;         /* how many instructions are of each kind */
};

/* The numbers of a machine that timing depends on (MACHINE of simulator/fast/designs.py). Machines that share
 * the first of them go through a Program in the same order and are timed side by side. */
enum number {
    ROWS, COLS, OUTPUT_STATIONARY, WEIGHT_BUFFERS, OVERLAP, QUEUE_DEPTH, FIFO_DEPTH, LINE, SHARED,
    HOST_NUMERATOR = SHARED, HOST_DENOMINATOR, HOST_LATENCY, HBM_NUMERATOR, HBM_DENOMINATOR, HBM_LATENCY,
    READ, PE, ACROSS, DOWN, ADDER, LANES_OF_VECTOR, ALU, DIVIDE, SQRT, TABLE, NUMBERS
};

/* What decides who waits for whom. */
struct structure {
    int64_t n, queue_depth, fifo_depth;
    int64_t lines; /* of a weight tile */
    int releasing; /* the flag of the MATMUL that frees the weight registers */
    int adds;      /* whether an accumulating MATMUL waits for the adder */
};

static inline struct structure structure_of(const struct program *program, const int64_t shared[SHARED])
{
    int64_t depth = shared[QUEUE_DEPTH] < program->n ? shared[QUEUE_DEPTH] : program->n;
    return (struct structure){program->n, depth, shared[FIFO_DEPTH], shared[ROWS],
                              shared[OVERLAP] && shared[WEIGHT_BUFFERS] == 2 ? SWAP : RELEASE,
                              !shared[OUTPUT_STATIONARY]};
}

enum outcome {
    DONE,
    DEADLOCK,   /* HALT never ends */
    UNFINISHED, /* HALT ends before something else, or may do so */
    NO_MEMORY,
    REFUSED, /* not a Program, an instruction that takes no time, or more cycles than are counted */
};

#define NARROW_CYCLES 2146435072.0          /* what 32 bits hold, less what rounding could hide */
#define WIDE_CYCLES 4611686018427387904.0   /* 2^62 */

#endif
