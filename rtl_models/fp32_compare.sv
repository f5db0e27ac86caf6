// Comparison, maximum and minimum of float32, or of int32 with integer_i.
//
// A NaN is unordered: neither equal nor less, and maximum and minimum are the canonical NaN. The
// zeros are equal; the maximum of zeros of both signs is +0, the minimum -0. Latency 0:
// combinational. While en_i is low all outputs are 0.
module fp32_compare #(
    parameter bit MUTANTS = 1'b0
) (
    input  logic        en_i,
    input  logic        integer_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    input  logic [ 7:0] mutant_i,
    output logic        equal_o,
    output logic        less_o,
    output logic        unordered_o,
    output logic [31:0] maximum_o,
    output logic [31:0] minimum_o
);

  logic [7:0] mutant;
  logic zeros;

  assign mutant = MUTANTS ? mutant_i : 8'd0;

  always_comb begin
    zeros       = 1'b0;
    equal_o     = 1'b0;
    less_o      = 1'b0;
    unordered_o = 1'b0;
    maximum_o   = 32'd0;
    minimum_o   = 32'd0;
    if (en_i) begin
      if (integer_i) begin
        equal_o = a_i == b_i;
        less_o  = $signed(a_i) < $signed(b_i);
      end else begin
        unordered_o = fp32_pkg::is_nan(a_i) | fp32_pkg::is_nan(b_i);
        zeros       = ~(|a_i[30:0]) & ~(|b_i[30:0]);
        equal_o     = ~unordered_o & ((a_i == b_i) | zeros);
        if (!unordered_o && !zeros) begin
          if (a_i[31] != b_i[31]) less_o = a_i[31];
          else less_o = a_i[31] ? a_i[30:0] > b_i[30:0] : a_i[30:0] < b_i[30:0];
        end
      end
      maximum_o = less_o ? b_i : a_i;
      minimum_o = less_o ? a_i : b_i;
      if (zeros) begin
        maximum_o = {a_i[31] & b_i[31], 31'd0};
        minimum_o = {a_i[31] | b_i[31], 31'd0};
        if (mutant == fp32_pkg::MutantMinimumZero) minimum_o = b_i;
      end
      if (unordered_o) begin
        maximum_o = fp32_pkg::CanonicalNan;
        minimum_o = fp32_pkg::CanonicalNan;
      end
    end
  end

endmodule
