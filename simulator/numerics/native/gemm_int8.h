/* int8 x int8 -> int32 matrix multiplication. Sums wrap, so no order matters and any blocking is exact.
 *
 * Two steps of k are one 32-bit word of two int16: `pair_products(a, b)` multiplies both halves of every lane
 * and adds the two products, which cannot overflow. Included after gemm_bf16.h, whose VW, MR, NV and NR it
 * uses; `add_pair_products_vnni` may be defined as in block_int8.h.
 */

typedef uint32_t vector_u __attribute__((vector_size(4 * VW))); /* unsigned: wrapping is defined */

/* Words of two steps: panel[k / 2][width], missing lanes and an odd last step are zero. */
INLINE uint32_t pair_of(int8_t first, int8_t second)
{
    return (uint16_t)first | (uint32_t)(uint16_t)second << 16;
}

/* Steps k and k + 1 of `lanes` lanes, one by one. */
static void pack_pair(const int8_t *from, ptrdiff_t lane_stride, ptrdiff_t step_stride, ptrdiff_t lanes,
                      ptrdiff_t width, int odd, uint32_t *words)
{
    for (ptrdiff_t lane = 0; lane < width; ++lane) {
        const int8_t *at = from + lane * lane_stride;
        words[lane] = lane >= lanes ? 0 : pair_of(at[0], odd ? 0 : at[step_stride]);
    }
}

/* G lanes that are `stride` apart by G pairs of steps side by side. */
#define DEFINE_PACK_PAIRS(G)                                                                                 \
    typedef int8_t bytes_##G __attribute__((vector_size(2 * G)));                                            \
    typedef int16_t halves_##G __attribute__((vector_size(4 * G)));                                          \
    INLINE void transpose_pairs_##G(const int8_t *from, ptrdiff_t stride, uint32_t *panel, ptrdiff_t width)  \
    {                                                                                                        \
        words_##G row[G];                                                                                    \
        _Pragma("GCC unroll 16") for (int i = 0; i < G; ++i)                                                 \
        {                                                                                                    \
            bytes_##G bytes;                                                                                 \
            memcpy(&bytes, from + i * stride, sizeof bytes);                                                 \
            row[i] = (words_##G)__builtin_convertvector(bytes, halves_##G);                                  \
        }                                                                                                    \
        turn_##G(row);                                                                                       \
        _Pragma("GCC unroll 16") for (int i = 0; i < G; ++i)                                                 \
            memcpy(panel + i * width, &row[i], sizeof row[i]);                                               \
    }                                                                                                        \
    /* As pack_pairs, of full lanes that lie across: all but the last steps; gives how many are packed. */   \
    INLINE ptrdiff_t pack_pairs_across_##G(const int8_t *from, ptrdiff_t stride, ptrdiff_t width,            \
                                           ptrdiff_t depth, uint32_t *panel)                                 \
    {                                                                                                        \
        ptrdiff_t k = 0;                                                                                     \
        for (; k + 2 * G <= depth; k += 2 * G)                                                               \
            for (ptrdiff_t first = 0; first < width; first += G)                                             \
                transpose_pairs_##G(from + first * stride + k, stride, panel + k / 2 * width + first,        \
                                    width);                                                                  \
        return k;                                                                                            \
    }

#define DEFINE_PACK_PAIRS_OF(G) DEFINE_PACK_PAIRS(G)
#define PACK_PAIRS_ACROSS_OF(G) pack_pairs_across_##G
#define PACK_PAIRS_ACROSS(G) PACK_PAIRS_ACROSS_OF(G)

DEFINE_PACK_PAIRS_OF(MR)
#if VW != MR
DEFINE_PACK_PAIRS_OF(VW)
#endif

