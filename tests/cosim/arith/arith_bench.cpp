// Drives arith_bench.sv with vectors and compares every result.
//
//   arith_bench random OP COUNT SEED MUTANT   directed and random operands; expected values from the processor's
//                                             own binary32 arithmetic (+ * / sqrt, fmaf): no formula of the RTL
//   arith_bench file PATH MUTANT              records of six 32-bit words: op, integer, a, b, c, expected
//
// Prints one line "vectors N mismatches M latency L", and the first mismatches before it.
#include <cfenv>
#include <cinttypes>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "Varith_bench.h"
#include "verilated.h"

namespace {

enum Op : uint32_t {
  kAdd = 4, kMultiply = 6, kDivide = 7, kSqrt = 8, kMaximum = 9, kMinimum = 10, kEqual = 11, kUnordered = 12,
  kLess = 13, kLessEqual = 14, kExp = 16, kLog = 17, kTanh = 18, kToBfloat16 = 19, kFromInt32 = 20,
  kFromInt8 = 21, kToInt32 = 22, kInt32FromInt8 = 23, kFma = 31
};

struct Vector {
  uint32_t op, integer, a, b, c, expected;
};

bool iterative(uint32_t op) {
  return op == kDivide || op == kSqrt || op == kExp || op == kLog || op == kTanh;
}

float value(uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}
uint32_t bits(float f) {
  uint32_t b;
  std::memcpy(&b, &f, 4);
  return std::isnan(f) ? 0x7fc00000u : b;
}

// ------------------------------------------------------------------------------------------ the oracle
uint32_t to_bfloat16(float x) {  // the nearer of the two neighbours, measured in binary64
  if (std::isnan(x)) return 0x7fc0;
  uint32_t word;
  std::memcpy(&word, &x, 4);
  if (std::isinf(x)) return word >> 16;
  const uint32_t low = word & 0xffff0000u;
  const double below = std::fabs(static_cast<double>(value(low)));
  const bool to_infinity = (low & 0x7fff0000u) == 0x7f7f0000u;
  const double above = to_infinity ? std::ldexp(1.0, 128) : std::fabs(static_cast<double>(value(low + 0x10000u)));
  const double magnitude = std::fabs(static_cast<double>(x));
  const double down = magnitude - below, up = above - magnitude;
  const bool rounds_up = up < down || (up == down && ((low >> 16) & 1));
  return (low >> 16) + (rounds_up ? 1 : 0);
}

uint32_t expected(uint32_t op, bool integer, uint32_t a, uint32_t b, uint32_t c) {
  const volatile float x = value(a), y = value(b);
  const int32_t i = static_cast<int32_t>(a), j = static_cast<int32_t>(b);
  switch (op) {
    case kAdd: return bits(x + y);
    case kMultiply: return bits(x * y);
    case kDivide: return bits(x / y);
    case kSqrt: return bits(std::sqrt(x));
    case kFma: return bits(std::fmaf(value(a << 16), value(b << 16), value(c)));
    case kEqual: return integer ? i == j : x == y;
    case kUnordered: return integer ? 0 : std::isnan(x) || std::isnan(y);
    case kLess: return integer ? i < j : x < y;
    case kLessEqual: return integer ? i <= j : x <= y;
    case kMaximum:
      if (integer) return i > j ? a : b;
      if (std::isnan(x) || std::isnan(y)) return 0x7fc00000u;
      return x > y ? a : y > x ? b : std::signbit(x) ? b : a;
    case kMinimum:
      if (integer) return i < j ? a : b;
      if (std::isnan(x) || std::isnan(y)) return 0x7fc00000u;
      return x < y ? a : y < x ? b : std::signbit(x) ? a : b;
    case kToBfloat16: return to_bfloat16(x);
    case kFromInt32: return bits(static_cast<float>(i));
    case kFromInt8: return bits(static_cast<float>(static_cast<int8_t>(a)));
    case kInt32FromInt8: return static_cast<uint32_t>(static_cast<int32_t>(static_cast<int8_t>(a)));
    case kToInt32: {
      if (std::isnan(x)) return 0;
      const double t = std::trunc(static_cast<double>(x));
      if (t >= 2147483647.0) return 0x7fffffffu;
      if (t <= -2147483648.0) return 0x80000000u;
      return static_cast<uint32_t>(static_cast<int32_t>(t));
    }
    default: std::fprintf(stderr, "no oracle for op %u\n", op); std::exit(2);
  }
}

// -------------------------------------------------------------------------------------------- operands
const uint32_t kSpecial[] = {
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x00000002, 0x007fffff, 0x807fffff, 0x00800000, 0x80800000,
    0x00800001, 0x00ffffff, 0x01000000, 0x00400000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001,
    0xffffffff, 0x7f7fffff, 0xff7fffff, 0x7f7ffffe, 0x7f000000, 0xff000000, 0x3f800000, 0xbf800000, 0x3f800001,
    0x3f7fffff, 0xbf7fffff, 0x40000000, 0x3f000000, 0x33800000, 0x33000000, 0xb3800000, 0x33800001, 0x34000000,
    0x4b000000, 0x4b7fffff, 0x4b800000, 0x4b800001, 0x4effffff, 0x4f000000, 0xcf000000, 0xcf000001, 0x4eff7fff,
    0x5f000000, 0x1f800000, 0x20000000, 0x1a000000, 0x19ffffff, 0x00008000, 0x00018000, 0x7f7f8000, 0x7f7f7fff,
    0x80000000, 0x7fffffff, 0x3f808000, 0x3f818000, 0x3f808001, 0x0000007f, 0x00000080, 0x000000ff, 0xffffff80};
constexpr uint32_t kSpecials = sizeof(kSpecial) / 4;

struct Random {
  uint64_t s;
  explicit Random(uint64_t seed) : s(seed * 0x9e3779b97f4a7c15ull + 0x2545f4914f6cdd1dull) {}
  uint32_t next() {
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return static_cast<uint32_t>((s * 0x2545f4914f6cdd1dull) >> 32);
  }
  uint32_t below(uint32_t n) { return static_cast<uint32_t>((static_cast<uint64_t>(next()) * n) >> 32); }

