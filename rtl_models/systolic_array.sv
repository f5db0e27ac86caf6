// The weight-stationary array as loops over flat arrays: the fast form. Ports, cycles and bits are those of
// systolic_array_pe, with which it runs in lockstep in tests/cosim.
//
// Latency: a sum leaves column c at the bottom ROWS * (PE_LATENCY + HOP_V - 1) + c * HOP_H cycles after its
// operand has entered row 0. Throughput: one row of operands and one line of weights per cycle.
// Handshake: none; valid bits travel with operands, weights and sums.
module systolic_array
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
  localparam int unsigned N = ROWS * COLS;  // PE (r, c) is r * COLS + c
  localparam int unsigned DELAY = PE_LATENCY + HOP_V - 1;

  // Stage s of PE i is s * N + i.
  operand_t right_q [HOP_H*N], right_d [HOP_H*N];
  weight_t down_q [HOP_V*N], down_d [HOP_V*N];
  logic [31:0] sum_q [DELAY*N], sum_d [DELAY*N];
  logic valid_q [DELAY*COLS], valid_d [DELAY*COLS];  // of the last row's sums
  logic [15:0] active_q [N], active_d [N];
  logic [15:0] shadow_q [N], shadow_d [N];
  logic full_q [N], full_d [N];

  operand_t operand;
  weight_t weight;
  logic [31:0] above;
  logic [15:0] used;
  logic swap, capture, free;

  always_comb begin
    active_d = active_q;
    shadow_d = shadow_q;
    full_d = full_q;
    valid_d = valid_q;
    for (int unsigned s = HOP_H * N - 1; s >= N; s--) right_d[s] = right_q[s-N];
    for (int unsigned s = HOP_V * N - 1; s >= N; s--) down_d[s] = down_q[s-N];
    for (int unsigned s = DELAY * N - 1; s >= N; s--) sum_d[s] = sum_q[s-N];
    for (int unsigned s = DELAY * COLS - 1; s >= COLS; s--) valid_d[s] = valid_q[s-COLS];
    for (int unsigned r = 0; r < ROWS; r++) begin
      for (int unsigned c = 0; c < COLS; c++) begin
        operand = c == 0 ? left_i[r] : right_q[(HOP_H-1)*N+r*COLS+c-1];
        weight = r == 0 ? top_i[c] : down_q[(HOP_V-1)*N+(r-1)*COLS+c];
        above = r == 0 ? '0 : sum_q[(DELAY-1)*N+(r-1)*COLS+c];
        swap = cfg_double_i && operand.valid && operand.first;
        used = swap && cfg_mutant_i != MutantSwapLate ? shadow_q[r*COLS+c] : active_q[r*COLS+c];
        capture = weight.valid && !full_q[r*COLS+c];
        free = cfg_double_i ? swap : operand.valid && operand.last;
        if (swap) active_d[r*COLS+c] = shadow_q[r*COLS+c];
        if (capture && cfg_double_i) shadow_d[r*COLS+c] = weight.data;
        if (capture && !cfg_double_i) active_d[r*COLS+c] = weight.data;
        full_d[r*COLS+c] = capture || (full_q[r*COLS+c] && !free);
        right_d[r*COLS+c] = operand;
        down_d[r*COLS+c] = '{valid: weight.valid && !capture, data: weight.data};
        // A sum without a valid operand is used by no one: no arithmetic for it.
        sum_d[r*COLS+c] = above;
        if (operand.valid && operand.enable) begin
          sum_d[r*COLS+c] = multiply_add(operand.int8, operand.data, used, above, cfg_mutant_i);
        end
        if (r == ROWS - 1) valid_d[c] = operand.valid;
      end
    end
  end

  always_comb begin
    for (int unsigned c = 0; c < COLS; c++) begin
      sum_o[c] = sum_q[(DELAY-1)*N+(ROWS-1)*COLS+c];
      valid_o[c] = valid_q[(DELAY-1)*COLS+c];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned i = 0; i < N; i++) begin
        active_q[i] <= '0;
        shadow_q[i] <= '0;
        full_q[i] <= 1'b0;
      end
      for (int unsigned i = 0; i < HOP_H * N; i++) right_q[i] <= '0;
      for (int unsigned i = 0; i < HOP_V * N; i++) down_q[i] <= '0;
      for (int unsigned i = 0; i < DELAY * N; i++) sum_q[i] <= '0;
      for (int unsigned i = 0; i < DELAY * COLS; i++) valid_q[i] <= 1'b0;
    end else begin
      active_q <= active_d;
      shadow_q <= shadow_d;
      full_q <= full_d;
      right_q <= right_d;
      down_q <= down_d;
      sum_q <= sum_d;
      valid_q <= valid_d;
    end
  end
endmodule
