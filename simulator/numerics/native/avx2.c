/* Kernels for x86-64 with AVX2 and FMA: 16 registers of 8 lanes hold 4 x 24 outputs. */
#include "common.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define VW 8
#define MR 4
#define replicate(x) _mm256_set1_ps(x)
#define fma_lanes(a, b, s) _mm256_fmadd_ps(a, b, s)
#define pair_products(a, b) (vector_u) _mm256_madd_epi16(_mm256_set1_epi32((int)(a)), (__m256i)(b))

#include "variant.h"

DEFINE_VARIANT(avx2)
#endif
