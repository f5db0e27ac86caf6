// What Verilator's FST writer needs of liblz4, so that a waveform needs no library installed: LZ4's block format
// (https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md), written greedily. Any LZ4 decoder reads it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

// One block of `size` bytes; `capacity` must be LZ4_compressBound(size). Returns the block's length.
inline int LZ4_compress_default(const char* source, char* target, int size, int capacity) {
    constexpr int kMinMatch = 4, kLastLiterals = 5, kMatchLimit = 12, kFarthest = 65535, kHashBits = 12;
    if (capacity < LZ4_compressBound(size)) return 0;
    const auto* in = reinterpret_cast<const uint8_t*>(source);
    auto* out = reinterpret_cast<uint8_t*>(target);

    auto put_length = [&out](int rest) {  // what a token's four bits do not hold
        for (; rest >= 255; rest -= 255) *out++ = 255;
        *out++ = static_cast<uint8_t>(rest);
    };
    auto put_literals = [&](int from, int to, int match) {
        const int literals = to - from;
        *out++ = static_cast<uint8_t>(std::min(literals, 15) << 4 | std::min(match, 15));
        if (literals >= 15) put_length(literals - 15);
        if (literals > 0) std::memcpy(out, in + from, literals);
        out += literals;
    };

    std::vector<int> last(1 << kHashBits, -1);  // the latest place of four bytes with this hash
    int anchor = 0;
    for (int at = 0; at + kMatchLimit <= size;) {
        uint32_t word, other;
        std::memcpy(&word, in + at, 4);
        int& place = last[word * 2654435761u >> (32 - kHashBits)];
        const int found = place;
        place = at;
        if (found >= 0) std::memcpy(&other, in + found, 4);
        if (found < 0 || at - found > kFarthest || other != word) {
            at++;
            continue;
        }
        int length = kMinMatch;
        while (at + length < size - kLastLiterals && in[found + length] == in[at + length]) length++;
        put_literals(anchor, at, length - kMinMatch);
        *out++ = static_cast<uint8_t>(at - found);
        *out++ = static_cast<uint8_t>((at - found) >> 8);
        if (length - kMinMatch >= 15) put_length(length - kMinMatch - 15);
        anchor = at += length;
    }
    put_literals(anchor, size, 0);
    return static_cast<int>(out - reinterpret_cast<uint8_t*>(target));
}
