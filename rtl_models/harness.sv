// The core with a program memory and two off-chip memories, for whole Programs under Verilator.
//
// The C++ main fills the memories before reset, reads them after HALT, and logs events_o:
// {shift, dispatch, done[5:0], start[5:0]}.
module harness
  import pulsetrain_pkg::*;
#(
  parameter int unsigned ROWS = 8,
  parameter int unsigned COLS = 8,
  parameter int unsigned LANES = 8,
  parameter int unsigned LINE = 8,
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
  parameter int unsigned DMA_PORTS = 4,
  parameter int unsigned MAX_LATENCY = 256,  // a power of two
  parameter int unsigned PROGRAM_LENGTH = 65536,  // a power of two
  parameter int unsigned HBM_GRANULES = 65536,
  parameter int unsigned HOST_GRANULES = 4096,
  parameter bit PE_INSTANCES = 1'b0
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [15:0] cfg_queue_depth_i,
  input  logic [7:0]  cfg_fifo_depth_i,
  input  logic        cfg_double_i,
  input  logic        cfg_overlap_i,
  input  logic [47:0] cfg_current_i,
  input  logic [47:0] cfg_next_i,
  input  logic [15:0] cfg_hbm_latency_i,
  input  logic [31:0] cfg_hbm_num_i,
  input  logic [31:0] cfg_hbm_den_i,
  input  logic [15:0] cfg_host_latency_i,
  input  logic [31:0] cfg_host_num_i,
  input  logic [31:0] cfg_host_den_i,
  input  logic [7:0]  cfg_mutant_i,
  output logic [13:0] events_o,
  output logic        halted_o
);
  localparam int unsigned PC_BITS = $clog2(PROGRAM_LENGTH);

  // Registered inputs: nothing combinational hangs on a port, which halves the simulation's code.
  logic [15:0] cfg_queue_depth_q;
  logic [7:0] cfg_fifo_depth_q;
  logic cfg_double_q;
  logic cfg_overlap_q;
  logic [47:0] cfg_current_q;
  logic [47:0] cfg_next_q;
  logic [15:0] cfg_hbm_latency_q;
  logic [31:0] cfg_hbm_num_q;
  logic [31:0] cfg_hbm_den_q;
  logic [15:0] cfg_host_latency_q;
  logic [31:0] cfg_host_num_q;
  logic [31:0] cfg_host_den_q;
  logic [7:0] cfg_mutant_q;
  always_ff @(posedge clk_i) begin
    cfg_queue_depth_q <= cfg_queue_depth_i;
    cfg_fifo_depth_q <= cfg_fifo_depth_i;
    cfg_double_q <= cfg_double_i;
    cfg_overlap_q <= cfg_overlap_i;
    cfg_current_q <= cfg_current_i;
    cfg_next_q <= cfg_next_i;
    cfg_hbm_latency_q <= cfg_hbm_latency_i;
    cfg_hbm_num_q <= cfg_hbm_num_i;
    cfg_hbm_den_q <= cfg_hbm_den_i;
    cfg_host_latency_q <= cfg_host_latency_i;
    cfg_host_num_q <= cfg_host_num_i;
    cfg_host_den_q <= cfg_host_den_i;
    cfg_mutant_q <= cfg_mutant_i;
  end

  instr_t program_mem [PROGRAM_LENGTH]  /*verilator public_flat_rw*/;
  logic [PC_BITS-1:0] fetch;
  instr_t fetched_q;
  always_ff @(posedge clk_i) fetched_q <= program_mem[fetch];

  logic req_hbm [DMA_PORTS], req_host [DMA_PORTS], req_write;
  logic [1:0] req_item, hbm_item, host_item;
  logic [47:0] req_addr [DMA_PORTS];
  logic [24:0] req_tag [DMA_PORTS], hbm_tag [DMA_PORTS], host_tag [DMA_PORTS];
  logic [LINE*32-1:0] wdata [DMA_PORTS], hbm_data [DMA_PORTS], host_data [DMA_PORTS];
  logic hbm_resp [DMA_PORTS], host_resp [DMA_PORTS];

  tpu_top #(
    .ROWS(ROWS),
    .COLS(COLS),
    .LANES(LANES),
    .LINE(LINE),
    .UB_GRANULES(UB_GRANULES),
    .ACC_LINES(ACC_LINES),
    .QUEUE_DEPTH(QUEUE_DEPTH),
    .FIFO_DEPTH(FIFO_DEPTH),
    .OUTPUT_STATIONARY(OUTPUT_STATIONARY),
    .PE_LATENCY(PE_LATENCY),
    .HOP_H(HOP_H),
    .HOP_V(HOP_V),
    .ADDER_LATENCY(ADDER_LATENCY),
    .UB_LATENCY(UB_LATENCY),
    .ALU_LATENCY(ALU_LATENCY),
    .DIVIDE_CYCLES(DIVIDE_CYCLES),
    .SQRT_CYCLES(SQRT_CYCLES),
    .TABLE_CYCLES(TABLE_CYCLES),
    .DMA_PORTS(DMA_PORTS),
    .DMA_INFLIGHT(2 * MAX_LATENCY),
    .PC_BITS(PC_BITS),
    .PE_INSTANCES(PE_INSTANCES)
  ) u_tpu_top (
    .clk_i            (clk_i),
    .rst_ni           (rst_ni),
    .cfg_queue_depth_i(cfg_queue_depth_q),
    .cfg_fifo_depth_i (cfg_fifo_depth_q),
    .cfg_double_i     (cfg_double_q),
    .cfg_overlap_i    (cfg_overlap_q),
    .cfg_current_i    (cfg_current_q),
    .cfg_next_i       (cfg_next_q),
    .cfg_hbm_num_i    (cfg_hbm_num_q),
    .cfg_hbm_den_i    (cfg_hbm_den_q),
    .cfg_host_num_i   (cfg_host_num_q),
    .cfg_host_den_i   (cfg_host_den_q),
    .cfg_mutant_i     (cfg_mutant_q),
    .fetch_o          (fetch),
    .fetch_i          (fetched_q),
    .req_hbm_o        (req_hbm),
    .req_host_o       (req_host),
    .req_write_o      (req_write),
    .req_item_o       (req_item),
    .req_addr_o       (req_addr),
    .req_tag_o        (req_tag),
    .wdata_o          (wdata),
    .hbm_resp_i       (hbm_resp),
    .hbm_item_i       (hbm_item),
    .hbm_tag_i        (hbm_tag),
    .hbm_data_i       (hbm_data),
    .host_resp_i      (host_resp),
    .host_item_i      (host_item),
    .host_tag_i       (host_tag),
    .host_data_i      (host_data),
    .ev_dispatch_o    (events_o[12]),
    .ev_start_o       (events_o[5:0]),
    .ev_done_o        (events_o[11:6]),
    .ev_shift_o       (events_o[13]),
    .halted_o         (halted_o)
  );

  offchip_memory #(
    .LINE(LINE),
    .GRANULES(HBM_GRANULES),
    .PORTS(DMA_PORTS),
    .UB_LATENCY(UB_LATENCY),
    .MAX_LATENCY(MAX_LATENCY)
  ) u_hbm (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .cfg_latency_i(cfg_hbm_latency_q),
    .req_i        (req_hbm),
    .req_write_i  (req_write),
    .req_item_i   (req_item),
    .req_addr_i   (req_addr),
    .req_tag_i    (req_tag),
    .wdata_i      (wdata),
    .resp_o       (hbm_resp),
    .resp_item_o  (hbm_item),
    .resp_tag_o   (hbm_tag),
    .resp_data_o  (hbm_data)
  );

  offchip_memory #(
    .LINE(LINE),
    .GRANULES(HOST_GRANULES),
    .PORTS(DMA_PORTS),
    .UB_LATENCY(UB_LATENCY),
    .MAX_LATENCY(MAX_LATENCY)
  ) u_host (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .cfg_latency_i(cfg_host_latency_q),
    .req_i        (req_host),
    .req_write_i  (req_write),
    .req_item_i   (req_item),
    .req_addr_i   (req_addr),
    .req_tag_i    (req_tag),
    .wdata_i      (wdata),
    .resp_o       (host_resp),
    .resp_item_o  (host_item),
    .resp_tag_o   (host_tag),
    .resp_data_o  (host_data)
  );
endmodule
