// Clock and reset of vector_bench.sv; registers start at random. With +reset=CYCLE there is a second reset in
// the middle, and a line "R" says that everything begins anew.
#include "Vvector_bench.h"
#include "verilated.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

int main(int argc, char** argv) {
  VerilatedContext context;
  context.randReset(2);
  context.commandArgs(argc, argv);
  Vvector_bench top(&context);
  const char* again = context.commandArgsPlusMatch("reset=");
  const int second = *again ? 6 + 2 * std::atoi(again + std::strlen("+reset=")) : -10;
  for (int half = 0; !context.gotFinish(); half++) {
    const bool in_second = half >= second && half < second + 4;
    top.rst_ni = half >= 6 && !in_second;
    if (half == second) std::printf("R\n");
    top.clk_i = half & 1;
    top.eval();
    context.timeInc(1);
  }
  top.final();
  return 0;
}
