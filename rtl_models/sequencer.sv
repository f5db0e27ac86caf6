// Fetches and dispatches the Program in order, and executes HALT.
//
// Latency: the program memory answers in the next cycle, so the address is that of the next instruction. One
// cycle after reset instruction 0 is there and dispatched.
// Throughput: one instruction per cycle.
// Handshake: dispatch_o in the first cycle in which the queue of the instruction's unit has room. HALT goes
// through no queue: it starts at the earliest one cycle after its dispatch, with its tokens, and takes one
// cycle, after which halted_o stays high.
module sequencer
  import pulsetrain_pkg::*;
#(
  parameter int unsigned PC_BITS = 24
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  output logic [PC_BITS-1:0] fetch_o,
  // A unit reads its own fields of the instruction.
  /* verilator lint_off UNUSEDSIGNAL */
  input  instr_t             instr_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [UNITS-1:0]   room_i,
  output logic               dispatch_o,
  output logic [UNITS-1:0]   push_o,
  output logic [UNITS-1:0]   halt_wait_o,
  output logic [UNITS-1:0]   halt_post_o,
  input  logic               tokens_ready_i,
  output logic               halt_o,
  output logic               halted_o
);
  logic [PC_BITS-1:0] pc_q;
  logic [UNITS-1:0] wait_q, post_q;
  logic running_q, waiting_q, halted_q, is_halt;

  always_comb begin
    push_o = '0;
    is_halt = instr_i.opcode == OP_HALT;
    dispatch_o = running_q && !waiting_q && !halted_q && (is_halt || room_i[unit_of(instr_i.opcode)]);
    if (!is_halt) push_o[unit_of(instr_i.opcode)] = dispatch_o;
  end

  assign fetch_o = pc_q + PC_BITS'(dispatch_o);
  assign halt_wait_o = wait_q;
  assign halt_post_o = post_q;
  assign halt_o = waiting_q && tokens_ready_i;
  assign halted_o = halted_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      pc_q <= '0;
      running_q <= 1'b0;
      waiting_q <= 1'b0;
      halted_q <= 1'b0;
      wait_q <= '0;
      post_q <= '0;
    end else begin
      running_q <= 1'b1;
      pc_q <= pc_q + PC_BITS'(dispatch_o);
      if (dispatch_o && is_halt) begin
        waiting_q <= 1'b1;
        wait_q <= instr_i.wait_mask;
        post_q <= instr_i.post_mask;
      end
      if (halt_o) begin
        waiting_q <= 1'b0;
        halted_q <= 1'b1;
      end
    end
  end
endmodule
