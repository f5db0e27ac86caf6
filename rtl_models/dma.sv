// The DMA unit: LOAD and STORE between the unified buffer and one of two off-chip memories.
//
// Latency: a line is asked for in the cycle in which the memory's bandwidth has paid for it; the first cycle
// is the start itself. LOAD: the last line is written one memory latency after the last request. STORE: the
// last line reaches the memory UB_LATENCY cycles after it.
// Throughput: credit of num bytes per den cycles, at most PORTS lines a cycle; no credit is carried over
// from one instruction to the next.
// Handshake: ready in the cycle after the last request; after an instruction on the other memory not before
// that one has ended. Completions are reported in program order, at most one a cycle.
module dma
  import pulsetrain_pkg::*;
#(
  parameter int unsigned LINE = 8,
  parameter int unsigned PORTS = 4,
  parameter int unsigned UB_LATENCY = 1,
  parameter int unsigned INFLIGHT = 1024  // a power of two
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic [7:0]         cfg_mutant_i,
  input  logic [47:0]        cfg_current_i,  // base of this step's carried tensors, granules
  input  logic [47:0]        cfg_next_i,
  input  logic [31:0]        cfg_hbm_num_i,
  input  logic [31:0]        cfg_hbm_den_i,
  input  logic [31:0]        cfg_host_num_i,
  input  logic [31:0]        cfg_host_den_i,
  input  logic               instr_valid_i,
  // A unit reads its own fields of the instruction.
  /* verilator lint_off UNUSEDSIGNAL */
  input  instr_t             instr_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic               instr_ready_o,
  output logic               done_o,
  // Unified buffer.
  output logic               ub_ren_o    [PORTS],
  output logic [23:0]        ub_raddr_o  [PORTS],
  output logic [1:0]         ub_ritem_o  [PORTS],
  input  logic [LINE*32-1:0] ub_rdata_i  [PORTS],
  output logic               ub_wen_o    [PORTS],
  output logic [23:0]        ub_waddr_o  [PORTS],
  output logic [1:0]         ub_witem_o  [PORTS],
  output logic [LINE*32-1:0] ub_wdata_o  [PORTS],
  // Memories: 0 is HBM, 1 the host's.
  output logic               req_hbm_o   [PORTS],
  output logic               req_host_o  [PORTS],
  output logic               req_write_o,
  output logic [1:0]         req_item_o,
  output logic [47:0]        req_addr_o  [PORTS],
  output logic [24:0]        req_tag_o   [PORTS],  // {last, unified buffer address}
  output logic [LINE*32-1:0] wdata_o     [PORTS],
  input  logic               hbm_resp_i  [PORTS],
  input  logic [1:0]         hbm_item_i,
  input  logic [24:0]        hbm_tag_i   [PORTS],
  input  logic [LINE*32-1:0] hbm_data_i  [PORTS],
  input  logic               host_resp_i [PORTS],
  input  logic [1:0]         host_item_i,
  input  logic [24:0]        host_tag_i  [PORTS],
  input  logic [LINE*32-1:0] host_data_i [PORTS]
);
  import systolic_pkg::*;

  localparam int unsigned FLIGHT_BITS = $clog2(INFLIGHT);

  typedef struct packed {
    logic write;
    logic host;
    logic [1:0] item;
    logic [23:0] ub_line;  // the next line's addresses
    logic [47:0] mem_line;
    logic [23:0] ub_panel;  // the panel's first line's addresses
    logic [47:0] mem_panel;
    logic [15:0] ub_stride;
    logic [15:0] mem_stride;
    logic [15:0] rows;
    logic [15:0] row;  // lines left in the panel
    logic [15:0] panel;  // panels left
  } job_t;

  job_t job_q, job_d, first, now;
  logic busy_q, busy_d, start;
  logic [63:0] credit_q, credit_d, cost, income;
  logic [47:0] base;
  logic is_store;
  logic emit [PORTS];
  logic last_now;

  // A new instruction as a job.
  always_comb begin
    is_store = instr_i.opcode == OP_STORE;
    base = '0;
    if (instr_i.flags[FLAG_CURRENT]) base = cfg_current_i;
    if (instr_i.flags[FLAG_NEXT]) begin
      base = cfg_mutant_i == MutantBaseSwapped ? cfg_current_i : cfg_next_i;
    end
    first.write = is_store;
    first.host = instr_i.flags[FLAG_HOST];
    first.item = instr_i.item;
    first.ub_line = is_store ? instr_i.src0 : instr_i.dst;
    first.mem_line = {instr_i.src2, instr_i.src1} + base;
    first.ub_panel = first.ub_line;
    first.mem_panel = first.mem_line;
    first.ub_stride = is_store ? instr_i.src0_stride : instr_i.dst_stride;
    first.mem_stride = is_store ? instr_i.dst_stride : instr_i.src0_stride;
    if (cfg_mutant_i == MutantPanelStride) first.mem_stride = instr_i.rows;
    first.rows = instr_i.rows;
    first.row = instr_i.rows;
    first.panel = instr_i.panels;
  end

  // The lines that this cycle's credit pays for.
  always_comb begin
    now = busy_q ? job_q : first;
    cost = ({32'd0, now.host ? cfg_host_den_i : cfg_hbm_den_i} * 64'(LINE)) << now.item;
    income = {32'd0, now.host ? cfg_host_num_i : cfg_hbm_num_i};
    credit_d = (busy_q || cfg_mutant_i == MutantRemainderCarried ? credit_q : '0) + income;
    job_d = now;
    busy_d = start || busy_q;
    last_now = 1'b0;
    for (int unsigned p = 0; p < PORTS; p++) begin
      emit[p] = busy_d && credit_d >= cost;
      req_addr_o[p] = job_d.mem_line;
      req_tag_o[p] = {job_d.row == 16'd1 && job_d.panel == 16'd1, job_d.ub_line};
      if (emit[p]) begin
        credit_d = credit_d - cost;
        job_d.ub_line = job_d.ub_line + (24'd1 << job_d.item);
        job_d.mem_line = job_d.mem_line + (48'd1 << job_d.item);
        job_d.row = job_d.row - 1'b1;
        if (job_d.row == '0) begin
          job_d.row = job_d.rows;
          job_d.panel = job_d.panel - 1'b1;
          job_d.ub_panel = job_d.ub_panel + ({8'd0, job_d.ub_stride} << job_d.item);
          job_d.mem_panel = job_d.mem_panel + ({32'd0, job_d.mem_stride} << job_d.item);
          job_d.ub_line = job_d.ub_panel;
          job_d.mem_line = job_d.mem_panel;
          if (job_d.panel == '0) begin
            busy_d = 1'b0;
            last_now = 1'b1;
          end
        end
      end
      ub_ren_o[p] = emit[p] && now.write;
      ub_raddr_o[p] = req_tag_o[p][23:0];
      ub_ritem_o[p] = now.item;
      req_hbm_o[p] = emit[p] && !now.host;
      req_host_o[p] = emit[p] && now.host;
    end
    req_write_o = now.write;
    req_item_o = now.item;
  end

  always_comb begin
    for (int unsigned p = 0; p < PORTS; p++) wdata_o[p] = ub_rdata_i[p];
  end

  // Responses go straight into the unified buffer.
  logic load_done, store_done;
  logic from_host;
  always_comb begin
    load_done = 1'b0;
    from_host = host_resp_i[0];  // the lowest port is used first
    for (int unsigned p = 0; p < PORTS; p++) begin
      ub_wen_o[p] = hbm_resp_i[p] || host_resp_i[p];
      ub_waddr_o[p] = from_host ? host_tag_i[p][23:0] : hbm_tag_i[p][23:0];
      ub_witem_o[p] = from_host ? host_item_i : hbm_item_i;
      ub_wdata_o[p] = from_host ? host_data_i[p] : hbm_data_i[p];
      if (hbm_resp_i[p] && hbm_tag_i[p][24]) load_done = 1'b1;
      if (host_resp_i[p] && host_tag_i[p][24]) load_done = 1'b1;
    end
  end

  logic [UB_LATENCY:0] stored;  // the last line of a STORE on its way
  logic [UB_LATENCY:1] stored_q;
  assign stored = {stored_q, last_now && now.write};
  assign store_done = cfg_mutant_i == MutantStoreEarly ? stored[UB_LATENCY-1] : stored[UB_LATENCY];

  // Completions in program order: the kind of each instruction under way, and how many of each are done.
  logic kind_q [INFLIGHT];
  logic [FLIGHT_BITS-1:0] kind_write_q, kind_read_q, flying;
  logic [FLIGHT_BITS-1:0] loads_q, stores_q, loads, stores;
  logic head_is_store, last_host_q;

  assign flying = kind_write_q - kind_read_q;
  assign head_is_store = flying == '0 ? is_store : kind_q[kind_read_q];
  assign loads = loads_q + FLIGHT_BITS'(load_done);
  assign stores = stores_q + FLIGHT_BITS'(store_done);
  assign done_o = head_is_store ? stores != '0 : loads != '0;

  assign instr_ready_o = !busy_q && (flying == '0 || last_host_q == first.host);
  assign start = instr_valid_i && instr_ready_o;

  always_ff @(posedge clk_i) begin
    job_q <= job_d;
    if (start) kind_q[kind_write_q] <= is_store;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      credit_q <= '0;
      stored_q <= '0;
      kind_write_q <= '0;
      kind_read_q <= '0;
      loads_q <= '0;
      stores_q <= '0;
      last_host_q <= 1'b0;
    end else begin
      busy_q <= busy_d;
      if (start || busy_q) credit_q <= credit_d;
      stored_q <= stored[UB_LATENCY-1:0];
      if (start) begin
        kind_write_q <= kind_write_q + 1'b1;
        last_host_q <= first.host;
      end
      if (done_o) kind_read_q <= kind_read_q + 1'b1;
      loads_q <= loads - FLIGHT_BITS'(done_o && !head_is_store);
      stores_q <= stores - FLIGHT_BITS'(done_o && head_is_store);
    end
  end
endmodule
