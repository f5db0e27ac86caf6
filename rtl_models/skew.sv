// Delays lane i by i * STEP cycles; lane 0 is a wire.
//
// Throughput: one word per lane and cycle. Handshake: none, a valid bit is part of the word.
module skew #(
  parameter int unsigned LANES = 8,
  parameter int unsigned STEP = 1,
  parameter int unsigned WIDTH = 16
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [WIDTH-1:0] in_i  [LANES],
  output logic [WIDTH-1:0] out_o [LANES]
);
  localparam int unsigned REGISTERS = STEP * LANES * (LANES - 1) / 2;
  localparam int unsigned SIZE = REGISTERS == 0 ? 1 : REGISTERS;

  // Lane i's registers follow those of lane i - 1, its first one at STEP * i * (i - 1) / 2.
  logic [WIDTH-1:0] stage_q [SIZE];
  logic [WIDTH-1:0] stage_d [SIZE];

  always_comb begin
    stage_d = stage_q;
    for (int unsigned k = 1; k < SIZE; k++) stage_d[k] = stage_q[k-1];
    for (int unsigned i = 1; i < LANES; i++) stage_d[STEP*i*(i-1)/2] = in_i[i];
  end

  always_comb begin
    out_o[0] = in_i[0];
    for (int unsigned i = 1; i < LANES; i++) out_o[i] = stage_q[STEP*i*(i+1)/2-1];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned k = 0; k < SIZE; k++) stage_q[k] <= '0;
    end else begin
      stage_q <= stage_d;
    end
  end
endmodule
