// weight_loader, weight_fifo and matrix_unit together: lines of weights leave the FIFO in order, each once and
// unchanged, at most its depth of tiles is in it, and every operand meets its own tile's weight in every PE.
//
// A weight is {its tile's number, its row}, an operand is the number of the tile that its MATMUL uses.
module weight_properties
  import pulsetrain_pkg::*;
  import systolic_pkg::*;
#(
  parameter int unsigned ROWS = 2,
  parameter int unsigned COLS = 2,
  parameter int unsigned FIFO_DEPTH = 2,
  parameter int unsigned PE_LATENCY = 1,
  parameter int unsigned HOP_H = 1,
  parameter int unsigned HOP_V = 1,
  parameter int unsigned UB_LATENCY = 1,
  parameter int unsigned EARLY = 0,  // a seeded fault: MATMUL may start so many cycles too early
  parameter logic [7:0] MUTANT = 8'd0
) (
  input logic clk_i,
  input logic rst_ni,
  input logic [7:0] any_depth,
  input logic any_double,
  input logic any_overlap,
  input logic load_valid_i,
  input logic matmul_valid_i,
  input logic swap_i,
  input logic release_i,
  input logic [1:0] rows_i,
  output logic seen_full_o,
  output logic seen_second_o
);
  localparam int unsigned LINE = ROWS > COLS ? ROWS : COLS;
  // As in tpu_top.
  localparam int unsigned DELAY = PE_LATENCY + HOP_V - 1;
  localparam int unsigned CATCH_UP =
      1 + (ROWS - 1) * (1 + HOP_V > DELAY ? 1 + HOP_V - DELAY : 0);
  localparam int unsigned IN_PLACE = (CATCH_UP > ROWS - 1 ? CATCH_UP : ROWS - 1) - EARLY;

  instr_t load, matmul;
  logic load_start, load_asked, load_write, load_ready, slot_free, released, swapped, swappable, shift;
  logic matmul_ready, matmul_start, ub_ren;
  logic [15:0] load_data [COLS];
  weight_t weight [COLS];
  logic [LINE*32-1:0] load_line, operand_line;

  always_comb begin
    load = '0;
    load.opcode = OP_WLOAD;
    load.item = 2'd1;
    load.rows = 16'(ROWS);
    matmul = '0;
    matmul.opcode = OP_MATMUL;
    matmul.item = 2'd1;
    matmul.rows = {14'd0, rows_i};
    matmul.tail = 12'(ROWS);
    matmul.flags[FLAG_SWAP] = swap_i;
    matmul.flags[FLAG_RELEASE] = release_i;
  end

  weight_loader #(
    .ROWS(ROWS), .COLS(COLS), .LINE(LINE), .UB_LATENCY(UB_LATENCY)
  ) u_loader (
    .clk_i, .rst_ni, .cfg_mutant_i(MUTANT), .instr_valid_i(load_valid_i), .instr_i(load),
    .instr_ready_o(load_ready), .done_o(), .ub_ren_o(), .ub_raddr_o(), .ub_ritem_o(), .ub_rdata_i(load_line),
    .slot_free_i(slot_free), .start_o(load_start), .asked_o(load_asked), .write_o(load_write),
    .data_o(load_data)
  );
  weight_fifo #(
    .ROWS(ROWS), .COLS(COLS), .FIFO_DEPTH(FIFO_DEPTH), .UB_LATENCY(UB_LATENCY), .IN_PLACE(IN_PLACE)
  ) u_fifo (
    .clk_i, .rst_ni, .cfg_depth_i(any_depth), .cfg_mutant_i(MUTANT), .load_start_i(load_start),
    .load_asked_i(load_asked), .load_write_i(load_write), .load_data_i(load_data), .slot_free_o(slot_free),
    .released_i(released), .swap_i(swapped), .swappable_o(swappable), .shift_o(shift), .weight_o(weight)
  );
  matrix_unit #(
    .ROWS(ROWS), .COLS(COLS), .LINE(LINE), .PE_LATENCY(PE_LATENCY), .HOP_H(HOP_H), .HOP_V(HOP_V),
    .UB_LATENCY(UB_LATENCY), .PE_INSTANCES(1'b1)
  ) u_matrix (
    .clk_i, .rst_ni, .cfg_double_i(any_double), .cfg_overlap_i(any_overlap), .cfg_mutant_i(MUTANT),
    .instr_valid_i(matmul_valid_i), .instr_i(matmul), .instr_ready_o(matmul_ready), .ub_ren_o(ub_ren),
    .ub_raddr_o(), .ub_ritem_o(), .ub_rdata_i(operand_line), .swappable_i(swappable), .swap_o(swapped),
    .release_o(released), .weight_i(weight), .valid_o(), .result_o(), .sum_o()
  );
  assign matmul_start = matmul_valid_i && matmul_ready;

  // Lines into the FIFO and out of it, tiles started and out, and the tile in use.
  logic [7:0] tile_in_q, line_in_q, tile_out_q, line_out_q, loads_q, tile_q, tile;
  logic in_use_q;
  logic [7:0] tag_q [UB_LATENCY];
  assign tile = tile_q + 8'(swapped);  // 1 is the first
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {tile_in_q, line_in_q, tile_out_q, line_out_q, loads_q, tile_q} <= '0;
      in_use_q <= 1'b0;
      for (int unsigned s = 0; s < UB_LATENCY; s++) tag_q[s] <= '0;
    end else begin
      if (load_write) begin
        line_in_q <= line_in_q == 8'(ROWS - 1) ? '0 : line_in_q + 1'b1;
        if (line_in_q == 8'(ROWS - 1)) tile_in_q <= tile_in_q + 1'b1;
      end
      if (weight[0].valid) begin
        line_out_q <= line_out_q == 8'(ROWS - 1) ? '0 : line_out_q + 1'b1;
        if (line_out_q == 8'(ROWS - 1)) tile_out_q <= tile_out_q + 1'b1;
      end
      loads_q <= loads_q + 8'(load_start);
      tile_q <= tile;
      if (matmul_start) in_use_q <= !release_i;
      tag_q[0] <= tile;
      for (int unsigned s = 1; s < UB_LATENCY; s++) tag_q[s] <= tag_q[s-1];
    end
  end
  always_comb begin
    for (int unsigned e = 0; e < LINE * 2; e++) begin
      load_line[e*16+:16] = {tile_in_q + 8'd1, line_in_q};
      operand_line[e*16+:16] = {8'd0, tag_q[UB_LATENCY-1]};
    end
  end

  assign seen_full_o = loads_q - tile_out_q == 8'(FIFO_DEPTH) && !slot_free;
  assign seen_second_o = swapped && tile_q == 8'd1;

  always_comb begin
    assume (any_depth >= 8'd1 && any_depth <= 8'(FIFO_DEPTH));
    assume (rows_i != '0);
    // A tile is used from its SWAP to its RELEASE (simulator.validate).
    if (matmul_start) assume (swap_i == !in_use_q);

    assert (loads_q - tile_out_q <= any_depth);  // never overflows
    assert (slot_free == (loads_q - tile_out_q < any_depth));
    for (int unsigned c = 0; c < COLS; c++) begin
      assert (weight[c].valid == weight[0].valid);
      if (weight[c].valid) assert (weight[c].data == {tile_out_q + 8'd1, line_out_q});
    end
    if (weight[0].valid) assert ({tile_in_q, line_in_q} > {tile_out_q, line_out_q});  // not before it is there
    if (line_out_q != '0) assert (weight[0].valid);  // a tile without a gap
    assert (shift == (weight[0].valid && line_out_q == '0));
  end

  for (genvar r = 0; r < ROWS; r++) begin : gen_row
    for (genvar c = 0; c < COLS; c++) begin : gen_col
      always_comb begin
        if (u_matrix.gen_pe.u_array.gen_row[r].gen_col[c].u_pe.left_i.valid) begin
          assert (u_matrix.gen_pe.u_array.gen_row[r].gen_col[c].u_pe.used ==
              {u_matrix.gen_pe.u_array.gen_row[r].gen_col[c].u_pe.left_i.data[7:0], 8'(r)});
        end
      end
    end
  end
endmodule
