// a * b of float32, rounded to nearest even.
//
// Latency 0: combinational. While en_i is low the result is 0 and nothing toggles (operand
// isolation; in simulation nothing is computed).
module fp32_mul #(
    parameter bit MUTANTS = 1'b0
) (
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    input  logic [ 7:0] mutant_i,
    output logic [31:0] y_o
);

  always_comb begin
    y_o = 32'd0;
    if (en_i) y_o = fp32_pkg::mul(a_i, b_i, MUTANTS ? mutant_i : 8'd0);
  end

endmodule
