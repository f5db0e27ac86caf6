/* The table unit: exp, log and tanh, version 1. Every step and constant is stated in docs/arithmetic.md.
 *
 * All lanes take the same steps; arguments outside a function's range are replaced by a harmless one first and
 * their results selected at the end, so that the loops over these functions vectorise.
 */

/* Adding and subtracting 1.5 * 2^23 rounds to the nearest even integer. */
INLINE float nearest_integer(float a)
{
    return (a + 0x1.8p23f) - 0x1.8p23f;
}

/* 2^k for -126 <= k <= 127 */
INLINE float power_of_two(int32_t k)
{
    return float_of((uint32_t)(k + 127) << 23);
}

INLINE float exp_of(float a)
{
    int inside = (a >= -0x1.9fe368p+6f) & (a <= 0x1.62e42ep+6f);
    float v = inside ? a : 0.0f;
    float n = nearest_integer(v * 0x1.715476p+6f);
    int32_t index = (int32_t)n, j = index & 63, k = index >> 6;
    float r = (v - n * 0x1.628p-7f) - n * 0x1.90bfbep-17f;
    float p = r + (r * r) * (0.5f + r * 0x1.555556p-3f);
    float t = tables.exp_t[j], e = t + t * p;
    int32_t k1 = k >> 1;
    e = e * power_of_two(k1);
    e = e * power_of_two(k - k1);
    float outside = a > 0.0f ? float_of(0x7f800000u) : 0.0f;
    outside = a == a ? outside : float_of(CANONICAL_NAN);
    return inside ? e : outside;
}

INLINE float log_of(float a)
{
    int inside = (a > 0.0f) & (a < float_of(0x7f800000u));
    float v = inside ? a : 1.0f;
    int subnormal = v < 0x1p-126f;
    uint32_t bits = bits_of(subnormal ? v * 0x1p24f : v);
    int32_t exponent = (int32_t)(bits >> 23) - 127 - (subnormal ? 24 : 0);
    float m = float_of((bits & 0x7fffffu) | 0x3f800000u);
    int high = m >= 1.5f;
    m = high ? m * 0.5f : m;
    float e = (float)(exponent + high);
    float grid = nearest_integer(m * 128.0f);
    int32_t j = (int32_t)grid - 96;
    float r = (m - grid * 0x1p-7f) * tables.log_r[j];
    float p = r + (r * r) * (r * 0x1.555556p-2f - 0.5f);
    float result = (e * 0x1.62e4p-1f + tables.log_l[j]) + (e * 0x1.7f7d1cp-20f + p);
    float outside = a == 0.0f ? -float_of(0x7f800000u) : a > 0.0f ? a : float_of(CANONICAL_NAN);
    return inside ? result : outside;
}

INLINE float tanh_of(float a)
{
    uint32_t sign = bits_of(a) & 0x80000000u;
    float magnitude = float_of(bits_of(a) & 0x7fffffffu);
    float v = magnitude < 9.25f ? magnitude : 0.0f; /* NaN gives 0 here and is replaced below */
    float grid = nearest_integer(v * 32.0f);
    int32_t j = (int32_t)grid;
    float d = v - grid * 0x1p-5f, t = tables.tanh_t[j], s = tables.tanh_s[j];
    float u = 0x1.555556p-2f - t * t;
    u = t + d * u;
    u = d - (d * d) * u;
    u = t + s * u;
    u = magnitude < 0x1p-12f ? magnitude : u;
    u = magnitude >= 9.25f ? 1.0f : u;
    u = float_of(bits_of(u) | sign);
    return a == a ? u : float_of(CANONICAL_NAN);
}
