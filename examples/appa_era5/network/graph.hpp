// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/torch/attention.hpp>
#include <sda/torch/sparse_attention.hpp>
#include <sda/torch/tensors.hpp>

#include <mutex>

#include "icosphere.hpp"
#include "layers.hpp"
#include "roles.hpp"

// What networks on graphs are made of. Features are [rows, nodes, channels]; a block keeps its edges beside its weights, as
// published weights do, and follows them when others are read.

namespace appa {

inline at::Tensor to_tensor(std::vector<edge> const& edges) {
  return edges.empty() ? at::empty({0, 2}, at::kLong) : at::from_blob(const_cast<edge*>(edges.data()), {std::ssize(edges), 2}, at::kLong).clone();
}
inline at::Tensor to_tensor(std::vector<std::int64_t> const& n) { return at::tensor(n, at::kLong); }
inline at::Tensor to_tensor(std::vector<point> const& points) {
  return at::from_blob(const_cast<point*>(points.data()), {std::ssize(points), 3}, at::kDouble).to(at::kFloat);
}

/// Gives the lists of edges of a network the lengths that a file has them in; how ties at a radius fall depends on rounding.
inline void fit_edges(torch::nn::Module& net, sda::safetensors::archive const& file, std::string const& prefix = "") {
  for (auto& b : net.named_buffers())
    if (b.key().ends_with("edges") && file.contains(prefix + b.key()))
      b.value().set_data(at::zeros({file[prefix + b.key()].shape.at(0), 2}, at::kLong));
}

/// Neighbourhoods that follow lists of edges: make() makes them, again when a list has changed. Any number of threads may ask.
class following_edges {
 public:
  template <class F> sda::neighbourhoods const& of(std::vector<at::Tensor> const& lists, F const& make) const {
    std::lock_guard const one(making_);
    std::vector<std::pair<void const*, std::uint32_t>> now;
    for (auto const& l : lists) now.emplace_back(l.data_ptr(), std::uint32_t(l._version()));
    if (now != from_) made_ = make(), from_ = std::move(now);
    return made_;
  }

 private:
  mutable std::mutex making_;
  mutable sda::neighbourhoods made_;
  mutable std::vector<std::pair<void const*, std::uint32_t>> from_;
};

/// Operations of n rows.
inline double operations_of(linear const& map, index_t n) { return 2 * double(n) * double(map.weight.numel()); }

/// A small network of sines for coordinates and dates (Sitzmann et al., 2020): linear(sin 30(linear(sin 30(linear(x))))).
class siren : public torch::nn::Module {
 public:
  siren(index_t in, index_t out)
      : first_(install(*this, "siren.0.linear", std::make_shared<linear>(in, out))),
        second_(install(*this, "siren.1.linear", std::make_shared<linear>(out, out))),
        last_(install(*this, "siren.2", std::make_shared<linear>(out, out))) {}

  at::Tensor operator()(at::Tensor const& x) const { return (*last_)(at::sin(30 * (*second_)(at::sin(30 * (*first_)(x))))); }

  /// Operations of n rows.
  double operations(index_t n) const { return operations_of(*first_, n) + operations_of(*second_, n) + operations_of(*last_, n); }

  void initialise(at::Generator const& g) {
    torch::NoGradGuard const off;
    double const in = double(first_->weight.size(1)), width = double(first_->weight.size(0)), reach = std::sqrt(6 / width) / 30;
    first_->weight.uniform_(-1 / in, 1 / in, g);
    second_->weight.uniform_(-reach, reach, g);
    last_->weight.uniform_(-reach, reach, g);
  }

 private:
  std::shared_ptr<linear> first_, second_, last_;
};

/// Attention of queries [rows, m, ...] to the keys [rows, n, ...] that edges lead to, in `width` channels: with a projection behind
/// it, or without.
class graph_attention : public torch::nn::Module {
 public:
  graph_attention(index_t queries, index_t keys, index_t width, index_t heads, bool joins)
      : queries_(install(*this, "q_proj", std::make_shared<linear>(queries, width))),
        keys_(install(*this, "kv_proj", std::make_shared<linear>(keys, 2 * width))), heads_(heads) {
    sda::require(heads > 0 && width % heads == 0, "graph attention: ", heads, " heads of a width of ", width);
    if (joins) join_ = install(*this, "out_proj", std::make_shared<linear>(width, width));
  }

  /// Without neighbourhoods, all see all.
  at::Tensor operator()(at::Tensor const& from, at::Tensor const& to, sda::neighbourhoods const* seen) const {
    auto const kv = (*keys_)(to).chunk(2, -1);
    auto const q = rms_norm(heads((*queries_)(from))), k = rms_norm(heads(kv[0])), v = heads(kv[1]);
    auto const y = (seen ? sda::sparse_attention(q, k, v, *seen) : sda::attention(q, k, v)).transpose(1, 2).flatten(2);
    return join_ ? (*join_)(y) : y;
  }

  /// What m queries and n keys take that so many edges join; 20 numbers of each query's channels are kept, the feed-forward part's
  /// behind it among them.
  toll cost(index_t m, index_t n, index_t edges) const {
    index_t const width = queries_->weight.size(0);
    double const maps = operations_of(*queries_, m) + operations_of(*keys_, n) + (join_ ? operations_of(*join_, m) : 0);
    return {maps, 4 * double(edges) * double(width), 20 * double(m * width)};
  }

  void initialise() {
    torch::NoGradGuard const off;
    keys_->weight.narrow(0, keys_->weight.size(0) / 2, keys_->weight.size(0) / 2).mul_(1e-2);  // values
  }

 private:
  at::Tensor heads(at::Tensor const& x) const { return x.unflatten(-1, {heads_, x.size(-1) / heads_}).transpose(1, 2); }

  std::shared_ptr<linear> queries_, keys_, join_;
  index_t heads_;
};

}  // namespace appa
