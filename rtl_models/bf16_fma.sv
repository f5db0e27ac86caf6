// a * b + c: bfloat16 factors, float32 addend and result, rounded once (IEEE fusedMultiplyAdd).
//
// Latency 0: combinational.
module bf16_fma #(
    parameter bit MUTANTS = 1'b0
) (
    input  logic [15:0] a_i,
    input  logic [15:0] b_i,
    input  logic [31:0] c_i,
    input  logic [ 7:0] mutant_i,
    output logic [31:0] y_o
);

  assign y_o = fp32_pkg::bf16_fma(a_i, b_i, c_i, MUTANTS ? mutant_i : 8'd0);

endmodule
