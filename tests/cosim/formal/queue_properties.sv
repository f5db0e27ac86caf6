// issue_queue: instructions and post masks leave in order, each once and unchanged; never too many, never
// none where there is one.
//
// One instruction and one post mask, chosen freely, are followed from entry to exit by counting what is ahead.
module queue_properties
  import pulsetrain_pkg::*;
#(
  parameter int unsigned QUEUE_DEPTH = 3,
  parameter int unsigned INFLIGHT = 4,
  parameter logic [7:0] MUTANT = 8'd0
) (
  input logic clk_i,
  input logic rst_ni,
  input logic [15:0] any_depth,
  input logic push_i,
  input instr_t instr_i,
  input logic tokens_ready_i,
  input logic ready_i,
  input logic done_i,
  input logic mark_i,  // follow the instruction pushed now
  input logic mark_mask_i,  // follow the post mask of the instruction issued now
  output logic seen_full_o,
  output logic seen_last_o,
  output logic seen_done_at_once_o
);
  logic room, valid, issue;
  logic [UNITS-1:0] wait_mask, post;
  instr_t head;
  issue_queue #(
    .QUEUE_DEPTH(QUEUE_DEPTH),
    .INFLIGHT(INFLIGHT)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .cfg_depth_i(any_depth),
    .cfg_mutant_i(MUTANT),
    .push_i,
    .instr_i,
    .room_o(room),
    .wait_o(wait_mask),
    .tokens_ready_i,
    .valid_o(valid),
    .instr_o(head),
    .ready_i,
    .issue_o(issue),
    .done_i,
    .post_o(post)
  );
  localparam int unsigned SLOTS = QUEUE_DEPTH + 1;

  // How many are in the queue, and started and not ended.
  logic [15:0] inside_q, flying_q;
  // What is followed, and how many are ahead of it.
  logic following_q, following_mask_q;
  logic [15:0] ahead_q, ahead_mask_q;
  instr_t instr_q;
  logic [UNITS-1:0] mask_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      inside_q <= '0;
      flying_q <= '0;
      following_q <= 1'b0;
      following_mask_q <= 1'b0;
      ahead_q <= '0;
      ahead_mask_q <= '0;
    end else begin
      inside_q <= inside_q + 16'(push_i) - 16'(issue);
      flying_q <= flying_q + 16'(issue) - 16'(done_i);
      if (following_q) begin
        if (issue) ahead_q <= ahead_q - 1'b1;
        if (issue && ahead_q == '0) following_q <= 1'b0;
      end else if (push_i && mark_i) begin
        following_q <= 1'b1;
        ahead_q <= inside_q - 16'(issue);
      end
      if (following_mask_q) begin
        if (done_i) ahead_mask_q <= ahead_mask_q - 1'b1;
        if (done_i && ahead_mask_q == '0) following_mask_q <= 1'b0;
      end else if (issue && mark_mask_i && !(done_i && flying_q == '0)) begin
        following_mask_q <= 1'b1;
        ahead_mask_q <= flying_q - 16'(done_i);
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (!following_q) instr_q <= instr_i;
    if (!following_mask_q) mask_q <= head.post_mask;
  end

  logic [15:0] slot, mask_slot;
  assign slot = (16'(u_dut.read_q) + ahead_q) % 16'(SLOTS);
  assign mask_slot = (16'(u_dut.mask_read_q) + ahead_mask_q) % 16'(INFLIGHT);
  assign seen_full_o = inside_q == 16'(QUEUE_DEPTH) && !room;
  assign seen_last_o = issue && following_q && ahead_q == '0;
  assign seen_done_at_once_o = issue && done_i && flying_q == '0;

  always_comb begin
    assume (any_depth >= 16'd1 && any_depth <= 16'(QUEUE_DEPTH));
    assume (!push_i || room);  // the sequencer
    assume (!done_i || issue || flying_q != '0);  // a unit ends what it has started
    assume (!ready_i || flying_q < 16'(INFLIGHT) - 16'd1);

    assert (inside_q <= any_depth);  // never overflows
    assert (room == (inside_q < any_depth));  // a slot freed in cycle t can be filled in t + 1
    assert (valid == (inside_q != '0 && tokens_ready_i));  // dispatched in t, can issue in t + 1
    assert (wait_mask == head.wait_mask);
    if (following_q) assert (ahead_q < inside_q);
    if (following_q && ahead_q == '0) assert (head == instr_q);
    if (following_mask_q && ahead_mask_q == '0) assert (post == mask_q);
    if (issue && flying_q == '0) assert (post == head.post_mask);  // may end as it starts

    // What induction needs to know of the pointers.
    assert (u_dut.count_q == inside_q);
    assert (16'(u_dut.read_q) < 16'(SLOTS) && 16'(u_dut.write_q) < 16'(SLOTS));
    assert ((16'(u_dut.read_q) + inside_q) % 16'(SLOTS) == 16'(u_dut.write_q));
    if (following_q) assert (u_dut.slot_q[slot] == instr_q);
    assert (flying_q < 16'(INFLIGHT));
    assert ((16'(u_dut.mask_read_q) + flying_q) % 16'(INFLIGHT) == 16'(u_dut.mask_write_q));
    if (following_mask_q) begin
      assert (ahead_mask_q < flying_q);
      assert (u_dut.mask_q[mask_slot] == mask_q);
    end
  end
endmodule
