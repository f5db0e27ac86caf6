// Vector unit: VEC, memory to memory, one line element per lane and beat (docs/isa.md,
// docs/timing.md).
//
// Handshake: instr_valid_i & instr_ready_o is the instruction's start; the first operands are read
// in that very cycle. done_o is high in the cycle of the last write; the next instruction may start
// one cycle later. With n = panels * rows * beats, beats = LINE / LANES, from start to the cycle
// after done_o:
//   pipelined functions  UB_LATENCY + n + ALU_LATENCY
//   divide, sqrt, table  UB_LATENCY + n * (DIVIDE_, SQRT_, TABLE_CYCLES) + 1
//   reductions           UB_LATENCY + panels * (rows * max(beats, ALU_LATENCY) + beats)
// Every beat reads its lines anew, so a destination may be an operand itself, line for line, but
// not an operand that is replicated or the same for all rows. Read ports answer UB_LATENCY cycles
// after ren, those of the accumulators too.
module vector_unit #(
    parameter int unsigned LANES = 4,
    parameter int unsigned LINE = 4,
    parameter int unsigned UB_LATENCY = 1,
    parameter int unsigned ALU_LATENCY = 2,
    parameter int unsigned DIVIDE_CYCLES = 28,
    parameter int unsigned SQRT_CYCLES = 28,
    parameter int unsigned TABLE_CYCLES = 36,
    parameter bit MUTANTS = 1'b0
) (
    input  logic                                      clk_i,
    input  logic                                      rst_ni,
    input  logic                                      instr_valid_i,
    input  pulsetrain_pkg::instr_t                    instr_i,
    output logic                                      instr_ready_o,
    output logic                                      done_o,
    // Unified buffer: three read ports, one write port.
    output logic                   [2:0]              ub_ren_o,
    output logic                   [2:0][       23:0] ub_raddr_o,
    output logic                   [2:0][        1:0] ub_ritem_o,
    input  logic                   [2:0][LINE*32-1:0] ub_rdata_i,
    output logic                                      ub_wen_o,
    output logic                        [       23:0] ub_waddr_o,
    output logic                        [        1:0] ub_witem_o,
    output logic                        [   LINE-1:0] ub_wmask_o,
    output logic                        [LINE*32-1:0] ub_wdata_o,
    // Accumulators: three read ports.
    output logic                   [2:0]              acc_ren_o,
    output logic                   [2:0][       23:0] acc_raddr_o,
    input  logic                   [2:0][LINE*32-1:0] acc_rdata_i,
    input  logic                        [        7:0] mutant_i
);

  import pulsetrain_pkg::*;

  localparam int unsigned Beats = LINE / LANES;
  localparam int unsigned BeatBits = Beats > 1 ? $clog2(Beats) : 1;
  localparam int unsigned RowCycles = Beats > ALU_LATENCY ? Beats : ALU_LATENCY;
  localparam int unsigned WaitBits = $clog2(RowCycles + 256);
  localparam logic [BeatBits-1:0] LastBeat = BeatBits'(Beats - 1);

  if (LANES < 1 || LINE % LANES != 0) begin : g_bad_lanes
    $fatal(1, "LINE must be a multiple of LANES");
  end
  if (UB_LATENCY < 1) begin : g_bad_ub_latency
    $fatal(1, "UB_LATENCY: at least 1");
  end
  if (ALU_LATENCY < 1) begin : g_bad_alu_latency
    $fatal(1, "ALU_LATENCY: at least 1");
  end

  typedef enum logic [1:0] {
    Pipelined,
    Iterative,
    Reducing
  } kind_e;

  typedef struct packed {
    logic                valid;
    logic                first;   // row of a reduction
    logic                result;  // a write follows
    logic [BeatBits-1:0] beat;
  } beat_t;

  logic [7:0] mutant;
  assign mutant = MUTANTS ? mutant_i : 8'd0;

  // ---------------------------------------------------------------- the instruction under way
  logic start, busy_q, late_q;
  instr_t instr_q, instr;
  kind_e kind;
  logic [2:0] used;
  logic reads_dst;
  logic [1:0] read_item, write_item;
  logic [WaitBits-1:0] beat_wait;

  assign instr_ready_o = ~busy_q & ~late_q;
  assign start = instr_valid_i & instr_ready_o;
  assign instr = start ? instr_i : instr_q;

  always_comb begin
    kind = Pipelined;
    beat_wait = '0;
    unique case (instr.func)
      FN_DIVIDE: begin
        kind = Iterative;
        beat_wait = WaitBits'(DIVIDE_CYCLES - 1);
      end
      FN_SQRT: begin
        kind = Iterative;
        beat_wait = WaitBits'(SQRT_CYCLES - 1);
      end
      FN_EXP, FN_LOG, FN_TANH: begin
        kind = Iterative;
        beat_wait = WaitBits'(TABLE_CYCLES - 1);
      end
      FN_REDUCE_SUM, FN_REDUCE_MAX, FN_REDUCE_MIN: kind = Reducing;
      default: ;
    endcase
  end

  always_comb begin
    used = 3'b001;
    unique case (instr.func)
      FN_ADD, FN_SUBTRACT, FN_MULTIPLY, FN_DIVIDE, FN_MAXIMUM, FN_MINIMUM,
      FN_EQUAL, FN_NOT_EQUAL, FN_LESS, FN_LESS_EQUAL: used = 3'b011;
      FN_SELECT: used = 3'b111;
      default: ;
    endcase
    read_item  = 2'd2;
    write_item = 2'd2;
    unique case (instr.func)
      FN_COPY: begin
        read_item  = instr.item;
        write_item = instr.item;
      end
      FN_TO_BFLOAT16: write_item = 2'd1;
      FN_FLOAT32_FROM_INT8, FN_INT32_FROM_INT8: read_item = 2'd0;
      default: ;
    endcase
  end
  assign reads_dst = (kind == Reducing) & instr.flags[FLAG_ACCUMULATE];

  // ---------------------------------------------------------------- reads: panels x rows x beats
  logic reading_q, issue, last_beat, last_row, last_panel;
  logic [WaitBits-1:0] wait_q;
  logic [15:0] row_q, row, panel_q, panel;
  logic [BeatBits-1:0] beat_q, beat;
  logic [23:0] line_q[4], line[4], stride[4];  // first line of the panel: src0, src1, src2, dst
  logic [23:0] source[3], offset[3];

  assign issue = start | (reading_q & (wait_q == '0));
  assign row = start ? 16'd0 : row_q;
  assign panel = start ? 16'd0 : panel_q;
  assign beat = start ? '0 : beat_q;
  assign last_beat = beat == LastBeat;
  assign last_row = row == instr.rows - 16'd1;
  assign last_panel = panel == instr.panels - 16'd1;
  always_comb begin
    stride = '{
        {8'd0, instr.src0_stride},
        {8'd0, instr.src1_stride},
        {8'd0, instr.src2_stride},
        {8'd0, instr.dst_stride}
    };
    for (int unsigned k = 0; k < 4; k++) line[k] = start ? 24'd0 : line_q[k];
    source = '{instr.src0, instr.src1, instr.src2};
    for (int unsigned k = 0; k < 3; k++) begin
      offset[k] = line[k] + (instr.flags[FLAG_SRC0_SAME_ROW+k] ? 24'd0 : {8'd0, row});
      ub_ren_o[k] = issue & used[k] & ~instr.flags[FLAG_SRC0_ACCUMULATOR+k];
      ub_raddr_o[k] = source[k] + (offset[k] << read_item);
      ub_ritem_o[k] = read_item;
      acc_ren_o[k] = issue & used[k] & instr.flags[FLAG_SRC0_ACCUMULATOR+k];
      acc_raddr_o[k] = source[k] + offset[k];
    end
    if (reads_dst) begin  // the first row's second operand: what the reduction continues
      ub_ren_o[1] = issue & (row == 16'd0);
      ub_raddr_o[1] = instr.dst + (line[3] << write_item);
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reading_q <= 1'b0;
      wait_q    <= '0;
    end else if (issue) begin
      reading_q <= ~(last_beat & last_row & last_panel);
      wait_q    <= beat_wait;
      if (kind == Reducing && last_beat) begin
        wait_q <= last_row ? WaitBits'(RowCycles) : WaitBits'(RowCycles - Beats);
      end
    end else if (wait_q != '0) begin
      wait_q <= wait_q - 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start) instr_q <= instr_i;
    if (issue) begin
      beat_q  <= last_beat ? '0 : beat + 1'b1;
      row_q   <= row;
      panel_q <= panel;
      line_q  <= line;
      if (last_beat) begin
        row_q <= last_row ? 16'd0 : row + 16'd1;
        if (last_row) begin
          panel_q <= panel + 16'd1;
          for (int unsigned k = 0; k < 4; k++) line_q[k] <= line[k] + stride[k];
        end
      end
    end
  end

  // ---------------------------------------------------------------- operands at the lanes
  beat_t arrival_q[UB_LATENCY];  // what was read 1, 2, ... cycles ago
  beat_t arrival, asked;

  always_comb begin
    asked.valid = issue;
    asked.first = row == 16'd0;
    asked.result = (kind != Reducing) | last_row;
    asked.beat = beat;
    if (mutant == fp32_pkg::MutantStaleSum && panel != 16'd0) asked.first = 1'b0;
  end
  assign arrival = arrival_q[UB_LATENCY-1];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned i = 0; i < UB_LATENCY; i++) arrival_q[i] <= '0;
    end else if (issue || busy_q) begin
      arrival_q[0] <= asked;
      for (int unsigned i = 1; i < UB_LATENCY; i++) arrival_q[i] <= arrival_q[i-1];
    end
  end

  logic [31:0] operand[3][LANES];
  always_comb begin
    for (int unsigned k = 0; k < 3; k++) begin
      for (int unsigned l = 0; l < LANES; l++) operand[k][l] = 32'd0;
    end
    if (arrival.valid) begin
      for (int unsigned k = 0; k < 3; k++) begin
        for (int unsigned l = 0; l < LANES; l++) begin
          automatic int unsigned e = 32'(arrival.beat) * LANES + l;
          if (instr_q.flags[FLAG_SRC0_REPLICATE+k] && !(k == 1 && reads_dst)) e = 0;
          if (instr_q.flags[FLAG_SRC0_ACCUMULATOR+k] && !(k == 1 && reads_dst)) begin
            operand[k][l] = acc_rdata_i[k][e*32+:32];
          end else begin
            unique case (read_item)
              2'd0:    operand[k][l] = {24'd0, ub_rdata_i[k][e*8+:8]};
              2'd1:    operand[k][l] = {16'd0, ub_rdata_i[k][e*16+:16]};
              default: operand[k][l] = ub_rdata_i[k][e*32+:32];
            endcase
          end
        end
      end
    end
  end

  logic [LANES-1:0] iterative_done;
  logic [31:0] result[LANES];
  for (genvar l = 0; l < LANES; l++) begin : g_lane
    vector_lane #(
        .ALU_LATENCY(ALU_LATENCY),
        .ROW_CYCLES(RowCycles),
        .DIVIDE_CYCLES(DIVIDE_CYCLES),
        .SQRT_CYCLES(SQRT_CYCLES),
        .TABLE_CYCLES(TABLE_CYCLES),
        .MUTANTS(MUTANTS)
    ) u_lane (
        .clk_i,
        .rst_ni,
        .active_i(busy_q),
        .valid_i(arrival.valid),
        .first_i(arrival.first),
        .func_i(instr_q.func),
        .integer_i(instr_q.flags[FLAG_INTEGER]),
        .accumulate_i(instr_q.flags[FLAG_ACCUMULATE]),
        .a_i(operand[0][l]),
        .b_i(operand[1][l]),
        .c_i(operand[2][l]),
        .mutant_i,
        .iterative_done_o(iterative_done[l]),
        .y_o(result[l])
    );
  end

  // ---------------------------------------------------------------- writes, in the same order
  logic write, write_last_row, write_last_panel;
  logic [RowCycles-1:0] write_q;  // results due: bit i was at the lanes i + 1 cycles ago
  logic [15:0] write_row_q, write_panel_q;
  logic [BeatBits-1:0] write_beat_q;
  logic [23:0] write_line_q;
  logic [12:0] limit;

  always_comb begin
    unique case (kind)
      Iterative: write = iterative_done[0];
      Reducing:  write = write_q[RowCycles-1];
      default:   write = write_q[ALU_LATENCY-1];
    endcase
    write = write & busy_q;
  end

  assign write_last_row = (kind == Reducing) | (write_row_q == instr_q.rows - 16'd1);
  assign write_last_panel = write_panel_q == instr_q.panels - 16'd1;
  assign done_o = write & (write_beat_q == LastBeat) & write_last_row & write_last_panel;

  always_comb begin
    limit = {1'b0, instr_q.tail};
    if (mutant == fp32_pkg::MutantTailOffByOne) limit = limit + 13'd1;
    ub_wen_o = write;
    ub_waddr_o = instr_q.dst + ((write_line_q + {8'd0, write_row_q}) << write_item);
    ub_witem_o = write_item;
    ub_wmask_o = '0;
    ub_wdata_o = '0;
    if (write) begin
      for (int unsigned e = 0; e < LINE; e++) begin
        ub_wmask_o[e] = (write_beat_q == BeatBits'(e / LANES)) &
            (~write_last_panel | (13'(e) < limit));
        unique case (write_item)
          2'd0:    ub_wdata_o[e*8+:8] = result[e%LANES][7:0];
          2'd1:    ub_wdata_o[e*16+:16] = result[e%LANES][15:0];
          default: ub_wdata_o[e*32+:32] = result[e%LANES];
        endcase
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q  <= 1'b0;
      late_q  <= 1'b0;
      write_q <= '0;
    end else begin
      busy_q <= start | (busy_q & ~done_o);
      late_q <= done_o & (mutant == fp32_pkg::MutantVectorLate);
      if (done_o) begin
        write_q <= '0;  // a pipelined function leaves through an early tap
      end else if (busy_q) begin
        write_q[0] <= arrival.valid & arrival.result & (kind != Iterative);
        for (int unsigned i = 1; i < RowCycles; i++) write_q[i] <= write_q[i-1];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (start) begin
      write_beat_q  <= '0;
      write_row_q   <= 16'd0;
      write_panel_q <= 16'd0;
      write_line_q  <= 24'd0;
    end else if (write) begin
      write_beat_q <= write_beat_q == LastBeat ? '0 : write_beat_q + 1'b1;
      if (write_beat_q == LastBeat) begin
        write_row_q <= write_last_row ? 16'd0 : write_row_q + 16'd1;
        if (write_last_row) begin
          write_panel_q <= write_panel_q + 16'd1;
          write_line_q  <= write_line_q + {8'd0, instr_q.dst_stride};
        end
      end
    end
  end

  logic unused;
  assign unused = ^{iterative_done, instr.opcode, instr.wait_mask, instr.post_mask, instr.tail,
                    instr.unused};

endmodule
