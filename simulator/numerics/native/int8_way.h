/* One way of multiplying int8, included by gemm_int8.h for each with
 *   WAY      its name            STEPS   steps of k in a word: 2 as int16 or 4 as bytes
 *   TARGET   instructions beyond those of the file
 *   OFFSET   added to words of A, without carries: 0, or 128 for every byte
 *   add_products(s, a, b)   the products of the steps in `a` and in every lane of `b`, added to s
 */

#if STEPS == 2
#define WORD(from, stride) ((uint16_t)(from)[0] | (uint32_t)(uint16_t)(from)[stride] << 16)
#else
#define BYTE(x, place) ((uint32_t)(uint8_t)(x) << 8 * (place))
#define WORD(from, stride)                                                                                   \
    (BYTE((from)[0], 0) | BYTE((from)[stride], 1) | BYTE((from)[2 * (stride)], 2) |                          \
     BYTE((from)[3 * (stride)], 3))
#endif

/* ---- packing ---- */

/* A row of words: `lanes` lanes side by side, `steps` steps that are `stride` apart. */
INLINE void JOINED(pack_along, WAY)(const int8_t *from, ptrdiff_t stride, ptrdiff_t lanes,
                                    const ptrdiff_t width, ptrdiff_t steps, uint32_t offset, uint32_t *words)
{
    int8_t edge[STEPS * NR];
    if (lanes < width || steps < STEPS) {
        memset(edge, 0, sizeof edge);
        for (ptrdiff_t step = 0; step < smaller(steps, STEPS); ++step)
            memcpy(edge + step * width, from + step * stride, (size_t)smaller(lanes, width));
        from = edge;
        stride = width;
    }
    for (ptrdiff_t lane = 0; lane < width; ++lane)
        words[lane] = WORD(from + lane, stride) ^ offset;
}

