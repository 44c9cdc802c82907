// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>

#include <cstdint>
#include <cstring>

namespace sda {

/// Four 32-bit words: a counter, or the random numbers made of it.
struct words {
  std::uint32_t w[4];
};

/// Philox4x32-10, a keyed bijection of 128-bit counters (Salmon et al., SC 2011).
SDA_HD constexpr words philox(words c, std::uint64_t seed) {
  std::uint32_t k0 = std::uint32_t(seed), k1 = std::uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    std::uint64_t const a = 0xD2511F53ull * c.w[0], b = 0xCD9E8D57ull * c.w[2];
    c = {{std::uint32_t(b >> 32) ^ c.w[1] ^ k0, std::uint32_t(b), std::uint32_t(a >> 32) ^ c.w[3] ^ k1, std::uint32_t(a)}};
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  return c;
}

/// A random key: a value that is split, never advanced. The number at (row, column) of a key is a pure function of the
/// three, so threads, batches, ranks and devices agree without talking. Rows < 2^32, columns < 2^34.
struct key {
  std::uint64_t seed = 0, stream = 0;
  std::uint32_t first_row = 0;  // where a batch starts in the whole: its row 0 draws what the whole draws there

  /// The same numbers from `row` on: for a batch that holds rows [row, ...) of the whole.
  SDA_HD constexpr key from_row(index_t row) const { return {seed, stream, first_row + std::uint32_t(row)}; }

