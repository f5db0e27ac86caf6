// tpu_top twice: whatever the two states before the reset, after it both do the same on the same Program.
//
// Only control is compared (the event log, requests to the off-chip memories, fetches); data are unspecified.
module reset_properties
  import pulsetrain_pkg::*;
#(
  parameter bit OUTPUT_STATIONARY = 1'b0
) (
  input logic clk_i,
  input logic rst_ni,
  input logic [15:0] any_queue_depth,
  input logic [7:0] any_fifo_depth,
  input logic any_double,
  input logic any_overlap,
  input instr_t fetch_i,
  output logic seen_dma_o,
  output logic seen_vector_o,
  output logic seen_matrix_o,
  output logic seen_halt_o
);
  localparam int unsigned LINE = 2;
  localparam int unsigned PC_BITS = 4;
  logic [PC_BITS-1:0] fetch [2];
  logic req_hbm [2][1], req_host [2][1], req_write [2], dispatch [2], shift [2], halted [2];
  logic [1:0] req_item [2];
  logic [47:0] req_addr [2][1];
  logic [24:0] req_tag [2][1];
  logic [LINE*32-1:0] wdata [2][1];
  logic [UNITS-1:0] start [2], done [2];

  // Both off-chip memories answer in the next cycle.
  logic hbm_q, host_q;
  logic [1:0] item_q;
  logic [24:0] tag_q;
  logic hbm [1], host [1];
  logic [24:0] tag [1];
  logic [LINE*32-1:0] data [1];
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      hbm_q <= 1'b0;
      host_q <= 1'b0;
    end else begin
      hbm_q <= req_hbm[0][0] && !req_write[0];
      host_q <= req_host[0][0] && !req_write[0];
    end
  end
  always_ff @(posedge clk_i) begin
    item_q <= req_item[0];
    tag_q <= req_tag[0][0];
  end
  assign hbm[0] = hbm_q;
  assign host[0] = host_q;
  assign tag[0] = tag_q;
  assign data[0] = '0;

  for (genvar i = 0; i < 2; i++) begin : gen_core
    tpu_top #(
      .ROWS(2), .COLS(2), .LANES(1), .LINE(LINE), .UB_GRANULES(8), .ACC_LINES(2), .QUEUE_DEPTH(2),
      .FIFO_DEPTH(2), .DMA_PORTS(1), .DMA_INFLIGHT(4), .PC_BITS(PC_BITS), .OUTPUT_STATIONARY(OUTPUT_STATIONARY),
      .PE_INSTANCES(1'b1)
    ) u_core (
      .clk_i, .rst_ni, .cfg_queue_depth_i(any_queue_depth), .cfg_fifo_depth_i(any_fifo_depth),
      .cfg_double_i(any_double), .cfg_overlap_i(any_overlap), .cfg_current_i('0), .cfg_next_i('0),
      .cfg_hbm_num_i(32'd2), .cfg_hbm_den_i(32'd1), .cfg_host_num_i(32'd1), .cfg_host_den_i(32'd1),
      .cfg_mutant_i(8'd0), .fetch_o(fetch[i]), .fetch_i, .req_hbm_o(req_hbm[i]), .req_host_o(req_host[i]),
      .req_write_o(req_write[i]), .req_item_o(req_item[i]), .req_addr_o(req_addr[i]), .req_tag_o(req_tag[i]),
      .wdata_o(wdata[i]), .hbm_resp_i(hbm), .hbm_item_i(item_q), .hbm_tag_i(tag), .hbm_data_i(data),
      .host_resp_i(host), .host_item_i(item_q), .host_tag_i(tag), .host_data_i(data), .ev_dispatch_o(dispatch[i]),
      .ev_start_o(start[i]), .ev_done_o(done[i]), .ev_shift_o(shift[i]), .halted_o(halted[i])
    );
  end
  assign seen_dma_o = done[0][UNIT_DMA];
  assign seen_vector_o = done[0][UNIT_VECTOR];
  assign seen_matrix_o = done[0][UNIT_MATRIX];
  assign seen_halt_o = halted[0];

  always_comb begin
    assume (any_queue_depth >= 16'd1 && any_queue_depth <= 16'd2);
    assume (any_fifo_depth >= 8'd1 && any_fifo_depth <= 8'd2);
    assume (fetch_i.rows != '0 && fetch_i.panels != '0 && fetch_i.tail != '0 && fetch_i.item != 2'd3);
    assert (fetch[0] == fetch[1]);
    assert (dispatch[0] == dispatch[1]);
    assert (start[0] == start[1]);
    assert (done[0] == done[1]);
    assert (shift[0] == shift[1]);
    assert (halted[0] == halted[1]);
    assert (req_hbm[0][0] == req_hbm[1][0] && req_host[0][0] == req_host[1][0]);
    if (req_hbm[0][0] || req_host[0][0]) begin
      assert (req_write[0] == req_write[1] && req_item[0] == req_item[1]);
      assert (req_addr[0][0] == req_addr[1][0] && req_tag[0][0] == req_tag[1][0]);
    end
  end
endmodule
