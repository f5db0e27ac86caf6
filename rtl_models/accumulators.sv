// Lines of sums under the array: a pipelined adder in front of a memory, and the vector unit's read ports.
//
// Latency: a line of results that stands at the input in cycle t is written in cycle t + ADDER_LATENCY - 1
// (done_o with the last line of an instruction). A read port's data are valid UB_LATENCY cycles after ren_i.
// Throughput: one line of results per cycle; one line per read port and cycle.
// Handshake: none. The line that is added to is read when the results come in, so two additions to one line
// must be ADDER_LATENCY cycles apart, which the matrix unit sees to.
module accumulators
  import systolic_pkg::*;
#(
  parameter int unsigned COLS = 8,
  parameter int unsigned LINE = 8,
  parameter int unsigned ACC_LINES = 256,
  parameter int unsigned ADDER_LATENCY = 1,
  parameter int unsigned UB_LATENCY = 1,
  parameter int unsigned READS = 3
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic [7:0]         cfg_mutant_i,
  input  logic               valid_i,
  input  logic               write_i,  // os: lines that do not exist are drained, not written
  input  result_t            result_i,
  input  logic [31:0]        sum_i   [COLS],
  output logic               done_o,
  input  logic               ren_i   [READS],
  input  logic [23:0]        raddr_i [READS],
  output logic [LINE*32-1:0] rdata_o [READS]
);
  localparam int unsigned INDEX = $clog2(ACC_LINES);
  localparam int unsigned S = ADDER_LATENCY;

  logic [LINE*32-1:0] mem [ACC_LINES]  /*verilator public_flat_rw*/;

  // Stage 0 is the adder's output; ADDER_LATENCY - 1 registers follow, then the memory itself.
  logic [S-1:0] valid_q, write_q;
  result_t result_q [S];
  logic [31:0] sum_q [S*COLS];
  logic [31:0] total [COLS];
  logic accumulate;

  assign accumulate = result_i.accumulate &&
      !(cfg_mutant_i == MutantAccumulateDropped && result_i.line[0]);

  always_comb begin
    for (int unsigned c = 0; c < COLS; c++) begin
      total[c] = sum_i[c];
      if (valid_i && accumulate) begin
        total[c] = mem[INDEX'(result_i.line)][(32'(result_i.sub)*COLS+c)*32+:32];
        total[c] = result_i.int8 ? total[c] + sum_i[c] :
            fp32_pkg::add(total[c], sum_i[c], cfg_mutant_i);
      end
    end
  end

  logic last_valid, last_write;
  // What has been added is of no interest to the memory.
  /* verilator lint_off UNUSEDSIGNAL */
  result_t last_result;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [COLS*32-1:0] last_sum;

  always_comb begin
    last_valid = S == 1 ? valid_i : valid_q[S-1];
    last_write = S == 1 ? write_i : write_q[S-1];
    last_result = S == 1 ? result_i : result_q[S-1];
    for (int unsigned c = 0; c < COLS; c++) begin
      last_sum[c*32+:32] = S == 1 ? total[c] : sum_q[(S-1)*COLS+c];
    end
    done_o = last_valid && last_result.last;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= '0;
      write_q <= '0;
    end else begin
      valid_q[0] <= 1'b0;
      write_q[0] <= 1'b0;
      for (int unsigned s = 1; s < S; s++) begin
        valid_q[s] <= s == 1 ? valid_i : valid_q[s-1];
        write_q[s] <= s == 1 ? write_i : write_q[s-1];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned s = 1; s < S; s++) begin
      result_q[s] <= s == 1 ? result_i : result_q[s-1];
      for (int unsigned c = 0; c < COLS; c++) begin
        sum_q[s*COLS+c] <= s == 1 ? total[c] : sum_q[(s-1)*COLS+c];
      end
    end
    if (last_valid && last_write) begin
      mem[INDEX'(last_result.line)][32'(last_result.sub)*COLS*32+:COLS*32] <= last_sum;
    end
  end

  logic [LINE*32-1:0] data_q [READS*UB_LATENCY];
  always_ff @(posedge clk_i) begin
    for (int unsigned p = 0; p < READS; p++) begin
      if (ren_i[p]) data_q[p*UB_LATENCY] <= mem[INDEX'(raddr_i[p])];
      for (int unsigned s = 1; s < UB_LATENCY; s++) data_q[p*UB_LATENCY+s] <= data_q[p*UB_LATENCY+s-1];
    end
  end
  always_comb begin
    for (int unsigned p = 0; p < READS; p++) rdata_o[p] = data_q[p*UB_LATENCY+UB_LATENCY-1];
  end
endmodule