  /// The i-th child, independent of its siblings and of this key's own numbers.
  SDA_HD constexpr key fold(std::uint64_t i) const {
    words const r = philox({{std::uint32_t(stream), std::uint32_t(stream >> 32), std::uint32_t(i), std::uint32_t(i >> 32)}}, ~seed);
    return {seed, std::uint64_t(r.w[0]) | std::uint64_t(r.w[1]) << 32, first_row};
  }
  /// Uniform 32-bit words at (row, 4 quad ... 4 quad + 3).
  SDA_HD constexpr words operator()(std::uint32_t row, std::uint32_t quad) const {
    return philox({{quad, first_row + row, std::uint32_t(stream), std::uint32_t(stream >> 32)}}, seed);
  }
  friend constexpr bool operator==(key const&, key const&) = default;
};

// Only IEEE-exact operations below (fma, + - * /; no product is left beside a sum, so a compiler has nothing to contract, and
// no call that could set errno): host and device give the same bits, and the host's loops vectorise.
namespace detail {

#if defined(__CUDA_ARCH__)
SDA_HD inline double fma_exact(double a, double b, double c) { return __fma_rn(a, b, c); }
SDA_HD inline float fma_exact(float a, float b, float c) { return __fmaf_rn(a, b, c); }
#else
SDA_HD inline double fma_exact(double a, double b, double c) { return __builtin_fma(a, b, c); }
SDA_HD inline float fma_exact(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#endif

/// c0 + x (c1 + x (c2 + ...)), unrolled.
template <class T> SDA_HD inline T horner(T, T c) { return c; }
template <class T, class... C> SDA_HD inline T horner(T x, T c, C... higher) { return fma_exact(horner(x, higher...), x, c); }

template <class T> struct bits_of;
template <> struct bits_of<double> {
  using word = std::uint64_t;
  static constexpr int shift = 52, bias = 1023, newton_steps = 4;
  static constexpr word root_seed = 0x5fe6eb50c7b537a9ull, root_two = 0x6a09e667f3bcdull;  // the latter: fraction bits of √2
};
template <> struct bits_of<float> {
  using word = std::uint32_t;
  static constexpr int shift = 23, bias = 127, newton_steps = 3;
  static constexpr word root_seed = 0x5f3759dfu, root_two = 0x3504f3u;
};
template <class T> SDA_HD inline auto bits(T x) {
  typename bits_of<T>::word b;
  memcpy(&b, &x, sizeof b);
  return b;
}
template <class T> SDA_HD inline T from_bits(typename bits_of<T>::word b) {
  T x;
  memcpy(&x, &b, sizeof x);
  return x;
}

/// atanh(s) / s as a series in z = s², |s| < 0.172
SDA_HD inline double atanh_series(double z) {
  return horner(z, 1.0, 1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11, 1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21);
}
SDA_HD inline float atanh_series(float z) { return horner(z, 1.0f, 1.0f / 3, 1.0f / 5, 1.0f / 7, 1.0f / 9); }

/// ln x for normal x > 0: the exponent, and 2 atanh((m-1)/(m+1)) for the mantissa m in [0.7, 1.41].
template <class T> SDA_HD inline T log_exact(T x) {
  using B = bits_of<T>;
  using word = typename B::word;
  word const b = bits(x), fraction = b & ((word{1} << B::shift) - 1), upper = word(fraction > B::root_two);
  T const m = from_bits<T>(fraction | ((word{B::bias} - upper) << B::shift));
  int const e = int(b >> B::shift) - B::bias + int(upper);
  T const s = (m - T(1)) / (m + T(1));
  T const twice = T(2) * s;
  T const tail = twice * atanh_series(s * s);
  return fma_exact(T(e), T(0.69314718055994530942), tail);
}

/// 1/√x for normal x > 0, by Newton steps from the halved exponent.
template <class T> SDA_HD inline T reciprocal_root(T x) {
  T const half = T(0.5) * x;
  T y = from_bits<T>(bits_of<T>::root_seed - (bits(x) >> 1));
  for (int i = 0; i < bits_of<T>::newton_steps; ++i) {
    T const square = y * y;
    T const factor = fma_exact(-half, square, T(1.5));
    y = y * factor;
  }
  return y;
}

/// The rational functions of Wichura's AS 241, PPND16 for double and PPND7 for float: z / q near the centre, z in the tail.
SDA_HD inline double quantile_centre(double r) {
  return horner(r, 3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125, 45921.953931549871457,
                67265.770927008700853, 33430.575583588128105, 2509.0809287301226727) /
         horner(r, 1.0, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077, 21213.794301586595867, 39307.895800092710610,
                28729.085735721942674, 5226.4952788528545610);
}
SDA_HD inline float quantile_centre(float r) {
  return horner(r, 3.3871327179f, 50.434271938f, 159.29113202f, 59.109374720f) / horner(r, 1.0f, 17.895169469f, 78.757757664f, 67.187563600f);
}
SDA_HD inline double quantile_tail(double r) {
  return horner(r, 1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504, 1.27045825245236838258,
                0.241780725177450611770, 0.0227238449892691845833, 7.74545014278341407640e-4) /
         horner(r, 1.0, 2.05319162663775882187, 1.67638483018380384940, 0.689767334985100004550, 0.148103976427480074590, 0.0151986665636164571966,
                5.47593808499534494600e-4, 1.05075007164441684324e-9);
}
SDA_HD inline float quantile_tail(float r) {
  return horner(r, 1.4234372777f, 2.7568153900f, 1.3067284816f, 0.17023821103f) / horner(r, 1.0f, 0.73700164250f, 0.12021132975f);
}

/// The nearer tail, min(p, 1 - p), of p = (w + 1/2) / 2^32; and minus its quantile, right where p >= 0.075 or where p <= 0.075.
template <class T> SDA_HD inline T nearer_tail(std::uint32_t w) {
  std::uint32_t const folded = w & 0x80000000u ? ~w : w;
  return (T(std::int32_t(folded)) + T(0.5)) * T(0x1p-32);  // signed: what processors convert in vectors
}
template <class T> SDA_HD inline T central(T p) {
  T const q = T(0.5) - p;
  return q * quantile_centre(fma_exact(-q, q, T(0.180625)));
}
template <class T> SDA_HD inline T outer(T p) {
  T const l = -log_exact(p);
  return quantile_tail(fma_exact(l, reciprocal_root(l), T(-1.6)));  // √(-ln p) - 1.6
}
template <class T> SDA_HD inline bool is_central(T p) { return T(0.5) - p <= T(0.425); }

}  // namespace detail

/// The standard normal quantile of p = (w + 1/2) / 2^32 (Wichura, 1988, AS 241), relative error 1e-15 (double) or 1e-6 (float).
template <class T> SDA_HD inline T normal_quantile(std::uint32_t w) {
  T const p = detail::nearer_tail<T>(w), centre = detail::central(p), tail = detail::outer(p);
  // chosen by masks: a branch would keep the loop from being vectorised
  using word = typename detail::bits_of<T>::word;
  word const inside = word(0) - word(detail::is_central(p)), sign = word(~w >> 31) << (sizeof(word) * 8 - 1);
  return detail::from_bits<T>(((detail::bits(centre) & inside) | (detail::bits(tail) & ~inside)) ^ sign);
}

/// The same for a block of four, the tails (15 % of all numbers) worked out only where there are any: for a device, whose
/// threads share their time with those that still work.
template <class T> SDA_HD inline void normal_quantiles(words const& w, T (&z)[4]) {
  T p[4];
  unsigned tails = 0;
  for (unsigned i = 0; i < 4; ++i) {
    p[i] = detail::nearer_tail<T>(w.w[i]);
    z[i] = detail::central(p[i]);
    tails |= detail::is_central(p[i]) ? 0u : 1u << i;
  }
  while (tails != 0) {
    unsigned const one = tails & (0u - tails);
    T const tail = detail::outer(one == 1 ? p[0] : one == 2 ? p[1] : one == 4 ? p[2] : p[3]);
    for (unsigned i = 0; i < 4; ++i) z[i] = one == 1u << i ? tail : z[i];
    tails ^= one;
  }
  for (unsigned i = 0; i < 4; ++i) z[i] = w.w[i] & 0x80000000u ? z[i] : -z[i];
}

/// The standard normal number of a key at (row, column).
template <class T> SDA_HD inline T normal(key k, index_t row, index_t column) {
  return normal_quantile<T>(k(std::uint32_t(row), std::uint32_t(column >> 2)).w[column & 3]);
}

/// The uniform number in (0, 1) of a key at (row, column).
SDA_HD inline double uniform(key k, index_t row, index_t column) {
  return (double(k(std::uint32_t(row), std::uint32_t(column >> 2)).w[column & 3]) + 0.5) * 0x1p-32;
}

}  // namespace sda
