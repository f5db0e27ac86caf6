// Delays lane i by (LANES - 1 - i) * STEP cycles; the last lane is a wire. Undoes a skew of the same STEP.
//
// Throughput: one word per lane and cycle. Handshake: none, a valid bit is part of the word.
module deskew #(
  parameter int unsigned LANES = 8,
  parameter int unsigned STEP = 1,
  parameter int unsigned WIDTH = 16
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [WIDTH-1:0] in_i  [LANES],
  output logic [WIDTH-1:0] out_o [LANES]
);
  logic [WIDTH-1:0] reversed_in [LANES];
  logic [WIDTH-1:0] reversed_out [LANES];

  always_comb begin
    for (int unsigned i = 0; i < LANES; i++) reversed_in[i] = in_i[LANES-1-i];
  end
  always_comb begin
    for (int unsigned i = 0; i < LANES; i++) out_o[i] = reversed_out[LANES-1-i];
  end

  skew #(
    .LANES(LANES),
    .STEP (STEP),
    .WIDTH(WIDTH)
  ) u_skew (
    .clk_i (clk_i),
    .rst_ni(rst_ni),
    .in_i  (reversed_in),
    .out_o (reversed_out)
  );
endmodule
