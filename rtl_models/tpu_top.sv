// The core: sequencer, issue queues, tokens, and the five units with their memories.
//
// The program memory and the off-chip memories are outside. ev_* are the strobes of the event log: an
// instruction's start is the cycle of ev_start_o of its unit, its end the one after ev_done_o.
module tpu_top
  import pulsetrain_pkg::*;
  import systolic_pkg::*;
#(
  parameter int unsigned ROWS = 8,
  parameter int unsigned COLS = 8,
  parameter int unsigned LANES = 8,
  parameter int unsigned LINE = 8,  // the largest of the three
  parameter int unsigned UB_GRANULES = 4096,
  parameter int unsigned ACC_LINES = 256,
  parameter int unsigned QUEUE_DEPTH = 16,
  parameter int unsigned FIFO_DEPTH = 4,
  parameter bit OUTPUT_STATIONARY = 1'b0,
  parameter int unsigned PE_LATENCY = 1,
  parameter int unsigned HOP_H = 1,
  parameter int unsigned HOP_V = 1,
  parameter int unsigned ADDER_LATENCY = 1,
  parameter int unsigned UB_LATENCY = 1,
  parameter int unsigned ALU_LATENCY = 2,
  parameter int unsigned DIVIDE_CYCLES = 28,
  parameter int unsigned SQRT_CYCLES = 28,
  parameter int unsigned TABLE_CYCLES = 36,
  parameter int unsigned DMA_PORTS = 4,  // lines per cycle between the unified buffer and a memory
  parameter int unsigned DMA_INFLIGHT = 1024,  // a power of two
  parameter int unsigned PC_BITS = 24,
  parameter bit PE_INSTANCES = 1'b0
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic [15:0]        cfg_queue_depth_i,
  // An output-stationary core has no weights.
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [7:0]         cfg_fifo_depth_i,
  input  logic               cfg_double_i,
  input  logic               cfg_overlap_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [47:0]        cfg_current_i,
  input  logic [47:0]        cfg_next_i,
  input  logic [31:0]        cfg_hbm_num_i,
  input  logic [31:0]        cfg_hbm_den_i,
  input  logic [31:0]        cfg_host_num_i,
  input  logic [31:0]        cfg_host_den_i,
  input  logic [7:0]         cfg_mutant_i,
  // Program memory: answers in the next cycle.
  output logic [PC_BITS-1:0] fetch_o,
  input  instr_t             fetch_i,
  // Off-chip memories.
  output logic               req_hbm_o   [DMA_PORTS],
  output logic               req_host_o  [DMA_PORTS],
  output logic               req_write_o,
  output logic [1:0]         req_item_o,
  output logic [47:0]        req_addr_o  [DMA_PORTS],
  output logic [24:0]        req_tag_o   [DMA_PORTS],
  output logic [LINE*32-1:0] wdata_o     [DMA_PORTS],
  input  logic               hbm_resp_i  [DMA_PORTS],
  input  logic [1:0]         hbm_item_i,
  input  logic [24:0]        hbm_tag_i   [DMA_PORTS],
  input  logic [LINE*32-1:0] hbm_data_i  [DMA_PORTS],
  input  logic               host_resp_i [DMA_PORTS],
  input  logic [1:0]         host_item_i,
  input  logic [24:0]        host_tag_i  [DMA_PORTS],
  input  logic [LINE*32-1:0] host_data_i [DMA_PORTS],
  // Event log.
  output logic               ev_dispatch_o,
  output logic [UNITS-1:0]   ev_start_o,
  output logic [UNITS-1:0]   ev_done_o,
  output logic               ev_shift_o,
  output logic               halted_o
);
  localparam int unsigned DELAY = PE_LATENCY + HOP_V - 1;
  // From the shifter's decision to the earliest start of the MATMUL that swaps the tile in: weight r must be
  // in row r before the first operands get there, and the tile's last line must have passed row 0 before
  // that row is free again and would take it.
  localparam int unsigned CATCH_UP = 1 + (ROWS - 1) * (1 + HOP_V > DELAY ? 1 + HOP_V - DELAY : 0);
  localparam int unsigned IN_PLACE = CATCH_UP > ROWS - 1 ? CATCH_UP : ROWS - 1;
  // A MATMUL of one row starts every cycle and is under way for as long as its sums are.
  localparam int unsigned INFLIGHT =
      2 ** $clog2(UB_LATENCY + ROWS * (DELAY + HOP_V) + COLS * HOP_H + ADDER_LATENCY + 32);
  localparam int unsigned READS = DMA_PORTS + 7;
  localparam int unsigned WRITES = DMA_PORTS + 2;
  localparam int unsigned R_WEIGHT = DMA_PORTS, R_LEFT = DMA_PORTS + 1, R_TOP = DMA_PORTS + 2;
  localparam int unsigned R_VECTOR = DMA_PORTS + 3, R_TRANSPOSE = DMA_PORTS + 6;
  localparam int unsigned W_VECTOR = DMA_PORTS, W_TRANSPOSE = DMA_PORTS + 1;

  // Unified buffer.
  logic ren [READS];
  logic [23:0] raddr [READS];
  logic [1:0] ritem [READS];
  logic [LINE*32-1:0] rdata [READS];
  logic wen [WRITES];
  logic [23:0] waddr [WRITES];
  logic [1:0] witem [WRITES];
  logic [LINE-1:0] wmask [WRITES];
  logic [LINE*32-1:0] wdata [WRITES];

  unified_buffer #(
    .LINE(LINE),
    .UB_GRANULES(UB_GRANULES),
    .UB_LATENCY(UB_LATENCY),
    .READS(READS),
    .WRITES(WRITES)
  ) u_unified_buffer (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .ren_i  (ren),
    .raddr_i(raddr),
    .ritem_i(ritem),
    .rdata_o(rdata),
    .wen_i  (wen),
    .waddr_i(waddr),
    .witem_i(witem),
    .wmask_i(wmask),
    .wdata_i(wdata)
  );

  // Sequencer, queues, tokens.
  // The sequencer has no queue: its own bits of these are not used.
  /* verilator lint_off UNUSEDSIGNAL */
  logic [UNITS-1:0] push, valid, ready;
  instr_t instr [UNITS];
  /* verilator lint_on UNUSEDSIGNAL */
  logic [UNITS-1:0] room, tokens_ready, issue, done;
  logic [UNITS-1:0] waits [UNITS];
  logic [UNITS-1:0] posts [UNITS];

  sequencer #(
    .PC_BITS(PC_BITS)
  ) u_sequencer (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .fetch_o       (fetch_o),
    .instr_i       (fetch_i),
    .room_i        (room),
    .dispatch_o    (ev_dispatch_o),
    .push_o        (push),
    .halt_wait_o   (waits[UNIT_SEQUENCER]),
    .halt_post_o   (posts[UNIT_SEQUENCER]),
    .tokens_ready_i(tokens_ready[UNIT_SEQUENCER]),
    .halt_o        (issue[UNIT_SEQUENCER]),
    .halted_o      (halted_o)
  );
  assign room[UNIT_SEQUENCER] = 1'b1;
  assign valid[UNIT_SEQUENCER] = issue[UNIT_SEQUENCER];
  assign ready[UNIT_SEQUENCER] = 1'b1;
  assign done[UNIT_SEQUENCER] = issue[UNIT_SEQUENCER];
  assign instr[UNIT_SEQUENCER] = fetch_i;

  token_counters u_token_counters (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .cfg_mutant_i(cfg_mutant_i),
    .wait_i      (waits),
    .ready_o     (tokens_ready),
    .take_i      (issue),
    .done_i      (done),
    .post_i      (posts)
  );

  for (genvar u = 1; u < UNITS; u++) begin : gen_queue
    issue_queue #(
      .QUEUE_DEPTH(QUEUE_DEPTH),
      .INFLIGHT(u == 32'(UNIT_DMA) ? DMA_INFLIGHT : INFLIGHT)
    ) u_issue_queue (
      .clk_i         (clk_i),
      .rst_ni        (rst_ni),
      .cfg_depth_i   (cfg_queue_depth_i),
      .cfg_mutant_i  (cfg_mutant_i),
      .push_i        (push[u]),
      .instr_i       (fetch_i),
      .room_o        (room[u]),
      .wait_o        (waits[u]),
      .tokens_ready_i(tokens_ready[u]),
      .valid_o       (valid[u]),
      .instr_o       (instr[u]),
      .ready_i       (ready[u]),
      .issue_o       (issue[u]),
      .done_i        (done[u]),
      .post_o        (posts[u])
    );
  end
  assign ev_start_o = issue;
  assign ev_done_o = done;

  // DMA.
  logic dma_ren [DMA_PORTS], dma_wen [DMA_PORTS];
  logic [23:0] dma_raddr [DMA_PORTS], dma_waddr [DMA_PORTS];
  logic [1:0] dma_ritem [DMA_PORTS], dma_witem [DMA_PORTS];
  logic [LINE*32-1:0] dma_rdata [DMA_PORTS], dma_wdata [DMA_PORTS];

  dma #(
    .LINE(LINE),
    .PORTS(DMA_PORTS),
    .UB_LATENCY(UB_LATENCY),
    .INFLIGHT(DMA_INFLIGHT)
  ) u_dma (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .cfg_mutant_i  (cfg_mutant_i),
    .cfg_current_i (cfg_current_i),
    .cfg_next_i    (cfg_next_i),
    .cfg_hbm_num_i (cfg_hbm_num_i),
    .cfg_hbm_den_i (cfg_hbm_den_i),
    .cfg_host_num_i(cfg_host_num_i),
    .cfg_host_den_i(cfg_host_den_i),
    .instr_valid_i (valid[UNIT_DMA]),
    .instr_i       (instr[UNIT_DMA]),
    .instr_ready_o (ready[UNIT_DMA]),
    .done_o        (done[UNIT_DMA]),
    .ub_ren_o      (dma_ren),
    .ub_raddr_o    (dma_raddr),
    .ub_ritem_o    (dma_ritem),
    .ub_rdata_i    (dma_rdata),
    .ub_wen_o      (dma_wen),
    .ub_waddr_o    (dma_waddr),
    .ub_witem_o    (dma_witem),
    .ub_wdata_o    (dma_wdata),
    .req_hbm_o     (req_hbm_o),
    .req_host_o    (req_host_o),
    .req_write_o   (req_write_o),
    .req_item_o    (req_item_o),
    .req_addr_o    (req_addr_o),
    .req_tag_o     (req_tag_o),
    .wdata_o       (wdata_o),
    .hbm_resp_i    (hbm_resp_i),
    .hbm_item_i    (hbm_item_i),
    .hbm_tag_i     (hbm_tag_i),
    .hbm_data_i    (hbm_data_i),
    .host_resp_i   (host_resp_i),
    .host_item_i   (host_item_i),
    .host_tag_i    (host_tag_i),
    .host_data_i   (host_data_i)
  );
  for (genvar p = 0; p < DMA_PORTS; p++) begin : gen_dma_port
    assign ren[p] = dma_ren[p];
    assign raddr[p] = dma_raddr[p];
    assign ritem[p] = dma_ritem[p];
    assign dma_rdata[p] = rdata[p];
    assign wen[p] = dma_wen[p];
    assign waddr[p] = dma_waddr[p];
    assign witem[p] = dma_witem[p];
    assign wmask[p] = '1;
    assign wdata[p] = dma_wdata[p];
  end

  // Matrix unit and accumulators.
  logic result_valid, result_write, drained;
  result_t result;
  logic [31:0] sums [COLS];
  logic acc_ren [3];
  logic [23:0] acc_raddr [3];
  logic [LINE*32-1:0] acc_rdata [3];

  accumulators #(
    .COLS(COLS),
    .LINE(LINE),
    .ACC_LINES(ACC_LINES),
    .ADDER_LATENCY(ADDER_LATENCY),
    .UB_LATENCY(UB_LATENCY)
  ) u_accumulators (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .cfg_mutant_i(cfg_mutant_i),
    .valid_i     (result_valid),
    .write_i     (result_write),
    .result_i    (result),
    .sum_i       (sums),
    .done_o      (drained),
    .ren_i       (acc_ren),
    .raddr_i     (acc_raddr),
    .rdata_o     (acc_rdata)
  );

  if (OUTPUT_STATIONARY) begin : gen_os
    matrix_unit_os #(
      .ROWS(ROWS),
      .COLS(COLS),
      .LINE(LINE),
      .PE_LATENCY(PE_LATENCY),
      .HOP_H(HOP_H),
      .HOP_V(HOP_V),
      .UB_LATENCY(UB_LATENCY),
      .PE_INSTANCES(PE_INSTANCES)
    ) u_matrix_unit (
      .clk_i        (clk_i),
      .rst_ni       (rst_ni),
      .cfg_mutant_i (cfg_mutant_i),
      .instr_valid_i(valid[UNIT_MATRIX]),
      .instr_i      (instr[UNIT_MATRIX]),
      .instr_ready_o(ready[UNIT_MATRIX]),
      .done_o       (done[UNIT_MATRIX]),
      .left_ren_o   (ren[R_LEFT]),
      .left_raddr_o (raddr[R_LEFT]),
      .top_ren_o    (ren[R_TOP]),
      .top_raddr_o  (raddr[R_TOP]),
      .ub_ritem_o   (ritem[R_LEFT]),
      .left_rdata_i (rdata[R_LEFT]),
      .top_rdata_i  (rdata[R_TOP]),
      .valid_o      (result_valid),
      .write_o      (result_write),
      .result_o     (result),
      .sum_o        (sums),
      .drained_i    (drained)
    );
    assign ritem[R_TOP] = ritem[R_LEFT];
    // There are no weights: a WLOAD never starts.
    assign ren[R_WEIGHT] = 1'b0;
    assign raddr[R_WEIGHT] = '0;
    assign ritem[R_WEIGHT] = '0;
    assign ready[UNIT_WEIGHT_LOADER] = 1'b0;
    assign done[UNIT_WEIGHT_LOADER] = 1'b0;
    assign ev_shift_o = 1'b0;
  end else begin : gen_ws
    logic slot_free, load_start, load_asked, load_write, swappable, swap, release_weights;
    logic [15:0] load_data [COLS];
    weight_t weights [COLS];

    weight_loader #(
      .ROWS(ROWS),
      .COLS(COLS),
      .LINE(LINE),
      .UB_LATENCY(UB_LATENCY)
    ) u_weight_loader (
      .clk_i        (clk_i),
      .rst_ni       (rst_ni),
      .cfg_mutant_i (cfg_mutant_i),
      .instr_valid_i(valid[UNIT_WEIGHT_LOADER]),
      .instr_i      (instr[UNIT_WEIGHT_LOADER]),
      .instr_ready_o(ready[UNIT_WEIGHT_LOADER]),
      .done_o       (done[UNIT_WEIGHT_LOADER]),
      .ub_ren_o     (ren[R_WEIGHT]),
      .ub_raddr_o   (raddr[R_WEIGHT]),
      .ub_ritem_o   (ritem[R_WEIGHT]),
      .ub_rdata_i   (rdata[R_WEIGHT]),
      .slot_free_i  (slot_free),
      .start_o      (load_start),
      .asked_o      (load_asked),
      .write_o      (load_write),
      .data_o       (load_data)
    );

    weight_fifo #(
      .ROWS(ROWS),
      .COLS(COLS),
      .FIFO_DEPTH(FIFO_DEPTH),
      .UB_LATENCY(UB_LATENCY),
      .IN_PLACE(IN_PLACE)
    ) u_weight_fifo (
      .clk_i       (clk_i),
      .rst_ni      (rst_ni),
      .cfg_depth_i (cfg_fifo_depth_i),
      .cfg_mutant_i(cfg_mutant_i),
      .load_start_i(load_start),
      .load_asked_i(load_asked),
      .load_write_i(load_write),
      .load_data_i (load_data),
      .slot_free_o (slot_free),
      .released_i  (release_weights),
      .swap_i      (swap),
      .swappable_o (swappable),
      .shift_o     (ev_shift_o),
      .weight_o    (weights)
    );

    matrix_unit #(
      .ROWS(ROWS),
      .COLS(COLS),
      .LINE(LINE),
      .PE_LATENCY(PE_LATENCY),
      .HOP_H(HOP_H),
      .HOP_V(HOP_V),
      .ADDER_LATENCY(ADDER_LATENCY),
      .UB_LATENCY(UB_LATENCY),
      .PE_INSTANCES(PE_INSTANCES)
    ) u_matrix_unit (
      .clk_i        (clk_i),
      .rst_ni       (rst_ni),
      .cfg_double_i (cfg_double_i),
      .cfg_overlap_i(cfg_overlap_i),
      .cfg_mutant_i (cfg_mutant_i),
      .instr_valid_i(valid[UNIT_MATRIX]),
      .instr_i      (instr[UNIT_MATRIX]),
      .instr_ready_o(ready[UNIT_MATRIX]),
      .ub_ren_o     (ren[R_LEFT]),
      .ub_raddr_o   (raddr[R_LEFT]),
      .ub_ritem_o   (ritem[R_LEFT]),
      .ub_rdata_i   (rdata[R_LEFT]),
      .swappable_i  (swappable),
      .swap_o       (swap),
      .release_o    (release_weights),
      .weight_i     (weights),
      .valid_o      (result_valid),
      .result_o     (result),
      .sum_o        (sums)
    );
    assign result_write = 1'b1;
    assign done[UNIT_MATRIX] = drained;
    assign ren[R_TOP] = 1'b0;
    assign raddr[R_TOP] = '0;
    assign ritem[R_TOP] = '0;
  end

  // Vector unit.
  logic [2:0] vector_ren, vector_acc_ren;
  logic [2:0][23:0] vector_raddr, vector_acc_raddr;
  logic [2:0][1:0] vector_ritem;
  logic [2:0][LINE*32-1:0] vector_rdata, vector_acc_rdata;

  vector_unit #(
    .LANES(LANES),
    .LINE(LINE),
    .UB_LATENCY(UB_LATENCY),
    .ALU_LATENCY(ALU_LATENCY),
    .DIVIDE_CYCLES(DIVIDE_CYCLES),
    .SQRT_CYCLES(SQRT_CYCLES),
    .TABLE_CYCLES(TABLE_CYCLES),
    .MUTANTS(1'b1)
  ) u_vector_unit (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .instr_valid_i(valid[UNIT_VECTOR]),
    .instr_i      (instr[UNIT_VECTOR]),
    .instr_ready_o(ready[UNIT_VECTOR]),
    .done_o       (done[UNIT_VECTOR]),
    .ub_ren_o     (vector_ren),
    .ub_raddr_o   (vector_raddr),
    .ub_ritem_o   (vector_ritem),
    .ub_rdata_i   (vector_rdata),
    .ub_wen_o     (wen[W_VECTOR]),
    .ub_waddr_o   (waddr[W_VECTOR]),
    .ub_witem_o   (witem[W_VECTOR]),
    .ub_wmask_o   (wmask[W_VECTOR]),
    .ub_wdata_o   (wdata[W_VECTOR]),
    .acc_ren_o    (vector_acc_ren),
    .acc_raddr_o  (vector_acc_raddr),
    .acc_rdata_i  (vector_acc_rdata),
    .mutant_i     (cfg_mutant_i)
  );
  for (genvar p = 0; p < 3; p++) begin : gen_vector_port
    assign ren[R_VECTOR+p] = vector_ren[p];
    assign raddr[R_VECTOR+p] = vector_raddr[p];
    assign ritem[R_VECTOR+p] = vector_ritem[p];
    assign vector_rdata[p] = rdata[R_VECTOR+p];
    assign acc_ren[p] = vector_acc_ren[p];
    assign acc_raddr[p] = vector_acc_raddr[p];
    assign vector_acc_rdata[p] = acc_rdata[p];
  end

  // Transposer.
  transposer #(
    .LINE(LINE),
    .UB_LATENCY(UB_LATENCY),
    .MUTANTS(1'b1)
  ) u_transposer (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .instr_valid_i(valid[UNIT_TRANSPOSER]),
    .instr_i      (instr[UNIT_TRANSPOSER]),
    .instr_ready_o(ready[UNIT_TRANSPOSER]),
    .done_o       (done[UNIT_TRANSPOSER]),
    .ub_ren_o     (ren[R_TRANSPOSE]),
    .ub_raddr_o   (raddr[R_TRANSPOSE]),
    .ub_ritem_o   (ritem[R_TRANSPOSE]),
    .ub_rdata_i   (rdata[R_TRANSPOSE]),
    .ub_wen_o     (wen[W_TRANSPOSE]),
    .ub_waddr_o   (waddr[W_TRANSPOSE]),
    .ub_witem_o   (witem[W_TRANSPOSE]),
    .ub_wmask_o   (wmask[W_TRANSPOSE]),
    .ub_wdata_o   (wdata[W_TRANSPOSE]),
    .mutant_i     (cfg_mutant_i)
  );
endmodule
