/* The vector unit's functions over contiguous elements, one float32 rounding per operation.
 *
 * Plain loops without branches on data, which the compiler vectorises for the instruction set of the including
 * file. -ffp-contract=off keeps every multiplication and addition rounded on its own.
 */

INLINE float larger_of(float a, float b)
{
    /* Equal operands differ at most in the sign of a zero: the conjunction of their bits is +0. */
    float equal = float_of(bits_of(a) & bits_of(b));
    float larger = a > b ? a : b > a ? b : equal;
    return ((a == a) & (b == b)) ? larger : float_of(CANONICAL_NAN);
}

INLINE float smaller_of(float a, float b)
{
    float equal = float_of(bits_of(a) | bits_of(b));
    float smaller = a < b ? a : b < a ? b : equal;
    return ((a == a) & (b == b)) ? smaller : float_of(CANONICAL_NAN);
}

INLINE float sign_of(float a)
{
    float sign = a > 0.0f ? 1.0f : a < 0.0f ? -1.0f : 0.0f;
    return a == a ? sign : float_of(CANONICAL_NAN);
}

INLINE uint16_t bfloat16_of(float a)
{
    uint32_t bits = bits_of(a);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return (uint16_t)(a == a ? rounded : CANONICAL_NAN >> 16);
}

INLINE uint16_t canonical_bfloat16(uint16_t a)
{
    return (a & 0x7fffu) > 0x7f80u ? CANONICAL_NAN >> 16 : a;
}

INLINE int32_t truncated(float a)
{
    /* The conversion of what does not fit is undefined in C, so those are replaced first. */
    int fits = (a >= -0x1p31f) & (a < 0x1p31f);
    int32_t inside = (int32_t)(fits ? a : 0.0f);
    int32_t outside = a > 0.0f ? INT32_MAX : a < 0.0f ? INT32_MIN : 0;
    return fits ? inside : outside;
}

/* Name (function and operand type), operand and result types, and the value from operands x, y and z. int32
 * arithmetic is done in uint32, where wrapping is defined. */
#define VECTOR_FUNCTIONS(UNARY, BINARY, WHERE)                                                               \
    UNARY(copy_float32, float, float, canonical(x))                                                          \
    UNARY(negative_float32, float, float, canonical(-x))                                                     \
    UNARY(absolute_float32, float, float, canonical(float_of(bits_of(x) & 0x7fffffffu)))                     \
    UNARY(sign_float32, float, float, sign_of(x))                                                            \
    UNARY(sqrt_float32, float, float, canonical(__builtin_sqrtf(x)))                                         \
    UNARY(exp_float32, float, float, exp_of(x))                                                              \
    UNARY(log_float32, float, float, log_of(x))                                                              \
    UNARY(tanh_float32, float, float, tanh_of(x))                                                            \
    BINARY(add_float32, float, float, canonical(x + y))                                                      \
    BINARY(subtract_float32, float, float, canonical(x - y))                                                 \
    BINARY(multiply_float32, float, float, canonical((x) * (y)))                                             \
    BINARY(divide_float32, float, float, canonical(x / y))                                                   \
    BINARY(maximum_float32, float, float, larger_of(x, y))                                                   \
    BINARY(minimum_float32, float, float, smaller_of(x, y))                                                  \
    BINARY(equal_float32, float, uint8_t, x == y)                                                            \
    BINARY(not_equal_float32, float, uint8_t, x != y)                                                        \
    BINARY(less_float32, float, uint8_t, x < y)                                                              \
    BINARY(less_equal_float32, float, uint8_t, x <= y)                                                       \
    WHERE(where_float32, float, canonical(x ? y : z))                                                        \
    UNARY(to_bfloat16_float32, float, uint16_t, bfloat16_of(x))                                              \
    UNARY(to_int32_float32, float, int32_t, truncated(x))                                                    \
    UNARY(to_bool_float32, float, uint8_t, x != 0.0f)                                                        \
    UNARY(to_float32_bfloat16, uint16_t, float, canonical(float_of((uint32_t)x << 16)))                      \
    UNARY(to_float32_int32, int32_t, float, (float)x)                                                        \
    UNARY(to_float32_int8, int8_t, float, (float)x)                                                          \
    UNARY(to_float32_bool, uint8_t, float, (float)x)                                                         \
    UNARY(copy_bfloat16, uint16_t, uint16_t, canonical_bfloat16(x))                                          \
    UNARY(copy_int32, int32_t, int32_t, x)                                                                   \
    UNARY(copy_int8, int8_t, int8_t, x)                                                                      \
    UNARY(copy_bool, uint8_t, uint8_t, x)                                                                    \
    UNARY(negative_int32, uint32_t, uint32_t, 0u - x)                                                        \
    UNARY(absolute_int32, uint32_t, uint32_t, x >> 31 ? 0u - x : x)                                          \
    UNARY(sign_int32, int32_t, int32_t, (x > 0) - (x < 0))                                                   \
    BINARY(add_int32, uint32_t, uint32_t, x + y)                                                             \
    BINARY(subtract_int32, uint32_t, uint32_t, x - y)                                                        \
    BINARY(maximum_int32, int32_t, int32_t, x > y ? x : y)                                                   \
    BINARY(minimum_int32, int32_t, int32_t, x < y ? x : y)                                                   \
    BINARY(equal_int32, int32_t, uint8_t, x == y)                                                            \
    BINARY(not_equal_int32, int32_t, uint8_t, x != y)                                                        \
    BINARY(less_int32, int32_t, uint8_t, x < y)                                                              \
    BINARY(less_equal_int32, int32_t, uint8_t, x <= y)                                                       \
    BINARY(equal_int8, int8_t, uint8_t, x == y)                                                              \
    BINARY(not_equal_int8, int8_t, uint8_t, x != y)                                                          \
    BINARY(less_int8, int8_t, uint8_t, x < y)                                                                \
    BINARY(less_equal_int8, int8_t, uint8_t, x <= y)                                                         \
    BINARY(equal_bool, uint8_t, uint8_t, x == y)                                                             \
    BINARY(not_equal_bool, uint8_t, uint8_t, x != y)                                                         \
    BINARY(less_bool, uint8_t, uint8_t, x < y)                                                               \
    BINARY(less_equal_bool, uint8_t, uint8_t, x <= y)                                                        \
    WHERE(where_bfloat16, uint16_t, canonical_bfloat16(x ? y : z))                                           \
    WHERE(where_int32, int32_t, x ? y : z)                                                                   \
    WHERE(where_int8, int8_t, x ? y : z)                                                                     \
    WHERE(where_bool, uint8_t, x ? y : z)                                                                    \
    UNARY(to_int32_int8, int8_t, int32_t, x)                                                                 \
    UNARY(to_int32_bool, uint8_t, int32_t, x)                                                                \
    UNARY(to_bool_int32, int32_t, uint8_t, x != 0)                                                           \
    UNARY(to_bool_int8, int8_t, uint8_t, x != 0)                                                             \
    BINARY(logical_and_bool, uint8_t, uint8_t, x & y)                                                        \
    BINARY(logical_or_bool, uint8_t, uint8_t, x | y)                                                         \
    UNARY(logical_not_bool, uint8_t, uint8_t, x ^ 1)

