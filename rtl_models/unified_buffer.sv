// On-chip memory of tensors: READS read ports and WRITES write ports, one per client and no arbitration.
//
// Latency: rdata_o is valid UB_LATENCY cycles after ren_i, and shows what was written in earlier cycles.
// Throughput: one line per port and cycle.
// Handshake: none. Two clients never write one line in one cycle (tokens order them); if they did, the port
// with the higher number would win.
// A line of 2^item-byte elements is 2^item granules of LINE bytes; element e is in bits
// [e * (8 << item) +: (8 << item)] of a port's data.
module unified_buffer #(
  parameter int unsigned LINE = 8,
  parameter int unsigned UB_GRANULES = 1024,
  parameter int unsigned UB_LATENCY = 1,
  parameter int unsigned READS = 8,
  parameter int unsigned WRITES = 3
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               ren_i   [READS],
  input  logic [23:0]        raddr_i [READS],
  input  logic [1:0]         ritem_i [READS],
  output logic [LINE*32-1:0] rdata_o [READS],
  input  logic               wen_i   [WRITES],
  input  logic [23:0]        waddr_i [WRITES],
  input  logic [1:0]         witem_i [WRITES],
  input  logic [LINE-1:0]    wmask_i [WRITES],
  input  logic [LINE*32-1:0] wdata_i [WRITES]
);
  localparam int unsigned INDEX = $clog2(UB_GRANULES);
  localparam int unsigned GRANULE = LINE * 8;

  logic [GRANULE-1:0] mem [UB_GRANULES]  /*verilator public_flat_rw*/;

  logic [LINE*32-1:0] data_q [READS*UB_LATENCY];
  logic valid_q [READS*UB_LATENCY];

  function automatic logic [INDEX-1:0] granule(input logic [23:0] address, input logic [1:0] which);
    return INDEX'(address | {22'd0, which});
  endfunction

  // Bits to write: element mask times element size.
  function automatic logic [LINE*32-1:0] bits(input logic [LINE-1:0] mask, input logic [1:0] item);
    logic [LINE*32-1:0] out;
    out = '0;
    for (int unsigned e = 0; e < LINE; e++) begin
      if (mask[e]) begin
        case (item)
          2'd0: out[e*8+:8] = '1;
          2'd1: out[e*16+:16] = '1;
          default: out[e*32+:32] = '1;
        endcase
      end
    end
    return out;
  endfunction

  always_ff @(posedge clk_i) begin
    for (int unsigned p = 0; p < READS; p++) begin
      if (ren_i[p]) begin
        data_q[p*UB_LATENCY][0+:GRANULE] <= mem[granule(raddr_i[p], 2'd0)];
        data_q[p*UB_LATENCY][GRANULE+:GRANULE] <=
            ritem_i[p] >= 2'd1 ? mem[granule(raddr_i[p], 2'd1)] : '0;
        data_q[p*UB_LATENCY][2*GRANULE+:GRANULE] <=
            ritem_i[p] >= 2'd2 ? mem[granule(raddr_i[p], 2'd2)] : '0;
        data_q[p*UB_LATENCY][3*GRANULE+:GRANULE] <=
            ritem_i[p] >= 2'd2 ? mem[granule(raddr_i[p], 2'd3)] : '0;
      end
      for (int unsigned s = 1; s < UB_LATENCY; s++) begin
        if (valid_q[p*UB_LATENCY+s-1]) data_q[p*UB_LATENCY+s] <= data_q[p*UB_LATENCY+s-1];
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned i = 0; i < READS * UB_LATENCY; i++) valid_q[i] <= 1'b0;
    end else begin
      for (int unsigned p = 0; p < READS; p++) begin
        valid_q[p*UB_LATENCY] <= ren_i[p];
        for (int unsigned s = 1; s < UB_LATENCY; s++) begin
          valid_q[p*UB_LATENCY+s] <= valid_q[p*UB_LATENCY+s-1];
        end
      end
    end
  end

  always_comb begin
    for (int unsigned p = 0; p < READS; p++) rdata_o[p] = data_q[p*UB_LATENCY+UB_LATENCY-1];
  end

  logic [LINE*32-1:0] strobe [WRITES];
  always_comb begin
    for (int unsigned p = 0; p < WRITES; p++) begin
      strobe[p] = wen_i[p] ? bits(wmask_i[p], witem_i[p]) : '0;
    end
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned p = 0; p < WRITES; p++) begin
      if (wen_i[p]) begin
        for (int unsigned g = 0; g < 4; g++) begin
          if (g < (32'd1 << witem_i[p])) begin
            mem[granule(waddr_i[p], 2'(g))] <=
                (mem[granule(waddr_i[p], 2'(g))] & ~strobe[p][g*GRANULE+:GRANULE]) |
                (wdata_i[p][g*GRANULE+:GRANULE] & strobe[p][g*GRANULE+:GRANULE]);
          end
        end
      end
    end
  end
endmodule
