// Simulation model of an off-chip memory (HBM, or the host's memory behind its link): a latency, and
// accesses in the order of their requests. The bandwidth is the client's: it asks for no more.
//
// Latency: the data of a read requested in cycle t stand at resp_* in cycle t + cfg_latency_i, but not before
// t + UB_LATENCY. The data of a write requested in cycle t are at wdata_i, and written, in cycle
// t + UB_LATENCY.
// Throughput: PORTS lines per cycle.
// Handshake: none; responses come in the order of the requests.
// Reads are served UB_LATENCY cycles after their request too, so that they see exactly the writes requested
// before them.
module offchip_memory #(
  parameter int unsigned LINE = 8,
  parameter int unsigned GRANULES = 1024,
  parameter int unsigned PORTS = 4,
  parameter int unsigned UB_LATENCY = 1,
  parameter int unsigned MAX_LATENCY = 256,  // a power of two
  parameter int unsigned TAG = 25
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic [15:0]        cfg_latency_i,
  input  logic               req_i       [PORTS],
  input  logic               req_write_i,
  input  logic [1:0]         req_item_i,
  input  logic [47:0]        req_addr_i  [PORTS],
  input  logic [TAG-1:0]     req_tag_i   [PORTS],
  input  logic [LINE*32-1:0] wdata_i     [PORTS],
  output logic               resp_o      [PORTS],
  output logic [1:0]         resp_item_o,
  output logic [TAG-1:0]     resp_tag_o  [PORTS],
  output logic [LINE*32-1:0] resp_data_o [PORTS]
);
  localparam int unsigned INDEX = $clog2(GRANULES);
  localparam int unsigned GRANULE = LINE * 8;
  localparam int unsigned STAGES = UB_LATENCY + 1;  // stage 0 is the request itself
  localparam int unsigned DELAY_BITS = $clog2(MAX_LATENCY);

  logic [GRANULE-1:0] mem [GRANULES]  /*verilator public_flat_rw*/;

  // Requests on their way to the memory; bit p of `valid` is port p's.
  logic [PORTS-1:0] valid [STAGES];
  logic write [STAGES];
  logic [1:0] item [STAGES];
  logic [47:0] address [STAGES*PORTS];
  logic [TAG-1:0] tag [STAGES*PORTS];
  logic [PORTS-1:0] valid_q [STAGES];
  logic write_q [STAGES];
  logic [1:0] item_q [STAGES];
  logic [47:0] address_q [STAGES*PORTS];
  logic [TAG-1:0] tag_q [STAGES*PORTS];

  always_comb begin
    for (int unsigned s = 0; s < STAGES; s++) begin
      valid[s] = valid_q[s];
      write[s] = write_q[s];
      item[s] = item_q[s];
    end
    for (int unsigned i = 0; i < STAGES * PORTS; i++) begin
      address[i] = address_q[i];
      tag[i] = tag_q[i];
    end
    for (int unsigned p = 0; p < PORTS; p++) begin
      valid[0][p] = req_i[p];
      address[p] = req_addr_i[p];
      tag[p] = req_tag_i[p];
    end
    write[0] = req_write_i;
    item[0] = req_item_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned s = 0; s < STAGES; s++) valid_q[s] <= '0;
    end else begin
      for (int unsigned s = 1; s < STAGES; s++) valid_q[s] <= valid[s-1];
    end
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned s = 1; s < STAGES; s++) begin
      write_q[s] <= write[s-1];
      item_q[s] <= item[s-1];
      for (int unsigned p = 0; p < PORTS; p++) begin
        if (valid[s-1][p]) begin
          address_q[s*PORTS+p] <= address[(s-1)*PORTS+p];
          tag_q[s*PORTS+p] <= tag[(s-1)*PORTS+p];
        end
      end
    end
  end

  // How long the data of a read take from the stage in which it is served, the last.
  logic [15:0] rest;
  assign rest = cfg_latency_i > 16'(UB_LATENCY) ? cfg_latency_i - 16'(UB_LATENCY) : 16'd0;

  function automatic logic [INDEX-1:0] granule(input logic [47:0] line, input logic [1:0] which);
    return INDEX'(line | {46'd0, which});
  endfunction

  logic served [PORTS];
  logic [1:0] served_item;
  logic [TAG-1:0] served_tag [PORTS];
  logic [LINE*32-1:0] served_data [PORTS];

  always_comb begin
    served_item = item[UB_LATENCY];
    for (int unsigned p = 0; p < PORTS; p++) begin
      served[p] = valid[UB_LATENCY][p] && !write[UB_LATENCY];
      served_tag[p] = tag[UB_LATENCY*PORTS+p];
      served_data[p] = '0;
      if (served[p]) begin
        served_data[p][0+:GRANULE] = mem[granule(address[UB_LATENCY*PORTS+p], 2'd0)];
        if (served_item >= 2'd1) begin
          served_data[p][GRANULE+:GRANULE] = mem[granule(address[UB_LATENCY*PORTS+p], 2'd1)];
        end
        if (served_item >= 2'd2) begin
          served_data[p][2*GRANULE+:GRANULE] = mem[granule(address[UB_LATENCY*PORTS+p], 2'd2)];
          served_data[p][3*GRANULE+:GRANULE] = mem[granule(address[UB_LATENCY*PORTS+p], 2'd3)];
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned p = 0; p < PORTS; p++) begin
      if (valid[UB_LATENCY][p] && write[UB_LATENCY]) begin
        for (int unsigned g = 0; g < 4; g++) begin
          if (g < (32'd1 << item[UB_LATENCY])) begin
            mem[granule(address[UB_LATENCY*PORTS+p], 2'(g))] <= wdata_i[p][g*GRANULE+:GRANULE];
          end
        end
      end
    end
  end

  // The way back: a wheel of cycles, one slot each.
  logic [DELAY_BITS-1:0] now_q;
  logic [PORTS-1:0] back_q [MAX_LATENCY];
  logic [1:0] back_item_q [MAX_LATENCY];
  logic [TAG-1:0] back_tag_q [MAX_LATENCY*PORTS];
  logic [LINE*32-1:0] back_data_q [MAX_LATENCY*PORTS];

  logic [DELAY_BITS-1:0] due;
  logic any_served;
  assign due = now_q + DELAY_BITS'(rest);

  always_comb begin
    any_served = 1'b0;
    resp_item_o = rest == '0 ? served_item : back_item_q[now_q];
    for (int unsigned p = 0; p < PORTS; p++) begin
      if (served[p]) any_served = 1'b1;
      resp_o[p] = rest == '0 ? served[p] : back_q[now_q][p];
      resp_tag_o[p] = rest == '0 ? served_tag[p] : back_tag_q[32'(now_q)*PORTS+p];
      resp_data_o[p] = rest == '0 ? served_data[p] : back_data_q[32'(now_q)*PORTS+p];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      now_q <= '0;
      for (int unsigned i = 0; i < MAX_LATENCY; i++) back_q[i] <= '0;
    end else begin
      now_q <= now_q + 1'b1;
      back_q[now_q] <= '0;
      if (any_served && rest != '0) begin
        for (int unsigned p = 0; p < PORTS; p++) back_q[due][p] <= served[p];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (any_served) begin
      back_item_q[due] <= served_item;
      for (int unsigned p = 0; p < PORTS; p++) begin
        back_tag_q[32'(due)*PORTS+p] <= served_tag[p];
        if (served[p]) back_data_q[32'(due)*PORTS+p] <= served_data[p];
      end
    end
  end
endmodule
