/* int8 x int8 -> int32 matrix multiplication. Sums wrap, so no order matters and any blocking is exact.
 *
 * Two steps of k are one 32-bit word of two int16: `pair_products(a, b)` multiplies both halves of every lane
 * and adds the two products, which cannot overflow. Included after gemm_bf16.h, whose VW, MR, NV and NR it
 * uses.
 */

typedef uint32_t vector_u __attribute__((vector_size(4 * VW))); /* unsigned: wrapping is defined */

/* Words of two steps: panel[k / 2][width], missing lanes and an odd last step are zero. */
static void pack_pairs(const int8_t *from, ptrdiff_t lane_stride, ptrdiff_t step_stride, ptrdiff_t lanes,
                       ptrdiff_t width, ptrdiff_t depth, uint32_t *panel)
{
    for (ptrdiff_t k = 0; k < depth; k += 2, panel += width) {
        const int8_t *step = from + k * step_stride;
        ptrdiff_t next = k + 1 < depth ? step_stride : 0;
        uint32_t odd = k + 1 < depth ? 0xffffu : 0;
        for (ptrdiff_t lane = 0; lane < lanes; ++lane) {
            const int8_t *at = step + lane * lane_stride;
            panel[lane] = ((uint32_t)at[0] & 0xffffu) | ((uint32_t)at[next] & odd) << 16;
        }
        for (ptrdiff_t lane = lanes; lane < width; ++lane)
            panel[lane] = 0;
    }
}

static void block_int8(ptrdiff_t pairs, int first, const uint32_t *a, const uint32_t *b, uint32_t *c,
                       ptrdiff_t c_stride)
{
    vector_u s[MR][NV] = {{{0}}};
    for (; pairs > 0; --pairs, a += MR, b += NR) {
        vector_u right[NV];
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v)
            memcpy(&right[v], b + v * VW, sizeof right[v]);
#pragma GCC unroll 16
        for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
            for (int v = 0; v < NV; ++v)
                s[i][v] += pair_products(a[i], right[v]);
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

static ptrdiff_t int8_workspace(const struct gemm *g)
{
    ptrdiff_t pairs = (smaller(g->k, 2 * DEPTH) + 1) / 2;
    return pairs * (round_up(smaller(g->m, ROWS), MR) + NR);
}

static void gemm_int8(const struct gemm *g, void *workspace)
{
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
