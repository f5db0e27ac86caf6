// All arithmetic units side by side; `op_i` (a function_e, or 31 for the fused multiply-add)
// selects one. Combinational units answer in y_o at once, the iterative ones (divide, sqrt, exp,
// log, tanh) with done_o.
module arith_bench #(
    parameter int unsigned DIVIDE_CYCLES = 28,
    parameter int unsigned SQRT_CYCLES = 28,
    parameter int unsigned TABLE_CYCLES = 14
) (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        start_i,
    input  logic [ 4:0] op_i,
    input  logic        integer_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    input  logic [31:0] c_i,
    input  logic [ 7:0] mutant_i,
    output logic        busy_o,
    output logic        done_o,
    output logic [31:0] y_o
);

  import pulsetrain_pkg::*;

  localparam bit Mutants = 1'b1;
  function_e op;
  assign op = function_e'(op_i);

  logic [31:0] fma_y, add_y, mul_y, maximum, minimum, converted, digits_y, table_y;
  logic equal, less, unordered;
  logic digits_busy, digits_done, table_busy, table_done;
  logic table_mul_en, table_add_en;
  logic [31:0] table_mul_a, table_mul_b, table_add_a, table_add_b;

  bf16_fma #(.MUTANTS(Mutants)) u_fma (
      .a_i(op_i == 5'd31 ? a_i[15:0] : 16'd0),
      .b_i(b_i[15:0]),
      .c_i,
      .mutant_i,
      .y_o(fma_y)
  );
  fp32_add #(.MUTANTS(Mutants)) u_add (
      .en_i(op == FN_ADD || table_add_en),
      .a_i(table_add_en ? table_add_a : a_i),
      .b_i(table_add_en ? table_add_b : b_i),
      .mutant_i,
      .y_o(add_y)
  );
  fp32_mul #(.MUTANTS(Mutants)) u_mul (
      .en_i(op == FN_MULTIPLY || table_mul_en),
      .a_i(table_mul_en ? table_mul_a : a_i),
      .b_i(table_mul_en ? table_mul_b : b_i),
      .mutant_i,
      .y_o(mul_y)
  );
  fp32_compare #(.MUTANTS(Mutants)) u_compare (
      .en_i(op inside {FN_MAXIMUM, FN_MINIMUM, FN_EQUAL, FN_NOT_EQUAL, FN_LESS, FN_LESS_EQUAL}),
      .integer_i,
      .a_i,
      .b_i,
      .mutant_i,
      .equal_o(equal),
      .less_o(less),
      .unordered_o(unordered),
      .maximum_o(maximum),
      .minimum_o(minimum)
  );
  fp32_convert #(.MUTANTS(Mutants)) u_convert (
      .en_i(op inside {[FN_TO_BFLOAT16 : FN_INT32_FROM_INT8]}),
      .function_i(op),
      .a_i,
      .mutant_i,
      .y_o(converted)
  );
  fp32_div_sqrt #(
      .DIVIDE_CYCLES(DIVIDE_CYCLES),
      .SQRT_CYCLES(SQRT_CYCLES),
      .MUTANTS(Mutants)
  ) u_div_sqrt (
      .clk_i,
      .rst_ni,
      .start_i(start_i && (op inside {FN_DIVIDE, FN_SQRT})),
      .sqrt_i(op == FN_SQRT),
      .a_i,
      .b_i,
      .mutant_i,
      .busy_o(digits_busy),
      .done_o(digits_done),
      .y_o(digits_y)
  );
  fp32_table #(
      .TABLE_CYCLES(TABLE_CYCLES),
      .MUTANTS(Mutants)
  ) u_table (
      .clk_i,
      .rst_ni,
      .start_i(start_i && (op inside {FN_EXP, FN_LOG, FN_TANH})),
      .function_i(op),
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

  assign busy_o = digits_busy | table_busy;
  assign done_o = digits_done | table_done;

  always_comb begin
    unique case (op)
      FN_ADD: y_o = add_y;
      FN_MULTIPLY: y_o = mul_y;
      FN_MAXIMUM: y_o = maximum;
      FN_MINIMUM: y_o = minimum;
      FN_EQUAL: y_o = {31'd0, equal};
      FN_NOT_EQUAL: y_o = {31'd0, unordered};
      FN_LESS: y_o = {31'd0, less};
      FN_LESS_EQUAL: y_o = {31'd0, less | equal};
      FN_DIVIDE, FN_SQRT: y_o = digits_y;
      FN_EXP, FN_LOG, FN_TANH: y_o = table_y;
      default: y_o = op_i == 5'd31 ? fma_y : converted;
    endcase
  end

endmodule
