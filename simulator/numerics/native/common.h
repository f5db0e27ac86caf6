/* Types shared by the instruction-set variants and the dispatcher. */
#ifndef PULSETRAIN_COMMON_H
#define PULSETRAIN_COMMON_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Every step of docs/arithmetic.md is one float32 rounding: wider intermediates would change bits. */
#if FLT_EVAL_METHOD != 0
#error "float expressions must be evaluated in float32"
#endif
#if defined(__FAST_MATH__)
#error "fast-math changes bits"
#endif
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "bfloat16 pairs are unpacked as little-endian words"
#endif

#define INLINE static inline __attribute__((always_inline))
#define CANONICAL_NAN 0x7fc00000u

INLINE uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

INLINE float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

INLINE float canonical(float x)
{
    return x == x ? x : float_of(CANONICAL_NAN);
}

INLINE ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

INLINE ptrdiff_t round_up(ptrdiff_t value, ptrdiff_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/* C[m,n] = A[m,k] B[k,n]. An operand is stored in C order with `a_stride` (`b_stride`) elements between
 * rows, as (m, k) and (k, n) or, where flagged, transposed. k is cut into tiles of `tile`; with `chain`
 * there is one chain over all k (output stationary) and `tile` is not read. */
struct gemm {
    ptrdiff_t m, n, k;
    const void *a;
    ptrdiff_t a_stride;
    int transpose_a;
    const void *b;
    ptrdiff_t b_stride;
    int transpose_b;
    ptrdiff_t tile;
    int chain;
    void *c;
    ptrdiff_t c_stride;
};

/* One function of the vector unit over n contiguous elements; operands beyond its arity are NULL. */
typedef void vector_function(ptrdiff_t n, const void *a, const void *b, const void *c, void *out);

struct vector_entry {
    const char *name; /* function and operand type, such as "add_float32" */
    vector_function *call;
};

/* Reduces the middle axis of a C-order (outer, n, inner) array. */
typedef void reduction(ptrdiff_t outer, ptrdiff_t n, ptrdiff_t inner, const void *x, void *out);

struct reduction_entry {
    const char *name;
    reduction *call;
};

/* A matrix multiplication and the 4-byte elements of workspace that it needs. */
struct product {
    ptrdiff_t (*workspace)(const struct gemm *);
    void (*run)(const struct gemm *, void *workspace);
};

/* All kernels compiled for one instruction set. The lists end with a NULL name. */
struct variant {
    const char *name;
    ptrdiff_t lanes; /* float32 lanes of a vector */
    struct product bf16, int8;
    const struct vector_entry *functions;
    const struct reduction_entry *reductions;
    /* Whether any of n float32 is a NaN other than the canonical one. */
    int (*has_foreign_nan)(ptrdiff_t n, const void *x);
};

extern const struct variant variant_baseline;
#if defined(__x86_64__)
extern const struct variant variant_avx2, variant_avx512;
#endif

/* The table unit's tables (simulator/numerics/tables.npz), copied in when the library is loaded. */
struct tables {
    float exp_t[64];
    float log_r[97];
    float log_l[97];
    float tanh_t[297];
    float tanh_s[297];
};

extern struct tables tables;

#endif
