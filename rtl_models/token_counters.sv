// One token counter per pair of units: [consumer][producer].
//
// Latency: a post in cycle t is in the counter, and usable, in cycle t + 1.
// Throughput: one post and one take per counter and cycle.
// Handshake: ready_o says that every counter named in a consumer's wait mask is not zero; take_i takes one
// from each of them. Producers are never held back: no valid Program has 2^COUNTER_BITS tokens in a counter.
module token_counters
  import pulsetrain_pkg::*;
#(
  parameter int unsigned COUNTER_BITS = 8
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [7:0]       cfg_mutant_i,
  input  logic [UNITS-1:0] wait_i [UNITS],
  output logic [UNITS-1:0] ready_o,
  input  logic [UNITS-1:0] take_i,
  input  logic [UNITS-1:0] done_i,
  input  logic [UNITS-1:0] post_i [UNITS]
);
  import systolic_pkg::*;

  logic [COUNTER_BITS-1:0] count_q [UNITS*UNITS];
  logic [UNITS-1:0] full [UNITS];  // counters that are not zero
  logic [UNITS-1:0] late_q;  // mutant
  logic [UNITS-1:0] posted [UNITS];
  logic reset_n;

  assign reset_n = rst_ni || cfg_mutant_i == MutantNoReset;

  always_comb begin
    for (int unsigned to = 0; to < UNITS; to++) begin
      for (int unsigned from = 0; from < UNITS; from++) begin
        full[to][from] = count_q[to*UNITS+from] != '0;
      end
      ready_o[to] = (wait_i[to] & ~full[to]) == '0;
    end
    for (int unsigned from = 0; from < UNITS; from++) posted[from] = done_i[from] ? post_i[from] : '0;
    if (cfg_mutant_i == MutantTokenLate) posted[UNIT_VECTOR] = late_q;
  end

  always_ff @(posedge clk_i or negedge reset_n) begin
    if (!reset_n) begin
      for (int unsigned i = 0; i < UNITS * UNITS; i++) count_q[i] <= '0;
      late_q <= '0;
    end else begin
      late_q <= done_i[UNIT_VECTOR] ? post_i[UNIT_VECTOR] : '0;
      for (int unsigned to = 0; to < UNITS; to++) begin
        for (int unsigned from = 0; from < UNITS; from++) begin
          if (posted[from][to] && !(take_i[to] && wait_i[to][from])) begin
            count_q[to*UNITS+from] <= count_q[to*UNITS+from] + 1'b1;
          end else if (take_i[to] && wait_i[to][from] &&
                       !(posted[from][to] && cfg_mutant_i != MutantTokenLost)) begin
            count_q[to*UNITS+from] <= count_q[to*UNITS+from] - 1'b1;
          end
        end
      end
    end
  end
endmodule
