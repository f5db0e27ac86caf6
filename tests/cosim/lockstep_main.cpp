// Clocks the lockstep bench: CYCLES MUTANT SEED.
#include <cstdio>
#include <cstdlib>

#include "Vlockstep_bench.h"

int main(int, char** argv) {
    VerilatedContext context;
    context.randSeed(std::atoi(argv[3]));
    context.randReset(2);
    Vlockstep_bench top(&context);
    top.mutant_i = std::atoi(argv[2]);
    auto half = [&](int clock) {
        top.clk_i = clock;
        top.eval();
        context.timeInc(1);
    };
    top.rst_ni = 1;
    half(0);
    top.rst_ni = 0;
    half(0);
    half(1);
    half(0);
    top.rst_ni = 1;
    for (long i = 0; i < std::atol(argv[1]); i++) {
        half(1);
        half(0);
    }
    std::printf("%u %u\n", top.compared_o, top.different_o);
    top.final();
}
