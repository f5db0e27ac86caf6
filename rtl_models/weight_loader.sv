// Executes WLOAD: copies one tile from the unified buffer into the weight FIFO.
//
// Latency: line i is asked for i cycles after the start and written UB_LATENCY cycles later.
// Throughput: one line per cycle, always ROWS cycles per tile; lines beyond the instruction's rows hold
// anything. Back to back without a gap.
// Handshake: ready while no tile is being read and a slot of the FIFO is free; asked_o in the cycle of the
// last request.
module weight_loader
  import pulsetrain_pkg::*;
#(
  parameter int unsigned ROWS = 8,
  parameter int unsigned COLS = 8,
  parameter int unsigned LINE = 8,
  parameter int unsigned UB_LATENCY = 1
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
  output logic               ub_ren_o,
  output logic [23:0]        ub_raddr_o,
  output logic [1:0]         ub_ritem_o,
  input  logic [LINE*32-1:0] ub_rdata_i,
  input  logic               slot_free_i,
  output logic               start_o,
  output logic               asked_o,
  output logic               write_o,
  output logic [15:0]        data_o [COLS]
);
  import systolic_pkg::*;

  typedef struct packed {
    logic [15:0] line;
    logic [15:0] rows;
    logic [23:0] address;
    logic [11:0] sub;
    logic item;
  } job_t;
  typedef struct packed {
    logic valid;
    logic last;
    logic [11:0] sub;
    logic item;
  } asked_t;

  job_t job_q, now;
  logic busy_q, active;
  asked_t asked_q [UB_LATENCY+1];

  assign instr_ready_o = !busy_q && slot_free_i;
  assign start_o = instr_valid_i && instr_ready_o;

  always_comb begin
    now = job_q;
    if (!busy_q) begin
      now.line = '0;
      now.rows = instr_i.rows - 16'(cfg_mutant_i == MutantLoaderShort);
      now.address = instr_i.src0;
      now.sub = sub0(instr_i.src2);
      now.item = instr_i.item[0];
    end
    active = busy_q || start_o;
    asked_o = active && now.line == 16'(ROWS - 1);
    ub_ren_o = active && now.line < now.rows;
    ub_raddr_o = now.address;
    ub_ritem_o = {1'b0, now.item};
    asked_q[0] = '{valid: active, last: asked_o, sub: now.sub, item: now.item};
    write_o = asked_q[UB_LATENCY].valid;
    done_o = write_o && asked_q[UB_LATENCY].last;
    for (int unsigned c = 0; c < COLS; c++) begin
      data_o[c] = asked_q[UB_LATENCY].item ?
          ub_rdata_i[(32'(asked_q[UB_LATENCY].sub)*COLS+c)*16+:16] :
          {8'd0, ub_rdata_i[(32'(asked_q[UB_LATENCY].sub)*COLS+c)*8+:8]};
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      for (int unsigned s = 1; s <= UB_LATENCY; s++) asked_q[s] <= '0;
    end else begin
      busy_q <= active && !asked_o;
      for (int unsigned s = 1; s <= UB_LATENCY; s++) asked_q[s] <= asked_q[s-1];
    end
  end

  always_ff @(posedge clk_i) begin
    job_q <= now;
    job_q.line <= now.line + 1'b1;
    job_q.address <= now.address + (24'd1 << now.item);
  end
endmodule
