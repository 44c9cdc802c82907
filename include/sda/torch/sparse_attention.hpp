// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/torch/checkpoint.hpp>

#include <cmath>

namespace sda {

/// Who sees whom: the edges [n, 2] of (query, key), in any order, sorted into groups of queries that see equally many keys.
class neighbourhoods {
 public:
  /// Queries of one degree, [m], and the keys of each, [m, degree].
  struct group {
    at::Tensor queries, keys;
  };
  std::vector<group> groups;
  at::Tensor back;  // where each query is in the groups, one after the other

  neighbourhoods() = default;
  neighbourhoods(at::Tensor const& edges, std::int64_t queries, std::int64_t keys) {
    require(edges.dim() == 2 && edges.size(1) == 2 && edges.scalar_type() == at::kLong, "neighbourhoods: edges are pairs of int64, not ",
            c10::str(edges.sizes()));
    torch::NoGradGuard const off;
    auto const query = edges.select(1, 0), key = edges.select(1, 1);
    auto const least = edges.numel() ? edges.min().item<std::int64_t>() : 0;
    require(least >= 0 && (edges.size(0) == 0 || (query.max().item<std::int64_t>() < queries && key.max().item<std::int64_t>() < keys)),
            "neighbourhoods: an edge leaves the ", queries, " queries and ", keys, " keys");
    auto const degree = at::bincount(query, {}, queries);
    // edges ordered by the degree of their query, then by query: each group is then a block
    auto const sorted_key = key.index_select(0, at::argsort(degree.index_select(0, query) * queries + query));
    auto const order = at::argsort(degree * queries + at::arange(queries, degree.options()));
    back = at::empty_like(order).scatter_(0, order, at::arange(queries, order.options()));
    auto const sizes = at::bincount(degree).to(at::kCPU);  // queries of each degree
    for (std::int64_t d = 0, q = 0, e = 0; d < sizes.numel(); ++d) {
      std::int64_t const n = sizes.data_ptr<std::int64_t>()[d];
      if (n > 0) groups.push_back({order.narrow(0, q, n), sorted_key.narrow(0, e, n * d).view({n, d})});
      q += n, e += n * d;
    }
  }

  neighbourhoods to(at::Device device) const {
    neighbourhoods out = *this;
    for (auto& g : out.groups) g = {g.queries.to(device), g.keys.to(device)};
    if (back.defined()) out.back = back.to(device);
    return out;
  }
};

namespace detail {

// q [m, rows, heads, d], k and v [n, rows, heads, d], keys [m, degree] -> [m, rows, heads, d]
inline at::Tensor neighbour_attention(at::Tensor const& q, at::Tensor const& k, at::Tensor const& v, at::Tensor const& keys) {
  auto const picked = [&](at::Tensor const& t) {  // LibTorch's fastest gather with a fast transpose
    return at::embedding(t.flatten(1), keys).view({keys.size(0), keys.size(1), t.size(1), t.size(2), t.size(3)});
  };
  auto const weights = at::softmax((q.unsqueeze(1) * picked(k)).sum(-1) * (1 / std::sqrt(double(q.size(-1)))), 1);
  return (weights.unsqueeze(-1) * picked(v)).sum(1);
}

}  // namespace detail

/// Attention in which a query sees its neighbours alone; one that sees nobody becomes 0. q [..., m, d], k and v [..., n, d] with
/// leading dimensions (rows, heads). In tiles of queries, made again for gradients: memory does not grow with the edges.
inline at::Tensor sparse_attention(at::Tensor const& q, at::Tensor const& k, at::Tensor const& v, neighbourhoods const& seen) {
  constexpr std::int64_t most = std::int64_t(1) << 23;  // gathered numbers in a tile
  require(q.dim() == 4 && q.size(2) == seen.back.numel() && k.sizes() == v.sizes() && q.size(0) == k.size(0) && q.size(1) == k.size(1) &&
              q.size(3) == k.size(3),
          "sparse attention: queries ", c10::str(q.sizes()), ", keys ", c10::str(k.sizes()), ", neighbourhoods of ", seen.back.numel());
  auto const nodes_first = [](at::Tensor const& t) { return t.permute({2, 0, 1, 3}); };
  auto const from = nodes_first(q), to = nodes_first(k).contiguous(), values = nodes_first(v).contiguous();
  std::int64_t const width = from.numel() / std::max<std::int64_t>(from.size(0), 1);
  std::vector<at::Tensor> tiles;
  for (auto const& g : seen.groups) {
    std::int64_t const m = g.queries.numel(), degree = g.keys.size(1);
    if (degree == 0) {
      tiles.push_back(at::zeros({m, from.size(1), from.size(2), from.size(3)}, from.options()));
      continue;
    }
    std::int64_t const height = std::max<std::int64_t>(1, most / (degree * width));
    for (std::int64_t i = 0; i < m; i += height) {
      auto const n = std::min(height, m - i);
      auto const tile = from.index_select(0, g.queries.narrow(0, i, n));
      tiles.push_back(
          checkpointed([keys = g.keys.narrow(0, i, n)](detail::tensor_list const& a) { return detail::neighbour_attention(a[0], a[1], a[2], keys); },
                       {tile, to, values}));
    }
  }
  return at::cat(tiles).index_select(0, seen.back).permute({1, 2, 0, 3});
}

}  // namespace sda
