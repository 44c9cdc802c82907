// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/attention.hpp>
#include <sda/core/error.hpp>
#include <sda/torch/checkpoint.hpp>

#include <algorithm>
#include <cmath>

// Exact attention, softmax(q kᵀ / √d) v, that never holds its m x n matrix of weights: tiles of rows, made again for gradients
// (Rabe & Staats, 2021, arXiv:2112.05682). Memory grows with m + n; first and second derivatives are those of plain operations. Values
// alone, of floats on the CPU, are calculus/attention.hpp's.

namespace sda {

namespace detail {

inline bool wants_values_of_floats(tensor_list const& a) {
  return !at::GradMode::is_enabled() &&
         std::all_of(a.begin(), a.end(), [](at::Tensor const& t) { return t.is_cpu() && t.scalar_type() == at::kFloat; });
}

// For q [b, m, d], k and v [b, n, d], or one of the b.
inline at::Tensor plain_attention(tensor_list const& a) {
  double const scale = 1 / std::sqrt(double(a[0].size(-1)));
  if (!wants_values_of_floats(a)) return at::matmul(at::softmax(at::matmul(a[0] * scale, a[1].transpose(-2, -1)), -1), a[2]);
  auto const q = a[0].contiguous(), k = a[1].contiguous(), v = a[2].contiguous();
  auto shape = q.sizes().vec();
  shape.back() = v.size(-1);
  auto out = at::empty(shape, q.options());
  attend(q.dim() > 2 ? q.size(0) : 1, q.size(-2), k.size(-2), q.size(-1), v.size(-1), float(scale), q.data_ptr<float>(), k.data_ptr<float>(),
         v.data_ptr<float>(), out.data_ptr<float>());
  return out;
}

// Small problems are one tile; in large ones a tile is some rows of one of the b.
inline at::Tensor tiled_attention(tensor_list const& a) {
  constexpr std::int64_t most = std::int64_t(1) << 22;  // weights in a tile: 16 MB of floats
  std::int64_t const b = a[0].size(0), m = a[0].size(1), n = a[1].size(1), height = std::max<std::int64_t>(16, most / n);
  if (b * m * n <= most || wants_values_of_floats(a)) return plain_attention(a);
  std::vector<at::Tensor> whole;
  for (std::int64_t i = 0; i < b; ++i) {
    std::vector<at::Tensor> tiles;
    for (std::int64_t r = 0; r < m; r += height)
      tiles.push_back(checkpointed(plain_attention, {a[0][i].narrow(0, r, std::min(height, m - r)), a[1][i], a[2][i]}));
    whole.push_back(at::cat(tiles));
  }
  return at::stack(whole);
}

}  // namespace detail

/// softmax(q kᵀ / √d) v for q [..., m, d], k and v [..., n, d] of equal leading dimensions (rows, heads): by tiles on the CPU
/// and with LibTorch 1; elsewhere by LibTorch 2's fused kernels, whose second derivatives are those of the tiles.
inline at::Tensor attention(at::Tensor const& q, at::Tensor const& k, at::Tensor const& v) {
  auto const before = [](at::Tensor const& t, int n) { return t.sizes().slice(0, std::size_t(t.dim() - n)); };
  require(q.dim() >= 2 && q.dim() == k.dim() && before(k, 1) == before(v, 1) && before(q, 2) == before(k, 2) && q.size(-1) == k.size(-1),
          "attention: queries ", c10::str(q.sizes()), ", keys ", c10::str(k.sizes()), ", values ", c10::str(v.sizes()));
  auto const flat = [](at::Tensor const& t) { return t.reshape({-1, t.size(-2), t.size(-1)}); };
  auto shape = q.sizes().vec();
  shape.back() = v.size(-1);
  std::vector<at::Tensor> const all{flat(q), flat(k), flat(v)};
#if TORCH_VERSION_MAJOR >= 2
  auto const fused = [](detail::tensor_list const& a) {
    return at::scaled_dot_product_attention(a[0].unsqueeze(0), a[1].unsqueeze(0), a[2].unsqueeze(0)).squeeze(0);
  };
  if (!q.is_cpu()) return checkpointed(fused, all, {}, detail::tiled_attention).view(shape);
#endif
  return detail::tiled_attention(all).view(shape);
}

}  // namespace sda
