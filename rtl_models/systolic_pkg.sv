// What moves through the array, and the seeded faults of the control path (16 to 32).
package systolic_pkg;

  // One operand on its way through a row of PEs. The bits beside the data travel with it.
  typedef struct packed {
    logic valid;
    logic first;  // ws: the shadow weight becomes the active one; os: the chain starts from +0
    logic last;  // ws: the active weight is free afterwards; os: the instruction's last pair
    logic enable;  // ws: this row computes; otherwise the sum passes through
    logic int8;
    logic [15:0] data;
  } operand_t;

  // One weight (os: one top operand) on its way down a column.
  typedef struct packed {
    logic valid;
    logic [15:0] data;
  } weight_t;

  // Where a line of results goes in the accumulators.
  typedef struct packed {
    logic [23:0] line;
    logic [11:0] sub;
    logic accumulate;
    logic int8;
    logic last;
  } result_t;

  localparam logic [7:0] MutantQueueExtraSlot = 8'd16;  // issue_queue: holds one more than its depth
  localparam logic [7:0] MutantTokenLate = 8'd17;  // token_counters: the vector unit's posts are late
  localparam logic [7:0] MutantRowsSwapped = 8'd18;  // matrix_unit: array rows 0 and 1 exchanged
  localparam logic [7:0] MutantRemainderCarried = 8'd19;  // dma: the credit is not reset
  localparam logic [7:0] MutantAccumulateDropped = 8'd20;  // accumulators: overwritten in odd lines
  localparam logic [7:0] MutantSwapEarly = 8'd21;  // matrix_unit: MATMUL does not wait for its weights
  localparam logic [7:0] MutantSlotEarly = 8'd22;  // weight_fifo: a slot is free one line too early
  localparam logic [7:0] MutantSwapLate = 8'd23;  // pe: the first row still uses the old weight
  localparam logic [7:0] MutantReleaseEarly = 8'd24;  // matrix_unit: weights are released a cycle early
  localparam logic [7:0] MutantLoaderShort = 8'd25;  // weight_loader: the tile's last line is not read
  localparam logic [7:0] MutantPanelStride = 8'd26;  // dma: panels follow each other without a gap
  localparam logic [7:0] MutantStoreEarly = 8'd27;  // dma: STORE ends a cycle early
  localparam logic [7:0] MutantTailIgnored = 8'd28;  // matrix_unit: all rows compute
  localparam logic [7:0] MutantUnsignedInt8 = 8'd29;  // pe: int8 is not sign-extended
  localparam logic [7:0] MutantTokenLost = 8'd30;  // token_counters: a post that meets a take is lost
  localparam logic [7:0] MutantBaseSwapped = 8'd31;  // dma: NEXT uses the base of CURRENT
  localparam logic [7:0] MutantNoReset = 8'd32;  // token_counters: the counters keep what they hold

  // s + a * b, of bfloat16 or of int8 (two's complement, wrapping).
  function automatic logic [31:0] multiply_add(input logic int8, input logic [15:0] a,
                                               input logic [15:0] b, input logic [31:0] s,
                                               input logic [7:0] mutant);
    logic [31:0] a32, b32;
    a32 = {{24{a[7] & (mutant != MutantUnsignedInt8)}}, a[7:0]};
    b32 = {{24{b[7]}}, b[7:0]};
    return int8 ? s + a32 * b32 : fp32_pkg::bf16_fma(a, b, s, mutant);
  endfunction

endpackage
