// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/torch/checkpoint.hpp>

#include <cmath>

// Exact attention, softmax(q kᵀ / √d) v, that never holds its m x n matrix of weights: tiles of rows, made again for gradients
// (Rabe & Staats, 2021, arXiv:2112.05682). Memory grows with m + n; first and second derivatives are those of plain operations.

namespace sda {

namespace detail {

inline at::Tensor dense_attention(tensor_list const& a) {
  at::Tensor const &q = a[0], &k = a[1], &v = a[2];
  return at::matmul(at::softmax(at::matmul(q * (1 / std::sqrt(double(q.size(-1)))), k.transpose(-2, -1)), -1), v);
}

// q [b, m, d], k and v [b, n, d]. Small problems are one tile; in large ones a tile is some rows of one of the b.
inline at::Tensor tiled_attention(tensor_list const& a) {
  constexpr std::int64_t most = std::int64_t(1) << 22;  // weights in a tile: 16 MB of floats
  std::int64_t const b = a[0].size(0), m = a[0].size(1), n = a[1].size(1), height = std::max<std::int64_t>(16, most / n);
  if (b * m * n <= most) return dense_attention(a);
  std::vector<at::Tensor> whole;
  for (std::int64_t i = 0; i < b; ++i) {
    std::vector<at::Tensor> tiles;
    for (std::int64_t r = 0; r < m; r += height)
      tiles.push_back(checkpointed(dense_attention, {a[0][i].narrow(0, r, std::min(height, m - r)), a[1][i], a[2][i]}));
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