INLINE void pack_pairs(const int8_t *from, ptrdiff_t lane_stride, ptrdiff_t step_stride, ptrdiff_t lanes,
                       const ptrdiff_t width, ptrdiff_t depth, uint32_t *panel)
{
    ptrdiff_t k = 0;
    if (lanes == width && step_stride == 1)
        k = width == MR ? PACK_PAIRS_ACROSS(MR)(from, lane_stride, width, depth, panel)
                        : PACK_PAIRS_ACROSS(VW)(from, lane_stride, width, depth, panel);
    else if (lanes == width && lane_stride == 1)
        for (; k + 2 <= depth; k += 2) {
            const int8_t *first = from + k * step_stride, *second = first + step_stride;
            uint32_t *words = panel + k / 2 * width;
            for (ptrdiff_t lane = 0; lane < width; ++lane)
                words[lane] = pair_of(first[lane], second[lane]);
        }
    for (; k < depth; k += 2)
        pack_pair(from + k * step_stride, lane_stride, step_stride, lanes, width, k + 1 == depth,
                  panel + k / 2 * width);
}

#define BLOCK_INT8 block_int8_plain
#define BLOCK_TARGET
#define add_pair_products(s, a, b) ((s) + pair_products(a, b))
#include "block_int8.h"

/* One instruction instead of two, where the processor has it. */
#if defined(add_pair_products_vnni)
#define BLOCK_INT8 block_int8_vnni
#define BLOCK_TARGET __attribute__((target("avx512vnni")))
#define add_pair_products(s, a, b) add_pair_products_vnni(s, a, b)
#include "block_int8.h"
#define choose_block_int8() (__builtin_cpu_supports("avx512vnni") ? block_int8_vnni : block_int8_plain)
#else
#define choose_block_int8() block_int8_plain
#endif

static ptrdiff_t int8_workspace(const struct gemm *g)
{
    ptrdiff_t pairs = (smaller(g->k, 2 * DEPTH) + 1) / 2;
    return pairs * (round_up(smaller(g->m, ROWS), MR) + NR);
}

static void gemm_int8(const struct gemm *g, void *workspace)
{
    void (*block_int8)(ptrdiff_t, int, const uint32_t *, const uint32_t *, uint32_t *, ptrdiff_t) =
        choose_block_int8();
    ptrdiff_t a_m = g->transpose_a ? 1 : g->a_stride, a_k = g->transpose_a ? g->a_stride : 1;
    ptrdiff_t b_k = g->transpose_b ? 1 : g->b_stride, b_n = g->transpose_b ? g->b_stride : 1;
    ptrdiff_t depth = smaller(g->k, 2 * DEPTH);
    uint32_t *b_panel = workspace, *a_panels = b_panel + (depth + 1) / 2 * NR;

    for (ptrdiff_t i0 = 0; i0 < g->m; i0 += ROWS) {
        ptrdiff_t rows = smaller(g->m - i0, ROWS);
        for (ptrdiff_t k0 = 0; k0 < g->k; k0 += depth) {
            ptrdiff_t steps = smaller(g->k - k0, depth), pairs = (steps + 1) / 2;
            for (ptrdiff_t i = 0; i < rows; i += MR)
                pack_pairs((const int8_t *)g->a + (i0 + i) * a_m + k0 * a_k, a_m, a_k, smaller(rows - i, MR),
                           MR, steps, a_panels + i * pairs);
            for (ptrdiff_t j = 0; j < g->n; j += NR) {
                ptrdiff_t columns = smaller(g->n - j, NR);
                pack_pairs((const int8_t *)g->b + j * b_n + k0 * b_k, b_n, b_k, columns, NR, steps, b_panel);
                for (ptrdiff_t i = 0; i < rows; i += MR) {
                    ptrdiff_t height = smaller(rows - i, MR);
                    uint32_t *c = (uint32_t *)g->c + (i0 + i) * g->c_stride + j, edge[MR * NR];
                    if (height == MR && columns == NR) {
                        block_int8(pairs, k0 == 0, a_panels + i * pairs, b_panel, c, g->c_stride);
                        continue;
                    }
                    block_int8(pairs, 1, a_panels + i * pairs, b_panel, edge, NR);
                    for (ptrdiff_t y = 0; y < height; ++y)
                        for (ptrdiff_t x = 0; x < columns; ++x)
                            c[y * g->c_stride + x] =
                                (k0 == 0 ? 0 : c[y * g->c_stride + x]) + edge[y * NR + x];
                }
            }
        }
    }
}
