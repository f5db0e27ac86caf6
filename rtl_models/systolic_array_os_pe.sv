// The output-stationary array as a grid of PE instances: the readable, synthesised form. Ports, cycles and bits
// are those of systolic_array_os.
//
// Latency: PE (r, c) works on a pair r * HOP_V + c * HOP_H cycles after it has entered; its sum includes the
// pair PE_LATENCY cycles later. Throughput: one pair of lines every PE_LATENCY cycles.
// Handshake: none; valid bits travel with the operands. While drain_i is high the sums move down one row a
// cycle, and row_o shows those of the last row; nothing else may be in the array then.
module systolic_array_os_pe
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
  input  logic [7:0]  cfg_mutant_i,
  input  operand_t    left_i [ROWS],  // skewed
  input  weight_t     top_i  [COLS],  // skewed
  input  logic        drain_i,
  output logic [31:0] row_o  [COLS],
  output logic        last_o  // the last PE's sum of the instruction's last pair is being written
);
  operand_t right [ROWS*(COLS+1)];
  weight_t down [(ROWS+1)*COLS];
  logic [31:0] sum [(ROWS+1)*COLS];
  logic last [ROWS*COLS];

  for (genvar r = 0; r < ROWS; r++) begin : gen_row
    assign right[r*(COLS+1)] = left_i[r];
    for (genvar c = 0; c < COLS; c++) begin : gen_col
      pe_os #(
        .PE_LATENCY(PE_LATENCY),
        .HOP_H(HOP_H),
        .HOP_V(HOP_V)
      ) u_pe (
        .clk_i       (clk_i),
        .rst_ni      (rst_ni),
        .cfg_mutant_i(cfg_mutant_i),
        .left_i      (right[r*(COLS+1)+c]),
        .right_o     (right[r*(COLS+1)+c+1]),
        .top_i       (down[r*COLS+c]),
        .down_o      (down[(r+1)*COLS+c]),
        .drain_i     (drain_i),
        .sum_i       (sum[r*COLS+c]),
        .sum_o       (sum[(r+1)*COLS+c]),
        .last_o      (last[r*COLS+c])
      );
    end
  end
  for (genvar c = 0; c < COLS; c++) begin : gen_edge
    assign down[c] = top_i[c];
    assign sum[c] = '0;
    assign row_o[c] = sum[ROWS*COLS+c];
  end
  assign last_o = last[ROWS*COLS-1];
endmodule