/* G lanes that are `stride` apart by G words of steps side by side, of which `count` are kept. */
#if STEPS == 2
#define LOAD_WORDS(G, row, from)                                                                             \
    typedef int8_t bytes_##G __attribute__((vector_size(2 * G)));                                            \
    typedef int16_t halves_##G __attribute__((vector_size(4 * G)));                                          \
    bytes_##G bytes;                                                                                         \
    memcpy(&bytes, from, sizeof bytes);                                                                      \
    row = (words_##G)__builtin_convertvector(bytes, halves_##G);
#else
#define LOAD_WORDS(G, row, from) memcpy(&row, from, sizeof row);
#endif
#define DEFINE_PACK_ACROSS(G)                                                                                \
    INLINE void JOINED(turn_words_##G, WAY)(const int8_t *from, ptrdiff_t stride, ptrdiff_t count,           \
                                            uint32_t offset, uint32_t *panel, ptrdiff_t width)               \
    {                                                                                                        \
        words_##G row[G];                                                                                    \
        _Pragma("GCC unroll 16") for (int i = 0; i < G; ++i) { LOAD_WORDS(G, row[i], from + i * stride) }    \
        turn_##G(row);                                                                                       \
        _Pragma("GCC unroll 16") for (int i = 0; i < G; ++i) if (i < count)                                  \
        {                                                                                                    \
            row[i] ^= offset;                                                                                \
            memcpy(panel + i * width, &row[i], sizeof row[i]);                                               \
        }                                                                                                    \
    }                                                                                                        \
    /* `width` (a multiple of G) lanes, of which there are `lanes`, `depth` steps side by side in memory. */ \
    INLINE void JOINED(pack_across_##G, WAY)(const int8_t *from, ptrdiff_t stride, ptrdiff_t lanes,          \
                                             ptrdiff_t width, ptrdiff_t depth, uint32_t offset,              \
                                             uint32_t *panel)                                                \
    {                                                                                                        \
        for (ptrdiff_t first = 0; first < width; first += G) {                                               \
            for (ptrdiff_t k = 0; k < depth; k += STEPS * G) {                                               \
                const int8_t *group = from + first * stride + k;                                             \
                uint32_t *to = panel + k / STEPS * width + first;                                            \
                ptrdiff_t steps = smaller(depth - k, STEPS * G);                                             \
                if (lanes - first >= G && steps == STEPS * G) {                                              \
                    JOINED(turn_words_##G, WAY)(group, stride, G, offset, to, width);                        \
                    continue;                                                                                \
                }                                                                                            \
                int8_t edge[G * STEPS * G] = {0};                                                            \
                for (ptrdiff_t lane = 0; lane < smaller(lanes - first, G); ++lane)                           \
                    memcpy(edge + lane * STEPS * G, group + lane * stride, (size_t)steps);                   \
                JOINED(turn_words_##G, WAY)                                                                  \
                (edge, STEPS * G, (steps + STEPS - 1) / STEPS, offset, to, width);                           \
            }                                                                                                \
        }                                                                                                    \
    }

#define DEFINE_PACK_ACROSS_OF(G) DEFINE_PACK_ACROSS(G)
DEFINE_PACK_ACROSS_OF(MR)
#if VW != MR
DEFINE_PACK_ACROSS_OF(VW)
#endif

/* Lanes of A that share a cache line are packed together, as in gemm_bf16.h; a byte is a lane here. */
static void JOINED(pack_a, WAY)(const int8_t *from, ptrdiff_t lane_stride, ptrdiff_t step_stride,
                                ptrdiff_t rows, ptrdiff_t depth, uint32_t *panels)
{
    ptrdiff_t words = (depth + STEPS - 1) / STEPS;
    if (step_stride == 1) {
        for (ptrdiff_t i = 0; i < rows; i += MR)
            JOINED(JOINED(pack_across, MR), WAY)
            (from + i * lane_stride, lane_stride, rows - i, MR, depth, OFFSET, panels + i * words);
        return;
    }
    for (ptrdiff_t start = 0; start < rows; start += 2 * LINE)
        for (ptrdiff_t word = 0; word < words; ++word)
            for (ptrdiff_t i = start; i < smaller(start + 2 * LINE, rows); i += MR)
                JOINED(pack_along, WAY)
                (from + word * STEPS * step_stride + i, step_stride, rows - i, MR, depth - word * STEPS,
                 OFFSET, panels + i * words + word * MR);
}

TARGET static void JOINED(pack_b, WAY)(const int8_t *from, ptrdiff_t lane_stride, ptrdiff_t step_stride,
                                       ptrdiff_t lanes, ptrdiff_t depth, uint32_t *panel)
{
    uint32_t *words = panel + NR;
    if (step_stride == 1)
        JOINED(JOINED(pack_across, VW), WAY)(from, lane_stride, lanes, NR, depth, 0, words);
    else
        for (ptrdiff_t k = 0; k < depth; k += STEPS)
            JOINED(pack_along, WAY)
            (from + k * step_stride, step_stride, lanes, NR, depth - k, 0, words + k / STEPS * NR);
    vector_u added[NV] = {{0}};
    if (OFFSET != 0)
        for (const uint32_t *at = words; at < words + (depth + STEPS - 1) / STEPS * NR; at += NR)
#pragma GCC unroll 4
            for (int v = 0; v < NV; ++v) {
                vector_u right;
                memcpy(&right, at + v * VW, sizeof right);
                added[v] = add_products(added[v], OFFSET, right);
            }
    for (int v = 0; v < NV; ++v) {
        added[v] = -added[v];
        memcpy(panel + v * VW, &added[v], sizeof added[v]);
    }
}

/* ---- the register block ---- */

/* MR x NR sums over `words` words. */
TARGET static void JOINED(block_int8, WAY)(ptrdiff_t words, int first, const uint32_t *a, const uint32_t *b,
                                           uint32_t *c, ptrdiff_t c_stride)
{
    vector_u s[MR][NV];
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v)
            memcpy(&s[i][v], b + v * VW, sizeof s[i][v]);
    for (b += NR; words > 0; --words, a += MR, b += NR) {
        vector_u right[NV];
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v)
            memcpy(&right[v], b + v * VW, sizeof right[v]);
#pragma GCC unroll 16
        for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
            for (int v = 0; v < NV; ++v)
                s[i][v] = add_products(s[i][v], a[i], right[v]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) {
            uint32_t *to = c + i * c_stride + v * VW;
            vector_u sum = {0};
            if (!first)
                memcpy(&sum, to, sizeof sum);
            sum += s[i][v];
            memcpy(to, &sum, sizeof sum);
        }
}

static const struct int8_way JOINED(int8, WAY) = {
    STEPS,
    JOINED(pack_a, WAY),
    JOINED(pack_b, WAY),
    JOINED(block_int8, WAY),
};

#undef WORD
#undef BYTE
#undef LOAD_WORDS
#undef DEFINE_PACK_ACROSS
#undef DEFINE_PACK_ACROSS_OF
#undef WAY
#undef STEPS
#undef TARGET
#undef OFFSET
#undef add_products
