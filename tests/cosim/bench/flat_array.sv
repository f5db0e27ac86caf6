// The project's systolic array with flat ports, as cocotb drives it: operands and weights still to be skewed.
module flat_array
  import systolic_pkg::*;
#(
  parameter int unsigned ROWS = 4,
  parameter int unsigned COLS = 4,
  parameter int unsigned PE_LATENCY = 1,
  parameter int unsigned HOP_H = 1,
  parameter int unsigned HOP_V = 1
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic [7:0]         mutant_i,
  input  logic               int8_i,
  input  logic [ROWS-1:0]    left_valid_i,
  input  logic [ROWS-1:0]    left_first_i,
  input  logic [ROWS*16-1:0] left_data_i,
  input  logic [COLS-1:0]    top_valid_i,
  input  logic [COLS*16-1:0] top_data_i,
  output logic [COLS-1:0]    valid_o,
  output logic [COLS*32-1:0] sum_o
);
  operand_t left [ROWS];
  weight_t top [COLS];
  logic [31:0] sum [COLS];
  logic valid [COLS];

  for (genvar r = 0; r < ROWS; r++) begin : gen_left
    assign left[r] = '{
      valid: left_valid_i[r],
      first: left_first_i[r],
      last: 1'b0,
      enable: 1'b1,
      int8: int8_i,
      data: left_data_i[16*r+:16]
    };
  end
  for (genvar c = 0; c < COLS; c++) begin : gen_top
    assign top[c] = '{valid: top_valid_i[c], data: top_data_i[16*c+:16]};
    assign valid_o[c] = valid[c];
    assign sum_o[32*c+:32] = sum[c];
  end

  systolic_array #(
    .ROWS      (ROWS),
    .COLS      (COLS),
    .PE_LATENCY(PE_LATENCY),
    .HOP_H     (HOP_H),
    .HOP_V     (HOP_V)
  ) u_array (
    .clk_i,
    .rst_ni,
    .cfg_double_i(1'b1),
    .cfg_mutant_i(mutant_i),
    .left_i      (left),
    .top_i       (top),
    .sum_o       (sum),
    .valid_o     (valid)
  );
endmodule
