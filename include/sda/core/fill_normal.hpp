// SPDX-License-Identifier: Apache-2.0
// The numbers of a key on the host, many at a time, in vectors: bit for bit those of normal().
#pragma once
#include <sda/core/random.hpp>
#include <sda/core/vectors.hpp>

#include <array>
#include <bit>

namespace sda {

namespace detail {

/// out[4 j + i] = k(row, quad + j).w[i], j in [0, blocks_at_once)
template <vectors V> inline constexpr index_t blocks_at_once = V == vectors::plain ? 1 : V == vectors::avx2 ? 8 : 32;

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__CUDACC__)
// Philox of a block for every lane, a word of each in the lower half. Upper halves hold what is left of products; nothing reads them.
template <index_t Bytes> struct lanes_of {
  typedef std::uint64_t type __attribute__((vector_size(Bytes)));
};
template <class L> [[gnu::always_inline]] inline void multiply_lower(L& out, L const& a, L const& factor) {
#if defined(__clang__)
  out = (a & 0xFFFFFFFFu) * factor;
#else
  asm("vpmuludq %2, %1, %0" : "=v"(out) : "v"(a), "v"(factor));  // g++ does not see for itself that upper halves do not count
#endif
}
template <vectors V> [[gnu::always_inline]] inline void philox_blocks(std::uint32_t* out, key k, std::uint32_t row, std::uint32_t quad) {
  if constexpr (V == vectors::plain) {
    words const r = k(row, quad);
    memcpy(out, r.w, sizeof r.w);
  } else {
    constexpr unsigned n = V == vectors::avx2 ? 2 : 4, width = V == vectors::avx2 ? 4 : 8;  // n, so that one multiplies while others wait
    using lanes = typename lanes_of<8 * width>::type;
    lanes const first = lanes{} + 0xD2511F53u, second = lanes{} + 0xCD9E8D57u;
    lanes a[n], b[n], c[n], d[n], place{};
    for (unsigned l = 0; l < width; ++l) place[l] = l;
    for (unsigned i = 0; i < n; ++i) {
      a[i] = (lanes{} + (quad + width * i)) + place;
      b[i] = lanes{} + (k.first_row + row), c[i] = lanes{} + std::uint32_t(k.stream), d[i] = lanes{} + (k.stream >> 32);
    }
    std::uint32_t k0 = std::uint32_t(k.seed), k1 = std::uint32_t(k.seed >> 32);
    for (int round = 0; round < 10; ++round) {
      for (unsigned i = 0; i < n; ++i) {
        lanes x, y;
        multiply_lower(x, a[i], first), multiply_lower(y, c[i], second);
        a[i] = (y >> 32) ^ b[i] ^ k0, b[i] = y, c[i] = (x >> 32) ^ d[i] ^ k1, d[i] = x;
      }
      k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    for (unsigned i = 0; i < n; ++i) {
      lanes const low = (a[i] & 0xFFFFFFFFu) | (b[i] << 32), high = (c[i] & 0xFFFFFFFFu) | (d[i] << 32);
      std::uint64_t pairs[2 * width];
      for (unsigned l = 0; l < width; ++l) pairs[2 * l] = low[l], pairs[2 * l + 1] = high[l];
      memcpy(out + 4 * width * i, pairs, sizeof pairs);
    }
  }
}
#else
template <vectors> inline void philox_blocks(std::uint32_t* out, key k, std::uint32_t row, std::uint32_t quad) {
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

inline constexpr index_t numbers_at_once = 512;

/// Bit i of the result is byte i of eight, each 0 or 1.
inline std::uint8_t gathered_bits(std::uint8_t const* flags) {
  std::uint64_t eight = 0;
  if constexpr (std::endian::native == std::endian::little) memcpy(&eight, flags, 8);
  else
    for (unsigned i = 0; i < 8; ++i) eight |= std::uint64_t(flags[i]) << 8 * i;
  return std::uint8_t(eight * 0x0102040810204080ull >> 56);  // byte i, 8 i bits up, meets the factor's bit 56 - 7 i, and no other product is there
}

/// Which of at most numbers_at_once numbers are in the tails: gathers them side by side, and puts back what was made of them. No
/// branches: which they are nobody can predict.
template <vectors V, class T> struct tails {
  std::uint32_t at[numbers_at_once + 8];

  /// Writes those of p [n] to `tail`; how many they are.
  [[gnu::always_inline]] index_t gather(T* p, index_t n, T* tail) {
    std::uint8_t outside[numbers_at_once + 8];
    for (index_t i = 0; i < n; ++i) outside[i] = is_central(p[i]) ? 0 : 1;
    memset(outside + n, 0, 8);
    index_t count = 0;
    for (index_t i = 0; i < n; i += 8) {
      std::uint8_t const byte = gathered_bits(outside + i);
      for (unsigned j = 0; j < 8; ++j) at[count + j] = std::uint32_t(i) + bits_set.place[byte][j];
      count += bits_set.count[byte];
    }
    for (index_t j = 0; j < count; ++j) tail[j] = p[at[j]];
    return count;
  }
  [[gnu::always_inline]] void put_back(T const* tail, index_t count, T* z, index_t) const {
    for (index_t j = 0; j < count; ++j) z[at[j]] = tail[j];
  }
};

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__)
/// ... by the instructions that are there for it (clang lets no function name them that is not of that processor itself).
template <class T> struct tails<vectors::avx512, T> {
  static constexpr index_t lanes = 64 / index_t(sizeof(T));
  typedef T numbers __attribute__((vector_size(64)));
  std::uint16_t outside[numbers_at_once / lanes];

  [[gnu::always_inline]] index_t gather(T* p, index_t n, T* tail) {
    for (index_t i = n; i % lanes != 0; ++i) p[i] = T(0.5);
    numbers const edge = numbers{} + T(0.425);
    index_t count = 0;
    for (index_t i = 0; i < n; i += lanes) {
      numbers x, packed;
      memcpy(&x, p + i, sizeof x);
      numbers const away = T(0.5) - x;
      std::uint16_t mask;  // away > edge
      if constexpr (lanes == 16) {
        asm("vcmpps $30, %2, %1, %0" : "=Yk"(mask) : "v"(away), "v"(edge));
        asm("vcompressps %1, %0%{%2%}%{z%}" : "=v"(packed) : "v"(x), "Yk"(mask));
      } else {
        asm("vcmppd $30, %2, %1, %0" : "=Yk"(mask) : "v"(away), "v"(edge));
        asm("vcompresspd %1, %0%{%2%}%{z%}" : "=v"(packed) : "v"(x), "Yk"(mask));
      }
      memcpy(tail + count, &packed, sizeof packed);
      outside[i / lanes] = mask;
      count += std::popcount(mask);
    }
    return count;
  }
  [[gnu::always_inline]] void put_back(T const* tail, index_t, T* z, index_t n) const {
    for (index_t i = 0; i < n; i += lanes) {
      std::uint16_t const mask = outside[i / lanes];
      numbers x{}, packed;
      std::size_t const bytes = n - i < lanes ? std::size_t(n - i) * sizeof(T) : sizeof x;
      memcpy(&packed, tail, sizeof packed);
      if (bytes == sizeof x) memcpy(&x, z + i, sizeof x);
      else memcpy(&x, z + i, bytes);
      if constexpr (lanes == 16) asm("vexpandps %1, %0%{%2%}" : "+v"(x) : "v"(packed), "Yk"(mask));
      else asm("vexpandpd %1, %0%{%2%}" : "+v"(x) : "v"(packed), "Yk"(mask));
      if (bytes == sizeof x) memcpy(z + i, &x, sizeof x);
      else memcpy(z + i, &x, bytes);
      tail += std::popcount(mask);
    }
  }
};
#endif

/// normal_quantile of each word, n <= numbers_at_once. Tails (15 % of all) are gathered, worked out together and put back.
template <vectors V, class T> [[gnu::always_inline]] inline void quantiles_of(std::uint32_t const* w, T* z, index_t n) {
  constexpr index_t whole = V == vectors::avx512 ? 16 : 8;  // tails are worked out by so many
  T p[numbers_at_once], tail[numbers_at_once + whole];
  for (index_t i = 0; i < n; ++i) {
    p[i] = nearer_tail<T>(w[i]);
    z[i] = central(p[i]);
  }
  tails<V, T> which;
  index_t const count = which.gather(p, n, tail);
  for (index_t j = 0; j < whole; ++j) tail[count + j] = T(0.01);
  for (index_t j = 0; j < count; j += whole)
    for (index_t l = 0; l < whole; ++l) tail[j + l] = outer(tail[j + l]);
  which.put_back(tail, count, z, n);
  using word = typename bits_of<T>::word;
  for (index_t i = 0; i < n; ++i) z[i] = from_bits<T>(bits(z[i]) ^ word(~w[i] >> 31) << (sizeof(word) * 8 - 1));
}

/// fill_normal by vectors V.
template <vectors V, class T> [[gnu::always_inline]] inline void fill_normal_by(T* out, key k, index_t row, index_t first, index_t n) {
  constexpr index_t quads = numbers_at_once / 4, together = blocks_at_once<V>;
  std::uint32_t raw[4 * quads];
  for (index_t done = 0; done < n;) {
    index_t const quad = (first + done) / 4, skip = (first + done) % 4, wanted = (skip + n - done + 3) / 4;
    index_t const blocks = wanted < quads ? wanted : quads, m = n - done < 4 * quads - skip ? n - done : 4 * quads - skip;
    index_t j = 0;
    for (; j + together <= blocks; j += together) philox_blocks<V>(raw + 4 * j, k, std::uint32_t(row), std::uint32_t(quad + j));
    for (; j < blocks; ++j) {
      words const r = k(std::uint32_t(row), std::uint32_t(quad + j));
      memcpy(raw + 4 * j, r.w, sizeof r.w);
    }
    quantiles_of<V>(raw + skip, out + done, m);
    done += m;
  }
}

}  // namespace detail

/// Writes normal<T>(k, row, first + i) to out[i], i in [0, n): the same numbers, one Philox block for every four, in the widest vectors of
/// the processor.
template <class T> void fill_normal(T* out, key k, index_t row, index_t first, index_t n) {
  with_vectors(widest_vectors(), [&](auto v) __attribute__((always_inline)) { detail::fill_normal_by<v()>(out, k, row, first, n); });
}

}  // namespace sda
