// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "graph.hpp"
#include "options.hpp"
#include "saturation.hpp"

// What the graph autoencoder is made of: its options, self-attention on a grid, and the ways between two.

namespace appa {

/// The options of a configuration's `ae` that this network has, by their names there.
struct gae_options {
  index_t in_channels = 71, latent_channels = 256, context_channels = 6;
  std::vector<index_t> hid_channels{128, 256, 512, 1024, 2048}, heads{2, 4, 4, 8, 16}, self_attention_blocks{1, 1, 2, 2, 3};
  std::vector<int> ico_divisions{7, 6, 5, 4, 3};
  std::vector<int> self_attention_hops{3, 3, 3, 3, 3};  // none: the multi-mesh
  bool use_hop_pooling = true, checkpointing = false;
  std::vector<double> pooling_area;  // where pooling is not by hops
  double dropout = 0, noise_level = 0;
  saturation saturate;
};

inline void from_json(nlohmann::json const& j, gae_options& o) {
  o.self_attention_hops.clear();
  option(j, "in_channels", o.in_channels), option(j, "latent_channels", o.latent_channels), option(j, "context_channels", o.context_channels);
  option(j, "hid_channels", o.hid_channels), option(j, "heads", o.heads), option(j, "self_attention_blocks", o.self_attention_blocks);
  option(j, "ico_divisions", o.ico_divisions), option(j, "self_attention_hops", o.self_attention_hops),
      option(j, "use_hop_pooling", o.use_hop_pooling);
  option(j, "checkpointing", o.checkpointing), option(j, "pooling_area", o.pooling_area), option(j, "dropout", o.dropout);
  option(j, "noise_level", o.noise_level), option(j, "saturation", o.saturate.kind), option(j, "saturation_bound", o.saturate.bound);
}

/// Widened to four times the channels and narrowed again.
class feed_forward {
 public:
  feed_forward(torch::nn::Module& owner, index_t width, double dropout)
      : widen_(install(owner, "ffn.0", std::make_shared<linear>(width, 4 * width))),
        narrow_(install(owner, "ffn.3", std::make_shared<linear>(4 * width, width))), dropout_(dropout) {}

  at::Tensor mask(at::Tensor const& x, index_t nodes, bool training) const {
    return dropout_mask({x.size(0), nodes, widen_->weight.size(0)}, x.options(), training ? dropout_ : 0);
  }
  at::Tensor operator()(at::Tensor const& x, at::Tensor const& keep) const { return (*narrow_)(dropped(at::silu((*widen_)(layer_norm(x))), keep)); }
  double operations(index_t n) const { return operations_of(*widen_, n) + operations_of(*narrow_, n); }
  void initialise() { narrow_->weight.mul_(1e-2); }

 private:
  std::shared_ptr<linear> widen_, narrow_;
  double dropout_;
};

/// x + FFN(norm(x + attention(norm(x)))): what attention adds does not reach the output but through the feed-forward part.
class graph_block : public torch::nn::Module {
 public:
  graph_block(index_t width, index_t heads, std::vector<edge> const& seen, gae_options const& o)
      : edges_(register_buffer("edges", to_tensor(seen))),
        attention_(register_module("attn", std::make_shared<graph_attention>(width, width, width, heads, true))),
        feed_forward_(*this, width, o.dropout), checkpointing_(o.checkpointing) {}

  at::Tensor operator()(at::Tensor const& x) const {
    index_t const n = x.size(1);
    auto const& seen = seen_.of({edges_}, [&] { return sda::neighbourhoods(edges_, n, n); });
    auto const f = [this, self = shared_from_this(), &seen, keep = feed_forward_.mask(x, n, is_training())](sda::detail::tensor_list const& args) {
      auto const h = layer_norm(args[0]);
      return args[0] + feed_forward_(args[0] + (*attention_)(h, h, &seen), keep);
    };
    return checkpointing_ ? sda::checkpointed(f, {x}, trained(*this)) : f({x});
  }

  void initialise(at::Generator const&) {
    torch::NoGradGuard const off;
    attention_->initialise(), feed_forward_.initialise();
  }
  /// What n nodes take.
  toll cost(index_t n) const {
    auto out = attention_->cost(n, n, edges_.size(0));
    out.maps += feed_forward_.operations(n);
    return out;
  }

 private:
  at::Tensor edges_;
  std::shared_ptr<graph_attention> attention_;
  feed_forward feed_forward_;
  bool checkpointing_;
  following_edges seen_;
};

/// From the nodes of one grid, the keys, to those of another, the queries:
///
///   y = attention(x[nearest key] + s(q), x + s(k)) + b(q),   out = W (y + FFN(norm(y))),
///
/// where s and b are functions of the places q and k of queries and keys.
class pooling_block : public torch::nn::Module {
 public:
  struct sizes {
    index_t in, width, out, heads;
  };
  pooling_block(sizes const& s, std::vector<point> const& queries, std::vector<point> const& keys, std::vector<edge> const& seen,
                gae_options const& o)
      : q_(register_buffer("q_coords", to_tensor(queries))), k_(register_buffer("k_coords", to_tensor(keys))),
        edges_(register_buffer("edges", to_tensor(seen))), nearest_(register_buffer("k_to_q_idx", to_tensor(nearest_keys(queries, keys)))),
        features_(register_module("features_proj", std::make_shared<siren>(3, s.in))),
        bias_(register_module("q_bias", std::make_shared<siren>(3, s.width))),
        attention_(register_module("attn", std::make_shared<graph_attention>(s.in, s.in, s.width, s.heads, false))),
        feed_forward_(*this, s.width, o.dropout), out_(install(*this, "out_proj", std::make_shared<linear>(s.width, s.out))),
        checkpointing_(o.checkpointing) {}

  at::Tensor operator()(at::Tensor const& x) const {
    auto const& seen = seen_.of({edges_}, [&] { return sda::neighbourhoods(edges_, q_.size(0), k_.size(0)); });
    auto const f = [this, self = shared_from_this(), &seen,
                    keep = feed_forward_.mask(x, q_.size(0), is_training())](sda::detail::tensor_list const& args) {
      auto const q = args[0].index_select(1, nearest_) + (*features_)(q_), k = args[0] + (*features_)(k_);
      auto const y = (*attention_)(q, k, &seen) + (*bias_)(q_);
      return (*out_)(y + feed_forward_(y, keep));
    };
    return checkpointing_ ? sda::checkpointed(f, {x}, trained(*this)) : f({x});
  }

  void initialise(at::Generator const& g) {
    torch::NoGradGuard const off;
    features_->initialise(g), bias_->initialise(g), attention_->initialise(), feed_forward_.initialise();
  }
  toll cost() const {
    index_t const m = q_.size(0), n = k_.size(0);
    auto out = attention_->cost(m, n, edges_.size(0));
    out.maps += features_->operations(m + n) + bias_->operations(m) + feed_forward_.operations(m) + operations_of(*out_, m);
    return out;
  }

 private:
  at::Tensor q_, k_, edges_, nearest_;
  std::shared_ptr<siren> features_, bias_;
  std::shared_ptr<graph_attention> attention_;
  feed_forward feed_forward_;
  std::shared_ptr<linear> out_;
  bool checkpointing_;
  following_edges seen_;
};

}  // namespace appa
