// Vector unit and transposer on modelled memories. Runs the instructions of +program=FILE on the
// memories of +buffer=FILE (bytes) and +accumulators=FILE (words), prints "S index cycle" at each
// handshake, "E index cycle" for the cycle after each done_o, "H index hash" (of the buffer behind
// it: sum of byte i times 31^i); at the end it writes the buffer to +result=FILE.
//
// An instruction is offered as early as its `unused` field allows (cycles after the one behind the
// last handshake); a change of the unit waits for the other unit's last write.
module vector_bench #(
    parameter int unsigned LANES = 4,
    parameter int unsigned LINE = 4,
    parameter int unsigned UB_LATENCY = 1,
    parameter int unsigned ALU_LATENCY = 2,
    parameter int unsigned DIVIDE_CYCLES = 28,
    parameter int unsigned SQRT_CYCLES = 28,
    parameter int unsigned TABLE_CYCLES = 36,
    parameter int unsigned GRANULES = 1024,
    parameter int unsigned ACC_LINES = 64,
    parameter int unsigned PROGRAM = 4096
) (
    input logic clk_i,
    input logic rst_ni
);

  import pulsetrain_pkg::*;

  localparam int unsigned Width = LINE * 32;
  localparam int unsigned Ports = 4;  // vector unit 0 to 2, transposer 3

  logic [7:0] mutant = 8'd0;
  logic [255:0] code[PROGRAM];
  logic [7:0] buffer[GRANULES*LINE];
  logic [31:0] accumulators[ACC_LINES*LINE];
  int unsigned length = 0;
  string path;
  initial begin
    if ($value$plusargs("program=%s", path)) $readmemh(path, code);
    if ($value$plusargs("accumulators=%s", path)) $readmemh(path, accumulators);
    void'($value$plusargs("length=%d", length));
    void'($value$plusargs("mutant=%d", mutant));
  end

  // ---------------------------------------------------------------- instructions
  int unsigned cycle_q, index_q, done_q, gap_q, vector_open_q, transposer_open_q;
  instr_t instr, following;
  logic is_vector, vector_valid, vector_ready, vector_done;
  logic transposer_valid, transposer_ready, transposer_done;
  logic running_q, ended_q, offered, taken;
  int unsigned hash;
  assign instr = code[index_q];
  assign following = index_q + 1 < length ? code[index_q+1] : '0;
  assign is_vector = instr.opcode == OP_VEC;
  assign offered = running_q && index_q < length && gap_q == 0 &&
      (is_vector ? transposer_open_q == 0 : vector_open_q == 0);
  assign vector_valid = offered & is_vector;
  assign transposer_valid = offered & ~is_vector;
  assign taken = (vector_valid & vector_ready) | (transposer_valid & transposer_ready);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      running_q <= 1'b0;
      ended_q <= 1'b0;
      cycle_q <= 0;
      index_q <= 0;
      done_q <= 0;
      gap_q <= 0;
      vector_open_q <= 0;
      transposer_open_q <= 0;
    end else begin
      running_q <= 1'b1;
      cycle_q <= cycle_q + 1;
      vector_open_q <= vector_open_q + 32'(vector_valid & vector_ready) - 32'(vector_done);
      transposer_open_q <=
          transposer_open_q + 32'(transposer_valid & transposer_ready) - 32'(transposer_done);
      if (taken) begin
        $display("S %0d %0d", index_q, cycle_q);
        index_q <= index_q + 1;
        gap_q <= 32'(following.unused);
      end else if (gap_q != 0) begin
        gap_q <= gap_q - 1;
      end
      ended_q <= vector_done | transposer_done;
      if (ended_q) begin
        hash = 0;
        for (int unsigned i = 0; i < GRANULES * LINE; i++) begin
          hash = hash * 31 + 32'(buffer[GRANULES*LINE-1-i]);
        end
        $display("H %0d %0d", done_q - 1, hash);
      end
      if (vector_done | transposer_done) begin
        $display("E %0d %0d", done_q, cycle_q + 1);
        done_q <= done_q + 1;
      end
      if ((done_q == length && !ended_q) || cycle_q > 4_000_000) begin
        if ($value$plusargs("result=%s", path)) $writememh(path, buffer);
        $finish;
      end
    end
  end

  // ---------------------------------------------------------------- memories
  logic [2:0] vector_ren, acc_ren;
  logic [2:0][23:0] vector_raddr, acc_raddr;
  logic [2:0][1:0] vector_ritem;
  logic transposer_ren;
  logic [23:0] transposer_raddr;
  logic [1:0] transposer_ritem;
  logic [Width-1:0] read_q[Ports][UB_LATENCY], acc_q[3][UB_LATENCY];
  logic [2:0][Width-1:0] vector_rdata, acc_rdata;

  logic ren[Ports];
  logic [23:0] raddr[Ports];
  logic [1:0] ritem[Ports];
  always_comb begin
    for (int unsigned k = 0; k < 3; k++) begin
      ren[k] = vector_ren[k];
      raddr[k] = vector_raddr[k];
      ritem[k] = vector_ritem[k];
      vector_rdata[k] = read_q[k][UB_LATENCY-1];
      acc_rdata[k] = acc_q[k][UB_LATENCY-1];
    end
    ren[3] = transposer_ren;
    raddr[3] = transposer_raddr;
    ritem[3] = transposer_ritem;
  end

  logic [1:0] wen;
  logic [1:0][23:0] waddr;
  logic [1:0][1:0] witem;
  logic [1:0][LINE-1:0] wmask;
  logic [1:0][Width-1:0] wdata;

  string image;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin  // a second reset begins with the same memory again
      if ($value$plusargs("buffer=%s", image)) $readmemh(image, buffer);
    end
    for (int unsigned k = 0; k < Ports; k++) begin
      read_q[k][0] <= {LINE{32'hdead_0000 ^ cycle_q}};  // nobody may look
      if (ren[k]) begin
        if (32'(raddr[k]) + (32'd1 << ritem[k]) > GRANULES) $fatal(1, "read %0d", raddr[k]);
        read_q[k][0] <= '0;
        for (int unsigned e = 0; e < LINE << ritem[k]; e++) begin
          read_q[k][0][e*8+:8] <= buffer[32'(raddr[k])*LINE+e];
        end
      end
      for (int unsigned i = 1; i < UB_LATENCY; i++) read_q[k][i] <= read_q[k][i-1];
    end
    for (int unsigned k = 0; k < 3; k++) begin
      acc_q[k][0] <= {LINE{32'hbeef_0000 ^ cycle_q}};
      if (acc_ren[k]) begin
        if (32'(acc_raddr[k]) >= ACC_LINES) $fatal(1, "read of accumulator line %0d", acc_raddr[k]);
        for (int unsigned e = 0; e < LINE; e++) begin
          acc_q[k][0][e*32+:32] <= accumulators[32'(acc_raddr[k])*LINE+e];
        end
      end
      for (int unsigned i = 1; i < UB_LATENCY; i++) acc_q[k][i] <= acc_q[k][i-1];
    end
    for (int unsigned k = 0; k < 2; k++) begin
      if (wen[k]) begin
        if (32'(waddr[k]) + (32'd1 << witem[k]) > GRANULES) $fatal(1, "write %0d", waddr[k]);
        for (int unsigned e = 0; e < LINE; e++) begin
          for (int unsigned b = 0; b < 32'd1 << witem[k]; b++) begin
            if (wmask[k][e]) begin
              buffer[32'(waddr[k])*LINE+(e<<witem[k])+b] <= wdata[k][((e<<witem[k])+b)*8+:8];
            end
          end
        end
      end
    end
  end

  vector_unit #(
      .LANES(LANES),
      .LINE(LINE),
      .UB_LATENCY(UB_LATENCY),
      .ALU_LATENCY(ALU_LATENCY),
      .DIVIDE_CYCLES(DIVIDE_CYCLES),
      .SQRT_CYCLES(SQRT_CYCLES),
      .TABLE_CYCLES(TABLE_CYCLES),
      .MUTANTS(1'b1)
  ) u_vector_unit (
      .clk_i,
      .rst_ni,
      .instr_valid_i(vector_valid),
      .instr_i(instr),
      .instr_ready_o(vector_ready),
      .done_o(vector_done),
      .ub_ren_o(vector_ren),
      .ub_raddr_o(vector_raddr),
      .ub_ritem_o(vector_ritem),
      .ub_rdata_i(vector_rdata),
      .ub_wen_o(wen[0]),
      .ub_waddr_o(waddr[0]),
      .ub_witem_o(witem[0]),
      .ub_wmask_o(wmask[0]),
      .ub_wdata_o(wdata[0]),
      .acc_ren_o(acc_ren),
      .acc_raddr_o(acc_raddr),
      .acc_rdata_i(acc_rdata),
      .mutant_i(mutant)
  );

  transposer #(
      .LINE(LINE),
      .UB_LATENCY(UB_LATENCY),
      .MUTANTS(1'b1)
  ) u_transposer (
      .clk_i,
      .rst_ni,
      .instr_valid_i(transposer_valid),
      .instr_i(instr),
      .instr_ready_o(transposer_ready),
      .done_o(transposer_done),
      .ub_ren_o(transposer_ren),
      .ub_raddr_o(transposer_raddr),
      .ub_ritem_o(transposer_ritem),
      .ub_rdata_i(read_q[3][UB_LATENCY-1]),
      .ub_wen_o(wen[1]),
      .ub_waddr_o(waddr[1]),
      .ub_witem_o(witem[1]),
      .ub_wmask_o(wmask[1]),
      .ub_wdata_o(wdata[1]),
      .mutant_i(mutant)
  );

endmodule
