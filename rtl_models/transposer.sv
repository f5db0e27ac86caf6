// Transposer: TRANSPOSE of one block of at most LINE x LINE elements of 1, 2 or 4 bytes.
//
// Handshake: instr_valid_i & instr_ready_o is the instruction's start; the first line is read in
// that very cycle, one line per cycle, then the columns are written, one per cycle. done_o is high
// in the cycle of the last write. For a block of `rows` lines and `tail` columns:
//   the next instruction may start rows + tail cycles after the start,
//   done_o comes UB_LATENCY + rows + tail - 1 cycles after it.
// The read port answers UB_LATENCY cycles after ren; a second instruction's first line arrives just
// behind the first one's last write, so one block of registers is enough.
module transposer #(
    parameter int unsigned LINE = 4,
    parameter int unsigned UB_LATENCY = 1,
    parameter bit MUTANTS = 1'b0
) (
    input  logic                                 clk_i,
    input  logic                                 rst_ni,
    input  logic                                 instr_valid_i,
    input  pulsetrain_pkg::instr_t               instr_i,
    output logic                                 instr_ready_o,
    output logic                                 done_o,
    output logic                                 ub_ren_o,
    output logic                   [       23:0] ub_raddr_o,
    output logic                   [        1:0] ub_ritem_o,
    input  logic                   [LINE*32-1:0] ub_rdata_i,
    output logic                                 ub_wen_o,
    output logic                   [       23:0] ub_waddr_o,
    output logic                   [        1:0] ub_witem_o,
    output logic                   [   LINE-1:0] ub_wmask_o,
    output logic                   [LINE*32-1:0] ub_wdata_o,
    input  logic                   [        7:0] mutant_i
);

  import pulsetrain_pkg::*;

  localparam int unsigned IndexBits = LINE > 1 ? $clog2(LINE) : 1;

  if (UB_LATENCY < 1) begin : g_bad_ub_latency
    $fatal(1, "UB_LATENCY: at least 1");
  end

  typedef struct packed {
    logic        valid;  // an instruction begins
    logic [ 1:0] item;
    logic [15:0] rows;
    logic [15:0] columns;
    logic [23:0] dst;
  } block_t;

  logic [7:0] mutant;
  assign mutant = MUTANTS ? mutant_i : 8'd0;

  // Reads; the unit stays occupied as long as the writes will take.
  logic start, busy_q;
  logic [15:0] read_q, read, last_cycle;
  instr_t instr_q, instr;
  assign instr_ready_o = ~busy_q;
  assign start = instr_valid_i & instr_ready_o;
  assign instr = start ? instr_i : instr_q;
  assign read = start ? 16'd0 : read_q;
  assign last_cycle = instr.rows + {4'd0, instr.tail} - 16'd1;
  assign ub_ren_o = (start | busy_q) & (read < instr.rows);
  assign ub_raddr_o = instr.src0 + ({8'd0, read} << instr.item);
  assign ub_ritem_o = instr.item;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) busy_q <= 1'b0;
    else if (start || busy_q) busy_q <= read != last_cycle;
  end
  always_ff @(posedge clk_i) begin
    if (start) instr_q <= instr_i;
    if (start || busy_q) read_q <= read + 16'd1;
  end

  // UB_LATENCY cycles behind: lines arrive, then columns leave.
  block_t asked, block_q[UB_LATENCY], block, current_q;
  logic active_q, arriving, writing;
  logic [15:0] step_q, step, column;
  always_comb begin
    asked.valid = start;
    asked.item = instr_i.item;
    asked.rows = instr_i.rows;
    asked.columns = {4'd0, instr_i.tail};
    asked.dst = instr_i.dst;
    block = block_q[UB_LATENCY-1].valid ? block_q[UB_LATENCY-1] : current_q;
    step = block_q[UB_LATENCY-1].valid ? 16'd0 : step_q;
  end
  assign arriving = block_q[UB_LATENCY-1].valid | (active_q & (step < block.rows));
  assign writing = active_q & ~arriving;
  assign column = step - block.rows;
  assign done_o = writing & (column == block.columns - 16'd1);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      for (int unsigned i = 0; i < UB_LATENCY; i++) block_q[i] <= '0;
    end else begin
      block_q[0] <= asked;
      for (int unsigned i = 1; i < UB_LATENCY; i++) block_q[i] <= block_q[i-1];
      if (block_q[UB_LATENCY-1].valid) active_q <= 1'b1;
      else if (done_o) active_q <= 1'b0;
    end
  end

  logic [31:0] element_q[LINE*LINE];  // [line * LINE + element]
  always_ff @(posedge clk_i) begin
    if (arriving || writing) begin
      current_q <= block;
      step_q <= step + 16'd1;
    end
    if (arriving) begin
      for (int unsigned e = 0; e < LINE; e++) begin
        unique case (block.item)
          2'd0:    element_q[32'(IndexBits'(step))*LINE+e] <= {24'd0, ub_rdata_i[e*8+:8]};
          2'd1:    element_q[32'(IndexBits'(step))*LINE+e] <= {16'd0, ub_rdata_i[e*16+:16]};
          default: element_q[32'(IndexBits'(step))*LINE+e] <= ub_rdata_i[e*32+:32];
        endcase
      end
    end
  end

  logic [31:0] element;
  always_comb begin
    ub_wen_o   = writing;
    ub_waddr_o = block.dst + ({8'd0, column} << block.item);
    ub_witem_o = block.item;
    ub_wmask_o = {LINE{writing}};
    ub_wdata_o = '0;
    element    = 32'd0;
    if (writing) begin
      for (int unsigned e = 0; e < LINE; e++) begin
        element = element_q[e*LINE+32'(IndexBits'(column))];
        if (16'(e) >= block.rows && mutant != fp32_pkg::MutantTransposeStale) element = 32'd0;
        unique case (block.item)
          2'd0:    ub_wdata_o[e*8+:8] = element[7:0];
          2'd1:    ub_wdata_o[e*16+:16] = element[15:0];
          default: ub_wdata_o[e*32+:32] = element;
        endcase
      end
    end
  end

  logic unused;
  assign unused = ^{instr.opcode, instr.func, instr.wait_mask, instr.post_mask, instr.flags,
                    instr.panels, instr.dst, instr.src1, instr.src2, instr.dst_stride,
                    instr.src0_stride, instr.src1_stride, instr.src2_stride, instr.unused};

endmodule
