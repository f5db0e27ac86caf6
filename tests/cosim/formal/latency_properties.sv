// matrix_unit and accumulators: a row of results stands at the edge exactly
// UB_LATENCY + ROWS * D + (COLS - 1) * HOP_H cycles after its operands were asked for, never otherwise, with its
// own destination; MATMUL ends ADDER_LATENCY cycles after its last row (docs/timing.md).
module latency_properties
  import pulsetrain_pkg::*;
  import systolic_pkg::*;
#(
  parameter int unsigned ROWS = 2,
  parameter int unsigned COLS = 2,
  parameter int unsigned PE_LATENCY = 1,
  parameter int unsigned HOP_H = 1,
  parameter int unsigned HOP_V = 1,
  parameter int unsigned UB_LATENCY = 1,
  parameter int unsigned ADDER_LATENCY = 1,
  parameter bit PE_INSTANCES = 1'b0,
  parameter int EXTRA = 0,  // a wrong table: so many cycles more
  parameter logic [7:0] MUTANT = 8'd0
) (
  input logic clk_i,
  input logic rst_ni,
  input logic any_double,
  input logic any_overlap,
  input logic valid_i,
  input instr_t instr_i,
  input logic swappable_i,
  output logic seen_done_o
);
  localparam int unsigned LINE = ROWS > COLS ? ROWS : COLS;
  localparam int unsigned D = PE_LATENCY + HOP_V - 1;
  localparam int unsigned RESULT = 32'(int'(UB_LATENCY + ROWS * D + (COLS - 1) * HOP_H) + EXTRA);
  localparam int unsigned DONE = RESULT + ADDER_LATENCY - 1;

  logic ready, start, ub_ren, valid, done, swap, release_weights;
  result_t result;
  logic [31:0] sum [COLS];
  logic [1:0] ritem;
  logic [23:0] raddr;
  weight_t weight [COLS];
  logic ren [3];
  logic [23:0] acc_raddr [3];
  always_comb begin
    for (int unsigned c = 0; c < COLS; c++) weight[c] = '0;
    for (int unsigned p = 0; p < 3; p++) begin
      ren[p] = 1'b0;
      acc_raddr[p] = '0;
    end
  end
  matrix_unit #(
    .ROWS(ROWS), .COLS(COLS), .LINE(LINE), .PE_LATENCY(PE_LATENCY), .HOP_H(HOP_H), .HOP_V(HOP_V),
    .ADDER_LATENCY(ADDER_LATENCY), .UB_LATENCY(UB_LATENCY), .PE_INSTANCES(PE_INSTANCES)
  ) u_matrix (
    .clk_i, .rst_ni, .cfg_double_i(any_double), .cfg_overlap_i(any_overlap), .cfg_mutant_i(MUTANT),
    .instr_valid_i(valid_i), .instr_i(instr_i), .instr_ready_o(ready), .ub_ren_o(ub_ren),
    .ub_raddr_o(raddr), .ub_ritem_o(ritem), .ub_rdata_i('0), .swappable_i, .swap_o(swap),
    .release_o(release_weights), .weight_i(weight), .valid_o(valid), .result_o(result), .sum_o(sum)
  );
  accumulators #(
    .COLS(COLS), .LINE(LINE), .ACC_LINES(2), .ADDER_LATENCY(ADDER_LATENCY), .UB_LATENCY(UB_LATENCY)
  ) u_accumulators (
    .clk_i, .rst_ni, .cfg_mutant_i(MUTANT), .valid_i(valid), .write_i(1'b1), .result_i(result), .sum_i(sum),
    .done_o(done), .ren_i(ren), .raddr_i(acc_raddr), .rdata_o()
  );
  assign start = valid_i && ready;

  // The instruction under way: rows left and the next row's line of the accumulators.
  logic [15:0] left_q, left;
  logic [23:0] line_q, line;
  logic [13:0] how_q, how;  // sub-line, accumulate, int8
  assign left = left_q == '0 ? (start ? instr_i.rows : '0) : left_q;
  assign line = left_q == '0 ? instr_i.dst : line_q;
  assign how = left_q == '0 ? {sub1(instr_i.src2), instr_i.flags[FLAG_ACCUMULATE], instr_i.flags[FLAG_INTEGER]} :
      how_q;

  // What must come: [k] was asked for k cycles ago.
  logic [RESULT:0] row;
  logic [RESULT:1] row_q;
  logic [DONE:0] last;
  logic [DONE:1] last_q;
  result_t where [RESULT+1];
  result_t where_q [RESULT+1];
  assign row = {row_q, left != '0};
  assign last = {last_q, left == 16'd1};
  always_comb begin
    where[0] = '{line: line, sub: how[13:2], accumulate: how[1], int8: how[0], last: left == 16'd1};
    for (int unsigned s = 1; s <= RESULT; s++) where[s] = where_q[s];
  end
  // From the last start, when the next instruction may accumulate.
  logic [7:0] since_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      left_q <= '0;
      row_q <= '0;
      last_q <= '0;
      since_q <= 8'd255;
    end else begin
      left_q <= left == '0 ? '0 : left - 1'b1;
      row_q <= row[RESULT-1:0];
      last_q <= last[DONE-1:0];
      since_q <= start ? 8'd1 : since_q == 8'd255 ? since_q : since_q + 1'b1;
    end
  end
  always_ff @(posedge clk_i) begin
    line_q <= line + 1'b1;
    how_q <= how;
    for (int unsigned s = 1; s <= RESULT; s++) where_q[s] <= where[s-1];
  end
  assign seen_done_o = done;

  always_comb begin
    if (valid_i) assume (instr_i.rows != '0);
    assert (ub_ren == row[0]);  // from the start, one row per cycle
    assert (valid == row[RESULT]);
    if (valid) assert (result == where[RESULT]);
    assert (done == last[DONE]);
    assert (ready == (left_q == '0 && (!instr_i.flags[FLAG_SWAP] || swappable_i) &&
            (!instr_i.flags[FLAG_ACCUMULATE] || since_q >= 8'(ADDER_LATENCY))));
  end

  // What induction needs to know: the unit's own notes on the instruction, and its list of rows under way.
  localparam int unsigned FLIGHT_BITS = $clog2(UB_LATENCY + (RESULT - UB_LATENCY) + 2);
  logic [FLIGHT_BITS-1:0] slot;
  always_comb begin
    assert (u_matrix.busy_q == (left_q != '0));
    if (left_q != '0) begin
      assert (u_matrix.job_q.rows == left_q && u_matrix.job_q.target == line_q);
      assert ({u_matrix.job_q.target_sub, u_matrix.job_q.accumulate, u_matrix.job_q.int8} == how_q);
    end
    assert (u_matrix.adder_wait_q ==
            (since_q >= 8'(ADDER_LATENCY) ? 8'd0 : 8'(ADDER_LATENCY) - since_q));
    slot = u_matrix.flight_read_q;
    for (int unsigned s = RESULT; s >= 1; s--) begin
      if (row[s]) begin
        assert (u_matrix.flight_q[slot] == where[s]);
        slot = slot + 1'b1;
      end
    end
    assert (slot == u_matrix.flight_write_q);
  end
endmodule
