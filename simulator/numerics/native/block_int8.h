/* The register block of int8 products: MR x NR sums over `pairs` words of two steps. Included by gemm_int8.h for
 * every way of multiplying, with
 *   BLOCK_INT8   its name      BLOCK_TARGET   instructions beyond those of the file
 *   add_pair_products(s, a, b)   both products of the int16 halves of `a` and of every lane of `b`, added to s
 */
BLOCK_TARGET static void BLOCK_INT8(ptrdiff_t pairs, int first, const uint32_t *a, const uint32_t *b,
                                    uint32_t *c, ptrdiff_t c_stride)
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
                s[i][v] = add_pair_products(s[i][v], a[i], right[v]);
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

#undef BLOCK_INT8
#undef BLOCK_TARGET
#undef add_pair_products
