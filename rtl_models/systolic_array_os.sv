// The output-stationary array as loops over flat arrays: sums stay, left operands move right, top operands down.
// The fast form; ports, cycles and bits are those of systolic_array_os_pe, with which it runs in lockstep in
// tests/cosim.
//
// Latency: PE (r, c) works on a pair r * HOP_V + c * HOP_H cycles after it has entered; its sum includes the
// pair PE_LATENCY cycles later. Throughput: one pair of lines every PE_LATENCY cycles.
// Handshake: none; valid bits travel with the operands. While drain_i is high the sums move down one row a
// cycle, and row_o shows those of the last row; nothing else may be in the array then.
module systolic_array_os
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
  localparam int unsigned N = ROWS * COLS;  // PE (r, c) is r * COLS + c
  localparam int unsigned STAGES = PE_LATENCY;  // stage 0 is the fma's output, the sum the last register

  operand_t right_q [HOP_H*N], right_d [HOP_H*N];
  weight_t down_q [HOP_V*N], down_d [HOP_V*N];
  logic [31:0] sum_q [N], sum_d [N];
  logic [31:0] fused_q [STAGES*N], fused_d [STAGES*N];
  logic done_q [STAGES*N], done_d [STAGES*N];
  logic last_q [STAGES], last_d [STAGES];

  operand_t operand;
  weight_t weight;
  logic [31:0] addend;

  always_comb begin
    for (int unsigned s = HOP_H * N - 1; s >= N; s--) right_d[s] = right_q[s-N];
    for (int unsigned s = HOP_V * N - 1; s >= N; s--) down_d[s] = down_q[s-N];
    for (int unsigned s = STAGES * N - 1; s >= N; s--) begin
      fused_d[s] = fused_q[s-N];
      done_d[s] = done_q[s-N];
    end
    for (int unsigned s = STAGES - 1; s >= 1; s--) last_d[s] = last_q[s-1];
    operand = '0;
    for (int unsigned r = 0; r < ROWS; r++) begin
      for (int unsigned c = 0; c < COLS; c++) begin
        operand = c == 0 ? left_i[r] : right_q[(HOP_H-1)*N+r*COLS+c-1];
        weight = r == 0 ? top_i[c] : down_q[(HOP_V-1)*N+(r-1)*COLS+c];
        right_d[r*COLS+c] = operand;
        down_d[r*COLS+c] = weight;
        addend = operand.first ? '0 : sum_q[r*COLS+c];
        fused_d[r*COLS+c] = addend;
        done_d[r*COLS+c] = operand.valid;
        if (operand.valid) begin
          fused_d[r*COLS+c] =
              multiply_add(operand.int8, operand.data, weight.data, addend, cfg_mutant_i);
        end
      end
    end
    last_d[0] = operand.valid && operand.last;
    // The result of the last stage goes into the sum itself.
    for (int unsigned i = 0; i < N; i++) begin
      sum_d[i] = done_d[(STAGES-1)*N+i] ? fused_d[(STAGES-1)*N+i] : sum_q[i];
      if (drain_i) sum_d[i] = i < COLS ? '0 : sum_q[i-COLS];
    end
    last_o = last_d[STAGES-1];
    for (int unsigned c = 0; c < COLS; c++) row_o[c] = sum_q[(ROWS-1)*COLS+c];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned i = 0; i < HOP_H * N; i++) right_q[i] <= '0;
      for (int unsigned i = 0; i < HOP_V * N; i++) down_q[i] <= '0;
      for (int unsigned i = 0; i < N; i++) sum_q[i] <= '0;
      for (int unsigned i = 0; i < STAGES * N; i++) begin
        fused_q[i] <= '0;
        done_q[i] <= 1'b0;
      end
      for (int unsigned i = 0; i < STAGES; i++) last_q[i] <= 1'b0;
    end else begin
      right_q <= right_d;
      down_q <= down_d;
      sum_q <= sum_d;
      fused_q <= fused_d;
      done_q <= done_d;
      last_q <= last_d;
    end
  end
endmodule
