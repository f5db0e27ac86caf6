/* Reductions in the stated order: s = x[0], then s = f(s, x[i]) for ascending i, over the middle axis.
 *
 * Chains of different outputs are independent, so the loops advance many of them at once. Included after
 * vector.h, whose functions it uses.
 */

/* Outputs that advance together: along `inner` a buffer that stays in the first-level cache, and as many
 * chains, where `inner` is 1, as hide the latency of an addition. */
#define INNER_BLOCK 2048
#define CHAINS 16

#define DEFINE_REDUCTION(name, type, combine, finish)                                                        \
    static void reduce_rows_##name(ptrdiff_t outer, ptrdiff_t n, const type *x, type *out)                   \
    {                                                                                                        \
        for (ptrdiff_t o = 0; o < outer; o += CHAINS) {                                                      \
            const type *row[CHAINS];                                                                         \
            type s[CHAINS];                                                                                  \
            /* Chains beyond the last row repeat it. */                                                      \
            for (ptrdiff_t r = 0; r < CHAINS; ++r) {                                                         \
                row[r] = x + smaller(o + r, outer - 1) * n;                                                  \
                s[r] = row[r][0];                                                                            \
            }                                                                                                \
            for (ptrdiff_t i = 1; i < n; ++i)                                                                \
                for (ptrdiff_t r = 0; r < CHAINS; ++r)                                                       \
                    s[r] = combine(s[r], row[r][i]);                                                         \
            for (ptrdiff_t r = 0; r < smaller(CHAINS, outer - o); ++r)                                       \
                out[o + r] = finish(s[r]);                                                                   \
        }                                                                                                    \
    }                                                                                                        \
    static void reduce_##name(ptrdiff_t outer, ptrdiff_t n, ptrdiff_t inner, const void *from, void *to)     \
    {                                                                                                        \
        const type *x = from;                                                                                \
        type *out = to;                                                                                      \
        if (inner == 1) {                                                                                    \
            reduce_rows_##name(outer, n, x, out);                                                            \
            return;                                                                                          \
        }                                                                                                    \
        for (ptrdiff_t o = 0; o < outer; ++o, x += n * inner, out += inner)                                  \
            for (ptrdiff_t j0 = 0; j0 < inner; j0 += INNER_BLOCK) {                                          \
                ptrdiff_t count = smaller(INNER_BLOCK, inner - j0);                                          \
                type *restrict s = out + j0;                                                                 \
                memcpy(s, x + j0, (size_t)count * sizeof(type));                                             \
                for (ptrdiff_t i = 1; i < n; ++i) {                                                          \
                    const type *restrict row = x + i * inner + j0;                                           \
                    for (ptrdiff_t j = 0; j < count; ++j)                                                    \
                        s[j] = combine(s[j], row[j]);                                                        \
                }                                                                                            \
                for (ptrdiff_t j = 0; j < count; ++j)                                                        \
                    s[j] = finish(s[j]);                                                                     \
            }                                                                                                \
    }

#define SUM(a, b) ((a) + (b))
#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#define SMALLER(a, b) ((a) < (b) ? (a) : (b))
#define UNCHANGED(a) (a)

/* A sum that meets a NaN stays one, so replacing NaNs at the end is enough. int32 wraps as uint32. */
DEFINE_REDUCTION(sum_float32, float, SUM, canonical)
DEFINE_REDUCTION(max_float32, float, larger_of, canonical)
DEFINE_REDUCTION(min_float32, float, smaller_of, canonical)
DEFINE_REDUCTION(sum_int32, uint32_t, SUM, UNCHANGED)
DEFINE_REDUCTION(max_int32, int32_t, LARGER, UNCHANGED)
DEFINE_REDUCTION(min_int32, int32_t, SMALLER, UNCHANGED)

static const struct reduction_entry reduction_entries[] = {
    {"reduce_sum_float32", reduce_sum_float32}, {"reduce_max_float32", reduce_max_float32},
    {"reduce_min_float32", reduce_min_float32}, {"reduce_sum_int32", reduce_sum_int32},
    {"reduce_max_int32", reduce_max_int32},     {"reduce_min_int32", reduce_min_int32},
    {NULL, NULL},
};
