// The instruction queue of one unit, and the post masks of its instructions under way.
//
// Latency: an instruction dispatched in cycle t can issue in cycle t + 1; a slot that an issue in cycle t
// frees can be dispatched into in cycle t + 1.
// Throughput: one dispatch, one issue and one completion per cycle.
// Handshake: push only while room_o. valid_o: an instruction is there and its tokens are (tokens_ready_i);
// the cycle of valid_o & ready_i is the instruction's start. done_i, in program order, releases the oldest
// post mask, which post_o shows in the same cycle.
module issue_queue
  import pulsetrain_pkg::*;
#(
  parameter int unsigned QUEUE_DEPTH = 16,
  parameter int unsigned INFLIGHT = 64  // instructions started and not ended, a power of two
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic [15:0]      cfg_depth_i,  // 1 to QUEUE_DEPTH
  input  logic [7:0]       cfg_mutant_i,
  input  logic             push_i,
  input  instr_t           instr_i,
  output logic             room_o,
  output logic [UNITS-1:0] wait_o,
  input  logic             tokens_ready_i,
  output logic             valid_o,
  output instr_t           instr_o,
  input  logic             ready_i,
  output logic             issue_o,
  input  logic             done_i,
  output logic [UNITS-1:0] post_o
);
  import systolic_pkg::*;

  localparam int unsigned SLOTS = QUEUE_DEPTH + 1;  // one more for the mutant
  localparam int unsigned SLOT_BITS = $clog2(SLOTS);
  localparam int unsigned FLIGHT_BITS = $clog2(INFLIGHT);

  instr_t slot_q [SLOTS];
  logic [SLOT_BITS-1:0] write_q, read_q;
  logic [15:0] count_q;
  logic [UNITS-1:0] mask_q [INFLIGHT];
  logic [FLIGHT_BITS-1:0] mask_write_q, mask_read_q;

  function automatic logic [SLOT_BITS-1:0] next(input logic [SLOT_BITS-1:0] pointer);
    return pointer == SLOT_BITS'(SLOTS - 1) ? '0 : pointer + 1'b1;
  endfunction

  assign room_o = count_q < cfg_depth_i + 16'(cfg_mutant_i == MutantQueueExtraSlot);
  assign instr_o = slot_q[read_q];
  assign wait_o = instr_o.wait_mask;
  assign valid_o = count_q != '0 && tokens_ready_i;
  assign issue_o = valid_o && ready_i;
  // An instruction may end in the cycle in which it starts.
  assign post_o = mask_write_q == mask_read_q ? instr_o.post_mask : mask_q[mask_read_q];

  always_ff @(posedge clk_i) begin
    if (push_i) slot_q[write_q] <= instr_i;
    if (issue_o) mask_q[mask_write_q] <= instr_o.post_mask;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_q <= '0;
      read_q <= '0;
      count_q <= '0;
      mask_write_q <= '0;
      mask_read_q <= '0;
    end else begin
      if (push_i) write_q <= next(write_q);
      if (issue_o) begin
        read_q <= next(read_q);
        mask_write_q <= mask_write_q + 1'b1;
      end
      if (done_i) mask_read_q <= mask_read_q + 1'b1;
      count_q <= count_q + 16'(push_i) - 16'(issue_o);
    end
  end
endmodule
