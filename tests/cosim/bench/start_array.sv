// An output-stationary int8 array, not square: a start pulse, two skewed buses, results behind an address port.
//
// With start_i: len_i, the number of products per result, and the first element of row 0 and column 0. Row r's
// follow r cycles later on left_i, column c's on top_i c cycles later.
//
// Latency: done_o is high from len + ROWS + COLS - 2 cycles after start_i until the next one; data_o is result
// addr_i (line by line) of the cycle before.
//
// fault_i seeds an error: 1 PE (1, 3) takes its column's operand as unsigned, 2 PE (2, 4) does not begin at 0,
// 3 done_o comes a cycle early.
module start_array #(
  parameter int ROWS = 3,
  parameter int COLS = 5
) (
  input  logic                         clk,
  input  logic                         rst,
  input  logic [1:0]                   fault_i,
  input  logic                         start_i,
  input  logic [7:0]                   len_i,
  input  logic [8*ROWS-1:0]            left_i,
  input  logic [8*COLS-1:0]            top_i,
  output logic                         done_o,
  input  logic [$clog2(ROWS*COLS)-1:0] addr_i,
  output logic [31:0]                  data_o
);
  logic [7:0] left_q, wait_q;  // products to come in PE (0, 0), then cycles until the last PE has had its own
  logic busy_q, active;
  assign active = start_i || left_q != 0;

  always_ff @(posedge clk) begin
    if (rst) begin
      left_q <= '0;
      wait_q <= '0;
      busy_q <= 1'b0;
      done_o <= 1'b0;
    end else if (start_i) begin
      left_q <= len_i - 1'b1;
      wait_q <= 8'(ROWS + COLS - 3) - 8'(fault_i == 3);
      busy_q <= 1'b1;
      done_o <= 1'b0;
    end else if (left_q != 0) begin
      left_q <= left_q - 1'b1;
    end else if (wait_q != 0) begin
      wait_q <= wait_q - 1'b1;
    end else if (busy_q) begin
      busy_q <= 1'b0;
      done_o <= 1'b1;
    end
  end

  // Operands of rows and what belongs to them move right, operands of columns down, one PE a cycle.
  logic [7:0] row[ROWS][COLS+1], column[ROWS+1][COLS];
  logic valid[ROWS][COLS+1], first[ROWS][COLS+1];
  logic [31:0] sum_q[ROWS*COLS];

  for (genvar c = 0; c < COLS; c++) begin : gen_top
    assign column[0][c] = top_i[8*c+:8];
  end
  for (genvar r = 0; r < ROWS; r++) begin : gen_row
    assign row[r][0] = left_i[8*r+:8];
    if (r == 0) begin : gen_straight
      assign valid[0][0] = active;
      assign first[0][0] = start_i;
    end else begin : gen_later
      always_ff @(posedge clk) begin
        valid[r][0] <= !rst && valid[r-1][0];
        first[r][0] <= !rst && first[r-1][0];
      end
    end
    for (genvar c = 0; c < COLS; c++) begin : gen_col
      logic [31:0] a, b, so_far;
      assign a = {{24{row[r][c][7]}}, row[r][c]};
      assign b = {{24{column[r][c][7] && !(fault_i == 1 && r == 1 && c == 3)}}, column[r][c]};
      assign so_far = first[r][c] && !(fault_i == 2 && r == 2 && c == 4) ? '0 : sum_q[r*COLS+c];
      always_ff @(posedge clk) begin
        valid[r][c+1] <= !rst && valid[r][c];
        first[r][c+1] <= !rst && first[r][c];
        row[r][c+1] <= row[r][c];
        column[r+1][c] <= column[r][c];
        if (valid[r][c]) sum_q[r*COLS+c] <= so_far + a * b;
      end
    end
  end

  always_ff @(posedge clk) data_o <= sum_q[addr_i];
endmodule
