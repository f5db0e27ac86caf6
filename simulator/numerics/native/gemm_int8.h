/* int8 x int8 -> int32 matrix multiplication. Sums wrap, so no order matters and any blocking is exact.
 *
 * Some steps of k are one 32-bit word, and one or two instructions add up its products with the words of a
 * vector: two steps as int16 on any machine, four as bytes where there is an instruction for it (int8_way.h).
 * Included after gemm_bf16.h, whose VW, MR, NV and NR it uses; `add_byte_products` may be defined.
 */

typedef uint32_t vector_u __attribute__((vector_size(4 * VW))); /* unsigned: wrapping is defined */

/* Words of k in a packed block: as many bytes as a block of gemm_bf16.h has. */
#define WORDS DEPTH

/* How one way packs operands and what it does with them. A panel is panel[word][MR] of A and, after NR words
 * that the sums start from, panel[word][NR] of B; missing lanes and steps are zero. */
struct int8_way {
    ptrdiff_t steps; /* in a word */
    void (*pack_a)(const int8_t *from, ptrdiff_t lane_stride, ptrdiff_t step_stride, ptrdiff_t rows,
                   ptrdiff_t depth, uint32_t *panels);
    void (*pack_b)(const int8_t *from, ptrdiff_t lane_stride, ptrdiff_t step_stride, ptrdiff_t lanes,
                   ptrdiff_t depth, uint32_t *panel);
    void (*block)(ptrdiff_t words, int first, const uint32_t *a, const uint32_t *b, uint32_t *c,
                  ptrdiff_t c_stride);
};

#define JOINED_OF(a, b) a##_##b
#define JOINED(a, b) JOINED_OF(a, b)

/* Two int16 in a word: both products of `a` and of every lane of `b` are added to s, which cannot overflow. */
#define WAY pairs
#define STEPS 2
#define TARGET
#define OFFSET 0
#define add_products(s, a, b) ((s) + pair_products(a, b))
#include "int8_way.h"

/* Four bytes in a word. The instruction multiplies unsigned bytes with signed ones, so 128 is added to all of
 * A, which turns the sign bits, and sums start at less what that adds to them. */
#if defined(add_byte_products)
#define WAY bytes
#define STEPS 4
#define TARGET __attribute__((target("avx512vnni")))
#define OFFSET 0x80808080u
#define add_products(s, a, b) add_byte_products(s, a, b)
#include "int8_way.h"
#define choose_int8() (__builtin_cpu_supports("avx512vnni") ? &int8_bytes : &int8_pairs)
#else
#define choose_int8() (&int8_pairs)
#endif

static ptrdiff_t int8_workspace(const struct gemm *g)
{
    /* Of the way with most words. */
    ptrdiff_t words = smaller((g->k + 1) / 2, WORDS);
    return words * round_up(smaller(g->m, ROWS), MR) + (words + 1) * NR;
}

static void gemm_int8(const struct gemm *g, void *workspace)
{
    const struct int8_way *way = choose_int8();
    const int8_t *a = g->a, *b = g->b;
    ptrdiff_t a_m = g->transpose_a ? 1 : g->a_stride, a_k = g->transpose_a ? g->a_stride : 1;
    ptrdiff_t b_k = g->transpose_b ? 1 : g->b_stride, b_n = g->transpose_b ? g->b_stride : 1;
    ptrdiff_t depth = smaller(g->k, way->steps * WORDS);
    uint32_t *b_panel = workspace, *a_panels = b_panel + ((depth + way->steps - 1) / way->steps + 1) * NR;

    for (ptrdiff_t i0 = 0; i0 < g->m; i0 += ROWS) {
        ptrdiff_t rows = smaller(g->m - i0, ROWS);
        for (ptrdiff_t k0 = 0; k0 < g->k; k0 += depth) {
            ptrdiff_t steps = smaller(g->k - k0, depth), words = (steps + way->steps - 1) / way->steps;
            way->pack_a(a + i0 * a_m + k0 * a_k, a_m, a_k, rows, steps, a_panels);
            for (ptrdiff_t j = 0; j < g->n; j += NR) {
                ptrdiff_t columns = smaller(g->n - j, NR);
                way->pack_b(b + j * b_n + k0 * b_k, b_n, b_k, columns, steps, b_panel);
                for (ptrdiff_t i = 0; i < rows; i += MR) {
                    ptrdiff_t height = smaller(rows - i, MR);
                    uint32_t *c = (uint32_t *)g->c + (i0 + i) * g->c_stride + j, edge[MR * NR];
                    if (height == MR && columns == NR) {
                        way->block(words, k0 == 0, a_panels + i * words, b_panel, c, g->c_stride);
                        continue;
                    }
                    way->block(words, 1, a_panels + i * words, b_panel, edge, NR);
                    for (ptrdiff_t y = 0; y < height; ++y)
                        for (ptrdiff_t x = 0; x < columns; ++x)
                            c[y * g->c_stride + x] =
                                (k0 == 0 ? 0 : c[y * g->c_stride + x]) + edge[y * NR + x];
                }
            }
        }
    }
}
