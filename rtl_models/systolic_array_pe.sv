// The weight-stationary array as a grid of PE instances: the readable, synthesised form. Ports, cycles and bits
// are those of systolic_array.
//
// Latency: a sum leaves column c at the bottom ROWS * (PE_LATENCY + HOP_V - 1) + c * HOP_H cycles after its
// operand has entered row 0. Throughput: one row of operands and one line of weights per cycle.
// Handshake: none; valid bits travel with operands, weights and sums.
module systolic_array_pe
  import systolic_pkg::*;
#(
  parameter int unsigned ROWS = 8,
  parameter int unsigned COLS = 8,
  parameter int unsigned PE_LATENCY = 1,
  parameter int unsigned HOP_H = 1,
  parameter int unsigned HOP_V = 1
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        cfg_double_i,
  input  logic [7:0]  cfg_mutant_i,
  input  operand_t    left_i  [ROWS],  // skewed
  input  weight_t     top_i   [COLS],  // skewed
  output logic [31:0] sum_o   [COLS],  // not yet de-skewed
  output logic        valid_o [COLS]
);
  operand_t right [ROWS*(COLS+1)];
  weight_t down [(ROWS+1)*COLS];
  logic [31:0] sum [(ROWS+1)*COLS];
  logic valid [ROWS*COLS];

  for (genvar r = 0; r < ROWS; r++) begin : gen_row
    assign right[r*(COLS+1)] = left_i[r];
    for (genvar c = 0; c < COLS; c++) begin : gen_col
      pe #(
        .PE_LATENCY(PE_LATENCY),
        .HOP_H(HOP_H),
        .HOP_V(HOP_V)
      ) u_pe (
        .clk_i       (clk_i),
        .rst_ni      (rst_ni),
        .cfg_double_i(cfg_double_i),
        .cfg_mutant_i(cfg_mutant_i),
        .left_i      (right[r*(COLS+1)+c]),
        .right_o     (right[r*(COLS+1)+c+1]),
        .weight_i    (down[r*COLS+c]),
        .weight_o    (down[(r+1)*COLS+c]),
        .sum_i       (sum[r*COLS+c]),
        .sum_o       (sum[(r+1)*COLS+c]),
        .valid_o     (valid[r*COLS+c])
      );
    end
  end
  for (genvar c = 0; c < COLS; c++) begin : gen_edge
    assign down[c] = top_i[c];
    assign sum[c] = '0;
    assign sum_o[c] = sum[ROWS*COLS+c];
    assign valid_o[c] = valid[(ROWS-1)*COLS+c];
  end
endmodule
