// SPDX-License-Identifier: Apache-2.0
// The numbers of a key on the host, many at a time, in vectors: bit for bit those of normal().
#pragma once
#include <sda/core/random.hpp>

#include <array>
#include <bit>

namespace sda {

namespace detail {

#if defined(__AVX2__) && defined(__GNUC__) && !defined(__CUDACC__)
// Philox of four blocks, a word of each in the lower half of a lane. Upper halves hold what is left of products; nothing reads them.
using lanes = std::uint64_t __attribute__((vector_size(32)));

/// out[4 j + i] = k(row, quad + j).w[i], j in [0, blocks_at_once)
inline constexpr index_t blocks_at_once = 8;
inline void philox_blocks(std::uint32_t* out, key k, std::uint32_t row, std::uint32_t quad) {
#if defined(__clang__)
  auto const product = [](lanes const& a, lanes const& factor) { return (a & 0xFFFFFFFFu) * factor; };
#else
  using halves = int __attribute__((vector_size(32)));  // g++ does not see for itself that upper halves do not count
  auto const product = [](lanes const& a, lanes const& factor) { return lanes(__builtin_ia32_pmuludq256(halves(a), halves(factor))); };
#endif
  constexpr int n = 2;  // independent, so that one multiplies while the other waits
  lanes a[n], b[n], c[n], d[n];
  for (unsigned i = 0; i < n; ++i) {
    a[i] = quad + 4 * i + lanes{0, 1, 2, 3};
    b[i] = lanes{} + (k.first_row + row), c[i] = lanes{} + std::uint32_t(k.stream), d[i] = lanes{} + (k.stream >> 32);
  }
  std::uint32_t k0 = std::uint32_t(k.seed), k1 = std::uint32_t(k.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < n; ++i) {
      lanes const x = product(a[i], lanes{} + 0xD2511F53u), y = product(c[i], lanes{} + 0xCD9E8D57u);
      a[i] = (y >> 32) ^ b[i] ^ k0, b[i] = y, c[i] = (x >> 32) ^ d[i] ^ k1, d[i] = x;
    }
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < n; ++i) {
    lanes const low = (a[i] & 0xFFFFFFFFu) | (b[i] << 32), high = (c[i] & 0xFFFFFFFFu) | (d[i] << 32);
    std::uint64_t const pairs[8]{low[0], high[0], low[1], high[1], low[2], high[2], low[3], high[3]};
    memcpy(out + 16 * i, pairs, sizeof pairs);
  }
}
#else
inline constexpr index_t blocks_at_once = 1;
inline void philox_blocks(std::uint32_t* out, key k, std::uint32_t row, std::uint32_t quad) {
  words const r = k(row, quad);
  memcpy(out, r.w, sizeof r.w);
}
#endif

/// For every byte the places of its bits that are set, lowest first, each in a byte; and how many they are.
struct places_of_bits {
  std::array<std::array<std::uint8_t, 8>, 256> place{};
  std::array<std::uint8_t, 256> count{};
  constexpr places_of_bits() {
    for (unsigned byte = 0; byte < 256; ++byte)
      for (unsigned i = 0; i < 8; ++i)
        if (byte >> i & 1) place[byte][count[byte]++] = std::uint8_t(i);
  }
};
inline constexpr places_of_bits bits_set{};

inline constexpr index_t numbers_at_once = 256;

/// Bit i of the result is byte i of eight, each 0 or 1.
inline std::uint8_t gathered_bits(std::uint8_t const* flags) {
  std::uint64_t eight = 0;
  if constexpr (std::endian::native == std::endian::little) memcpy(&eight, flags, 8);
  else
    for (unsigned i = 0; i < 8; ++i) eight |= std::uint64_t(flags[i]) << 8 * i;
  return std::uint8_t(eight * 0x0102040810204080ull >> 56);  // byte i, 8 i bits up, meets the factor's bit 56 - 7 i, and no other product is there
}

/// normal_quantile of each word, n <= numbers_at_once. Tails (15 % of all) are gathered, worked out together and put back.
template <class T> void quantiles_of(std::uint32_t const* w, T* z, index_t n) {
  constexpr index_t whole = 8;  // tails are worked out by so many
  T p[numbers_at_once], tail[numbers_at_once + whole];
  std::uint8_t outside[numbers_at_once + 8];
  for (index_t i = 0; i < n; ++i) {
    p[i] = nearer_tail<T>(w[i]);
    z[i] = central(p[i]);
    outside[i] = is_central(p[i]) ? 0 : 1;
  }
  std::uint32_t at[numbers_at_once + 8];
  index_t tails = 0;
  memset(outside + n, 0, 8);
  for (index_t i = 0; i < n; i += 8) {  // no branches: which are outside nobody can predict
    std::uint8_t const byte = gathered_bits(outside + i);
    for (unsigned j = 0; j < 8; ++j) at[tails + j] = std::uint32_t(i) + bits_set.place[byte][j];
    tails += bits_set.count[byte];
  }
  for (index_t j = 0; j < tails; ++j) tail[j] = p[at[j]];
  for (index_t j = 0; j < whole; ++j) tail[tails + j] = T(0.01);
  for (index_t j = 0; j < tails; j += whole)
    for (index_t l = 0; l < whole; ++l) tail[j + l] = outer(tail[j + l]);
  for (index_t j = 0; j < tails; ++j) z[at[j]] = tail[j];
  using word = typename bits_of<T>::word;
  for (index_t i = 0; i < n; ++i) z[i] = from_bits<T>(bits(z[i]) ^ word(~w[i] >> 31) << (sizeof(word) * 8 - 1));
}

}  // namespace detail

/// Writes normal<T>(k, row, first + i) to out[i], i in [0, n): the same numbers, one Philox block for every four.
template <class T> void fill_normal(T* out, key k, index_t row, index_t first, index_t n) {
  constexpr index_t quads = detail::numbers_at_once / 4, together = detail::blocks_at_once;
  std::uint32_t raw[4 * quads];
  for (index_t done = 0; done < n;) {
    index_t const quad = (first + done) / 4, skip = (first + done) % 4, wanted = (skip + n - done + 3) / 4;
    index_t const blocks = wanted < quads ? wanted : quads, m = n - done < 4 * quads - skip ? n - done : 4 * quads - skip;
    index_t j = 0;
    for (; j + together <= blocks; j += together) detail::philox_blocks(raw + 4 * j, k, std::uint32_t(row), std::uint32_t(quad + j));
    for (; j < blocks; ++j) {
      words const r = k(std::uint32_t(row), std::uint32_t(quad + j));
      memcpy(raw + 4 * j, r.w, sizeof r.w);
    }
    detail::quantiles_of(raw + skip, out + done, m);
    done += m;
  }
}

}  // namespace sda
