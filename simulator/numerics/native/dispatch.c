/* The library's interface: chooses the instruction set, keeps the workspace, and guards the rounding mode. */
#include <stdlib.h>

#include "common.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#define EXPORT __attribute__((visibility("default")))

#ifndef SOURCE_HASH
#define SOURCE_HASH ""
#endif

struct tables tables;

static const struct variant *const variants[] = {
#if defined(__x86_64__)
    &variant_avx512,
    &variant_avx2,
#endif
    &variant_baseline,
};
#define VARIANTS ((int)(sizeof variants / sizeof variants[0]))

static const struct variant *active = &variant_baseline;

static int supported(const struct variant *variant)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (variant == &variant_avx2)
        return avx2;
    if (variant == &variant_avx512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    return variant == &variant_baseline;
}

/* Another library in the process may have switched on flush-to-zero or another rounding mode. */
static unsigned int enter(void)
{
#if defined(__x86_64__)
    unsigned int control = _mm_getcsr();
    _mm_setcsr(0x1f80); /* nearest even, gradual underflow, no traps */
    return control;
#else
    return 0;
#endif
}

static void leave(unsigned int control)
{
#if defined(__x86_64__)
    _mm_setcsr(control);
#else
    (void)control;
#endif
}

/* The hash of the sources that this library was compiled from. */
EXPORT const char *pulsetrain_source_hash(void)
{
    return SOURCE_HASH;
}

/* The name of the `index`-th instruction set that this machine can run, best first; NULL after the last. */
EXPORT const char *pulsetrain_variant(int index)
{
    for (int i = 0; i < VARIANTS; ++i)
        if (supported(variants[i]) && index-- == 0)
            return variants[i]->name;
    return NULL;
}

/* Uses the instruction set of that name from now on; 0 where this machine cannot. */
EXPORT int pulsetrain_select(const char *name)
{
    for (int i = 0; i < VARIANTS; ++i)
        if (strcmp(variants[i]->name, name) == 0 && supported(variants[i])) {
            active = variants[i];
            return 1;
        }
    return 0;
}

EXPORT void pulsetrain_set_tables(const struct tables *values)
{
    tables = *values;
}

/* The position of a function (a reduction) in the lists, which is the same in all variants; -1 if none. */
EXPORT int pulsetrain_function(const char *name)
{
    for (int i = 0; active->functions[i].name; ++i)
        if (strcmp(active->functions[i].name, name) == 0)
            return i;
    return -1;
}

EXPORT int pulsetrain_reduction(const char *name)
{
    for (int i = 0; active->reductions[i].name; ++i)
        if (strcmp(active->reductions[i].name, name) == 0)
            return i;
    return -1;
}

EXPORT void pulsetrain_map(int function, ptrdiff_t n, const void *a, const void *b, const void *c, void *out)
{
    unsigned int control = enter();
    active->functions[function].call(n, a, b, c, out);
    leave(control);
}

/* Elements of a repeated operand that are written out at a time: they stay in the first-level cache. */
#define EXPANDED 512

static void expand(void *to, const void *element, int bytes, ptrdiff_t count)
{
    if (bytes == 4) {
        uint32_t value, *words = to;
        memcpy(&value, element, 4);
        for (ptrdiff_t i = 0; i < count; ++i)
            words[i] = value;
    } else if (bytes == 2) {
        uint16_t value, *halves = to;
        memcpy(&value, element, 2);
        for (ptrdiff_t i = 0; i < count; ++i)
            halves[i] = value;
    } else {
        memset(to, *(const unsigned char *)element, (size_t)count);
    }
}

/* A function of operands that are broadcast to (outer, inner). An operand has `row` elements from one row to
 * the next; the elements of its rows lie side by side or, where `repeated`, are one element. Operands beyond
 * the function's arity are not read. */
