// One lane of the vector unit: every function of isa.Function on one element per beat.
//
// Operands come with valid_i. y_o has the result
//   ALU_LATENCY cycles later   pipelined functions, one beat per cycle;
//   ROW_CYCLES cycles later    reductions: f(the result of ROW_CYCLES ago, a_i), with first_i a_i
//                              alone, with first_i and accumulate_i f(b_i, a_i);
//   DIVIDE_CYCLES and so on    divide, sqrt; exp, log, tanh: iterative_done_o says when, and the
//                              next operands may come in that cycle.
// func_i, integer_i and accumulate_i stay as they are while results are under way (active_i is
// high). One adder and one multiplier serve add, subtract, multiply, sums and the table unit.
module vector_lane #(
    parameter int unsigned ALU_LATENCY = 2,
    parameter int unsigned ROW_CYCLES = 2,  // at least ALU_LATENCY
    parameter int unsigned DIVIDE_CYCLES = 28,
    parameter int unsigned SQRT_CYCLES = 28,
    parameter int unsigned TABLE_CYCLES = 36,
    parameter bit MUTANTS = 1'b0
) (
    input  logic                              clk_i,
    input  logic                              rst_ni,
    input  logic                              active_i,
    input  logic                              valid_i,
    input  logic                              first_i,
    input  pulsetrain_pkg::function_e         func_i,
    input  logic                              integer_i,
    input  logic                              accumulate_i,
    input  logic                       [31:0] a_i,
    input  logic                       [31:0] b_i,
    input  logic                       [31:0] c_i,
    input  logic                       [ 7:0] mutant_i,
    output logic                              iterative_done_o,
    output logic                       [31:0] y_o
);

  import pulsetrain_pkg::*;

  localparam logic [31:0] One = 32'h3f80_0000;

  logic [7:0] mutant;
  assign mutant = MUTANTS ? mutant_i : 8'd0;

  logic [31:0] pipe_q[ROW_CYCLES];

  // A reduction's two operands are the sum so far and the row.
  logic reducing, alone;
  logic [31:0] left, right;
  assign reducing = func_i inside {FN_REDUCE_SUM, FN_REDUCE_MAX, FN_REDUCE_MIN};
  assign alone = reducing & first_i & ~accumulate_i & (mutant != fp32_pkg::MutantReduceFromZero);
  always_comb begin
    left  = a_i;
    right = b_i;
    if (reducing) begin
      left  = !first_i ? pipe_q[ROW_CYCLES-1] : accumulate_i ? b_i : 32'd0;
      right = a_i;
    end
  end

  // Adder and multiplier, shared with the table unit.
  logic table_start, table_busy, table_done, table_mul_en, table_add_en;
  logic [31:0] table_mul_a, table_mul_b, table_add_a, table_add_b, table_y;
  logic mul_en, add_en, negate, swap;
  logic [31:0] mul_y, add_a, add_b, add_y;
  assign mul_en = table_mul_en | (valid_i & (func_i == FN_MULTIPLY));
  assign add_en = table_add_en |
      (valid_i & ~integer_i & (func_i inside {FN_ADD, FN_SUBTRACT, FN_REDUCE_SUM}));
  assign negate = func_i == FN_SUBTRACT;
  assign swap = negate & (mutant == fp32_pkg::MutantSwapSubtract);
  assign add_a = swap ? right : left;
  assign add_b = swap ? left : right;

  fp32_mul #(
      .MUTANTS(MUTANTS)
  ) u_mul (
      .en_i(mul_en),
      .a_i(table_mul_en ? table_mul_a : left),
      .b_i(table_mul_en ? table_mul_b : right),
      .mutant_i,
      .y_o(mul_y)
  );

  fp32_add #(
      .MUTANTS(MUTANTS)
  ) u_add (
      .en_i(add_en),
      .a_i(table_add_en ? table_add_a : add_a),
      .b_i(table_add_en ? table_add_b : {add_b[31] ^ negate, add_b[30:0]}),
      .mutant_i,
      .y_o(add_y)
  );

  assign table_start = valid_i & (func_i inside {FN_EXP, FN_LOG, FN_TANH});
  fp32_table #(
      .TABLE_CYCLES(TABLE_CYCLES),
      .MUTANTS(MUTANTS)
  ) u_table (
      .clk_i,
      .rst_ni,
      .start_i(table_start),
      .function_i(func_i),
      .x_i(a_i),
      .mul_en_o(table_mul_en),
      .mul_a_o(table_mul_a),
      .mul_b_o(table_mul_b),
      .mul_y_i(mul_y),
      .add_en_o(table_add_en),
      .add_a_o(table_add_a),
      .add_b_o(table_add_b),
      .add_y_i(add_y),
      .mutant_i,
      .busy_o(table_busy),
      .done_o(table_done),
      .y_o(table_y)
  );

  logic digits_start, digits_busy, digits_done;
  logic [31:0] digits_y;
  assign digits_start = valid_i & (func_i inside {FN_DIVIDE, FN_SQRT});
  fp32_div_sqrt #(
      .DIVIDE_CYCLES(DIVIDE_CYCLES),
      .SQRT_CYCLES(SQRT_CYCLES),
      .MUTANTS(MUTANTS)
  ) u_div_sqrt (
      .clk_i,
      .rst_ni,
      .start_i(digits_start),
      .sqrt_i(func_i == FN_SQRT),
      .a_i,
      .b_i,
      .mutant_i,
      .busy_o(digits_busy),
      .done_o(digits_done),
      .y_o(digits_y)
  );

  logic compare_en, equal, less, unordered;
  logic [31:0] maximum, minimum;
  assign compare_en = valid_i &
      (func_i inside {FN_SIGN, FN_MAXIMUM, FN_MINIMUM, FN_EQUAL, FN_NOT_EQUAL, FN_LESS,
                      FN_LESS_EQUAL, FN_REDUCE_MAX, FN_REDUCE_MIN});
  fp32_compare #(
      .MUTANTS(MUTANTS)
  ) u_compare (
      .en_i(compare_en),
      .integer_i,
      .a_i(left),
      .b_i(func_i == FN_SIGN ? 32'd0 : right),
      .mutant_i,
      .equal_o(equal),
      .less_o(less),
      .unordered_o(unordered),
      .maximum_o(maximum),
      .minimum_o(minimum)
  );

  logic convert_en;
  logic [31:0] converted;
  assign convert_en = valid_i &
      (func_i inside {FN_TO_BFLOAT16, FN_FLOAT32_FROM_INT32, FN_FLOAT32_FROM_INT8,
                      FN_INT32_FROM_FLOAT32, FN_INT32_FROM_INT8});
  fp32_convert #(
      .MUTANTS(MUTANTS)
  ) u_convert (
      .en_i(convert_en),
      .function_i(func_i),
      .a_i,
      .mutant_i,
      .y_o(converted)
  );

  function automatic logic [31:0] canonical(input logic [31:0] x, input logic is_integer);
    return !is_integer && fp32_pkg::is_nan(x) ? fp32_pkg::CanonicalNan : x;
  endfunction

  logic [31:0] alu_y;
  always_comb begin
    alu_y = 32'd0;
    if (valid_i) begin
      unique case (func_i)
        FN_COPY: alu_y = a_i;
        FN_NEGATIVE: begin
          alu_y = integer_i ? 32'd0 - a_i : canonical({~a_i[31], a_i[30:0]}, 1'b0);
        end
        FN_ABSOLUTE: begin
          if (integer_i) alu_y = a_i[31] ? 32'd0 - a_i : a_i;
          else alu_y = canonical({1'b0, a_i[30:0]}, 1'b0);
        end
        FN_SIGN: begin
          if (unordered) alu_y = fp32_pkg::CanonicalNan;
          else if (equal) alu_y = 32'd0;
          else if (integer_i) alu_y = less ? 32'hffff_ffff : 32'd1;
          else alu_y = {less, One[30:0]};
        end
        FN_ADD, FN_SUBTRACT, FN_REDUCE_SUM: begin
          if (!integer_i) alu_y = add_y;
          else alu_y = add_a + (negate ? ~add_b : add_b) + {31'd0, negate};
        end
        FN_MULTIPLY: alu_y = mul_y;
        FN_MAXIMUM, FN_REDUCE_MAX: alu_y = maximum;
        FN_MINIMUM, FN_REDUCE_MIN: alu_y = minimum;
        FN_EQUAL: alu_y = equal ? One : 32'd0;
        FN_NOT_EQUAL: alu_y = equal ? 32'd0 : One;
        FN_LESS: alu_y = less ? One : 32'd0;
        FN_LESS_EQUAL: alu_y = less | equal ? One : 32'd0;
        FN_SELECT: alu_y = canonical((|a_i[30:0]) ? b_i : c_i, integer_i);  // a_i is a float32
        FN_TO_BFLOAT16, FN_FLOAT32_FROM_INT32, FN_FLOAT32_FROM_INT8,
        FN_INT32_FROM_FLOAT32, FN_INT32_FROM_INT8: alu_y = converted;
        default: alu_y = 32'd0;
      endcase
      if (alone) alu_y = canonical(a_i, integer_i);
    end
  end

  // Data without reset: the unit knows which entries mean something.
  always_ff @(posedge clk_i) begin
    if (active_i) begin
      pipe_q[0] <= alu_y;
      for (int unsigned i = 1; i < ROW_CYCLES; i++) pipe_q[i] <= pipe_q[i-1];
    end
  end

  assign iterative_done_o = table_done | digits_done;
  always_comb begin
    if (table_done) y_o = table_y;
    else if (digits_done) y_o = digits_y;
    else if (reducing) y_o = pipe_q[ROW_CYCLES-1];
    else y_o = pipe_q[ALU_LATENCY-1];
  end

  logic unused_busy;
  assign unused_busy = table_busy | digits_busy;

endmodule
