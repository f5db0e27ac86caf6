/* Kernels for any machine: no fused multiply-add, vectors of four lanes as the compiler can make them. */
#include "common.h"

#define VW 4
#define MR 4

typedef float lanes_f __attribute__((vector_size(4 * VW)));
typedef uint32_t lanes_u __attribute__((vector_size(4 * VW)));

#define replicate(x) (lanes_f){x, x, x, x}

/* The product of two bfloat16 values is exact in float64, and its sum with a float32 is exact or far from a tie
 * of float32, so rounding that sum again to float32 is the fused operation (docs/arithmetic.md).
 * pair_products multiplies the int16 halves of `a` with those of every lane of `b` and adds both products. */
#if defined(__SSE2__)
#include <emmintrin.h>

INLINE __m128 fma_pair(__m128 a, __m128 b, __m128 s)
{
    return _mm_cvtpd_ps(_mm_add_pd(_mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b)), _mm_cvtps_pd(s)));
}

INLINE lanes_f fma_lanes(__m128 a, __m128 b, __m128 s)
{
    __m128 low = fma_pair(a, b, s);
    __m128 high = fma_pair(_mm_movehl_ps(a, a), _mm_movehl_ps(b, b), _mm_movehl_ps(s, s));
    return _mm_movelh_ps(low, high);
}

#define pair_products(a, b) (vector_u) _mm_madd_epi16(_mm_set1_epi32((int)(a)), (__m128i)(b))
#else
INLINE lanes_f fma_lanes(lanes_f a, lanes_f b, lanes_f s)
{
    lanes_f sum;
    for (int lane = 0; lane < VW; ++lane)
        sum[lane] = (float)((double)a[lane] * (double)b[lane] + (double)s[lane]);
    return sum;
}

INLINE lanes_u pair_products(uint32_t a, lanes_u b)
{
    lanes_u sum;
    for (int lane = 0; lane < VW; ++lane)
        sum[lane] = (uint32_t)((int16_t)a * (int16_t)b[lane] + (int16_t)(a >> 16) * (int16_t)(b[lane] >> 16));
    return sum;
}
#endif

#include "variant.h"

DEFINE_VARIANT(baseline)
