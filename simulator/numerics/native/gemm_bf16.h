/* Ordered bfloat16 matrix multiplication: the array's own accumulation order, blocked for registers.
 *
 * One output is a chain of fused multiply-adds over k, so it must never be split or reordered over k; m and n
 * are free. A register block of MR x (NV * VW) outputs advances all its chains together. A and B are expanded
 * to float32 (exact) in packed panels: A as panel[k][MR], B as panel[k][nv * VW].
 *
 * Included once per instruction set, after these are defined:
 *   VW   float32 lanes of a vector: 4, 8 or 16     MR   rows of a register block: 4 or 8
 *   replicate(x), fma_lanes(a, b, s)   a vector of x in every lane; the fused multiply-add of vectors
 */

/* Vectors across a register block. */
#define NV 3

#define NR (NV * VW)
/* Depth of a packed block. Every block is one more pass over C, so it is as deep as lets ROWS * DEPTH floats of
 * A and a B panel of NR * DEPTH stay in the second-level cache. */
#define DEPTH 512
/* Of so few rows that packing a B panel takes as long as using it: it stays in the first-level cache. */
#define SHALLOW 128
#define SHALLOW_ROWS (4 * MR)
/* Rows of A packed at a time. */
#define ROWS 256

typedef float vector_f __attribute__((vector_size(4 * VW)));

