// The weight FIFO and the shifter that moves its tiles into the array's weight registers.
//
// Latency: the shifter decides UB_LATENCY cycles before the tile's first line enters the array, at the earliest
// when the loader has asked for all lines; swappable_o follows in_place cycles after the decision, so that a
// MATMUL which starts then meets the weights.
// Throughput: one line per cycle, tiles back to back; a slot is free when its last line has entered.
// Handshake: slot_free_o to the loader; released_i gives a credit for the next tile (one at reset);
// swappable_o counts tiles in place, swap_i takes one.
module weight_fifo
  import systolic_pkg::*;
#(
  parameter int unsigned ROWS = 8,
  parameter int unsigned COLS = 8,
  parameter int unsigned FIFO_DEPTH = 4,
  parameter int unsigned UB_LATENCY = 1,
  parameter int unsigned IN_PLACE = 1  // decision to the earliest start of the MATMUL that swaps
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  cfg_depth_i,  // tiles, 1 to FIFO_DEPTH
  input  logic [7:0]  cfg_mutant_i,
  input  logic        load_start_i,
  input  logic        load_asked_i,
  input  logic        load_write_i,
  input  logic [15:0] load_data_i [COLS],
  output logic        slot_free_o,
  input  logic        released_i,
  input  logic        swap_i,
  output logic        swappable_o,
  output logic        shift_o,  // the tile's first line enters the array
  output weight_t     weight_o [COLS]
);
  localparam int unsigned TILE = ROWS * COLS;

  logic [15:0] tile_q [FIFO_DEPTH*TILE];
  logic [15:0] write_line_q, write_slot_q, read_slot_q, feed_line_q, decide_line_q;
  logic [7:0] used_q;  // slots taken
  logic [7:0] asked_q;  // tiles asked for and not yet decided on
  logic [7:0] credit_q;  // weight registers released
  logic [7:0] placed_q;  // tiles that a MATMUL may swap in
  logic decide, feeding_q, feed, feed_last, slot_back;
  logic [UB_LATENCY:0] ahead;
  logic [UB_LATENCY:1] ahead_q;
  logic [IN_PLACE:0] placing;
  logic [IN_PLACE:1] placing_q;

  function automatic logic [15:0] next(input logic [15:0] slot);
    return slot == 16'(FIFO_DEPTH - 1) ? '0 : slot + 1'b1;
  endfunction

  assign slot_free_o = used_q < cfg_depth_i;
  assign decide = decide_line_q == '0 && asked_q != '0 && credit_q != '0;
  assign ahead = {ahead_q, decide};
  assign placing = {placing_q, decide};
  assign swappable_o = placed_q != '0;

  assign shift_o = ahead[UB_LATENCY];
  assign feed = shift_o || feeding_q;
  assign feed_last = feed && feed_line_q == 16'(ROWS - 1);
  assign slot_back = cfg_mutant_i == MutantSlotEarly ? shift_o : feed_last;

  always_comb begin
    for (int unsigned c = 0; c < COLS; c++) begin
      weight_o[c].valid = feed;
      weight_o[c].data = tile_q[32'(read_slot_q)*TILE+32'(feed_line_q)*COLS+c];
    end
  end

  always_ff @(posedge clk_i) begin
    if (load_write_i) begin
      for (int unsigned c = 0; c < COLS; c++) begin
        tile_q[32'(write_slot_q)*TILE+32'(write_line_q)*COLS+c] <= load_data_i[c];
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_line_q <= '0;
      write_slot_q <= '0;
      read_slot_q <= '0;
      feed_line_q <= '0;
      decide_line_q <= '0;
      used_q <= '0;
      asked_q <= '0;
      credit_q <= 8'd1;
      placed_q <= '0;
      feeding_q <= 1'b0;
      ahead_q <= '0;
      placing_q <= '0;
    end else begin
      if (load_write_i) begin
        write_line_q <= write_line_q == 16'(ROWS - 1) ? '0 : write_line_q + 1'b1;
        if (write_line_q == 16'(ROWS - 1)) write_slot_q <= next(write_slot_q);
      end
      if (decide || decide_line_q != '0) begin
        decide_line_q <= decide_line_q == 16'(ROWS - 1) ? '0 : decide_line_q + 1'b1;
      end
      feeding_q <= feed && !feed_last;
      if (feed) feed_line_q <= feed_last ? '0 : feed_line_q + 1'b1;
      if (feed_last) read_slot_q <= next(read_slot_q);
      used_q <= used_q + 8'(load_start_i) - 8'(slot_back);
      asked_q <= asked_q + 8'(load_asked_i) - 8'(decide);
      credit_q <= credit_q + 8'(released_i) - 8'(decide);
      placed_q <= placed_q + 8'(placing[IN_PLACE-1]) - 8'(swap_i);
      ahead_q <= ahead[UB_LATENCY-1:0];
      placing_q <= placing[IN_PLACE-1:0];
    end
  end
endmodule