  uint32_t fraction() {  // full, few bits at the top, few at the bottom, a run of ones
    switch (below(5)) {
      case 0: return next() & 0x7fffff;
      case 1: return (next() << below(23)) & 0x7fffff;
      case 2: return (next() & 0x7fffff) >> below(23);
      case 3: return (0x7fffffu << below(24)) & 0x7fffff;
      default: return 0x7fffffu >> below(24);
    }
  }
  uint32_t with_exponent(int e) {
    if (e < 0) e = 0;
    if (e > 254) e = 254;
    return (next() & 0x80000000u) | static_cast<uint32_t>(e) << 23 | fraction();
  }
  uint32_t any() {
    switch (below(8)) {
      case 0: return next();
      case 1: return kSpecial[below(kSpecials)];
      case 2: return with_exponent(0);
      case 3: return with_exponent(static_cast<int>(below(4)));
      case 4: return with_exponent(251 + static_cast<int>(below(4)));
      case 5: return with_exponent(static_cast<int>(below(255)));
      default: return with_exponent(107 + static_cast<int>(below(40)));
    }
  }
};

int exponent(uint32_t x) { return static_cast<int>((x >> 23) & 0xff); }
int near(Random& r, int centre, int spread) {
  return centre - spread + static_cast<int>(r.below(2 * static_cast<uint32_t>(spread) + 1));
}
int edge(Random& r) { return r.below(2) ? near(r, -12, 16) : near(r, 254, 4); }  // a result's exponent

void operands(Random& r, Vector& v) {
  v.a = r.any();
  v.b = r.any();
  v.c = r.any();
  const uint32_t how = r.below(4);
  switch (v.op) {
    case kMultiply:
      if (how == 0) v.b = r.with_exponent(edge(r) + 127 - exponent(v.a));
      break;
    case kDivide:
      if (how == 0) v.b = r.with_exponent(exponent(v.a) + 127 - edge(r));
      break;
    case kFromInt32:
      v.a = how == 0 ? v.a : r.next() >> r.below(32);
      if (r.below(2)) v.a = 0u - v.a;
      if (how == 3) v.a = (1u << r.below(32)) + r.below(9) - 4;
      break;
    case kToInt32:
      if (how) v.a = r.with_exponent(near(r, 142, 20));
      break;
    case kToBfloat16:
      if (how == 0) v.a = (v.a & 0xffff0000u) + 0x7ffeu + r.below(4);
      break;
    case kFma: {
      v.a >>= 16;
      v.b >>= 16;
      const uint32_t way = r.below(8);
      if (way < 2) v.b = r.with_exponent(edge(r) + 127 - exponent(v.a << 16)) >> 16;
      const float product = value(v.a << 16) * value(v.b << 16);
      if (std::isfinite(product)) {
        const uint32_t word = bits(product);
        if (way & 1) {  // cancels all but the last bits
          v.c = word ^ 0x80000000u;
          if (r.below(2)) v.c += r.below(5) - 2;
        } else if (way & 2) {  // within reach of each other
          v.c = r.with_exponent(near(r, exponent(word), 27));
        }
      }
      break;
    }
    default:  // add, comparisons
      if (how == 0) v.b = (v.a ^ (r.next() & 0x80000000u)) + r.below(9) - 4;
      if (how == 1) v.b = r.with_exponent(near(r, exponent(v.a), 27));
  }
}

// ----------------------------------------------------------------------------------------------- bench
class Bench {
 public:
  explicit Bench(uint32_t mutant) {
    top_.mutant_i = static_cast<uint8_t>(mutant);
    top_.rst_ni = 0;
    tick();
    top_.rst_ni = 1;
    tick();
  }

