// The matrix unit, weight- (and input-) stationary: streams rows through the systolic array (MATMUL).
//
// Latency: row i is asked for i cycles after the start and enters the array UB_LATENCY cycles later; its
// results stand at the array's edge, de-skewed, ROWS * DELAY + (COLS - 1) * HOP_H cycles after that.
// Throughput: one row per cycle, instructions back to back, with new weights too.
// Handshake: ready while no instruction streams; one that swaps when a tile's weights are in place; one that
// accumulates ADDER_LATENCY cycles after the previous start. release_o tells the weight FIFO's shifter in time
// that the weight registers are free: with cfg_double_i and cfg_overlap_i the instruction that swaps releases,
// else the one flagged RELEASE.
module matrix_unit
  import pulsetrain_pkg::*;
  import systolic_pkg::*;
#(
  parameter int unsigned ROWS = 8,
  parameter int unsigned COLS = 8,
  parameter int unsigned LINE = 8,
  parameter int unsigned PE_LATENCY = 1,
  parameter int unsigned HOP_H = 1,
  parameter int unsigned HOP_V = 1,
  parameter int unsigned ADDER_LATENCY = 1,
  parameter int unsigned UB_LATENCY = 1,
  parameter bit PE_INSTANCES = 1'b0  // the array as PE instances instead of loops
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               cfg_double_i,
  input  logic               cfg_overlap_i,
  input  logic [7:0]         cfg_mutant_i,
  input  logic               instr_valid_i,
  // A unit reads its own fields of the instruction.
  /* verilator lint_off UNUSEDSIGNAL */
  input  instr_t             instr_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic               instr_ready_o,
  output logic               ub_ren_o,
  output logic [23:0]        ub_raddr_o,
  output logic [1:0]         ub_ritem_o,
  input  logic [LINE*32-1:0] ub_rdata_i,
  input  logic               swappable_i,
  output logic               swap_o,
  output logic               release_o,
  input  weight_t            weight_i [COLS],
  output logic               valid_o,
  output result_t            result_o,
  output logic [31:0]        sum_o    [COLS]
);
  localparam int unsigned DELAY = PE_LATENCY + HOP_V - 1;
  localparam int unsigned RESULT = ROWS * DELAY + (COLS - 1) * HOP_H;
  // From the request of the releasing row to the cycle in which the shifter may count on the release; the
  // wavefront of operands reaches row r after r * DELAY cycles, that of weights after r * (1 + HOP_V).
  localparam int unsigned RELEASE =
      1 + (ROWS - 1) * (DELAY > 1 + HOP_V ? DELAY - 1 - HOP_V : 0);
  localparam int unsigned RELEASE_MAX = RESULT > RELEASE ? RESULT : RELEASE;
  // Rows between request and edge.
  localparam int unsigned FLIGHT_BITS = $clog2(UB_LATENCY + RESULT + 2);

  typedef struct packed {
    logic first;
    logic swap;
    logic free;
    logic int8;
    logic accumulate;
    logic [15:0] rows;  // left
    logic [23:0] address;
    logic [11:0] tail;
    logic [11:0] sub;
    logic [11:0] target_sub;
    logic [23:0] target;
  } job_t;
  typedef struct packed {
    logic valid;
    logic first;
    logic last;
    logic int8;
    logic [11:0] tail;
    logic [11:0] sub;
  } row_t;

  job_t job_q, now;
  row_t row_q [UB_LATENCY+1];
  logic busy_q, active, start, last_row, adds;
  logic [7:0] adder_wait_q;

  assign adds = instr_i.flags[FLAG_ACCUMULATE];
  assign instr_ready_o = !busy_q && !(adds && adder_wait_q != '0) &&
      (!instr_i.flags[FLAG_SWAP] || swappable_i || cfg_mutant_i == MutantSwapEarly);
  assign start = instr_valid_i && instr_ready_o;
  assign swap_o = start && instr_i.flags[FLAG_SWAP];
  assign active = busy_q || start;

  always_comb begin
    now = job_q;
    if (!busy_q) begin
      now.first = 1'b1;
      now.swap = instr_i.flags[FLAG_SWAP];
      now.free = instr_i.flags[FLAG_RELEASE];
      now.int8 = instr_i.flags[FLAG_INTEGER];
      now.accumulate = adds;
      now.rows = instr_i.rows;
      now.address = instr_i.src0;
      now.tail = instr_i.tail;
      now.sub = sub0(instr_i.src2);
      now.target_sub = sub1(instr_i.src2);
      now.target = instr_i.dst;
    end
    last_row = now.rows == 16'd1;
    ub_ren_o = active;
    ub_raddr_o = now.address;
    ub_ritem_o = {1'b0, !now.int8};
    row_q[0] = '{valid: active, first: now.first && now.swap, last: last_row && now.free,
                 int8: now.int8, tail: now.tail, sub: now.sub};
  end

  always_ff @(posedge clk_i) begin
    job_q <= now;
    job_q.first <= 1'b0;
    job_q.rows <= now.rows - 1'b1;
    job_q.address <= now.address + (now.int8 ? 24'd1 : 24'd2);
    job_q.target <= now.target + 1'b1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      adder_wait_q <= '0;
      for (int unsigned s = 1; s <= UB_LATENCY; s++) row_q[s] <= '0;
    end else begin
      busy_q <= active && !last_row;
      if (start) adder_wait_q <= 8'(ADDER_LATENCY - 1);
      else if (adder_wait_q != '0) adder_wait_q <= adder_wait_q - 1'b1;
      for (int unsigned s = 1; s <= UB_LATENCY; s++) row_q[s] <= row_q[s-1];
    end
  end

  // Release of the weight registers.
  logic [RELEASE_MAX:0] releasing;
  logic [RELEASE_MAX:1] releasing_q;
  logic release_now;
  assign release_now = cfg_double_i && cfg_overlap_i ? active && now.first && now.swap :
      active && last_row && now.free;
  assign releasing = {releasing_q, release_now};
  always_comb begin
    if (cfg_mutant_i == MutantReleaseEarly) release_o = releasing[0];
    else release_o = cfg_overlap_i ? releasing[RELEASE-1] : releasing[RESULT-1];
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) releasing_q <= '0;
    else releasing_q <= releasing[RELEASE_MAX-1:0];
  end

  // Into the array.
  row_t row;
  operand_t operand;
  logic [$bits(operand_t)-1:0] operand_in [ROWS];
  logic [$bits(operand_t)-1:0] operand_skewed [ROWS];
  operand_t left [ROWS];
  logic [$bits(weight_t)-1:0] weight_in [COLS];
  logic [$bits(weight_t)-1:0] weight_skewed [COLS];
  weight_t top [COLS];
  int unsigned source;

  assign row = row_q[UB_LATENCY];
  always_comb begin
    for (int unsigned r = 0; r < ROWS; r++) begin
      source = r;
      if (cfg_mutant_i == MutantRowsSwapped && ROWS > 1 && r < 2) source = 1 - r;
      operand = '0;
      if (row.valid) begin
        operand.valid = 1'b1;
        operand.first = row.first;
        operand.last = row.last;
        operand.int8 = row.int8;
        operand.enable = r < 32'(row.tail) || cfg_mutant_i == MutantTailIgnored;
        operand.data = row.int8 ? {8'd0, ub_rdata_i[(32'(row.sub)*ROWS+source)*8+:8]} :
            ub_rdata_i[(32'(row.sub)*ROWS+source)*16+:16];
      end
      operand_in[r] = operand;
    end
  end
  always_comb begin
    for (int unsigned c = 0; c < COLS; c++) weight_in[c] = weight_i[c];
  end
  always_comb begin
    for (int unsigned r = 0; r < ROWS; r++) left[r] = operand_t'(operand_skewed[r]);
    for (int unsigned c = 0; c < COLS; c++) top[c] = weight_t'(weight_skewed[c]);
  end

  skew #(
    .LANES(ROWS),
    .STEP (DELAY),
    .WIDTH($bits(operand_t))
  ) u_operand_skew (
    .clk_i (clk_i),
    .rst_ni(rst_ni),
    .in_i  (operand_in),
    .out_o (operand_skewed)
  );

  skew #(
    .LANES(COLS),
    .STEP (HOP_H),
    .WIDTH($bits(weight_t))
  ) u_weight_skew (
    .clk_i (clk_i),
    .rst_ni(rst_ni),
    .in_i  (weight_in),
    .out_o (weight_skewed)
  );

  logic [31:0] bottom [COLS];
  logic bottom_valid [COLS];

  if (PE_INSTANCES) begin : gen_pe
    systolic_array_pe #(
      .ROWS(ROWS),
      .COLS(COLS),
      .PE_LATENCY(PE_LATENCY),
      .HOP_H(HOP_H),
      .HOP_V(HOP_V)
    ) u_array (
      .clk_i       (clk_i),
      .rst_ni      (rst_ni),
      .cfg_double_i(cfg_double_i),
      .cfg_mutant_i(cfg_mutant_i),
      .left_i      (left),
      .top_i       (top),
      .sum_o       (bottom),
      .valid_o     (bottom_valid)
    );
  end else begin : gen_loop
    systolic_array #(
      .ROWS(ROWS),
      .COLS(COLS),
      .PE_LATENCY(PE_LATENCY),
      .HOP_H(HOP_H),
      .HOP_V(HOP_V)
    ) u_array (
      .clk_i       (clk_i),
      .rst_ni      (rst_ni),
      .cfg_double_i(cfg_double_i),
      .cfg_mutant_i(cfg_mutant_i),
      .left_i      (left),
      .top_i       (top),
      .sum_o       (bottom),
      .valid_o     (bottom_valid)
    );
  end

  // Out of the array.
  logic [32:0] edge_in [COLS];
  logic [32:0] edge_out [COLS];
  always_comb begin
    for (int unsigned c = 0; c < COLS; c++) edge_in[c] = {bottom_valid[c], bottom[c]};
  end
  always_comb begin
    for (int unsigned c = 0; c < COLS; c++) sum_o[c] = edge_out[c][31:0];
    valid_o = edge_out[0][32];
  end

  deskew #(
    .LANES(COLS),
    .STEP (HOP_H),
    .WIDTH(33)
  ) u_deskew (
    .clk_i (clk_i),
    .rst_ni(rst_ni),
    .in_i  (edge_in),
    .out_o (edge_out)
  );

  // Where the rows under way go.
  result_t flight_q [2**FLIGHT_BITS];
  logic [FLIGHT_BITS-1:0] flight_write_q, flight_read_q;
  assign result_o = flight_q[flight_read_q];
  always_ff @(posedge clk_i) begin
    if (active) begin
      flight_q[flight_write_q] <= '{line: now.target, sub: now.target_sub,
                                    accumulate: now.accumulate, int8: now.int8, last: last_row};
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      flight_write_q <= '0;
      flight_read_q <= '0;
    end else begin
      if (active) flight_write_q <= flight_write_q + 1'b1;
      if (valid_o) flight_read_q <= flight_read_q + 1'b1;
    end
  end
endmodule
