// matrix_unit_os: the last PE has the sum of a MATMUL's last pair exactly
// UB_LATENCY + (ROWS - 1) * HOP_V + (COLS - 1) * HOP_H + PE_LATENCY cycles after that pair was asked for, pairs are
// asked for every PE_LATENCY cycles, DRAIN starts after all of them and takes ROWS cycles (docs/timing.md).
module latency_os_properties
  import pulsetrain_pkg::*;
  import systolic_pkg::*;
#(
  parameter int unsigned ROWS = 2,
  parameter int unsigned COLS = 2,
  parameter int unsigned PE_LATENCY = 1,
  parameter int unsigned HOP_H = 1,
  parameter int unsigned HOP_V = 1,
  parameter int unsigned UB_LATENCY = 1,
  parameter int EXTRA = 0  // a wrong table: so many cycles more
) (
  input logic clk_i,
  input logic rst_ni,
  input logic valid_i,
  input instr_t instr_i,
  output logic seen_done_o,
  output logic seen_drain_o
);
  localparam int unsigned LINE = ROWS > COLS ? ROWS : COLS;
  // From the last pair's request to the cycle before the end.
  localparam int unsigned DONE =
      32'(int'(UB_LATENCY + (ROWS - 1) * HOP_V + (COLS - 1) * HOP_H + PE_LATENCY - 1) + EXTRA);

  logic ready, start, done, ask, valid, write, is_drain, drained;
  result_t result;
  assign is_drain = instr_i.opcode == OP_DRAIN;
  matrix_unit_os #(
    .ROWS(ROWS), .COLS(COLS), .LINE(LINE), .PE_LATENCY(PE_LATENCY), .HOP_H(HOP_H), .HOP_V(HOP_V),
    .UB_LATENCY(UB_LATENCY)
  ) u_matrix (
    .clk_i, .rst_ni, .cfg_mutant_i(8'd0), .instr_valid_i(valid_i), .instr_i, .instr_ready_o(ready),
    .done_o(done), .left_ren_o(ask), .left_raddr_o(), .top_ren_o(), .top_raddr_o(), .ub_ritem_o(),
    .left_rdata_i('0), .top_rdata_i('0), .valid_o(valid), .write_o(write), .result_o(result), .sum_o(),
    .drained_i(drained)
  );
  assign start = valid_i && ready;
  assign drained = valid && result.last;  // an adder of latency 1

  // The MATMUL under way: pairs left and cycles until the next; or the rows of the DRAIN left.
  logic [15:0] pairs_q, pairs, rows_q, rows;
  logic [7:0] phase_q, phase, open_q;
  assign pairs = start && !is_drain ? instr_i.rows : pairs_q;
  assign phase = start ? '0 : phase_q;
  assign rows = start && is_drain ? 16'(ROWS) : rows_q;
  logic asks;
  assign asks = pairs != '0 && phase == '0;
  logic [DONE:0] last;
  logic [DONE:1] last_q;
  assign last = {last_q, asks && pairs == 16'd1};
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {pairs_q, rows_q, phase_q, open_q, last_q} <= '0;
    end else begin
      phase_q <= phase == 8'(PE_LATENCY - 1) ? '0 : phase + 1'b1;
      pairs_q <= pairs != '0 && phase == 8'(PE_LATENCY - 1) ? pairs - 1'b1 : pairs;
      rows_q <= rows == '0 ? '0 : rows - 1'b1;
      open_q <= open_q + 8'(start && !is_drain) - 8'(last[DONE]);
      last_q <= last[DONE-1:0];
    end
  end
  assign seen_done_o = last[DONE];
  assign seen_drain_o = drained;

  always_comb begin
    if (valid_i) assume (instr_i.rows != '0 && (is_drain || instr_i.opcode == OP_MATMUL));
    assert (ask == asks);
    assert (ready == (pairs_q == '0 && rows_q == '0 && (!is_drain || open_q == '0)));
    assert (valid == (rows != '0));
    assert (done == (last[DONE] || drained));  // one at a time: a DRAIN waits for all MATMULs
    if (rows == 16'd1) assert (result.last);
  end
endmodule
