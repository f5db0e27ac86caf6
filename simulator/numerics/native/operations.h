/* The operations of a plan, as simulator/numerics/encode.py writes them: words of 64 bits. Buffers are named by
 * their index. */
#ifndef PULSETRAIN_OPERATIONS_H
#define PULSETRAIN_OPERATIONS_H

#include "common.h"

enum kind { COMPUTE, MULTIPLY, REDUCE, MOVE };

/* C[m,n] = A[m,k] B[k,n] of contiguous operands, stored as flagged; k >= 1. `tile` 0 is one chain over all k. */
struct multiply_words {
    int64_t a, transpose_a, b, transpose_b, c, m, n, k, tile, integers;
};

/* The middle axis of a C-order (outer, n, inner) array. */
struct reduce_words {
    int64_t function, source, target, outer, n, inner;
};

/* Elements of `bytes` copied from one strided array to another: these words, then `axes` times struct axis.
 * Offsets and strides are in bytes. */
struct move_words {
    int64_t source, source_offset, target, target_offset, bytes, axes;
};

struct axis {
    int64_t length, source_stride, target_stride;
};

/* A vector program: functions of the vector unit, one after another, on all elements of a C-order
 * (outer, inner) array. These words, then `values` times struct value, then struct instruction. */
struct compute_words {
    int64_t outer, inner, slots, values, instructions;
};

/* Where a value lies: in a slot of scratch memory that holds the present chunk, or in a buffer, which has all
 * elements, those of one row or of one column, or one that all share. The last three are repeated into a slot. */
enum place { SLOT, ALL, ROW, COLUMN, ONE };

struct value {
    int64_t place, buffer, slot, bytes;
};

struct instruction {
    int64_t function, result, operands[3]; /* indices of values; operands beyond the arity are 0 */
};

/* Each gives 0 when there is no memory for workspace. */
int compute(const int64_t *words, char *const *buffers);
int multiply(const struct multiply_words *given, char *const *buffers);
void move(const int64_t *words, char *const *buffers);

/* The kernels in use. */
extern const struct variant *active;

/* The calling thread's own memory of at least this size, aligned to 64 bytes; NULL when there is none. What an
 * earlier call gave is lost. */
void *reserve(size_t bytes);

#endif
