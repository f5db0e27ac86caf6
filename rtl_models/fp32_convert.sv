// Conversions: float32 to bfloat16 (upper half 0) and to int32, int32 and int8 to float32, int8 to
// int32.
//
// To bfloat16 and from int32: nearest even; overflow to infinity, subnormals kept. To int32:
// towards zero, saturating, NaN gives 0. The function is one of FN_TO_BFLOAT16 ...
// FN_INT32_FROM_INT8; others give 0. Latency 0: combinational. While en_i is low the result is 0.
module fp32_convert #(
    parameter bit MUTANTS = 1'b0
) (
    input  logic                              en_i,
    input  pulsetrain_pkg::function_e         function_i,
    input  logic                       [31:0] a_i,
    input  logic                       [ 7:0] mutant_i,
    output logic                       [31:0] y_o
);

  import pulsetrain_pkg::*;

  logic [7:0] mutant;
  assign mutant = MUTANTS ? mutant_i : 8'd0;

  function automatic logic [31:0] to_bfloat16(input logic [31:0] x);
    logic up;
    up = x[15] & (x[16] | (|x[14:0]));
    return {16'd0, fp32_pkg::is_nan(x) ? fp32_pkg::CanonicalNan[31:16] : x[31:16] + {15'd0, up}};
  endfunction

  function automatic logic [31:0] from_int32(input logic [31:0] x);
    logic [31:0] magnitude, m;
    logic [5:0] zeros;
    if (x == 32'd0) return 32'd0;
    magnitude = x[31] ? 32'd0 - x : x;
    zeros = fp32_pkg::leading_zeros(magnitude);
    m = magnitude << zeros;
    return fp32_pkg::round_pack(x[31], 9'd158 - {3'd0, zeros}, {m[31:6], |m[5:0]});
  endfunction

  function automatic logic [31:0] to_int32(input logic [31:0] x, input logic [7:0] fault);
    logic [31:0] magnitude;
    logic [54:0] wide;  // 31 integer bits, 24 of fraction
    if (fp32_pkg::is_nan(x)) return 32'd0;
    if (x[30:23] >= 8'd158) return x[31] ? 32'h8000_0000 : 32'h7fff_ffff;
    if (x[30:23] < 8'd127) wide = {54'd0, |x[30:0]};
    else wide = {30'd0, 1'b1, x[22:0], 1'b0} << (x[27:23] + 5'd1);  // 127 is 31 modulo 32
    magnitude = {1'b0, wide[54:24]};
    if (fault == fp32_pkg::MutantTruncateFloor && x[31] && (|wide[23:0])) begin
      magnitude = magnitude + 32'd1;
    end
    return x[31] ? 32'd0 - magnitude : magnitude;
  endfunction

  always_comb begin
    y_o = 32'd0;
    if (en_i) begin
      unique case (function_i)
        FN_TO_BFLOAT16:       y_o = to_bfloat16(a_i);
        FN_FLOAT32_FROM_INT32: y_o = from_int32(a_i);
        FN_FLOAT32_FROM_INT8:  y_o = from_int32({{24{a_i[7]}}, a_i[7:0]});
        FN_INT32_FROM_FLOAT32: y_o = to_int32(a_i, mutant);
        FN_INT32_FROM_INT8:    y_o = {{24{a_i[7]}}, a_i[7:0]};
        default:            y_o = 32'd0;
      endcase
    end
  end

endmodule
