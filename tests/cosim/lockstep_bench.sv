// Both forms of an array on the same random ports, compared in every cycle.
//
// Operands come at random with tails, firsts (swaps) and lasts (releases), weights and top operands at random
// times, and an output-stationary array is drained at random: whether a unit would do so or not, both forms
// must do the same.
module lockstep_bench
  import systolic_pkg::*;
#(
  parameter bit OUTPUT_STATIONARY = 1'b0,
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
  logic double_q, drain_q;
  logic [31:0] loop_sum [COLS], pe_sum [COLS];
  logic loop_valid [COLS], pe_valid [COLS];
  logic loop_last, pe_last;

  if (OUTPUT_STATIONARY) begin : gen_os
    systolic_array_os #(
      .ROWS(ROWS),
      .COLS(COLS),
      .PE_LATENCY(PE_LATENCY),
      .HOP_H(HOP_H),
      .HOP_V(HOP_V)
    ) u_loop (
      .clk_i       (clk_i),
      .rst_ni      (rst_ni),
      .cfg_mutant_i(mutant_i),
      .left_i      (left_q),
      .top_i       (top_q),
      .drain_i     (drain_q),
      .row_o       (loop_sum),
      .last_o      (loop_last)
    );

    systolic_array_os_pe #(
      .ROWS(ROWS),
      .COLS(COLS),
      .PE_LATENCY(PE_LATENCY),
      .HOP_H(HOP_H),
      .HOP_V(HOP_V)
    ) u_pe (
      .clk_i       (clk_i),
      .rst_ni      (rst_ni),
      .cfg_mutant_i(8'd0),
      .left_i      (left_q),
      .top_i       (top_q),
      .drain_i     (drain_q),
      .row_o       (pe_sum),
      .last_o      (pe_last)
    );
    for (genvar c = 0; c < COLS; c++) begin : gen_valid
      assign loop_valid[c] = 1'b1;
      assign pe_valid[c] = 1'b1;
    end
  end else begin : gen_ws
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
    assign loop_last = 1'b0;
    assign pe_last = 1'b0;
  end

  // Mostly ordinary numbers near 1, so that sums stay finite; sometimes any bits at all.
  function automatic logic [15:0] value(input logic [31:0] random);
    if (random[31:28] == 4'd0) return random[15:0];
    return {random[15], 5'b01111, random[9:0]};
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      double_q <= 1'b1;
      drain_q <= 1'b0;
      for (int unsigned r = 0; r < ROWS; r++) left_q[r] <= '0;
      for (int unsigned c = 0; c < COLS; c++) top_q[c] <= '0;
    end else begin
      if (10'($urandom) == '0) double_q <= !double_q;
      drain_q <= 4'($urandom) == '0;
      for (int unsigned r = 0; r < ROWS; r++) begin
        left_q[r] <= operand_t'({5'($urandom) | 5'b10000, value($urandom)});
        if (2'($urandom) == '0) begin
          if (OUTPUT_STATIONARY) left_q[r].valid <= 1'b0;
          else left_q[r] <= '0;  // its sum, of no use, would go into others here
        end
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
      if (loop_last != pe_last) different_o <= different_o + 1'b1;
      for (int unsigned c = 0; c < COLS; c++) begin
        if (loop_valid[c] != pe_valid[c] || (pe_valid[c] && loop_sum[c] != pe_sum[c])) begin
          different_o <= different_o + 1'b1;
        end
        if (pe_valid[c]) compared_o <= compared_o + 1'b1;
      end
    end
  end
endmodule
