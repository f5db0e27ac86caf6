/* The library's interface: chooses the instruction set, guards the rounding mode, and walks a plan. */
#include "common.h"
#include "operations.h"
#include "pool.h"

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

const struct variant *active = &variant_baseline;

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

/* The threads that share the work of one call, the caller's included. */
EXPORT void pulsetrain_set_threads(int threads)
{
    pool_set_threads(threads);
}

EXPORT int pulsetrain_threads(void)
{
    return pool_threads();
}

EXPORT int pulsetrain_has_foreign_nan(ptrdiff_t n, const void *x)
{
    return active->has_foreign_nan(n, x);
}

static int run_operation(int64_t kind, const int64_t *words, char *const *buffers)
{
    switch ((enum kind)kind) {
    case COMPUTE:
        return compute(words, buffers);
    case MULTIPLY: {
        struct multiply_words given;
        memcpy(&given, words, sizeof given);
        return multiply(&given, buffers);
    }
    case REDUCE: {
        struct reduce_words given;
        memcpy(&given, words, sizeof given);
        active->reductions[given.function].call(given.outer, given.n, given.inner, buffers[given.source],
                                                buffers[given.target]);
        return 1;
    }
    case MOVE:
        move(words, buffers);
        return 1;
    }
    return 0;
}

/* Runs the operations of a plan in order. `words` holds them one after another: its kind, its length in words
 * (these two included) and the words of operations.h. `buffers` are the memory that they read and write.
 * Gives 0 when there is no memory for workspace. */
EXPORT int pulsetrain_run(ptrdiff_t operations, const int64_t *words, char *const *buffers)
{
    unsigned int control = enter();
    int done = 1;
    for (; operations > 0 && done; --operations, words += words[1])
        done = run_operation(words[0], words + 2, buffers);
    leave(control);
    return done;
}
