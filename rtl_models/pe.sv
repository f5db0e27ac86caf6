// One processing element of the weight-stationary array.
//
// Latency: an operand leaves to the right HOP_H cycles later, the sum s + a * w downwards PE_LATENCY + HOP_V - 1
// cycles later, a weight that is not captured HOP_V cycles later.
// Throughput: one operand and one weight per cycle. Handshake: none; a valid bit travels with operands.
// The register being loaded (cfg_double_i: the shadow register, else the active one) captures the first
// weight that comes while it is free; weights that come while it is full are forwarded.
module pe
  import systolic_pkg::*;
#(
  parameter int unsigned PE_LATENCY = 1,
  parameter int unsigned HOP_H = 1,
  parameter int unsigned HOP_V = 1
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        cfg_double_i,
  input  logic [7:0]  cfg_mutant_i,
  input  operand_t    left_i,
  output operand_t    right_o,
  input  weight_t     weight_i,
  output weight_t     weight_o,
  input  logic [31:0] sum_i,
  output logic [31:0] sum_o,
  output logic        valid_o  // of sum_o
);
  localparam int unsigned DELAY = PE_LATENCY + HOP_V - 1;

  logic [15:0] active_q, shadow_q, used;
  logic full_q, swap, capture, free;
  logic [31:0] fused, product, below;
  operand_t right_q [HOP_H];
  weight_t weight_q [HOP_V];
  logic [31:0] sum_q [DELAY];
  logic [DELAY-1:0] valid_q;

  assign swap = cfg_double_i && left_i.valid && left_i.first;
  assign used = swap && cfg_mutant_i != MutantSwapLate ? shadow_q : active_q;
  assign capture = weight_i.valid && !full_q;
  assign free = cfg_double_i ? swap : left_i.valid && left_i.last;

  bf16_fma #(
    .MUTANTS(1'b1)
  ) u_fma (
    .mutant_i(cfg_mutant_i),
    .a_i(left_i.data),
    .b_i(used),
    .c_i(sum_i),
    .y_o(fused)
  );
  assign product = {{24{left_i.data[7] & (cfg_mutant_i != MutantUnsignedInt8)}}, left_i.data[7:0]} *
      {{24{used[7]}}, used[7:0]};
  assign below = !left_i.enable ? sum_i : left_i.int8 ? sum_i + product : fused;

  assign right_o = right_q[HOP_H-1];
  assign weight_o = weight_q[HOP_V-1];
  assign sum_o = sum_q[DELAY-1];
  assign valid_o = valid_q[DELAY-1];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q <= '0;
      shadow_q <= '0;
      full_q <= 1'b0;
      valid_q <= '0;
      for (int unsigned s = 0; s < HOP_H; s++) right_q[s] <= '0;
      for (int unsigned s = 0; s < HOP_V; s++) weight_q[s] <= '0;
      for (int unsigned s = 0; s < DELAY; s++) sum_q[s] <= '0;
    end else begin
      if (swap) active_q <= shadow_q;
      if (capture && cfg_double_i) shadow_q <= weight_i.data;
      if (capture && !cfg_double_i) active_q <= weight_i.data;
      full_q <= capture || (full_q && !free);
      right_q[0] <= left_i;
      weight_q[0] <= '{valid: weight_i.valid && !capture, data: weight_i.data};
      sum_q[0] <= below;
      valid_q <= DELAY'({valid_q, left_i.valid});
      for (int unsigned s = 1; s < HOP_H; s++) right_q[s] <= right_q[s-1];
      for (int unsigned s = 1; s < HOP_V; s++) weight_q[s] <= weight_q[s-1];
      for (int unsigned s = 1; s < DELAY; s++) sum_q[s] <= sum_q[s-1];
    end
  end
endmodule
