// A weight-stationary int8 array behind AXI-Stream ports: weights and activations in, int32 sums out one by one.
//
// A tile is ROWS beats of weights, the bottom row's first, then any number of beats of activations (ROWS
// elements each), the last with tlast. Every beat of activations gives COLS results, column 0 first.
//
// Latency: column 0 of a beat accepted in cycle t is offered in cycle t + ROWS + COLS, if nothing is before it.
// Throughput: one beat of activations per cycle into the array; one result per cycle out of it.
// Handshake: valid/ready. A beat is accepted only if the output FIFO has room for its sums (credits), so the
// array itself never stalls. The next tile's weights enter when the last sums have left the array.
//
// FAULT seeds an error: 1 PE (2, 1) takes activations as unsigned, 2 one credit too many, 3 the output pauses
// after every line, 4 a line's last result moves on without waiting for tready, 5 weights change too early.
module axis_systolic #(
  parameter int ROWS = 4,
  parameter int COLS = 4,
  parameter int DEPTH = 4,
  parameter int FAULT = 0
) (
  input  logic              aclk,
  input  logic              aresetn,
  input  logic              s_axis_w_tvalid,
  output logic              s_axis_w_tready,
  input  logic [8*COLS-1:0] s_axis_w_tdata,
  input  logic              s_axis_a_tvalid,
  output logic              s_axis_a_tready,
  input  logic [8*ROWS-1:0] s_axis_a_tdata,
  input  logic              s_axis_a_tlast,
  output logic              m_axis_tvalid,
  input  logic              m_axis_tready,
  output logic [31:0]       m_axis_tdata,
  output logic              m_axis_tlast
);
  localparam int LATENCY = ROWS + COLS - 1;  // from a beat of activations to its line of sums
  localparam int W = $clog2(ROWS + 1);
  localparam int P = $clog2(DEPTH);  // DEPTH and COLS are powers of two, of at least 2
  localparam int F = P + 2;
  localparam int L = $clog2(COLS);

  // Control: a tile's weights, then its activations, then nothing until its last sums have left the array.
  logic [W-1:0] loaded_q;
  logic [F-1:0] credits_q;
  logic [LATENCY-1:0] valid_q, last_q;
  logic closed_q, accept, tile_done, line_done;

  assign s_axis_w_tready = loaded_q != W'(ROWS);
  assign s_axis_a_tready = loaded_q == W'(ROWS) && credits_q != 0 && !closed_q;
  assign accept = s_axis_a_tvalid && s_axis_a_tready;
  assign tile_done = FAULT == 5 ? accept && s_axis_a_tlast : last_q[LATENCY-1];

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      loaded_q <= '0;
      closed_q <= 1'b0;
      credits_q <= F'(FAULT == 2 ? DEPTH + 1 : DEPTH);
      valid_q <= '0;
      last_q <= '0;
    end else begin
      if (s_axis_w_tvalid && s_axis_w_tready) loaded_q <= loaded_q + 1'b1;
      else if (tile_done) loaded_q <= '0;
      closed_q <= (closed_q || (accept && s_axis_a_tlast)) && !tile_done;
      credits_q <= credits_q + F'(line_done) - F'(accept);
      valid_q <= LATENCY'({valid_q, accept});
      last_q <= LATENCY'({last_q, accept && s_axis_a_tlast});
    end
  end

  // The array. Activations move right, sums move down, one PE per cycle; sum column c leaves c cycles late.
  logic [ROWS-1:0][COLS-1:0][7:0] weight_q, right_q;
  logic [ROWS-1:0][COLS-1:0][31:0] sum_q;
  logic [COLS-1:0][31:0] line;

  for (genvar r = 0; r < ROWS; r++) begin : gen_row
    logic [7:0] first;
    if (r == 0) begin : gen_straight
      assign first = s_axis_a_tdata[7:0];
    end else begin : gen_skew
      logic [8*r-1:0] skew_q;
      always_ff @(posedge aclk) skew_q <= (8*r)'({skew_q, s_axis_a_tdata[8*r+:8]});
      assign first = skew_q[8*r-1-:8];
    end
    for (genvar c = 0; c < COLS; c++) begin : gen_col
      logic [7:0] left;
      logic [31:0] a, above;
      if (c == 0) begin : gen_left_edge
        assign left = first;
      end else begin : gen_left
        assign left = right_q[r][c-1];
      end
      if (r == 0) begin : gen_top_edge
        assign above = '0;
      end else begin : gen_above
        assign above = sum_q[r-1][c];
      end
      assign a = {{24{left[7] && !(FAULT == 1 && r == 2 && c == 1)}}, left};
      always_ff @(posedge aclk) begin
        right_q[r][c] <= left;
        sum_q[r][c] <= above + a * {{24{weight_q[r][c][7]}}, weight_q[r][c]};
        if (s_axis_w_tvalid && s_axis_w_tready) begin
          weight_q[r][c] <= r == 0 ? s_axis_w_tdata[8*c+:8] : weight_q[r == 0 ? 0 : r-1][c];
        end
      end
    end
  end

  for (genvar c = 0; c < COLS; c++) begin : gen_deskew
    if (c == COLS - 1) begin : gen_straight
      assign line[c] = sum_q[ROWS-1][c];
    end else begin : gen_wait
      localparam int BITS = 32 * (COLS - 1 - c);
      logic [BITS-1:0] wait_q;
      always_ff @(posedge aclk) wait_q <= BITS'({wait_q, sum_q[ROWS-1][c]});
      assign line[c] = wait_q[BITS-1-:32];
    end
  end

  // The output: a FIFO of lines, whose first line is shifted out one result at a time.
  logic [DEPTH-1:0][COLS-1:0][31:0] fifo_q;
  logic [COLS-1:0][31:0] head;
  logic [DEPTH-1:0] fifo_last_q;
  logic [P-1:0] write_q, read_q;
  logic [F-1:0] count_q;
  logic [L-1:0] lane_q;
  logic pause_q, move;

  assign m_axis_tvalid = count_q != 0 && !pause_q;
  assign head = fifo_q[read_q];
  assign m_axis_tdata = head[lane_q];
  assign m_axis_tlast = fifo_last_q[read_q] && lane_q == L'(COLS - 1);
  assign move = m_axis_tvalid && (m_axis_tready || (FAULT == 4 && lane_q == L'(COLS - 1)));
  assign line_done = move && lane_q == L'(COLS - 1);

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      write_q <= '0;
      read_q <= '0;
      count_q <= '0;
      lane_q <= '0;
      pause_q <= 1'b0;
    end else begin
      if (valid_q[LATENCY-1]) write_q <= write_q + 1'b1;
      if (line_done) read_q <= read_q + 1'b1;
      if (move) lane_q <= line_done ? '0 : lane_q + 1'b1;
      count_q <= count_q + F'(valid_q[LATENCY-1]) - F'(line_done);
      pause_q <= FAULT == 3 && line_done;
    end
    if (valid_q[LATENCY-1]) begin
      fifo_q[write_q] <= line;
      fifo_last_q[write_q] <= last_q[LATENCY-1];
    end
  end
endmodule