  void check(const Vector& v) {
    top_.op_i = static_cast<uint8_t>(v.op);
    top_.integer_i = v.integer != 0;
    top_.a_i = v.a;
    top_.b_i = v.b;
    top_.c_i = v.c;
    top_.start_i = iterative(v.op);
    int cycles = 0;
    if (iterative(v.op)) {
      do {
        tick();
        top_.start_i = 0;
        // The operands are there in the start cycle only.
        top_.a_i = ~v.a;
        top_.b_i = ~v.b;
        cycles++;
        top_.eval();
      } while (!top_.done_o && cycles < 1000);
      if (latency_ < 0) latency_ = cycles;
      if (cycles != latency_) fail(v, 0xdead0000u + static_cast<uint32_t>(cycles));
    } else {
      top_.eval();
    }
    if (top_.y_o != v.expected) fail(v, top_.y_o);
    vectors_++;
  }

  void report() const {
    std::printf("vectors %" PRIu64 " mismatches %" PRIu64 " latency %d\n", vectors_, mismatches_, latency_);
  }

 private:
  void tick() {
    top_.clk_i = 1;
    top_.eval();
    top_.clk_i = 0;
    top_.eval();
  }
  void fail(const Vector& v, uint32_t got) {
    if (mismatches_++ < 5) {
      std::printf("op %u integer %u a %08x b %08x c %08x: rtl %08x expected %08x\n", v.op, v.integer, v.a, v.b,
                  v.c, got, v.expected);
    }
  }

  Varith_bench top_;
  uint64_t vectors_ = 0, mismatches_ = 0;
  int latency_ = -1;
};

void run(Bench& bench, Vector v) {
  v.expected = expected(v.op, v.integer != 0, v.a, v.b, v.c);
  bench.check(v);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "random" && argc == 6) {
    const uint32_t op = static_cast<uint32_t>(std::atoi(argv[2]));
    const uint64_t count = std::strtoull(argv[3], nullptr, 10);
    Random random(std::strtoull(argv[4], nullptr, 10));
    Bench bench(static_cast<uint32_t>(std::atoi(argv[5])));
    const bool compares = op >= kMaximum && op <= kLessEqual;
    const uint32_t thirds = op == kFma ? kSpecials : 1;
    for (uint32_t i = 0; i < kSpecials; i++)
      for (uint32_t j = 0; j < kSpecials; j++)
        for (uint32_t k = 0; k < thirds; k++) {
          Vector v{op, compares && (k & 1), kSpecial[i], kSpecial[j], kSpecial[k], 0};
          if (op == kFma) {
            v.a >>= 16;
            v.b >>= 16;
          }
          run(bench, v);
        }
    for (uint64_t n = 0; n < count; n++) {
      Vector v{op, compares && random.below(4) == 0, 0, 0, 0, 0};
      operands(random, v);
      run(bench, v);
    }
    bench.report();
    return 0;
  }
  if (mode == "file" && argc == 4) {
    std::FILE* file = std::fopen(argv[2], "rb");
    if (!file) return 2;
    Bench bench(static_cast<uint32_t>(std::atoi(argv[3])));
    Vector v;
    while (std::fread(&v, sizeof v, 1, file) == 1) bench.check(v);
    std::fclose(file);
    bench.report();
    return 0;
  }
  std::fprintf(stderr, "usage: %s random OP COUNT SEED MUTANT | file PATH MUTANT\n", argv[0]);
  return 2;
}
