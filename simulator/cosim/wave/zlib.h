// What Verilator's FST writer needs of zlib: RFC 1950 streams of stored blocks (RFC 1951, 3.2.4). The writer keeps
// the raw bytes where compression saves none; the bulk, the value changes, goes through lz4.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

using Bytef = unsigned char;
using uLong = unsigned long;
using uLongf = unsigned long;
constexpr int Z_OK = 0, Z_BUF_ERROR = -5;
constexpr uLong kStoredBlock = 65535;

inline uLong compressBound(uLong size) { return size + 5 * (size / kStoredBlock + 1) + 6; }

inline int compress2(Bytef* target, uLongf* length, const Bytef* source, uLong size, int /*level*/) {
    if (*length < compressBound(size)) return Z_BUF_ERROR;
    Bytef* out = target;
    *out++ = 0x78;
    *out++ = 0x01;
    uLong at = 0;
    do {
        const uLong part = std::min(kStoredBlock, size - at);
        *out++ = at + part == size;  // the last block
        for (const uLong half : {part, ~part}) {
            *out++ = half & 0xff;
            *out++ = half >> 8 & 0xff;
        }
        if (part > 0) std::memcpy(out, source + at, part);
        out += part;
        at += part;
    } while (at < size);
    uint32_t low = 1, high = 0;  // Adler-32
    for (uLong i = 0; i < size; i++) {
        low = (low + source[i]) % 65521;
        high = (high + low) % 65521;
    }
    for (const uint32_t half : {high, low}) {
        *out++ = static_cast<Bytef>(half >> 8);
        *out++ = static_cast<Bytef>(half & 0xff);
    }
    *length = out - target;
    return Z_OK;
}