EXPORT void pulsetrain_map_broadcast(int function, ptrdiff_t outer, ptrdiff_t inner, const void *a,
                                     ptrdiff_t a_row, int a_repeated, const void *b, ptrdiff_t b_row,
                                     int b_repeated, const void *c, ptrdiff_t c_row, int c_repeated, void *out)
{
    unsigned int control = enter();
    const struct vector_entry *entry = &active->functions[function];
    const char *data[3] = {a, b, c};
    const ptrdiff_t row[3] = {a_row, b_row, c_row};
    const int repeated[3] = {a_repeated, b_repeated, c_repeated};
    uint32_t buffers[3][EXPANDED] __attribute__((aligned(64)));
    ptrdiff_t step = inner;
    for (int i = 0; i < 3; ++i)
        if (entry->operand_bytes[i] && repeated[i])
            step = EXPANDED;
    char *result = out;
    for (ptrdiff_t o = 0; o < outer; ++o)
        for (ptrdiff_t j = 0; j < inner; j += step) {
            ptrdiff_t count = smaller(step, inner - j);
            const void *operand[3] = {NULL, NULL, NULL};
            for (int i = 0; i < 3; ++i) {
                int bytes = entry->operand_bytes[i];
                if (bytes == 0)
                    continue;
                const char *start = data[i] + o * row[i] * bytes;
                if (!repeated[i]) {
                    operand[i] = start + j * bytes;
                    continue;
                }
                if (j == 0 && (o == 0 || row[i] != 0))
                    expand(buffers[i], start, bytes, smaller(inner, EXPANDED));
                operand[i] = buffers[i];
            }
            entry->call(count, operand[0], operand[1], operand[2], result);
            result += count * entry->result_bytes;
        }
    leave(control);
}

EXPORT void pulsetrain_reduce(int reduction, ptrdiff_t outer, ptrdiff_t n, ptrdiff_t inner, const void *x,
                              void *out)
{
    unsigned int control = enter();
    active->reductions[reduction].call(outer, n, inner, x, out);
    leave(control);
}

EXPORT int pulsetrain_has_foreign_nan(ptrdiff_t n, const void *x)
{
    return active->has_foreign_nan(n, x);
}

/* One workspace per thread that only grows: a fresh one for every product would fault in its pages anew. */
static __thread void *workspace;
static __thread size_t workspace_bytes;

static void *reserve(ptrdiff_t elements)
{
    size_t bytes = (size_t)round_up(4 * elements + 64, 4096);
    if (bytes > workspace_bytes) {
        free(workspace);
        workspace = aligned_alloc(64, bytes);
        workspace_bytes = workspace ? bytes : 0;
    }
    return workspace;
}

/* A narrow result fills its vectors better when its transpose is computed: C^T = B^T A^T, with the same chains.
 * Four bytes per element are moved whatever their type. */
static int narrow(const struct gemm *g, ptrdiff_t lanes)
{
    ptrdiff_t area = g->m * round_up(g->n, lanes), transposed = g->n * round_up(g->m, lanes);
    return g->n < 2 * lanes && 5 * transposed < 4 * area;
}

/* One thread computes all of C. Threads may share it by rows or columns, each a product of its own with the
 * strides of the whole; never by k, whose order is the result. */
static int multiply(const struct product *product, const struct gemm *g, ptrdiff_t lanes)
{
    int transpose = narrow(g, lanes);
    struct gemm turned = {
        .m = g->n, .n = g->m, .k = g->k,
        .a = g->b, .a_stride = g->b_stride, .transpose_a = !g->transpose_b,
        .b = g->a, .b_stride = g->a_stride, .transpose_b = !g->transpose_a,
        .tile = g->tile, .chain = g->chain, .c_stride = g->m,
    };
    ptrdiff_t elements = product->workspace(transpose ? &turned : g);
    uint32_t *buffer = reserve(elements + (transpose ? g->m * g->n : 0));
    if (!buffer)
        return 0;
    if (!transpose) {
        product->run(g, buffer);
        return 1;
    }
    uint32_t *result = buffer + elements, *c = g->c;
    turned.c = result;
    product->run(&turned, buffer);
    for (ptrdiff_t i = 0; i < g->m; ++i)
        for (ptrdiff_t j = 0; j < g->n; ++j)
            c[i * g->c_stride + j] = result[j * g->m + i];
    return 1;
}

/* C[m,n] = A[m,k] B[k,n] of contiguous operands, stored as flagged; k >= 1. tile 0 is one chain over all k.
 * Gives 0 when there is no memory for the workspace. */
EXPORT int pulsetrain_gemm(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, int transpose_a, const void *b,
                           int transpose_b, ptrdiff_t tile, int integers, void *c)
{
    struct gemm g = {
        .m = m, .n = n, .k = k,
        .a = a, .a_stride = transpose_a ? m : k, .transpose_a = transpose_a,
        .b = b, .b_stride = transpose_b ? k : n, .transpose_b = transpose_b,
        .tile = tile, .chain = tile == 0, .c = c, .c_stride = n,
    };
    unsigned int control = enter();
    int done = multiply(integers ? &active->int8 : &active->bf16, &g, active->lanes);
    leave(control);
    return done;
}
