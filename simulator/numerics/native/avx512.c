/* Kernels for x86-64 with AVX-512 (F, BW, DQ, VL): 32 registers of 16 lanes hold 8 x 48 outputs. */
#include "common.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define VW 16
#define MR 8
#define replicate(x) _mm512_set1_ps(x)
#define fma_lanes(a, b, s) _mm512_fmadd_ps(a, b, s)
#define pair_products(a, b) (vector_u) _mm512_madd_epi16(_mm512_set1_epi32((int)(a)), (__m512i)(b))
#define add_byte_products(s, a, b)                                                                           \
    (vector_u) _mm512_dpbusd_epi32((__m512i)(s), _mm512_set1_epi32((int)(a)), (__m512i)(b))

#include "variant.h"

DEFINE_VARIANT(avx512)
#endif
