/* All kernels for one instruction set, gathered into the structure VARIANT. The including file has defined
 * VW, MR, replicate, fma_lanes (gemm_bf16.h) and pair_products (gemm_int8.h). */

#include "gemm_bf16.h"
#include "gemm_int8.h"
#include "table_unit.h"
#include "vector.h"
#include "reduce.h"

#define DEFINE_VARIANT(isa)                                                                                  \
    const struct variant variant_##isa = {                                                                   \
        .name = #isa,                                                                                        \
        .lanes = VW,                                                                                         \
        .bf16 = {bf16_workspace, gemm_bf16},                                                                 \
        .int8 = {int8_workspace, gemm_int8},                                                                 \
        .functions = vector_entries,                                                                         \
        .reductions = reduction_entries,                                                                     \
        .has_foreign_nan = has_foreign_nan,                                                                  \
    };