INLINE vector_f load_lanes(const float *from)
{
    vector_f lanes;
    memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

INLINE void store_lanes(float *to, vector_f lanes)
{
    memcpy(to, &lanes, sizeof lanes);
}

/* ---- packing ---- */

/* `width` lanes that lie side by side in memory, `depth` steps that are `stride` apart. */
INLINE void pack_along(const uint16_t *from, ptrdiff_t stride, ptrdiff_t lanes, const ptrdiff_t width,
                       ptrdiff_t depth, float *panel)
{
    for (ptrdiff_t k = 0; k < depth; ++k, from += stride, panel += width) {
        if (lanes == width) {
            for (ptrdiff_t lane = 0; lane < width; ++lane)
                panel[lane] = float_of((uint32_t)from[lane] << 16);
        } else {
            for (ptrdiff_t lane = 0; lane < width; ++lane)
                panel[lane] = lane < lanes ? float_of((uint32_t)from[lane] << 16) : 0.0f;
        }
    }
}

/* Interleaving the lower and the upper halves of two vectors of 4, 8 or 16 lanes. */
#define LOW_4 0, 4, 1, 5
#define HIGH_4 2, 6, 3, 7
#define LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#if defined(__clang__)
#define INTERLEAVE(type, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define INTERLEAVE(type, a, b, ...) __builtin_shuffle(a, b, (type){__VA_ARGS__})
#endif

/* A G x G transpose of words. Exchanging halves log2(G) times rotates the (row, column) address by all its
 * column bits, which transposes.
 *
 * Two steps of one lane are one word: transpose_G takes G lanes by 2G steps, `stride` apart in the lanes, and
 * takes each word apart. */
#define DEFINE_TRANSPOSE(G)                                                                                  \
    typedef uint32_t words_##G __attribute__((vector_size(4 * G)));                                          \
    INLINE void turn_##G(words_##G row[G])                                                                   \
    {                                                                                                        \
        words_##G next[G];                                                                                   \
        _Pragma("GCC unroll 4") for (int round = 1; round < G; round *= 2)                                   \
        {                                                                                                    \
            _Pragma("GCC unroll 8") for (int i = 0; i < G / 2; ++i)                                          \
            {                                                                                                \
                next[2 * i] = INTERLEAVE(words_##G, row[i], row[i + G / 2], LOW_##G);                        \
                next[2 * i + 1] = INTERLEAVE(words_##G, row[i], row[i + G / 2], HIGH_##G);                   \
            }                                                                                                \
            _Pragma("GCC unroll 16") for (int i = 0; i < G; ++i) row[i] = next[i];                           \
        }                                                                                                    \
    }                                                                                                        \
    INLINE void transpose_##G(const uint16_t *from, ptrdiff_t stride, ptrdiff_t lanes, float *panel,         \
                              ptrdiff_t width)                                                               \
    {                                                                                                        \
        words_##G row[G];                                                                                    \
        _Pragma("GCC unroll 16") for (int i = 0; i < G; ++i)                                                 \
        {                                                                                                    \
            row[i] = (words_##G){0};                                                                         \
            if (i < lanes)                                                                                   \
                memcpy(&row[i], from + i * stride, sizeof row[i]);                                           \
        }                                                                                                    \
        turn_##G(row);                                                                                       \
        _Pragma("GCC unroll 16") for (int i = 0; i < G; ++i)                                                 \
        {                                                                                                    \
            words_##G even = row[i] << 16, odd = row[i] & 0xffff0000u;                                       \
            memcpy(panel + 2 * i * width, &even, sizeof even);                                               \
            memcpy(panel + (2 * i + 1) * width, &odd, sizeof odd);                                           \
        }                                                                                                    \
    }                                                                                                        \
    /* `width` (a multiple of G) lanes that are `stride` apart, `depth` steps side by side in memory. */     \
    INLINE void pack_across_##G(const uint16_t *from, ptrdiff_t stride, ptrdiff_t lanes, ptrdiff_t width,    \
                                ptrdiff_t depth, float *panel)                                               \
    {                                                                                                        \
        for (ptrdiff_t first = 0; first < width; first += G) {                                               \
            const uint16_t *group = from + first * stride;                                                   \
            ptrdiff_t count = smaller(lanes - first, G), k = 0;                                              \
            if (count == G) {                                                                                \
                for (; k + 2 * G <= depth; k += 2 * G)                                                       \
                    transpose_##G(group + k, stride, G, panel + k * width + first, width);                   \
            } else {                                                                                         \
                for (; k + 2 * G <= depth; k += 2 * G)                                                       \
                    transpose_##G(group + k, stride, count, panel + k * width + first, width);               \
            }                                                                                                \
            for (; k < depth; ++k)                                                                           \
                for (ptrdiff_t lane = 0; lane < G; ++lane)                                                   \
                    panel[k * width + first + lane] =                                                        \
                        lane < count ? float_of((uint32_t)group[lane * stride + k] << 16) : 0.0f;            \
        }                                                                                                    \
    }

#define DEFINE_TRANSPOSE_OF(G) DEFINE_TRANSPOSE(G)
#define PACK_ACROSS_OF(G) pack_across_##G
#define PACK_ACROSS(G) PACK_ACROSS_OF(G)

DEFINE_TRANSPOSE_OF(MR)
#if VW != MR
DEFINE_TRANSPOSE_OF(VW)
#endif

/* Rows of A whose elements share a cache line when A is stored transposed: their panels are packed together,
 * because a line would be gone before the next panel came to it. */
#define LINE 32

/* `rows` rows of A, into panels of MR; `stride` apart if they lie across, else the steps are. */
static void pack_a(const uint16_t *from, ptrdiff_t stride, int along, ptrdiff_t rows, ptrdiff_t depth,
                   float *panels)
{
    if (!along) {
        for (ptrdiff_t i = 0; i < rows; i += MR)
            PACK_ACROSS(MR)(from + i * stride, stride, smaller(rows - i, MR), MR, depth, panels + i * depth);
        return;
    }
    for (ptrdiff_t start = 0; start < rows; start += LINE)
        for (ptrdiff_t k = 0; k < depth; ++k)
            for (ptrdiff_t i = start; i < smaller(start + LINE, rows); i += MR)
                pack_along(from + k * stride + i, 0, smaller(rows - i, MR), MR, 1, panels + i * depth + k * MR);
}

static void pack_b(const uint16_t *from, ptrdiff_t stride, int along, ptrdiff_t lanes, ptrdiff_t width,
                   ptrdiff_t depth, float *panel)
{
    if (!along)
        PACK_ACROSS(VW)(from, stride, lanes, width, depth, panel);
    else if (width == NR)
        pack_along(from, stride, lanes, NR, depth, panel);
    else if (width == 2 * VW)
        pack_along(from, stride, lanes, 2 * VW, depth, panel);
    else
        pack_along(from, stride, lanes, VW, depth, panel);
}

/* ---- the register block ---- */

/* What the block does with C: the first pass over k writes it. Later passes continue the chain from C (chain)
 * or add each tile's sum to C. */
struct pass {
    ptrdiff_t depth, tile;
    int chain, first;
};

/* mr x (nv * VW) outputs at c. mr and nv are constants in every caller, so that s lives in registers. */
INLINE void advance(const int mr, const int nv, struct pass pass, const float *a, const float *b, float *c,
                    ptrdiff_t c_stride)
{
    ptrdiff_t done = 0;
    int first = pass.first;
    do {
        ptrdiff_t end = pass.chain ? pass.depth : smaller(done + pass.tile, pass.depth);
        vector_f s[MR][NV];
#pragma GCC unroll 16
        for (int i = 0; i < mr; ++i)
#pragma GCC unroll 4
            for (int v = 0; v < nv; ++v)
                s[i][v] = pass.chain && !first ? load_lanes(c + i * c_stride + v * VW) : (vector_f){0};
        for (; done < end; ++done, a += MR, b += nv * VW) {
            vector_f right[NV];
#pragma GCC unroll 4
            for (int v = 0; v < nv; ++v)
                right[v] = load_lanes(b + v * VW);
#pragma GCC unroll 16
            for (int i = 0; i < mr; ++i) {
                vector_f left = replicate(a[i]);
#pragma GCC unroll 4
                for (int v = 0; v < nv; ++v)
                    s[i][v] = fma_lanes(left, right[v], s[i][v]);
            }
        }
#pragma GCC unroll 16
        for (int i = 0; i < mr; ++i)
#pragma GCC unroll 4
            for (int v = 0; v < nv; ++v) {
                float *to = c + i * c_stride + v * VW;
                store_lanes(to, first || pass.chain ? s[i][v] : load_lanes(to) + s[i][v]);
            }
        first = 0;
    } while (done < pass.depth);
}

typedef void block(struct pass pass, const float *a, const float *b, float *c, ptrdiff_t c_stride);

#define DEFINE_BLOCK(mr, nv)                                                                                 \
    static void block_##mr##_##nv(struct pass pass, const float *a, const float *b, float *c,                \
                                  ptrdiff_t c_stride)                                                        \
    {                                                                                                        \
        advance(mr, nv, pass, a, b, c, c_stride);                                                            \
    }

#define DEFINE_BLOCKS(mr) DEFINE_BLOCK(mr, 1) DEFINE_BLOCK(mr, 2) DEFINE_BLOCK(mr, 3)
#define LIST_BLOCKS(mr) {block_##mr##_1, block_##mr##_2, block_##mr##_3}

/* Fewer rows than MR take the smallest block that holds them: 10 rows are 8 + 2, not 8 + 8. */
DEFINE_BLOCKS(1)
DEFINE_BLOCKS(2)
DEFINE_BLOCKS(4)
#if MR == 8
DEFINE_BLOCKS(8)
#endif

static block *const blocks[][NV] = {
    LIST_BLOCKS(1),
    LIST_BLOCKS(2),
    LIST_BLOCKS(4),
#if MR == 8
    LIST_BLOCKS(8),
#endif
};

/* A block of `rows` x `columns` outputs, which may be fewer than the block that computes them. */
static void run_block(struct pass pass, const float *a, const float *b, float *c, ptrdiff_t c_stride,
                      ptrdiff_t rows, ptrdiff_t columns)
{
    ptrdiff_t vectors = (columns + VW - 1) / VW, width = vectors * VW, height = 1;
    int size = 0;
    while (height < rows) {
        height *= 2;
        ++size;
    }
    block *run = blocks[size][vectors - 1];
    if (height == rows && width == columns) {
        run(pass, a, b, c, c_stride);
        return;
    }
    float edge[MR * NR] __attribute__((aligned(64))) = {0};
    if (!pass.first)
        for (ptrdiff_t i = 0; i < rows; ++i)
            memcpy(edge + i * width, c + i * c_stride, (size_t)columns * sizeof(float));
    run(pass, a, b, edge, width);
    for (ptrdiff_t i = 0; i < rows; ++i)
        memcpy(c + i * c_stride, edge + i * width, (size_t)columns * sizeof(float));
}

/* ---- the product ---- */

/* Steps of k that are packed at a time: whole tiles, since a tile's sum is not kept between passes. */
static ptrdiff_t packed_depth(const struct gemm *g)
{
    ptrdiff_t depth = g->m > SHALLOW_ROWS || g->transpose_b ? DEPTH : SHALLOW;
    if (g->chain)
        return smaller(g->k, depth);
    ptrdiff_t tiles = g->tile < depth ? depth / g->tile : 1;
    return smaller(g->k, tiles * g->tile);
}

static ptrdiff_t bf16_workspace(const struct gemm *g)
{
    return packed_depth(g) * (round_up(smaller(g->m, ROWS), MR) + NR);
}

/* A NaN in a chain makes its result a NaN, so it is enough to replace NaNs at the end. */
static void replace_nans(float *c, ptrdiff_t c_stride, ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t i = 0; i < rows; ++i, c += c_stride) {
        int found = 0;
        for (ptrdiff_t j = 0; j < columns; ++j)
            found |= c[j] != c[j];
        if (found)
            for (ptrdiff_t j = 0; j < columns; ++j)
                c[j] = canonical(c[j]);
    }
}

