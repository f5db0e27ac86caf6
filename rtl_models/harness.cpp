// Runs one Program in the harness: fills the memories from files, clocks until HALT, writes the memories and the
// event log. Arguments are KEY=VALUE: dir (of the files), the cfg_ inputs without cfg_ and _i, seed (of the state
// at power-up, 0: all zero), max_cycles, interrupt (cycles after which all starts again from a reset), wave (file,
// in builds with tracing).
//
// Files: program, buffer, accumulators, hbm, host (read: .bin, written: .out, raw bytes, little-endian) and
// events.out: per cycle with an event a uint64, cycle << 16 | events. Exit code 0: HALT; 3: max_cycles passed.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "Vharness.h"
#include "Vharness___024root.h"
#if VM_TRACE
#include WAVE_HEADER
#endif

namespace {

std::map<std::string, std::string> arguments;

uint64_t number(const char* key, uint64_t otherwise) {
    const auto found = arguments.find(key);
    return found == arguments.end() ? otherwise : std::strtoull(found->second.c_str(), nullptr, 0);
}

FILE* opened(const std::string& name, const char* mode) {
    FILE* file = std::fopen((arguments["dir"] + "/" + name).c_str(), mode);
    if (!file) {
        std::fprintf(stderr, "harness: cannot open %s\n", name.c_str());
        std::exit(2);
    }
    return file;
}

// An unpacked array of packed words of 2^n bytes is that many raw bytes.
template <typename T>
void fill(T& memory, const std::string& name) {
    FILE* file = opened(name + ".bin", "rb");
    std::fread(&memory[0], 1, sizeof(memory), file);
    std::fclose(file);
}

template <typename T>
void dump(T& memory, const std::string& name) {
    FILE* probe = opened(name + ".bin", "rb");
    std::fseek(probe, 0, SEEK_END);
    const size_t bytes = std::ftell(probe);
    std::fclose(probe);
    FILE* file = opened(name + ".out", "wb");
    std::fwrite(&memory[0], 1, bytes, file);
    std::fclose(file);
}

}  // namespace

int main(int argc, char** argv) {
    for (int i = 1; i < argc; i++) {
        if (const char* equals = std::strchr(argv[i], '=')) {
            arguments[std::string(argv[i], equals - argv[i])] = equals + 1;
        }
    }
    VerilatedContext context;
    const int seed = static_cast<int>(number("seed", 1));
    context.randReset(seed ? 2 : 0);
    context.randSeed(seed);
#if VM_TRACE
    context.traceEverOn(true);
#endif
    Vharness top(&context, "harness");
    auto* root = top.rootp;
    top.cfg_queue_depth_i = number("queue_depth", 16);
    top.cfg_fifo_depth_i = number("fifo_depth", 2);
    top.cfg_double_i = number("double", 1);
    top.cfg_overlap_i = number("overlap", 1);
    top.cfg_current_i = number("current", 0);
    top.cfg_next_i = number("next", 0);
    top.cfg_hbm_latency_i = number("hbm_latency", 1);
    top.cfg_hbm_num_i = number("hbm_num", 1);
    top.cfg_hbm_den_i = number("hbm_den", 1);
    top.cfg_host_latency_i = number("host_latency", 1);
    top.cfg_host_num_i = number("host_num", 1);
    top.cfg_host_den_i = number("host_den", 1);
    top.cfg_mutant_i = number("mutant", 0);
    const uint64_t max_cycles = number("max_cycles", UINT64_MAX);

#if VM_TRACE
    WAVE_CLASS wave;
    if (arguments.count("wave")) {
        top.trace(&wave, 99);
        wave.open(arguments["wave"].c_str());
    }
#endif
    auto half = [&](int clock) {
        top.clk_i = clock;
        top.eval();
#if VM_TRACE
        if (wave.isOpen()) wave.dump(context.time());
#endif
        context.timeInc(1);
    };

    auto clocks = [&](uint64_t count) {
        while (count--) {
            half(1);
            half(0);
        }
    };
    auto reset = [&] {
        top.rst_ni = 0;
        half(0);
        fill(root->harness__DOT__program_mem, "program");
        fill(root->harness__DOT__u_tpu_top__DOT__u_unified_buffer__DOT__mem, "buffer");
        fill(root->harness__DOT__u_tpu_top__DOT__u_accumulators__DOT__mem, "accumulators");
        fill(root->harness__DOT__u_hbm__DOT__mem, "hbm");
        fill(root->harness__DOT__u_host__DOT__mem, "host");
        clocks(3);
        top.rst_ni = 1;
        half(0);
    };

    // The configuration is in its registers before the reset.
    top.rst_ni = 1;
    half(0);
    clocks(1);
    reset();
    if (const uint64_t interrupt = number("interrupt", 0)) {
        clocks(interrupt);
        reset();
    }

    // Cycle 0 is that of the first dispatch. The outputs after a rising edge are those of the new cycle.
    std::vector<uint64_t> log;
    uint64_t cycle = 0;
    bool running = false;
    const auto begin = std::chrono::steady_clock::now();
    while (cycle < max_cycles) {
        half(1);
        const uint64_t events = top.events_o;
        if (events >> 12 & 1) running = true;
        if (events) log.push_back(cycle << 16 | events);
        if (top.halted_o) break;
        cycle += running;
        half(0);
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    const bool halted = top.halted_o;

    dump(root->harness__DOT__u_tpu_top__DOT__u_unified_buffer__DOT__mem, "buffer");
    dump(root->harness__DOT__u_tpu_top__DOT__u_accumulators__DOT__mem, "accumulators");
    dump(root->harness__DOT__u_hbm__DOT__mem, "hbm");
    dump(root->harness__DOT__u_host__DOT__mem, "host");
    FILE* file = opened("events.out", "wb");
    std::fwrite(log.data(), sizeof(uint64_t), log.size(), file);
    std::fclose(file);
    std::printf("{\"halted\": %d, \"cycles\": %llu, \"seconds\": %.6f}\n", halted,
                static_cast<unsigned long long>(cycle), seconds.count());
#if VM_TRACE
    wave.close();
#endif
    top.final();
    return halted ? 0 : 3;
}
