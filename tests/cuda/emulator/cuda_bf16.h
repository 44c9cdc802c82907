// SPDX-License-Identifier: Apache-2.0
// The upper half of a float, rounding to nearest even, for the emulated device.
#pragma once
#include <cstdint>
#include <cstring>

struct __nv_bfloat16 {
  std::uint16_t bits;
  __nv_bfloat16() = default;
  __nv_bfloat16(float x) {
    std::uint32_t u;
    std::memcpy(&u, &x, 4);
    bits = x != x ? 0x7fffu : std::uint16_t((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
  }
  operator float() const {
    std::uint32_t const u = std::uint32_t(bits) << 16;
    float x;
    std::memcpy(&x, &u, 4);
    return x;
  }
};