/* Outputs of the next block, which its first addition would wait for. */
INLINE void ask_for(const float *c, ptrdiff_t c_stride, ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t i = 0; i < rows; ++i)
        for (ptrdiff_t j = 0; j < columns; j += 16)
            __builtin_prefetch(c + i * c_stride + j, 1);
}

static void gemm_bf16(const struct gemm *g, void *workspace)
{
    const uint16_t *a = g->a, *b = g->b;
    /* Elements between neighbours along each axis of the operands as multiplied. */
    ptrdiff_t a_m = g->transpose_a ? 1 : g->a_stride, a_k = g->transpose_a ? g->a_stride : 1;
    ptrdiff_t b_k = g->transpose_b ? 1 : g->b_stride, b_n = g->transpose_b ? g->b_stride : 1;
    ptrdiff_t depth = packed_depth(g);
    float *b_panel = workspace, *a_panels = b_panel + depth * NR;

    for (ptrdiff_t i0 = 0; i0 < g->m; i0 += ROWS) {
        ptrdiff_t rows = smaller(g->m - i0, ROWS);
        float *c = (float *)g->c + i0 * g->c_stride;
        for (ptrdiff_t k0 = 0; k0 < g->k; k0 += depth) {
            struct pass pass = {smaller(g->k - k0, depth), g->tile, g->chain, k0 == 0};
            pack_a(a + i0 * a_m + k0 * a_k, g->transpose_a ? a_k : a_m, g->transpose_a, rows, pass.depth,
                   a_panels);
            for (ptrdiff_t j = 0; j < g->n; j += NR) {
                ptrdiff_t columns = smaller(g->n - j, NR);
                pack_b(b + j * b_n + k0 * b_k, g->transpose_b ? b_n : b_k, !g->transpose_b, columns,
                       round_up(columns, VW), pass.depth, b_panel);
                for (ptrdiff_t i = 0; i < rows; i += MR) {
                    ask_for(c + (i + MR) * g->c_stride + j, g->c_stride, smaller(rows - i - MR, MR), columns);
                    run_block(pass, a_panels + i * pass.depth, b_panel, c + i * g->c_stride + j,
                              g->c_stride, smaller(rows - i, MR), columns);
                }
            }
        }
        replace_nans(c, g->c_stride, rows, g->n);
    }
}
