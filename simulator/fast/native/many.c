/* The cycles of one Program on many machines: the pass of merge.h with the machines side by side in vectors.
 * These are integers, so every instruction set gives the same cycles. */
#include "program.h"

struct log;
#define RECORD 0

struct designs {
    const int64_t *numbers; /* [enum number][machine] */
    int64_t count;
};

#ifndef WIDTH /* bytes of a row */
#define WIDTH 512
#endif
#define LANES ((int)(WIDTH / sizeof(TIME)))
#define VECTOR ((int)(64 / sizeof(TIME)))

/* Programs that may need more cycles than 32 bits hold. */
static enum outcome undecided(const struct program *program, const struct designs *designs, const int64_t *at,
                              int64_t count, int64_t *cycles)
{
    (void)program, (void)designs;
    for (int64_t i = 0; i < count; ++i)
        cycles[at[i]] = -1;
    return DONE;
}

#define TIME int64_t
#define NUMBER int64_t
#define NAME(x) x##_long
#define TARGET
#define OTHERWISE undecided
#include "lanes.h"
#undef NAME
#undef TARGET
#undef OTHERWISE
#undef TIME
#undef NUMBER

#define TIME int32_t
#define NUMBER double
#define OTHERWISE many_long
#define NAME(x) x##_baseline
#define TARGET
#include "lanes.h"
#undef NAME
#undef TARGET
#if defined(__x86_64__)
#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2")))
#include "lanes.h"
#undef NAME
#undef TARGET
#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx2,avx512f,avx512vl,prefer-vector-width=512")))
#include "lanes.h"
#undef NAME
#undef TARGET
#endif

enum isa { BASELINE, AVX2, AVX512, ISAS };

static int supported(int isa)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (isa == AVX512)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512vl");
    if (isa == AVX2)
        return __builtin_cpu_supports("avx2");
#endif
    return isa == BASELINE;
}

/* The best instruction set of this machine. */
EXPORT int pulsetrain_fast_best(void)
{
    int isa = ISAS - 1;
    while (!supported(isa))
        --isa;
    return isa;
}

/* The machines `at[0]`, `at[1]`, ..., which share `enum number` up to SHARED, out of all. A cycle of -1 is one
 * that `pulsetrain_fast_simulate` must decide. */
EXPORT int pulsetrain_fast_many(const struct program *program, const int64_t *numbers, int64_t machines,
                                const int64_t *at, int64_t count, int isa, int64_t *cycles)
{
    struct designs designs = {numbers, machines};
#if defined(__x86_64__)
    if (isa == AVX512)
        return (int)many_avx512(program, &designs, at, count, cycles);
    if (isa == AVX2)
        return (int)many_avx2(program, &designs, at, count, cycles);
#endif
    (void)isa;
    return (int)many_baseline(program, &designs, at, count, cycles);
}
