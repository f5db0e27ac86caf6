// One processing element of the output-stationary array.
//
// Latency: operands leave to the right HOP_H and downwards HOP_V cycles later; the sum includes a pair
// PE_LATENCY cycles later, in the cycle after last_o if it is an instruction's last.
// Throughput: one pair every PE_LATENCY cycles. Handshake: none; a valid bit travels with operands.
// While drain_i is high the sum of the PE above takes the place of this one's.
module pe_os
  import systolic_pkg::*;
#(
  parameter int unsigned PE_LATENCY = 1,
  parameter int unsigned HOP_H = 1,
  parameter int unsigned HOP_V = 1
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [7:0]  cfg_mutant_i,
  input  operand_t    left_i,
  output operand_t    right_o,
  input  weight_t     top_i,
  output weight_t     down_o,
  input  logic        drain_i,
  input  logic [31:0] sum_i,
  output logic [31:0] sum_o,
  output logic        last_o
);
  logic [31:0] sum_q, addend, fused, product, total;
  operand_t right_q [HOP_H];
  weight_t down_q [HOP_V];
  logic done;  // a new sum leaves the pipeline

  assign addend = left_i.first ? '0 : sum_q;
  bf16_fma #(
    .MUTANTS(1'b1)
  ) u_fma (
    .mutant_i(cfg_mutant_i),
    .a_i(left_i.data),
    .b_i(top_i.data),
    .c_i(addend),
    .y_o(fused)
  );
  assign product = {{24{left_i.data[7] & (cfg_mutant_i != MutantUnsignedInt8)}}, left_i.data[7:0]} *
      {{24{top_i.data[7]}}, top_i.data[7:0]};

  // The sum itself is the pipeline's last register.
  if (PE_LATENCY == 1) begin : gen_direct
    assign total = left_i.int8 ? addend + product : fused;
    assign done = left_i.valid;
    assign last_o = left_i.valid && left_i.last;
  end else begin : gen_pipeline
    localparam int unsigned STAGES = PE_LATENCY - 1;
    logic [31:0] total_q [STAGES];
    logic [STAGES-1:0] done_q, last_q;
    assign total = total_q[STAGES-1];
    assign done = done_q[STAGES-1];
    assign last_o = last_q[STAGES-1];
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        done_q <= '0;
        last_q <= '0;
        for (int unsigned s = 0; s < STAGES; s++) total_q[s] <= '0;
      end else begin
        done_q <= STAGES'({done_q, left_i.valid});
        last_q <= STAGES'({last_q, left_i.valid && left_i.last});
        total_q[0] <= left_i.int8 ? addend + product : fused;
        for (int unsigned s = 1; s < STAGES; s++) total_q[s] <= total_q[s-1];
      end
    end
  end

  assign right_o = right_q[HOP_H-1];
  assign down_o = down_q[HOP_V-1];
  assign sum_o = sum_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      sum_q <= '0;
      for (int unsigned s = 0; s < HOP_H; s++) right_q[s] <= '0;
      for (int unsigned s = 0; s < HOP_V; s++) down_q[s] <= '0;
    end else begin
      if (drain_i) sum_q <= sum_i;
      else if (done) sum_q <= total;
      right_q[0] <= left_i;
      down_q[0] <= top_i;
      for (int unsigned s = 1; s < HOP_H; s++) right_q[s] <= right_q[s-1];
      for (int unsigned s = 1; s < HOP_V; s++) down_q[s] <= down_q[s-1];
    end
  end
endmodule
