/* Matrix multiplications shared by threads, and each thread's workspace. */
#include <stdatomic.h>
#include <stdlib.h>

#include "operations.h"
#include "pool.h"

/* Multiplications and additions that are worth a thread: about 20 us of them. */
#define THREAD_WORK (1 << 21)

/* One workspace per thread that only grows: a fresh one for every product would fault in its pages anew. */
static __thread void *workspace;
static __thread size_t workspace_bytes;

void *reserve(size_t bytes)
{
    if (bytes > workspace_bytes || !workspace) {
        bytes = (bytes + 4096) / 4096 * 4096;
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

static int multiply_alone(const struct product *product, const struct gemm *g)
{
    int transpose = narrow(g, active->lanes);
    struct gemm turned = {
        .m = g->n, .n = g->m, .k = g->k,
        .a = g->b, .a_stride = g->b_stride, .transpose_a = !g->transpose_b,
        .b = g->a, .b_stride = g->a_stride, .transpose_b = !g->transpose_a,
        .tile = g->tile, .chain = g->chain, .c_stride = g->m,
    };
    ptrdiff_t elements = product->workspace(transpose ? &turned : g);
    uint32_t *buffer = reserve(4 * (size_t)(elements + (transpose ? g->m * g->n : 0)));
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

/* A product cut into down x across pieces of C. Never by k, whose order is the result. */
struct shared_product {
    const struct product *product;
    struct gemm whole;
    ptrdiff_t operand_bytes, down, across;
    atomic_int no_memory;
};

/* The first of the lines (rows or columns) of a piece: multiples of `step`, but for the end. */
static ptrdiff_t border(ptrdiff_t lines, ptrdiff_t piece, ptrdiff_t pieces, ptrdiff_t step)
{
    return piece == pieces ? lines : smaller(lines, round_up(lines * piece / pieces, step));
}

static void multiply_piece(void *context, ptrdiff_t part)
{
    struct shared_product *shared = context;
    struct gemm g = shared->whole;
    ptrdiff_t i = part / shared->across, j = part % shared->across, lanes = active->lanes;
    ptrdiff_t i0 = border(g.m, i, shared->down, 8), j0 = border(g.n, j, shared->across, lanes);
    ptrdiff_t i1 = border(g.m, i + 1, shared->down, 8), j1 = border(g.n, j + 1, shared->across, lanes);
    if (i0 == i1 || j0 == j1)
        return;
    g.m = i1 - i0;
    g.n = j1 - j0;
    g.a = (const char *)g.a + i0 * (g.transpose_a ? 1 : g.a_stride) * shared->operand_bytes;
    g.b = (const char *)g.b + j0 * (g.transpose_b ? g.b_stride : 1) * shared->operand_bytes;
    g.c = (char *)g.c + 4 * (i0 * g.c_stride + j0);
    if (!multiply_alone(shared->product, &g))
        shared->no_memory = 1;
}

int multiply(const struct multiply_words *given, char *const *buffers)
{
    struct shared_product shared = {
        .product = given->integers ? &active->int8 : &active->bf16,
        .whole = {
            .m = given->m, .n = given->n, .k = given->k,
            .a = buffers[given->a], .a_stride = given->transpose_a ? given->m : given->k,
            .transpose_a = (int)given->transpose_a,
            .b = buffers[given->b], .b_stride = given->transpose_b ? given->k : given->n,
            .transpose_b = (int)given->transpose_b,
            .tile = given->tile, .chain = given->tile == 0, .c = buffers[given->c], .c_stride = given->n,
        },
        .operand_bytes = given->integers ? 1 : 2,
    };
    /* As many pieces as threads. Each packs its own rows of A and columns of B: the cut that packs least. */
    ptrdiff_t pieces = smaller(pool_threads(), given->m * given->n * given->k / THREAD_WORK + 1);
    double least = 0;
    for (ptrdiff_t down = 1; down <= pieces; ++down) {
        double packed = (double)given->m / (double)down + (double)given->n * (double)down / (double)pieces;
        if (pieces % down == 0 && (down == 1 || packed < least)) {
            least = packed;
            shared.down = down;
            shared.across = pieces / down;
        }
    }
    pool_share(multiply_piece, &shared, pieces);
    return !shared.no_memory;
}
