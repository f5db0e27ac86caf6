// The matrix unit, output-stationary: MATMUL streams pairs of lines, DRAIN shifts the sums out.
//
// Latency: MATMUL: pair k is asked for k * PE_LATENCY cycles after the start and enters the array UB_LATENCY
// cycles later. DRAIN: the last row's sums leave in the cycle of the start, the other rows' after it.
// Throughput: one pair every PE_LATENCY cycles; DRAIN takes ROWS cycles.
// Handshake: ready while no instruction streams; DRAIN not before every MATMUL before it has ended.
// Completions are reported in program order, at most one a cycle: a MATMUL may be complete while the adder
// still works on the DRAIN before it.
module matrix_unit_os
  import pulsetrain_pkg::*;
  import systolic_pkg::*;
#(
  parameter int unsigned ROWS = 8,
  parameter int unsigned COLS = 8,
  parameter int unsigned LINE = 8,
  parameter int unsigned PE_LATENCY = 1,
  parameter int unsigned HOP_H = 1,
  parameter int unsigned HOP_V = 1,
  parameter int unsigned UB_LATENCY = 1,
  parameter bit PE_INSTANCES = 1'b0  // the array as PE instances instead of loops
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic [7:0]         cfg_mutant_i,
  input  logic               instr_valid_i,
  // A unit reads its own fields of the instruction.
  /* verilator lint_off UNUSEDSIGNAL */
  input  instr_t             instr_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic               instr_ready_o,
  output logic               done_o,
  output logic               left_ren_o,
  output logic [23:0]        left_raddr_o,
  output logic               top_ren_o,
  output logic [23:0]        top_raddr_o,
  output logic [1:0]         ub_ritem_o,
  input  logic [LINE*32-1:0] left_rdata_i,
  input  logic [LINE*32-1:0] top_rdata_i,
  output logic               valid_o,
  output logic               write_o,
  output result_t            result_o,
  output logic [31:0]        sum_o [COLS],
  input  logic               drained_i  // the accumulators have written a DRAIN's last line
);
  localparam int unsigned INFLIGHT_BITS = $clog2(UB_LATENCY + ROWS * HOP_V + COLS * HOP_H + 256);

  typedef struct packed {
    logic drain;
    logic first;
    logic accumulate;
    logic int8;
    logic [15:0] left_count;  // pairs left; DRAIN: rows left
    logic [7:0] phase;  // cycles until the next pair
    logic [23:0] left;
    logic [23:0] top;
    logic [11:0] left_sub;
    logic [11:0] top_sub;
    logic [15:0] rows;  // DRAIN
    logic [23:0] target;
  } job_t;
  typedef struct packed {
    logic valid;
    logic first;
    logic last;
    logic int8;
    logic [11:0] left_sub;
    logic [11:0] top_sub;
  } pair_t;

  job_t job_q, now;
  pair_t pair_q [UB_LATENCY+1];
  logic busy_q, active, start, is_drain, ask, finished;
  logic [INFLIGHT_BITS-1:0] matmuls_q;  // not ended

  assign is_drain = instr_i.opcode == OP_DRAIN;
  assign instr_ready_o = !busy_q && !(is_drain && matmuls_q != '0);
  assign start = instr_valid_i && instr_ready_o;
  assign active = busy_q || start;

  always_comb begin
    now = job_q;
    if (!busy_q) begin
      now.drain = is_drain;
      now.first = 1'b1;
      now.accumulate = instr_i.flags[FLAG_ACCUMULATE];
      now.int8 = instr_i.flags[FLAG_INTEGER];
      now.left_count = is_drain ? 16'(ROWS) : instr_i.rows;
      now.phase = '0;
      now.left = instr_i.src0;
      now.top = instr_i.src1;
      now.left_sub = sub0(instr_i.src2);
      now.top_sub = sub1(instr_i.src2);
      now.rows = instr_i.rows;
      now.target = instr_i.dst;
    end
    ask = active && !now.drain && now.phase == '0;
    finished = now.left_count == 16'd1 && (now.drain || now.phase == 8'(PE_LATENCY - 1));
    left_ren_o = ask;
    top_ren_o = ask;
    left_raddr_o = now.left;
    top_raddr_o = now.top;
    ub_ritem_o = {1'b0, !now.int8};
    pair_q[0] = '{valid: ask, first: now.first && !now.accumulate, last: now.left_count == 16'd1,
                  int8: now.int8, left_sub: now.left_sub, top_sub: now.top_sub};
  end

  always_ff @(posedge clk_i) begin
    job_q <= now;
    if (now.drain || now.phase == 8'(PE_LATENCY - 1)) begin
      job_q.phase <= '0;
      job_q.first <= 1'b0;
      job_q.left_count <= now.left_count - 1'b1;
      job_q.left <= now.left + (now.int8 ? 24'd1 : 24'd2);
      job_q.top <= now.top + (now.int8 ? 24'd1 : 24'd2);
    end else begin
      job_q.phase <= now.phase + 1'b1;
    end
  end

  // Into the array.
  pair_t pair;
  operand_t operand;
  weight_t weight;
  logic [$bits(operand_t)-1:0] left_in [ROWS];
  logic [$bits(operand_t)-1:0] left_skewed [ROWS];
  operand_t left [ROWS];
  logic [$bits(weight_t)-1:0] top_in [COLS];
  logic [$bits(weight_t)-1:0] top_skewed [COLS];
  weight_t top [COLS];
  int unsigned source;

  assign pair = pair_q[UB_LATENCY];
  always_comb begin
    for (int unsigned r = 0; r < ROWS; r++) begin
      source = r;
      if (cfg_mutant_i == MutantRowsSwapped && ROWS > 1 && r < 2) source = 1 - r;
      operand = '{valid: pair.valid, first: pair.first, last: pair.last, enable: 1'b1,
                  int8: pair.int8, data: '0};
      if (pair.valid) begin
        operand.data = pair.int8 ? {8'd0, left_rdata_i[(32'(pair.left_sub)*ROWS+source)*8+:8]} :
            left_rdata_i[(32'(pair.left_sub)*ROWS+source)*16+:16];
      end
      left_in[r] = operand;
    end
    for (int unsigned c = 0; c < COLS; c++) begin
      weight = '{valid: pair.valid, data: '0};
      if (pair.valid) begin
        weight.data = pair.int8 ? {8'd0, top_rdata_i[(32'(pair.top_sub)*COLS+c)*8+:8]} :
            top_rdata_i[(32'(pair.top_sub)*COLS+c)*16+:16];
      end
      top_in[c] = weight;
    end
  end
  always_comb begin
    for (int unsigned r = 0; r < ROWS; r++) left[r] = operand_t'(left_skewed[r]);
    for (int unsigned c = 0; c < COLS; c++) top[c] = weight_t'(top_skewed[c]);
  end

  skew #(
    .LANES(ROWS),
    .STEP (HOP_V),
    .WIDTH($bits(operand_t))
  ) u_left_skew (
    .clk_i (clk_i),
    .rst_ni(rst_ni),
    .in_i  (left_in),
    .out_o (left_skewed)
  );

  skew #(
    .LANES(COLS),
    .STEP (HOP_H),
    .WIDTH($bits(weight_t))
  ) u_top_skew (
    .clk_i (clk_i),
    .rst_ni(rst_ni),
    .in_i  (top_in),
    .out_o (top_skewed)
  );

  logic drain, matmul_done;
  assign drain = active && now.drain;

  if (PE_INSTANCES) begin : gen_pe
    systolic_array_os_pe #(
      .ROWS(ROWS),
      .COLS(COLS),
      .PE_LATENCY(PE_LATENCY),
      .HOP_H(HOP_H),
      .HOP_V(HOP_V)
    ) u_array (
      .clk_i       (clk_i),
      .rst_ni      (rst_ni),
      .cfg_mutant_i(cfg_mutant_i),
      .left_i      (left),
      .top_i       (top),
      .drain_i     (drain),
      .row_o       (sum_o),
      .last_o      (matmul_done)
    );
  end else begin : gen_loop
    systolic_array_os #(
      .ROWS(ROWS),
      .COLS(COLS),
      .PE_LATENCY(PE_LATENCY),
      .HOP_H(HOP_H),
      .HOP_V(HOP_V)
    ) u_array (
      .clk_i       (clk_i),
      .rst_ni      (rst_ni),
      .cfg_mutant_i(cfg_mutant_i),
      .left_i      (left),
      .top_i       (top),
      .drain_i     (drain),
      .row_o       (sum_o),
      .last_o      (matmul_done)
    );
  end

  // Out of the array: row ROWS - 1 first.
  always_comb begin
    valid_o = drain;
    write_o = now.left_count <= now.rows;
    result_o = '{line: now.target + 24'(now.left_count) - 24'd1, sub: now.top_sub,
                 accumulate: 1'b0, int8: now.int8, last: now.left_count == 16'd1};
  end

  // Completions in program order.
  logic kind_q [2**INFLIGHT_BITS];
  logic [INFLIGHT_BITS-1:0] kind_write_q, kind_read_q;
  logic [INFLIGHT_BITS-1:0] matmul_dones_q, drain_dones_q, matmul_dones, drain_dones;
  logic head_is_drain;
  assign head_is_drain = kind_write_q == kind_read_q ? is_drain : kind_q[kind_read_q];
  assign matmul_dones = matmul_dones_q + INFLIGHT_BITS'(matmul_done);
  assign drain_dones = drain_dones_q + INFLIGHT_BITS'(drained_i);
  assign done_o = head_is_drain ? drain_dones != '0 : matmul_dones != '0;

  always_ff @(posedge clk_i) if (start) kind_q[kind_write_q] <= is_drain;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      for (int unsigned s = 1; s <= UB_LATENCY; s++) pair_q[s] <= '0;
      kind_write_q <= '0;
      kind_read_q <= '0;
      matmul_dones_q <= '0;
      drain_dones_q <= '0;
      matmuls_q <= '0;
    end else begin
      busy_q <= active && !finished;
      for (int unsigned s = 1; s <= UB_LATENCY; s++) pair_q[s] <= pair_q[s-1];
      if (start) kind_write_q <= kind_write_q + 1'b1;
      if (done_o) kind_read_q <= kind_read_q + 1'b1;
      matmul_dones_q <= matmul_dones - INFLIGHT_BITS'(done_o && !head_is_drain);
      drain_dones_q <= drain_dones - INFLIGHT_BITS'(done_o && head_is_drain);
      matmuls_q <= matmuls_q + INFLIGHT_BITS'(start && !is_drain) -
          INFLIGHT_BITS'(done_o && !head_is_drain);
    end
  end
endmodule
