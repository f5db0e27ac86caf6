// a / b and the square root of a, digit by digit (restoring), rounded to nearest even.
//
// start_i with the operands in cycle t gives done_o and y_o in cycle t + DIVIDE_CYCLES (t +
// SQRT_CYCLES with sqrt_i), always: no early exit. The next start may come in the cycle of done_o.
// The first digits are found in the start cycle itself; each cycle finds as many as are needed to
// be ready in time (one from 26 cycles on), so any number of cycles from 1 on will do.
module fp32_div_sqrt #(
    parameter int unsigned DIVIDE_CYCLES = 28,
    parameter int unsigned SQRT_CYCLES = 28,
    parameter bit MUTANTS = 1'b0
) (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        start_i,
    input  logic        sqrt_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    input  logic [ 7:0] mutant_i,
    output logic        busy_o,
    output logic        done_o,
    output logic [31:0] y_o
);

  import fp32_pkg::*;

  if (DIVIDE_CYCLES < 1 || DIVIDE_CYCLES > 256) begin : g_bad_divide_cycles
    $fatal(1, "DIVIDE_CYCLES: 1 to 256");
  end
  if (SQRT_CYCLES < 1 || SQRT_CYCLES > 256) begin : g_bad_sqrt_cycles
    $fatal(1, "SQRT_CYCLES: 1 to 256");
  end

  // A quotient lies between 1/2 and 2: 26 digits hold 24, a guard digit and a leading zero. The
  // root lies between 1 and 2. Whether anything is left over makes the sticky bit.
  localparam int unsigned QuotientDigits = 26;
  localparam int unsigned RootDigits = 25;
  localparam int unsigned DivideRate = (QuotientDigits + DIVIDE_CYCLES - 1) / DIVIDE_CYCLES;
  localparam int unsigned SqrtRate = (RootDigits + SQRT_CYCLES - 1) / SQRT_CYCLES;
  localparam int unsigned DigitsPerCycle = DivideRate > SqrtRate ? DivideRate : SqrtRate;

  typedef struct {
    logic        is_sqrt;
    logic        special;    // the result is known without digits: in `value`
    logic        sign;
    logic [ 9:0] exponent;   // biased, signed; of a quotient in [1, 2)
    logic [31:0] value;
    logic [23:0] divisor;
    logic [25:0] radicand;   // digits to come, two per digit of the root
    logic [27:0] remainder;
    logic [25:0] digits;     // found so far
    logic [ 4:0] left;       // digits still to find
  } state_t;

  logic [7:0] mutant;
  logic [8:0] count_q;
  state_t state_q, state_d;

  assign mutant = MUTANTS ? mutant_i : 8'd0;

  function automatic state_t first_state(input logic is_sqrt, input logic [31:0] a,
                                         input logic [31:0] b, input logic [7:0] fault);
    /* verilator no_inline_task */
    state_t s;
    logic [33:0] na, nb;
    logic a_zero, b_zero;
    s = '{default: '0};
    s.is_sqrt = is_sqrt;
    s.special = 1'b1;
    s.left = is_sqrt ? 5'(RootDigits) : 5'(QuotientDigits);
    if (fault == MutantDivideShort) s.left = s.left - 5'd1;
    s.sign = is_sqrt ? a[31] : a[31] ^ b[31];
    a_zero = ~(|a[30:0]);
    b_zero = ~(|b[30:0]) & ~is_sqrt;
    na = normalised(a);
    nb = normalised(b);
    if (is_nan(a) || (is_nan(b) && !is_sqrt)) s.value = CanonicalNan;
    else if (is_sqrt && a[31] && !a_zero) s.value = CanonicalNan;
    else if (is_sqrt && (a_zero || is_infinite(a))) s.value = a;
    else if (!is_sqrt && (is_infinite(a) ? is_infinite(b) : (a_zero && b_zero))) begin
      s.value = CanonicalNan;
    end else if (!is_sqrt && (is_infinite(a) || b_zero)) s.value = {s.sign, 8'hff, 23'd0};
    else if (!is_sqrt && (a_zero || is_infinite(b))) s.value = {s.sign, 31'd0};
    else s.special = 1'b0;
    if (is_sqrt) begin
      // (e - 127) / 2 + 127, rounded down; an odd e - 127 (an even e) doubles the radicand.
      s.exponent = {na[33], na[33:25]} + 10'd63 + {9'd0, na[24]};
      s.radicand = na[24] ? {1'b0, na[23:0], 1'b0} : {na[23:0], 2'd0};
    end else begin
      s.exponent = na[33:24] - nb[33:24] + 10'd127;
      s.remainder = {4'd0, na[23:0]};
      s.divisor = nb[23:0];
    end
    return s;
  endfunction

  // One more digit. Division: the remainder is doubled after the digit; root: brought down before
  // it.
  function automatic state_t next_state(input state_t s);
    /* verilator no_inline_task */
    state_t n;
    logic [27:0] minuend, subtrahend, difference;
    logic digit;
    n = s;
    minuend = s.is_sqrt ? {s.remainder[25:0], s.radicand[25:24]} : s.remainder;
    subtrahend = s.is_sqrt ? {s.digits, 2'b01} : {4'd0, s.divisor};
    digit = minuend >= subtrahend;
    difference = digit ? minuend - subtrahend : minuend;
    n.remainder = s.is_sqrt ? difference : {difference[26:0], 1'b0};
    n.radicand = {s.radicand[23:0], 2'd0};
    n.digits = {s.digits[24:0], digit};
    n.left = s.left - 5'd1;
    return n;
  endfunction

  /* verilator lint_off UNUSEDSIGNAL */  // takes the whole state
  function automatic logic [31:0] result(input state_t s, input logic [7:0] fault);
    /* verilator no_inline_task */
    logic [26:0] m;
    logic [9:0] exponent, below;
    logic rest;
    if (s.special) return s.value;
    rest = (|s.remainder) & (fault != MutantDivideDropRest);
    exponent = s.exponent;
    if (s.is_sqrt) m = {s.digits[24:0], rest, 1'b0};
    else if (s.digits[25]) m = {s.digits, rest};
    else begin
      m = {s.digits[24:0], rest, 1'b0};
      exponent = exponent - 10'd1;
    end
    below = 10'd1 - exponent;
    if (!below[9] && below != 10'd0) begin
      m = shift_sticky(m, below[8:0]);
      exponent = 10'd1;
    end
    return round_pack(s.sign, exponent[8:0], m);
  endfunction
  /* verilator lint_on UNUSEDSIGNAL */

  always_comb begin
    state_d = state_q;
    if (start_i) state_d = first_state(sqrt_i, a_i, b_i, mutant);
    if (start_i || busy_o) begin
      for (int unsigned i = 0; i < DigitsPerCycle; i++) begin
        if (state_d.left != 5'd0) state_d = next_state(state_d);
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= 9'd0;
    end else if (start_i) begin
      count_q <= sqrt_i ? 9'(SQRT_CYCLES) : 9'(DIVIDE_CYCLES);
    end else if (count_q != 9'd0) begin
      count_q <= count_q - 9'd1;
    end
  end

  // Data without reset: it means something only while counting.
  always_ff @(posedge clk_i) begin
    if (start_i || busy_o) state_q <= state_d;
  end

  assign busy_o = count_q != 9'd0;
  assign done_o = count_q == 9'd1;

  always_comb begin
    y_o = 32'd0;
    if (done_o) y_o = result(state_q, mutant);
  end

endmodule
