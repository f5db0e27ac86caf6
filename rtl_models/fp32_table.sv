// exp, log and tanh of docs/arithmetic.md (version 1): a microsequence over one multiplier and one
// adder, which the surrounding lane lends while a step asks for them.
//
// start_i with function_i and x_i in cycle t gives done_o and y_o in cycle t + TABLE_CYCLES,
// always. The next start may come in the cycle of done_o. Step 0 runs in the start cycle itself, so
// TABLE_CYCLES is at least the number of steps: 14 (exp; tanh takes 12, log 10). Multiplier and
// adder answer in the same cycle.
module fp32_table #(
    parameter int unsigned TABLE_CYCLES = 36,
    parameter bit MUTANTS = 1'b0
) (
    input  logic                              clk_i,
    input  logic                              rst_ni,
    input  logic                              start_i,
    input  pulsetrain_pkg::function_e         function_i,  // FN_EXP, FN_LOG, FN_TANH
    input  logic                       [31:0] x_i,
    output logic                              mul_en_o,
    output logic                       [31:0] mul_a_o,
    output logic                       [31:0] mul_b_o,
    input  logic                       [31:0] mul_y_i,
    output logic                              add_en_o,
    output logic                       [31:0] add_a_o,
    output logic                       [31:0] add_b_o,
    input  logic                       [31:0] add_y_i,
    input  logic                       [ 7:0] mutant_i,
    output logic                              busy_o,
    output logic                              done_o,
    output logic                       [31:0] y_o
);

  import pulsetrain_pkg::*;

  localparam int unsigned Steps = 14;

  if (TABLE_CYCLES < Steps || TABLE_CYCLES > 256) begin : g_bad_table_cycles
    $fatal(1, "TABLE_CYCLES: 14 to 256");
  end

  // Constants, named as in docs/arithmetic.md.
  localparam logic [31:0] Zero = 32'h0000_0000;
  localparam logic [31:0] One = 32'h3f80_0000;
  localparam logic [31:0] Infinity = 32'h7f80_0000;
  localparam logic [31:0] Half = 32'h3f00_0000;
  localparam logic [31:0] Rint = 32'h4b40_0000;  // M = 0x1.8p23
  localparam logic [31:0] Third = 32'h3eaa_aaab;  // 0x1.555556p-2
  localparam logic [31:0] Sixth = 32'h3e2a_aaab;  // 0x1.555556p-3
  localparam logic [31:0] ExpHighest = 32'h42b1_7217;  // 0x1.62e42ep+6
  localparam logic [31:0] ExpLowest = 32'hc2cf_f1b4;  // -0x1.9fe368p+6
  localparam logic [31:0] ExpScale = 32'h42b8_aa3b;  // 0x1.715476p+6
  localparam logic [31:0] ExpLn2High = 32'h3c31_4000;  // 0x1.628p-7
  localparam logic [31:0] ExpLn2Low = 32'h3748_5fdf;  // 0x1.90bfbep-17
  localparam logic [31:0] LogScale = 32'h4b80_0000;  // 0x1p24
  localparam logic [31:0] LogLn2High = 32'h3f31_7200;  // 0x1.62e4p-1
  localparam logic [31:0] LogLn2Low = 32'h35bf_be8e;  // 0x1.7f7d1cp-20
  localparam logic [31:0] TanhOneFrom = 32'h4114_0000;  // 9.25
  localparam logic [31:0] TanhLinearBelow = 32'h3980_0000;  // 0x1p-12
  localparam logic [31:0] TanhScale = 32'h4200_0000;  // 32
  localparam logic [31:0] TanhUnscale = 32'h3d00_0000;  // 1/32

  typedef struct {
    function_e   func;
    logic        special;  // the result is known without steps: in `value`
    logic        subnormal;   // log: x is subnormal
    logic        sign;     // tanh: of the result
    logic [31:0] value;
    logic [31:0] v;        // the operand
    logic [31:0] n;        // rounded to an integer; log: the exponent E
    logic [31:0] r;
    logic [31:0] q;        // the chain; the result in the end
    logic [31:0] s;        // off the chain
    logic [ 8:0] j;        // index of the tables
    logic [ 8:0] k;        // exp: exponent, signed
  } state_t;

  logic [7:0] mutant;
  logic [8:0] count_q;
  logic [3:0] step, step_q;
  logic running;
  state_t state_q, cur, state_d;

  assign mutant = MUTANTS ? mutant_i : 8'd0;

  function automatic logic [31:0] negated(input logic [31:0] x);
    return {~x[31], x[30:0]};
  endfunction

  function automatic logic [31:0] power_of_two(input logic [7:0] exponent);
    return {1'b0, exponent + 8'd127, 23'd0};
  endfunction

  function automatic state_t first_state(input function_e func, input logic [31:0] x);
    /* verilator no_inline_task */
    state_t s;
    s = '{default: '0, func: FN_EXP};
    s.func = func;
    s.sign = x[31];
    s.v = func == FN_TANH ? {1'b0, x[30:0]} : x;
    s.subnormal = ~(|x[30:23]);
    s.special = 1'b1;
    if (fp32_pkg::is_nan(x)) begin
      s.value = fp32_pkg::CanonicalNan;
    end else if (func == FN_EXP && !x[31] && x > ExpHighest) begin
      s.value = Infinity;
    end else if (func == FN_EXP && x[31] && x > ExpLowest) begin
      s.value = Zero;
    end else if (func == FN_LOG && x[30:0] == 31'd0) begin
      s.value = negated(Infinity);
    end else if (func == FN_LOG && x[31]) begin
      s.value = fp32_pkg::CanonicalNan;
    end else if (func == FN_LOG && x == Infinity) begin
      s.value = Infinity;
    end else if (func == FN_TANH && s.v >= TanhOneFrom) begin
      s.value = {x[31], One[30:0]};
    end else if (func == FN_TANH && s.v < TanhLinearBelow) begin
      s.value = x;
    end else begin
      s.special = 1'b0;
    end
    return s;
  endfunction

  // log: the significand in [0.75, 1.5), times 128 and rounded to the nearest even integer; and
  // that integer / 128, which is exact.
  function automatic logic [7:0] log_nearest(input logic [22:0] fraction);
    logic up;
    if (fraction[22]) begin
      up = fraction[16] & (fraction[17] | (|fraction[15:0]));
      return {2'b01, fraction[22:17]} + {7'd0, up};
    end
    up = fraction[15] & (fraction[16] | (|fraction[14:0]));
    return {1'b1, fraction[22:16]} + {7'd0, up};
  endfunction

  function automatic logic [31:0] log_over_128(input logic [7:0] j);
    return j[7] ? {9'h07f, j[6:0], 16'd0} : {9'h07e, j[5:0], 17'd0};
  endfunction

  // log: e + e0 as a float32, -149 to 128.
  function automatic logic [31:0] log_exponent(input logic [7:0] biased, input logic up,
                                               input logic is_small);
    /* verilator no_inline_task */
    logic [8:0] e;
    logic [7:0] magnitude;
    logic [6:0] m;
    logic [5:0] zeros;
    e = {1'b0, biased} - 9'd127 + {8'd0, up} - (is_small ? 9'd24 : 9'd0);
    if (e == 9'd0) return Zero;
    magnitude = e[8] ? 8'd0 - e[7:0] : e[7:0];
    zeros = fp32_pkg::leading_zeros({magnitude, 24'd0});
    m = magnitude[6:0] << zeros;
    return {e[8], 8'd134 - {2'd0, zeros}, m, 16'd0};
  endfunction

  assign running = start_i | (busy_o & (step_q != 4'(Steps)));
  assign step = start_i ? 4'd0 : step_q;

  // The state that this step reads.
  always_comb begin
    cur = state_q;
    if (start_i) cur = first_state(function_i, x_i);
  end

  // Operands of the step.
  logic [31:0] t, log_m;
  logic [ 7:0] log_j;
  always_comb begin
    mul_en_o = 1'b0;
    mul_a_o  = Zero;
    mul_b_o  = Zero;
    add_en_o = 1'b0;
    add_a_o  = Zero;
    add_b_o  = Zero;
    t        = Zero;
    log_m    = Zero;
    log_j    = 8'd0;
    if (running && !cur.special) begin
      if (cur.func == FN_EXP) t = table_pkg::ExpT[cur.j[5:0]];
      if (cur.func == FN_TANH) t = table_pkg::TanhT[cur.j];
      log_m = {1'b0, cur.v[22] ? 8'd126 : 8'd127, cur.v[22:0]};
      log_j = log_nearest(cur.v[22:0]);
      unique case ({cur.func, step})
        {FN_EXP, 4'd0}: begin mul_en_o = 1'b1; mul_a_o = cur.v; mul_b_o = ExpScale; end
        {FN_EXP, 4'd1}: begin add_en_o = 1'b1; add_a_o = cur.q; add_b_o = Rint; end
        {FN_EXP, 4'd2}: begin add_en_o = 1'b1; add_a_o = cur.n; add_b_o = negated(Rint); end
        {FN_EXP, 4'd3}: begin mul_en_o = 1'b1; mul_a_o = cur.n; mul_b_o = ExpLn2High; end
        {FN_EXP, 4'd4}: begin
          add_en_o = 1'b1; add_a_o = cur.v; add_b_o = negated(cur.q);
          mul_en_o = 1'b1; mul_a_o = cur.n; mul_b_o = ExpLn2Low;
        end
        {FN_EXP, 4'd5}: begin add_en_o = 1'b1; add_a_o = cur.r; add_b_o = negated(cur.q); end
        {FN_EXP, 4'd6}: begin mul_en_o = 1'b1; mul_a_o = cur.r; mul_b_o = Sixth; end
        {FN_EXP, 4'd7}: begin
          add_en_o = 1'b1; add_a_o = Half; add_b_o = cur.q;
          mul_en_o = 1'b1; mul_a_o = cur.r; mul_b_o = cur.r;
        end
        {FN_EXP, 4'd8}: begin mul_en_o = 1'b1; mul_a_o = cur.s; mul_b_o = cur.q; end
        {FN_EXP, 4'd9}: begin add_en_o = 1'b1; add_a_o = cur.r; add_b_o = cur.q; end
        {FN_EXP, 4'd10}: begin mul_en_o = 1'b1; mul_a_o = t; mul_b_o = cur.q; end
        {FN_EXP, 4'd11}: begin add_en_o = 1'b1; add_a_o = t; add_b_o = cur.q; end
        {FN_EXP, 4'd12}: begin
          mul_en_o = 1'b1; mul_a_o = cur.q; mul_b_o = power_of_two(cur.k[8:1]);
        end
        {FN_EXP, 4'd13}: begin
          mul_en_o = 1'b1; mul_a_o = cur.q;
          mul_b_o = power_of_two(cur.k[7:0] - cur.k[8:1]);
          if (mutant == fp32_pkg::MutantExpOneScale) mul_b_o = One;
        end

        {FN_LOG, 4'd0}: begin
          mul_en_o = 1'b1; mul_a_o = cur.v; mul_b_o = cur.subnormal ? LogScale : One;
        end
        {FN_LOG, 4'd1}: begin
          add_en_o = 1'b1; add_a_o = log_m; add_b_o = negated(log_over_128(log_j));
        end
        {FN_LOG, 4'd2}: begin
          mul_en_o = 1'b1; mul_a_o = cur.r; mul_b_o = table_pkg::LogR[cur.j[6:0]];
        end
        {FN_LOG, 4'd3}: begin mul_en_o = 1'b1; mul_a_o = cur.r; mul_b_o = Third; end
        {FN_LOG, 4'd4}: begin
          add_en_o = 1'b1; add_a_o = cur.q; add_b_o = negated(Half);
          mul_en_o = 1'b1; mul_a_o = cur.r; mul_b_o = cur.r;
        end
        {FN_LOG, 4'd5}: begin mul_en_o = 1'b1; mul_a_o = cur.s; mul_b_o = cur.q; end
        {FN_LOG, 4'd6}: begin
          add_en_o = 1'b1; add_a_o = cur.r; add_b_o = cur.q;
          mul_en_o = 1'b1; mul_a_o = cur.n; mul_b_o = LogLn2High;
        end
        {FN_LOG, 4'd7}: begin
          add_en_o = 1'b1; add_a_o = cur.s; add_b_o = table_pkg::LogL[cur.j[6:0]];
          mul_en_o = 1'b1; mul_a_o = cur.n; mul_b_o = LogLn2Low;
        end
        {FN_LOG, 4'd8}: begin add_en_o = 1'b1; add_a_o = cur.s; add_b_o = cur.q; end
        {FN_LOG, 4'd9}: begin add_en_o = 1'b1; add_a_o = cur.r; add_b_o = cur.q; end

        {FN_TANH, 4'd0}: begin mul_en_o = 1'b1; mul_a_o = cur.v; mul_b_o = TanhScale; end
        {FN_TANH, 4'd1}: begin add_en_o = 1'b1; add_a_o = cur.q; add_b_o = Rint; end
        {FN_TANH, 4'd2}: begin add_en_o = 1'b1; add_a_o = cur.n; add_b_o = negated(Rint); end
        {FN_TANH, 4'd3}: begin mul_en_o = 1'b1; mul_a_o = cur.n; mul_b_o = TanhUnscale; end
        {FN_TANH, 4'd4}: begin
          add_en_o = 1'b1; add_a_o = cur.v; add_b_o = negated(cur.q);
          mul_en_o = 1'b1; mul_a_o = t; mul_b_o = t;
        end
        {FN_TANH, 4'd5}: begin
          add_en_o = 1'b1; add_a_o = Third; add_b_o = negated(cur.q);
          mul_en_o = 1'b1; mul_a_o = cur.r; mul_b_o = cur.r;
        end
        {FN_TANH, 4'd6}: begin mul_en_o = 1'b1; mul_a_o = cur.r; mul_b_o = cur.q; end
        {FN_TANH, 4'd7}: begin add_en_o = 1'b1; add_a_o = t; add_b_o = cur.q; end
        {FN_TANH, 4'd8}: begin mul_en_o = 1'b1; mul_a_o = cur.s; mul_b_o = cur.q; end
        {FN_TANH, 4'd9}: begin add_en_o = 1'b1; add_a_o = cur.r; add_b_o = negated(cur.q); end
        {FN_TANH, 4'd10}: begin
          mul_en_o = 1'b1; mul_a_o = table_pkg::TanhS[cur.j]; mul_b_o = cur.q;
        end
        {FN_TANH, 4'd11}: begin add_en_o = 1'b1; add_a_o = t; add_b_o = cur.q; end
        default: ;
      endcase
    end
  end

  // Where the results of the step go.
  always_comb begin
    state_d = cur;
    if (running && !cur.special) begin
      if (mul_en_o) state_d.q = mul_y_i;
      if (add_en_o) state_d.q = add_y_i;
      unique case ({cur.func, step})
        {FN_EXP, 4'd1}, {FN_EXP, 4'd2}, {FN_TANH, 4'd1}, {FN_TANH, 4'd2}: begin
          // The first sum holds the integer in its low bits.
          state_d.n = add_y_i;
          state_d.q = cur.q;
          if (step == 4'd2) begin
            state_d.j = cur.func == FN_EXP ? {3'd0, cur.n[5:0]} : cur.n[8:0];
            state_d.k = cur.n[14:6];
          end
        end
        {FN_EXP, 4'd4}, {FN_TANH, 4'd4}: begin
          state_d.r = add_y_i;
          state_d.q = mul_y_i;
        end
        {FN_EXP, 4'd5}: state_d.r = add_y_i;
        {FN_EXP, 4'd7}, {FN_LOG, 4'd4}, {FN_LOG, 4'd6}, {FN_TANH, 4'd5}: state_d.s = mul_y_i;
        {FN_LOG, 4'd0}: state_d.v = mul_y_i;
        {FN_LOG, 4'd1}: begin
          state_d.r = add_y_i;
          state_d.n = log_exponent(cur.v[30:23], cur.v[22], cur.subnormal);
          state_d.j = {1'b0, log_j} - 9'd96;
        end
        {FN_LOG, 4'd2}: state_d.r = mul_y_i;
        {FN_LOG, 4'd7}: begin
          state_d.r = add_y_i;
          state_d.s = mul_y_i;
          state_d.q = cur.q;
        end
        default: ;
      endcase
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= 9'd0;
      step_q  <= 4'(Steps);
    end else begin
      if (start_i) count_q <= 9'(TABLE_CYCLES);
      else if (count_q != 9'd0) count_q <= count_q - 9'd1;
      if (running) step_q <= step + 4'd1;
    end
  end

  // Data without reset: it means something only while counting.
  always_ff @(posedge clk_i) begin
    if (running) state_q <= state_d;
  end

  assign busy_o = count_q != 9'd0;
  assign done_o = count_q == 9'd1;
  assign y_o = !done_o ? Zero : state_q.special ? state_q.value :
      state_q.func == FN_TANH ? {state_q.sign, state_q.q[30:0]} : state_q.q;

endmodule
