// Instruction encodings and numbers of the units. Generated from simulator/isa.py by
//   python -m simulator.cosim.generate

package pulsetrain_pkg;

  // No module uses all of it.
  /* verilator lint_off UNUSEDPARAM */
  /* verilator lint_off UNUSEDSIGNAL */

  parameter int unsigned INSTRUCTION_BITS = 256;
  parameter int unsigned ADDRESS_BITS = 24;
  parameter int unsigned SUB_BITS = 12;
  parameter int unsigned UNITS = 6;

  typedef enum logic [2:0] {
    OP_LOAD = 3'd0,
    OP_STORE = 3'd1,
    OP_WLOAD = 3'd2,
    OP_MATMUL = 3'd3,
    OP_DRAIN = 3'd4,
    OP_TRANSPOSE = 3'd5,
    OP_VEC = 3'd6,
    OP_HALT = 3'd7
  } opcode_e;

  typedef enum logic [2:0] {
    UNIT_SEQUENCER = 3'd0,
    UNIT_DMA = 3'd1,
    UNIT_WEIGHT_LOADER = 3'd2,
    UNIT_MATRIX = 3'd3,
    UNIT_VECTOR = 3'd4,
    UNIT_TRANSPOSER = 3'd5
  } unit_e;

  typedef enum logic [4:0] {
    FN_COPY = 5'd0,
    FN_NEGATIVE = 5'd1,
    FN_ABSOLUTE = 5'd2,
    FN_SIGN = 5'd3,
    FN_ADD = 5'd4,
    FN_SUBTRACT = 5'd5,
    FN_MULTIPLY = 5'd6,
    FN_DIVIDE = 5'd7,
    FN_SQRT = 5'd8,
    FN_MAXIMUM = 5'd9,
    FN_MINIMUM = 5'd10,
    FN_EQUAL = 5'd11,
    FN_NOT_EQUAL = 5'd12,
    FN_LESS = 5'd13,
    FN_LESS_EQUAL = 5'd14,
    FN_SELECT = 5'd15,
    FN_EXP = 5'd16,
    FN_LOG = 5'd17,
    FN_TANH = 5'd18,
    FN_TO_BFLOAT16 = 5'd19,
    FN_FLOAT32_FROM_INT32 = 5'd20,
    FN_FLOAT32_FROM_INT8 = 5'd21,
    FN_INT32_FROM_FLOAT32 = 5'd22,
    FN_INT32_FROM_INT8 = 5'd23,
    FN_REDUCE_SUM = 5'd24,
    FN_REDUCE_MAX = 5'd25,
    FN_REDUCE_MIN = 5'd26
  } function_e;

  // Bits of instr_t.flags.
  parameter int unsigned FLAG_HOST = 0;
  parameter int unsigned FLAG_CURRENT = 1;
  parameter int unsigned FLAG_NEXT = 2;
  parameter int unsigned FLAG_ACCUMULATE = 3;
  parameter int unsigned FLAG_SWAP = 4;
  parameter int unsigned FLAG_INTEGER = 5;
  parameter int unsigned FLAG_SRC0_ACCUMULATOR = 6;
  parameter int unsigned FLAG_SRC1_ACCUMULATOR = 7;
  parameter int unsigned FLAG_SRC2_ACCUMULATOR = 8;
  parameter int unsigned FLAG_SRC0_REPLICATE = 9;
  parameter int unsigned FLAG_SRC1_REPLICATE = 10;
  parameter int unsigned FLAG_SRC2_REPLICATE = 11;
  parameter int unsigned FLAG_SRC0_SAME_ROW = 12;
  parameter int unsigned FLAG_SRC1_SAME_ROW = 13;
  parameter int unsigned FLAG_SRC2_SAME_ROW = 14;
  parameter int unsigned FLAG_RELEASE = 15;

  typedef struct packed {
    logic [13:0] unused;
    logic [15:0] src2_stride;
    logic [15:0] src1_stride;
    logic [15:0] src0_stride;
    logic [15:0] dst_stride;
    logic [23:0] src2;
    logic [23:0] src1;
    logic [23:0] src0;
    logic [23:0] dst;
    logic [15:0] panels;
    logic [15:0] rows;
    logic [11:0] tail;
    logic [15:0] flags;
    logic [1:0] item;
    logic [5:0] post_mask;
    logic [5:0] wait_mask;
    function_e func;
    opcode_e opcode;
  } instr_t;

  // Index of the sub-line that is read (os MATMUL: of the left operand).
  function automatic logic [SUB_BITS-1:0] sub0(input logic [ADDRESS_BITS-1:0] src2);
    return src2[SUB_BITS-1:0];
  endfunction

  // Index of the sub-line that is written (os MATMUL: of the top operand).
  function automatic logic [SUB_BITS-1:0] sub1(input logic [ADDRESS_BITS-1:0] src2);
    return src2[ADDRESS_BITS-1:SUB_BITS];
  endfunction

  // The unit that executes an opcode.
  function automatic unit_e unit_of(input opcode_e opcode);
    case (opcode)
      OP_LOAD: return UNIT_DMA;
      OP_STORE: return UNIT_DMA;
      OP_WLOAD: return UNIT_WEIGHT_LOADER;
      OP_MATMUL: return UNIT_MATRIX;
      OP_DRAIN: return UNIT_MATRIX;
      OP_TRANSPOSE: return UNIT_TRANSPOSER;
      OP_VEC: return UNIT_VECTOR;
      default: return UNIT_SEQUENCER;
    endcase
  endfunction

  /* verilator lint_on UNUSEDSIGNAL */
  /* verilator lint_on UNUSEDPARAM */

endpackage
