// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>
#include <sda/core/parallel_dealt.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

// softmax(scale q kᵀ) v in float on the CPU, in blocks that stay in its caches, with a running maximum and sum (Dao et al., 2022,
// arXiv:2205.14135; Milakov & Gimelshein, 2018, arXiv:1805.02867): the weights are never in memory. Each thread has blocks of its own
// and waits for no other; the result does not depend on their number. Vectors are as wide as the processor's, asked at run time.

namespace sda {

namespace detail {

// Products are fused with sums also where the standard's mode would keep them apart.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=fast")
#endif

inline constexpr index_t attention_panel = 64;   // keys, or columns of values, side by side
inline constexpr int attention_tile = 6;         // queries whose sums stay in registers
inline constexpr index_t attention_block = 96;   // queries that meet a panel together

/// Keys as panels [n/64][d][64], the last one filled up with zeros; values as panels [columns/64][n][64], likewise.
struct attention_panels {
  index_t n, depth, width;
  std::vector<float> keys, values;

  index_t key_panels() const { return (n + attention_panel - 1) / attention_panel; }
  index_t value_panels() const { return (width + attention_panel - 1) / attention_panel; }
};

template <int L> struct vector_of {
  typedef float floats __attribute__((vector_size(4 * L)));
  typedef std::int32_t ints __attribute__((vector_size(4 * L)));
};
// By reference: a wide vector returned by value would be of another calling convention outside of the functions below.
template <class V> [[gnu::always_inline]] inline void load_lanes(V& v, float const* p) { std::memcpy(&v, p, sizeof v); }
template <class V> [[gnu::always_inline]] inline void store_lanes(float* p, V const& v) { std::memcpy(p, &v, sizeof v); }

/// c [6, 64] += a [6, depth] b [depth, 64], W vectors of L columns at a time.
template <int W, int L>
[[gnu::always_inline]] inline void multiply_panel(float const* a, index_t lda, float const* b, index_t depth, float* c, index_t ldc) {
  using V = typename vector_of<L>::floats;
  for (index_t first = 0; first < attention_panel; first += W * L) {
    V sum[attention_tile][W];
    for (int r = 0; r < attention_tile; ++r)
      for (int w = 0; w < W; ++w) load_lanes(sum[r][w], c + r * ldc + first + w * L);
    for (index_t k = 0; k < depth; ++k) {
      V x[W];
      for (int w = 0; w < W; ++w) load_lanes(x[w], b + k * attention_panel + first + w * L);
      for (int r = 0; r < attention_tile; ++r)
        for (int w = 0; w < W; ++w) sum[r][w] += a[r * lda + k] * x[w];
    }
    for (int r = 0; r < attention_tile; ++r)
      for (int w = 0; w < W; ++w) store_lanes(c + r * ldc + first + w * L, sum[r][w]);
  }
}

/// eˣ for x <= 0 to 2e-7 of its size, 0 < e⁻⁸⁷ at least: 2ⁿ eʳ with |r| <= ln 2 / 2, eʳ by its series.
template <int L> [[gnu::always_inline]] inline void exp_of_negative(typename vector_of<L>::floats& x) {
  using V = typename vector_of<L>::floats;
  using I = typename vector_of<L>::ints;
  V const least = V{} - 87.f;
  x = x > least ? x : least;
  I const n = __builtin_convertvector(x * 1.44269504f - 0.5f, I);   // cut towards zero
  V const whole = __builtin_convertvector(n, V);
  V const r = (x - whole * 0.693145752f) - whole * 1.42860677e-6f;
  V p = V{} + 1.f / 720;
  p = p * r + 1.f / 120, p = p * r + 1.f / 24, p = p * r + 1.f / 6, p = p * r + 0.5f, p = p * r + 1.f, p = p * r + 1.f;
  I const bits = (I)p + (n << 23);
  x = (V)bits;
}

/// Turns scores of one query on a panel into weights relative to its largest so far, and counts their sum; what was gathered before is
/// scaled to a new largest.
template <int L>
[[gnu::always_inline]] inline void weigh_panel(float* score, index_t valid, float& largest, float* sum, float* gathered, index_t width) {
  using V = typename vector_of<L>::floats;
  for (index_t k = valid; k < attention_panel; ++k) score[k] = -3e38f;
  V most, s;
  load_lanes(most, score);
  for (index_t k = L; k < attention_panel; k += L) {
    load_lanes(s, score + k);
    most = s > most ? s : most;
  }
  float top = most[0];
  for (int l = 1; l < L; ++l) top = most[l] > top ? most[l] : top;
  if (top > largest) {
    float const factor = std::exp(largest - top);
    largest = top;
    for (index_t c = 0; c < width; ++c) gathered[c] *= factor;
    for (int l = 0; l < L; ++l) sum[l] *= factor;
  }
  V total;
  load_lanes(total, sum);
  for (index_t k = 0; k < attention_panel; k += L) {
    load_lanes(s, score + k);
    s -= largest;
    exp_of_negative<L>(s);
    store_lanes(score + k, s);
    total += s;
  }
  store_lanes(sum, total);
}

/// out [queries, width] for at most attention_block queries [queries, depth].
template <int W, int L>
[[gnu::always_inline]] inline void attend_block(attention_panels const& p, float const* q, index_t queries, float scale, float* out) {
  index_t const height = (queries + attention_tile - 1) / attention_tile * attention_tile, width = p.value_panels() * attention_panel;
  std::vector<float> scaled(std::size_t(height * p.depth)), score(std::size_t(height * attention_panel)), gathered(std::size_t(height * width)),
      sums(std::size_t(height * L)), largest(std::size_t(height), -3e38f);
  for (index_t i = 0; i < queries * p.depth; ++i) scaled[std::size_t(i)] = scale * q[i];
  for (index_t panel = 0; panel < p.key_panels(); ++panel) {
    index_t const first = panel * attention_panel, valid = std::min(attention_panel, p.n - first);
    std::memset(score.data(), 0, score.size() * sizeof(float));
    for (index_t r = 0; r < height; r += attention_tile)
      multiply_panel<W, L>(&scaled[std::size_t(r * p.depth)], p.depth, &p.keys[std::size_t(first * p.depth)], p.depth,
                           &score[std::size_t(r * attention_panel)], attention_panel);
    for (index_t r = 0; r < height; ++r)
      weigh_panel<L>(&score[std::size_t(r * attention_panel)], valid, largest[std::size_t(r)], &sums[std::size_t(r * L)],
                     &gathered[std::size_t(r * width)], width);
    for (index_t c = 0; c < p.value_panels(); ++c)
      for (index_t r = 0; r < height; r += attention_tile)
        multiply_panel<W, L>(&score[std::size_t(r * attention_panel)], attention_panel, &p.values[std::size_t((c * p.n + first) * attention_panel)],
                             valid, &gathered[std::size_t(r * width + c * attention_panel)], width);
  }
  for (index_t r = 0; r < queries; ++r) {
    float total = 0;
    for (int l = 0; l < L; ++l) total += sums[std::size_t(r * L + l)];
    for (index_t c = 0; c < p.width; ++c) out[r * p.width + c] = gathered[std::size_t(r * width + c)] / total;
  }
}

#if defined(__x86_64__)
[[gnu::target("avx512f")]] inline void attend_avx512(attention_panels const& p, float const* q, index_t queries, float scale, float* out) {
  attend_block<4, 16>(p, q, queries, scale, out);
}
[[gnu::target("avx2,fma")]] inline void attend_avx2(attention_panels const& p, float const* q, index_t queries, float scale, float* out) {
  attend_block<2, 8>(p, q, queries, scale, out);
}
#endif
inline void attend_anywhere(attention_panels const& p, float const* q, index_t queries, float scale, float* out) {
  attend_block<2, 4>(p, q, queries, scale, out);
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif

using attend_function = void (*)(attention_panels const&, float const*, index_t, float, float*);
inline attend_function attend_here() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return attend_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return attend_avx2;
#endif
  return attend_anywhere;
}

inline attention_panels attention_panels_of(float const* k, float const* v, index_t n, index_t depth, index_t width) {
  attention_panels p{n, depth, width, {}, {}};
  p.keys.resize(std::size_t(p.key_panels() * depth * attention_panel));
  p.values.resize(std::size_t(p.value_panels() * n * attention_panel));
  for (index_t i = 0; i < n; ++i) {
    float* const key = &p.keys[std::size_t(i / attention_panel * depth * attention_panel + i % attention_panel)];
    for (index_t c = 0; c < depth; ++c) key[c * attention_panel] = k[i * depth + c];
    for (index_t c = 0; c < width; ++c)
      p.values[std::size_t((c / attention_panel * n + i) * attention_panel + c % attention_panel)] = v[i * width + c];
  }
  return p;
}

}  // namespace detail

/// Heads side by side: out [heads, m, width] = softmax(scale q kᵀ) v of q [heads, m, depth], k [heads, n, depth] and v [heads, n, width],
/// each row by row. Needs the memory of one more k and v.
inline void attend(index_t heads, index_t m, index_t n, index_t depth, index_t width, float scale, float const* q, float const* k, float const* v,
                   float* out) {
  std::vector<detail::attention_panels> panels(std::size_t(heads), detail::attention_panels{});
  parallel_for(heads, heads * n * depth, [&](index_t h) {
    panels[std::size_t(h)] = detail::attention_panels_of(k + h * n * depth, v + h * n * width, n, depth, width);
  });
  auto const attend_some = detail::attend_here();
  index_t const blocks = (m + detail::attention_block - 1) / detail::attention_block;
  parallel_dealt(heads * blocks, heads * m * n, [&](index_t i) {
    index_t const h = i / blocks, first = i % blocks * detail::attention_block;
    attend_some(panels[std::size_t(h)], q + (h * m + first) * depth, std::min(detail::attention_block, m - first), scale,
                out + (h * m + first) * width);
  });
}

}  // namespace sda
