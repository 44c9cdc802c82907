// SPDX-License-Identifier: Apache-2.0
// Half precision by bits, rounding to nearest even, for the emulated device.
#pragma once
#include <cstdint>
#include <cstring>

struct __half {
  std::uint16_t bits;
  __half() = default;
  __half(float x) {
    std::uint32_t u;
    std::memcpy(&u, &x, 4);
    std::uint32_t const sign = u >> 16 & 0x8000u, a = u & 0x7fffffffu;
    if (a > 0x7f800000u) bits = std::uint16_t(sign | 0x7fffu);
    else if (a >= 0x477ff000u)  // rounds past the largest half
      bits = std::uint16_t(sign | 0x7c00u);
    else if (a < 0x38800000u) {  // subnormal: aligned by adding one half's worth of ulps
      float f;
      std::memcpy(&f, &a, 4);
      float const shifted = f + 0.5f;
      std::uint32_t s;
      std::memcpy(&s, &shifted, 4);
      bits = std::uint16_t(sign | (s - 0x3f000000u));
    } else bits = std::uint16_t(sign | ((a - 0x38000000u + 0x0fffu + (a >> 13 & 1u)) >> 13));
  }
  operator float() const {
    std::uint32_t const sign = std::uint32_t(bits & 0x8000u) << 16, a = bits & 0x7fffu;
    std::uint32_t u = sign | (a >= 0x7c00u ? (a << 13) + 0x70000000u : (a << 13) + 0x38000000u);
    if (a < 0x0400u) {
      float const tiny = float(a) * 0x1p-24f;
      std::memcpy(&u, &tiny, 4);
      u |= sign;
    }
    float x;
    std::memcpy(&x, &u, 4);
    return x;
  }
};
using half = __half;