/* A result lies apart from an operand or exactly where it lies (a plan may update memory in place), so no element
 * depends on another; the compiler does not see that. */
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

#define DEFINE_UNARY(name, type, result, value)                                                              \
    static void name(ptrdiff_t n, const void *a, const void *b, const void *c, void *out)                    \
    {                                                                                                        \
        const type *xs = a;                                                                         \
        result *results = out;                                                                      \
        (void)b;                                                                                             \
        (void)c;                                                                                             \
        INDEPENDENT for (ptrdiff_t i = 0; i < n; ++i) {                                                      \
            type x = xs[i];                                                                                  \
            results[i] = (result)(value);                                                                    \
        }                                                                                                    \
    }
#define DEFINE_BINARY(name, type, result, value)                                                             \
    static void name(ptrdiff_t n, const void *a, const void *b, const void *c, void *out)                    \
    {                                                                                                        \
        const type *xs = a, *ys = b;                                                       \
        result *results = out;                                                                      \
        (void)c;                                                                                             \
        INDEPENDENT for (ptrdiff_t i = 0; i < n; ++i) {                                                      \
            type x = xs[i], y = ys[i];                                                                       \
            results[i] = (result)(value);                                                                    \
        }                                                                                                    \
    }
#define DEFINE_WHERE(name, type, value)                                                                      \
    static void name(ptrdiff_t n, const void *a, const void *b, const void *c, void *out)                    \
    {                                                                                                        \
        const uint8_t *xs = a;                                                                      \
        const type *ys = b, *zs = c;                                                       \
        type *results = out;                                                                        \
        INDEPENDENT for (ptrdiff_t i = 0; i < n; ++i) {                                                      \
            uint8_t x = xs[i];                                                                               \
            type y = ys[i], z = zs[i];                                                                       \
            results[i] = (value);                                                                            \
        }                                                                                                    \
    }
VECTOR_FUNCTIONS(DEFINE_UNARY, DEFINE_BINARY, DEFINE_WHERE)

#define LIST_UNARY(name, type, result, value) {#name, name},
#define LIST_BINARY(name, type, result, value) {#name, name},
#define LIST_WHERE(name, type, value) {#name, name},
static const struct vector_entry vector_entries[] = {
    VECTOR_FUNCTIONS(LIST_UNARY, LIST_BINARY, LIST_WHERE){NULL, NULL},
};

/* The arrays that enter the machine are searched before they are copied: they rarely hold such a NaN. */
static int has_foreign_nan(ptrdiff_t n, const void *x)
{
    const uint32_t *bits = x;
    const ptrdiff_t block = 4096;
    for (ptrdiff_t start = 0; start < n; start += block) {
        ptrdiff_t end = smaller(n, start + block);
        uint32_t found = 0;
        for (ptrdiff_t i = start; i < end; ++i)
            found |= ((bits[i] & 0x7fffffffu) > 0x7f800000u) & (bits[i] != CANONICAL_NAN);
        if (found)
            return 1;
    }
    return 0;
}
