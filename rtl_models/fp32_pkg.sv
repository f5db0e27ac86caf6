// Floating-point arithmetic of docs/arithmetic.md as pure functions: round to nearest even, gradual
// underflow, canonical NaN. The modules fp32_add, fp32_mul and bf16_fma are these functions with
// ports; the loop form of the array calls bf16_fma directly.
//
// Between unpacking and rounding, a magnitude is {exponent, significand}: 24 bits of significand,
// then guard, round and sticky. The exponent is biased as in binary32 and at least 1; the leading
// bit is 1 unless the exponent is 1 (subnormal or zero). So magnitudes compare as unsigned
// integers.
//
// `mutant` selects a seeded fault (0: none); a constant 0 leaves nothing of it.
package fp32_pkg;

  parameter logic [31:0] CanonicalNan = 32'h7fc0_0000;

  typedef enum logic [7:0] {
    MutantFmaDropSticky = 8'd1,  // bf16_fma: bits below the guard bit are lost
    MutantFmaTiesUp = 8'd2,  // bf16_fma: ties away from zero
    MutantAddZeroSign = 8'd3,  // fp32_add: x - x = -0
    MutantDivideShort = 8'd4,  // fp32_div_sqrt: one iteration less
    MutantSwapSubtract = 8'd5,  // vector_lane: b - a
    MutantTailOffByOne = 8'd6,  // vector_unit: one element too many is written
    MutantReduceFromZero = 8'd7,  // vector_lane: a sum starts from +0
    MutantMulDropSticky = 8'd8,  // fp32_mul: bits below the guard bit are lost
    MutantExpOneScale = 8'd9,  // fp32_table: 2^k in one factor, clipped
    MutantTruncateFloor = 8'd10,  // fp32_convert: to int32 rounds downwards
    MutantMinimumZero = 8'd11,  // fp32_compare: minimum(-0, +0) is the second
    MutantTransposeStale = 8'd12,  // transposer: unused elements are not cleared
    MutantVectorLate = 8'd13,  // vector_unit: ready one cycle late
    MutantStaleSum = 8'd14,  // vector_unit: a panel continues the last one's sum
    MutantDivideDropRest = 8'd15  // fp32_div_sqrt: the remainder is ignored
  } mutant_e;

  // Whole words go in, whatever part of them a function looks at.
  /* verilator lint_off UNUSEDSIGNAL */

  function automatic logic is_nan(input logic [31:0] x);
    return (&x[30:23]) & (|x[22:0]);
  endfunction

  function automatic logic is_infinite(input logic [31:0] x);
    return (&x[30:23]) & ~(|x[22:0]);
  endfunction

  // 0 to 32, by halves.
  function automatic logic [5:0] leading_zeros(input logic [31:0] x);
    /* verilator no_inline_task */
    logic [31:0] v;
    logic [5:0] n;
    v = x;
    n = 6'd0;
    if (v[31:16] == 16'd0) begin
      n[4] = 1'b1;
      v = {v[15:0], 16'd0};
    end
    if (v[31:24] == 8'd0) begin
      n[3] = 1'b1;
      v = {v[23:0], 8'd0};
    end
    if (v[31:28] == 4'd0) begin
      n[2] = 1'b1;
      v = {v[27:0], 4'd0};
    end
    if (v[31:30] == 2'd0) begin
      n[1] = 1'b1;
      v = {v[29:0], 2'd0};
    end
    if (!v[31]) begin
      n[0] = 1'b1;
      if (!v[30]) n = 6'd32;
    end
    return n;
  endfunction

  // Right shift; whatever falls off stays in the lowest bit.
  function automatic logic [26:0] shift_sticky(input logic [26:0] m, input logic [8:0] n);
    /* verilator no_inline_task */
    logic [53:0] wide;
    wide = {m, 27'd0} >> n[4:0];
    if (n > 9'd26) return {26'd0, |m};
    return {wide[53:28], wide[27] | (|wide[26:0])};
  endfunction

  // Rounds a magnitude to nearest even. A carry out of the significand goes into the exponent by
  // itself.
  function automatic logic [31:0] round_pack(input logic sign, input logic [8:0] exponent,
                                             input logic [26:0] m);
    /* verilator no_inline_task */
    logic [31:0] magnitude;
    logic up;
    up = m[2] & (m[1] | m[0] | m[3]);
    magnitude = {exponent - 9'd1, 23'd0} + {8'd0, m[26:3]} + {31'd0, up};
    if (magnitude[31] | (&magnitude[30:23])) return {sign, 8'hff, 23'd0};
    return {sign, magnitude[30:0]};
  endfunction

  // Sum of two signed magnitudes, rounded once. An exact zero is +0 unless both are negative. Only
  // an operand with exponent 1 may have sticky set: it is never shifted left past its guard bit.
  function automatic logic [31:0] sum_rounded(input logic a_sign, input logic [8:0] a_exponent,
                                              input logic [26:0] a_m, input logic b_sign,
                                              input logic [8:0] b_exponent, input logic [26:0] b_m,
                                              input logic [7:0] mutant);
    /* verilator no_inline_task */
    logic [8:0] exponent, limit;
    logic [26:0] greater, lesser, m;
    logic [27:0] total;
    logic [5:0] shift;
    logic sign, differ;
    differ = a_sign ^ b_sign;
    if ({b_exponent, b_m} > {a_exponent, a_m}) begin
      sign = b_sign;
      exponent = b_exponent;
      greater = b_m;
      lesser = shift_sticky(a_m, b_exponent - a_exponent);
    end else begin
      sign = a_sign;
      exponent = a_exponent;
      greater = a_m;
      lesser = shift_sticky(b_m, a_exponent - b_exponent);
    end
    if (mutant == MutantFmaDropSticky) lesser[1:0] = 2'd0;
    total = differ ? {1'b0, greater} - {1'b0, lesser} : {1'b0, greater} + {1'b0, lesser};
    if (total == 28'd0) begin
      if (differ) return {mutant == MutantAddZeroSign, 31'd0};
      return {sign, 31'd0};
    end
    if (total[27]) begin
      exponent = exponent + 9'd1;
      m = {total[27:2], total[1] | total[0]};
    end else begin
      limit = exponent - 9'd1;
      shift = leading_zeros({total[26:0], 5'd0});
      if (limit < {3'd0, shift}) shift = limit[5:0];
      exponent = exponent - {3'd0, shift};
      m = total[26:0] << shift;
    end
    if (mutant == MutantFmaTiesUp && m[2:0] == 3'd4) m[0] = 1'b1;
    return round_pack(sign, exponent, m);
  endfunction

  function automatic logic [8:0] exponent_of(input logic [31:0] x);
    return {1'b0, x[30:24], x[23] | ~(|x[30:23])};
  endfunction

  function automatic logic [26:0] significand_of(input logic [31:0] x);
    return {|x[30:23], x[22:0], 3'd0};
  endfunction

  // a + b
  function automatic logic [31:0] add(input logic [31:0] a, input logic [31:0] b,
                                      input logic [7:0] mutant);
    /* verilator no_inline_task */
    if (is_nan(a) || is_nan(b)) return CanonicalNan;
    if (is_infinite(a)) return (is_infinite(b) && (a[31] ^ b[31])) ? CanonicalNan : a;
    if (is_infinite(b)) return b;
    return sum_rounded(a[31], exponent_of(a), significand_of(a), b[31], exponent_of(b),
                       significand_of(b), mutant == MutantAddZeroSign ? mutant : 8'd0);
  endfunction

  // {exponent (signed), significand with its leading bit set} of a finite number that is not zero.
  function automatic logic [33:0] normalised(input logic [31:0] x);
    /* verilator no_inline_task */
    logic [5:0] zeros;
    logic [23:0] m;
    m = {|x[30:23], x[22:0]};
    zeros = leading_zeros({m, 8'd0});
    return {{1'b0, exponent_of(x)} - {4'd0, zeros}, m << zeros};
  endfunction

  // a * b
  function automatic logic [31:0] mul(input logic [31:0] a, input logic [31:0] b,
                                      input logic [7:0] mutant);
    /* verilator no_inline_task */
    logic [33:0] na, nb;
    logic [47:0] product;
    logic [26:0] m;
    logic [9:0] exponent, below;
    logic sign, a_zero, b_zero;
    sign = a[31] ^ b[31];
    a_zero = ~(|a[30:0]);
    b_zero = ~(|b[30:0]);
    if (is_nan(a) || is_nan(b) || (is_infinite(a) && b_zero) || (is_infinite(b) && a_zero)) begin
      return CanonicalNan;
    end
    if (is_infinite(a) || is_infinite(b)) return {sign, 8'hff, 23'd0};
    if (a_zero || b_zero) return {sign, 31'd0};
    na = normalised(a);
    nb = normalised(b);
    product = {24'd0, na[23:0]} * {24'd0, nb[23:0]};
    exponent = na[33:24] + nb[33:24] - 10'd127 + {9'd0, product[47]};
    m = product[47] ? {product[47:22], |product[21:0]} : {product[46:21], |product[20:0]};
    below = 10'd1 - exponent;
    if (!below[9] && below != 10'd0) begin
      m = shift_sticky(m, below[8:0]);
      exponent = 10'd1;
    end
    if (mutant == MutantMulDropSticky) m[1:0] = 2'd0;
    return round_pack(sign, exponent[8:0], m);
  endfunction

  // a * b + c of bfloat16 a, b, rounded once. The product has 16 significant bits, so it needs no
  // more than the adder's width; its exponent may leave binary32's range on both sides.
  function automatic logic [31:0] bf16_fma(input logic [15:0] a, input logic [15:0] b,
                                           input logic [31:0] c, input logic [7:0] mutant);
    /* verilator no_inline_task */
    logic [15:0] product;
    logic [26:0] m;
    logic [9:0] exponent, below;
    logic [5:0] zeros;
    logic sign, a_infinite, b_infinite;
    sign = a[15] ^ b[15];
    a_infinite = (&a[14:7]) & ~(|a[6:0]);
    b_infinite = (&b[14:7]) & ~(|b[6:0]);
    if (is_nan({a, 16'd0}) || is_nan({b, 16'd0}) || is_nan(c)) return CanonicalNan;
    if (a_infinite || b_infinite) begin
      if (~(|a[14:0]) || ~(|b[14:0]) || (is_infinite(c) && (sign ^ c[31]))) return CanonicalNan;
      return {sign, 8'hff, 23'd0};
    end
    if (is_infinite(c)) return c;
    product = {8'd0, |a[14:7], a[6:0]} * {8'd0, |b[14:7], b[6:0]};
    zeros = leading_zeros({product, 16'd0});
    exponent = {1'b0, exponent_of({a, 16'd0})} + {1'b0, exponent_of({b, 16'd0})} - 10'd126 -
        {4'd0, zeros};
    m = {product << zeros, 11'd0};
    below = 10'd1 - exponent;
    if ((!below[9] && below != 10'd0) || product == 16'd0) begin
      m = shift_sticky(m, below[8:0]);
      exponent = 10'd1;
    end
    return sum_rounded(sign, exponent[8:0], m, c[31], exponent_of(c), significand_of(c),
                       mutant <= MutantFmaTiesUp ? mutant : 8'd0);
  endfunction

  /* verilator lint_on UNUSEDSIGNAL */

endpackage
