/* The cycles of one Program on many machines of one structure: the pass of merge.h with the machines side by
 * side in vectors. These are integers, so every instruction set gives the same cycles. */
#include "program.h"

struct log;
#define RECORD 0

struct machines {
    int64_t count, kinds;
    const int64_t *times;  /* [kind][occupancy, latency, release][machine] */
    const int64_t *arrays; /* [in_place, adder, operand][machine] */
};

#ifndef WIDTH /* bytes of a row */
#define WIDTH 512
#endif
#define LANES ((int)(WIDTH / sizeof(TIME)))
#define VECTOR ((int)(64 / sizeof(TIME)))

#define TIME int32_t
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
#undef TIME

/* Programs of more cycles than 32 bits hold. */
#define TIME int64_t
#define NAME(x) x##_long
#define TARGET
#include "lanes.h"

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

/* `wide`: cycles may need more than 32 bits. */
EXPORT int pulsetrain_fast_many(const struct instruction *program, const struct structure *is, int64_t count,
                                int64_t kinds, const int64_t *times, const int64_t *arrays, int wide, int isa,
                                int64_t *cycles)
{
    struct machines of = {count, kinds, times, arrays};
    if (wide)
        return (int)many_long(program, is, &of, cycles);
#if defined(__x86_64__)
    if (isa == AVX512)
        return (int)many_avx512(program, is, &of, cycles);
    if (isa == AVX2)
        return (int)many_avx2(program, is, &of, cycles);
#endif
    (void)isa;
    return (int)many_baseline(program, is, &of, cycles);
}
