/* A Program as the recurrence reads it, and the numbers of a machine that it needs. All times are cycles.
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

static const uint8_t unit_of[OPCODES] = {DMA, DMA, LOADER, MATRIX, MATRIX, TRANSPOSER, VECTOR, SEQUENCER};

struct instruction {
    uint8_t opcode, wait, post, flags;
    int32_t kind; /* instructions of one kind take equally long on every machine */
};

/* What one kind of instruction takes; `release` is from a MATMUL's start to the shifter's next first line. */
struct times {
    int64_t occupancy, latency, release;
};

/* One machine's numbers beyond those of its instructions. */
struct array {
    int64_t in_place; /* a tile's first line entering the array to the earliest start of its MATMUL */
    int64_t adder;    /* a MATMUL's start to the next one's that accumulates */
    int64_t operand;  /* a MATMUL's start to its first row entering the array */
};

/* What decides who waits for whom: machines that share it go through a Program in the same order. */
struct structure {
    int64_t n, queue_depth, fifo_depth;
    int64_t lines;     /* of a weight tile */
    int64_t releasing; /* the flag of the MATMUL that frees the weight registers */
    int64_t adds;      /* whether an accumulating MATMUL waits for the adder */
};

enum outcome {
    DONE,
    DEADLOCK,   /* HALT never ends */
    UNFINISHED, /* HALT ends before something else, or may do so */
    NO_MEMORY,
};

#endif
