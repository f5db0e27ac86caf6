// token_counters: what is in a counter is what was posted less what was taken, for any one pair of units.
module token_properties
  import pulsetrain_pkg::*;
#(
  parameter logic [7:0] MUTANT = 8'd0
) (
  input logic clk_i,
  input logic rst_ni,
  input logic [2:0] any_to,
  input logic [2:0] any_from,
  input logic [UNITS-1:0] wait_i [UNITS],
  input logic [UNITS-1:0] take_i,
  input logic [UNITS-1:0] done_i,
  input logic [UNITS-1:0] post_i [UNITS],
  output logic seen_three_o,
  output logic seen_emptied_o
);
  logic [UNITS-1:0] ready;
  token_counters u_dut (
    .clk_i,
    .rst_ni,
    .cfg_mutant_i(MUTANT),
    .wait_i,
    .ready_o(ready),
    .take_i,
    .done_i,
    .post_i
  );

  // Of the one pair: posts and waits since the reset, and the tokens that are there.
  logic [31:0] posts_q, waits_q;
  logic [31:0] tokens;
  logic post, take, all;
  assign post = done_i[any_from] && post_i[any_from][any_to];
  assign take = take_i[any_to] && wait_i[any_to][any_from];
  assign tokens = posts_q - waits_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      posts_q <= '0;
      waits_q <= '0;
    end else begin
      posts_q <= posts_q + 32'(post);
      waits_q <= waits_q + 32'(take);
    end
  end

  always_comb begin
    all = 1'b1;
    for (int unsigned from = 0; from < UNITS; from++) begin
      if (wait_i[any_to][from] && u_dut.count_q[32'(any_to)*UNITS+from] == '0) all = 1'b0;
    end
  end

  assign seen_three_o = tokens == 32'd3;
  assign seen_emptied_o = tokens == 32'd0 && posts_q == 32'd2;

  always_comb begin
    assume (any_to < 3'(UNITS) && any_from < 3'(UNITS));
    for (int unsigned to = 0; to < UNITS; to++) assume (!take_i[to] || ready[to]);  // as issue_queue does
    assume (!(post && tokens == 32'd255));  // Program.validate
    assert (32'(u_dut.count_q[32'(any_to)*UNITS+32'(any_from)]) == tokens);
    assert (tokens <= 32'd255);
    assert (!(take && tokens == 32'd0));  // no underflow
    assert (ready[any_to] == all);  // ready at once, and never without a token
  end
endmodule
