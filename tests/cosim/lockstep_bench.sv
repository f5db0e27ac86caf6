// Both forms of the weight-stationary array on the same random ports, compared in every cycle.
//
// Rows of operands come at random with tails, swaps and releases; weight lines come in tiles of ROWS lines,
// at random times: whether they meet free registers or not, both forms must do the same.
module lockstep_bench
  import systolic_pkg::*;
#(
  parameter int unsigned ROWS = 4,
  parameter int unsigned COLS = 4,
  parameter int unsigned PE_LATENCY = 1,
  parameter int unsigned HOP_H = 1,
  parameter int unsigned HOP_V = 1
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  mutant_i,  // of the loop form alone
  output logic [31:0] compared_o,
  output logic [31:0] different_o
);
  operand_t left_q [ROWS];
  weight_t top_q [COLS];
  logic double_q;
  logic [31:0] loop_sum [COLS], pe_sum [COLS];
  logic loop_valid [COLS], pe_valid [COLS];

  systolic_array #(
    .ROWS(ROWS),
    .COLS(COLS),
    .PE_LATENCY(PE_LATENCY),
    .HOP_H(HOP_H),
    .HOP_V(HOP_V)
  ) u_loop (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .cfg_double_i(double_q),
    .cfg_mutant_i(mutant_i),
    .left_i      (left_q),
    .top_i       (top_q),
    .sum_o       (loop_sum),
    .valid_o     (loop_valid)
  );

  systolic_array_pe #(
    .ROWS(ROWS),
    .COLS(COLS),
    .PE_LATENCY(PE_LATENCY),
    .HOP_H(HOP_H),
    .HOP_V(HOP_V)
  ) u_pe (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .cfg_double_i(double_q),
    .cfg_mutant_i(8'd0),
    .left_i      (left_q),
    .top_i       (top_q),
    .sum_o       (pe_sum),
    .valid_o     (pe_valid)
  );

  // Mostly ordinary numbers near 1, so that sums stay finite; sometimes any bits at all.
  function automatic logic [15:0] value(input logic [31:0] random);
    if (random[31:28] == 4'd0) return random[15:0];
    return {random[15], 5'b01111, random[9:0]};
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      double_q <= 1'b1;
      for (int unsigned r = 0; r < ROWS; r++) left_q[r] <= '0;
      for (int unsigned c = 0; c < COLS; c++) top_q[c] <= '0;
    end else begin
      if (10'($urandom) == '0) double_q <= !double_q;
      for (int unsigned r = 0; r < ROWS; r++) begin
        left_q[r] <= operand_t'({5'($urandom) | 5'b10000, value($urandom)});
        if (2'($urandom) == '0) left_q[r] <= '0;
      end
      for (int unsigned c = 0; c < COLS; c++) top_q[c] <= '{valid: 1'($urandom), data: value($urandom)};
    end
  end

  // Sums of the same cycle. A sum that is not valid is used by no one; the PEs need not agree on it.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      compared_o <= '0;
      different_o <= '0;
    end else begin
      for (int unsigned c = 0; c < COLS; c++) begin
        if (loop_valid[c] != pe_valid[c] || (pe_valid[c] && loop_sum[c] != pe_sum[c])) begin
          different_o <= different_o + 1'b1;
        end
        if (pe_valid[c]) compared_o <= compared_o + 1'b1;
      end
    end
  end
endmodule
