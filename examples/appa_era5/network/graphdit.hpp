// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "dates.hpp"
#include "graph.hpp"
#include "options.hpp"
#include "roles.hpp"

// The graph transformer that may take the vision transformer's place: nodes of an icosphere at all times of a window.

namespace appa {

/// The options of a configuration's `backbone` that this network has, by their names there, and the icosphere's divisions.
struct graphdit_options {
  int icosphere = 3;
  index_t context_channels = 0;  // what is told of each node, behind its channels
  index_t input_channels = 256, blanket_size = 24, hidden_channels = 512, hidden_blocks = 8, mod_features = 256, heads = 4;
  int self_attention_hops = 3, cross_attention_hops = 1;  // seen within a time, and at other times; 0: everything
  bool checkpointing = true;
};

inline void from_json(nlohmann::json const& j, graphdit_options& o) {
  option(j, "icosphere", o.icosphere), option(j, "input_channels", o.input_channels), option(j, "blanket_size", o.blanket_size);
  option(j, "hidden_channels", o.hidden_channels), option(j, "hidden_blocks", o.hidden_blocks), option(j, "mod_features", o.mod_features);
  option(j, "heads", o.heads), option(j, "checkpointing", o.checkpointing);
  for (auto const& [name, hops] : {std::pair{"self_attention_hops", &o.self_attention_hops}, {"cross_attention_hops", &o.cross_attention_hops}})
    if (j.contains(name) && j[name].is_null()) *hops = 0;
    else option(j, name, *hops);
}

/// Edges within a time, and to every other time, for all of `times`: [n, 2] over times x nodes.
inline at::Tensor edges_in_time(at::Tensor const& within, at::Tensor const& across, index_t times, index_t nodes) {
  std::vector<at::Tensor> all;
  for (index_t t = 0; t < times; ++t)
    for (index_t s = 0; s < times; ++s) all.push_back((s == t ? within : across) + at::tensor({t * nodes, s * nodes}, within.options()));
  return at::cat(all);
}

/// A block, [rows, times nodes, width] in and out:
///
///   x ← (x + c FFN(h + attention(h))) / √(1 + c²),   h = (a + 1) norm(x + siren(context)) + b,
///
/// where a, b, c follow from the noise level.
class graphdit_block : public torch::nn::Module {
 public:
  explicit graphdit_block(graphdit_options const& o) : checkpointing_(o.checkpointing) {
    index_t const width = o.hidden_channels;
    self_edges = register_buffer("self_edges", at::empty({0, 2}, at::kLong));
    cross_edges = register_buffer("cross_edges", at::empty({0, 2}, at::kLong));
    modulate_in_ = install(*this, "modulation.0", std::make_shared<linear>(o.mod_features, o.mod_features));
    modulate_out = install(*this, "modulation.2", std::make_shared<linear>(o.mod_features, 3 * width));
    context_ = register_module("context_embedding", std::make_shared<siren>(7, width));
    attention_ = register_module("attn", std::make_shared<graph_attention>(width, width, width, o.heads, true));
    widen_ = install(*this, "ffn.0", std::make_shared<linear>(width, 4 * width));
    narrow_ = install(*this, "ffn.2", std::make_shared<linear>(4 * width, width));
  }

  at::Tensor operator()(at::Tensor const& x, at::Tensor const& level, at::Tensor const& context, sda::neighbourhoods const* seen) const {
    auto const f = [=, self = shared_from_this(), this](sda::detail::tensor_list const& args) {
      auto const m = (*modulate_out)(at::silu((*modulate_in_)(args[1]))).unsqueeze(1).chunk(3, -1);
      auto const h = normal(args[0], m, context);
      return (args[0] + m[2] * (*narrow_)(at::silu((*widen_)(h + (*attention_)(h, h, seen))))) * at::rsqrt(1 + m[2].square());
    };
    return checkpointing_ ? sda::checkpointed(f, {x, level}, trained(*this)) : f({x, level});
  }

  void initialise(at::Generator const& g) {
    torch::NoGradGuard const off;
    context_->initialise(g);
    attention_->initialise();
    modulate_out->weight.mul_(1e-2), narrow_->weight.mul_(1e-2);
  }

  /// What n nodes take that so many edges join.
  toll cost(index_t n, index_t edges) const {
    auto out = attention_->cost(n, n, edges);
    out.maps += context_->operations(n) + operations_of(*widen_, n) + operations_of(*narrow_, n);
    return out;
  }

  at::Tensor self_edges, cross_edges;
  std::shared_ptr<linear> modulate_out;

 private:
  at::Tensor normal(at::Tensor const& x, std::vector<at::Tensor> const& m, at::Tensor const& context) const {
    return (m[0] + 1) * layer_norm(x + (*context_)(context)) + m[1];
  }

  std::shared_ptr<linear> modulate_in_, widen_, narrow_;
  std::shared_ptr<siren> context_;
  std::shared_ptr<graph_attention> attention_;
  bool checkpointing_;
};

/// F(x, c, dates) on windows of fields on an icosphere: x [rows, T nodes channels] in this order; with a context, each node has
/// channels + context_channels numbers, and F channels.
class graphdit : public backbone {
 public:
  explicit graphdit(graphdit_options o) : options(std::move(o)) {
    auto const nodes = icosphere(options.icosphere).vertices();
    std::vector<double> longitudes;
    for (auto const& p : nodes) longitudes.push_back(longitude_of(p));
    coordinates_ = register_buffer("grid_coord", to_tensor(nodes));
    longitudes_ = register_buffer("in_longitudes", at::tensor(longitudes, at::kFloat));
    in_ = install(*this, "in_proj", std::make_shared<linear>(inputs(), options.hidden_channels));
    out_ = install(*this, "out_proj", std::make_shared<linear>(options.hidden_channels, options.input_channels));
    level_ = install(*this, "diffusion_time_encoder", std::make_shared<sine_encoding>(options.mod_features));
    auto const none = at::empty({0, 2}, at::kLong);
    auto const within = everywhere() ? none : edges(nodes, options.self_attention_hops),
               across = everywhere() ? none : edges(nodes, options.cross_attention_hops);
    for (index_t i = 0; i < options.hidden_blocks; ++i) {
      blocks_.push_back(install(*this, std::string("blocks.").append(std::to_string(i)), std::make_shared<graphdit_block>(options)));
      blocks_.back()->self_edges.set_data(within.clone()), blocks_.back()->cross_edges.set_data(across.clone());
    }
  }

  at::Tensor forward(at::Tensor const& x, at::Tensor const& c, at::Tensor const& dates) const override {
    index_t const nodes = coordinates_.size(0), times = options.blanket_size;
    sda::require(x.dim() >= 2 && x.numel() == x.size(0) * times * nodes * inputs(), "graphdit: a row of ", c10::str(x.sizes()), " is no window of ",
                 times, " states of ", nodes, " nodes of ", inputs(), " channels");
    sda::require(dates.dim() >= 2 && dates.size(-2) == times, "graphdit: dates ", c10::str(dates.sizes()), " for windows of ", times);
    auto const where = context(dates).to(x.options()).view({-1, times * nodes, 7}), level = (*level_)(c.reshape({-1}));
    auto h = (*in_)(x.reshape({x.size(0), times * nodes, inputs()}));
    for (auto const& block : blocks_) h = (*block)(h, level, where, seen());
    auto shape = x.sizes().vec();
    shape.back() = shape.back() / inputs() * options.input_channels;
    return (*out_)(h).reshape(shape);
  }

  /// What a node knows of a time: the year, the local hour, and where it is: [..., T, nodes, 7].
  at::Tensor context(at::Tensor const& dates) const {
    auto const hour = hour_features(dates, longitudes_), year = year_features(dates).unsqueeze(-2).expand(hour.sizes());
    auto shape = hour.sizes().vec();
    shape.back() = 3;
    return at::cat({year, hour, coordinates_.to(at::kCPU, at::kDouble).expand(shape)}, -1);
  }

  index_t length() const override { return options.blanket_size; }
  toll denoising() const override {
    index_t const times = options.blanket_size, n = times * coordinates_.size(0);
    toll out{operations_of(*in_, n) + operations_of(*out_, n), 0, 0, options.checkpointing};
    for (auto const& b : blocks_) out += b->cost(n, everywhere() ? n * n : times * (b->self_edges.size(0) + (times - 1) * b->cross_edges.size(0)));
    double const stream = double(n * options.hidden_channels), depth = double(blocks_.size());
    if (options.checkpointing) out.kept = depth * stream + out.kept / depth;
    out.kept += 6 * stream + 6 * double(1 << 23);
    return out;
  }

  /// Random values; blocks begin near the identity.
  void initialise(sda::key k) override {
    auto const g = sda::generator(k, at::kCPU);
    initialise_maps(*this, g);
    for (auto const& b : blocks_) b->initialise(g);
  }

  graphdit_options const options;

 private:
  index_t inputs() const { return options.input_channels + options.context_channels; }
  static at::Tensor edges(std::vector<point> const& nodes, int hops) {
    return to_tensor(edges_within(nodes, nodes, hops > 0 ? hop_radius(nodes, hops) : 2.));
  }

  // The blocks of a network have the same lists.
  sda::neighbourhoods const* seen() const {
    if (everywhere()) return nullptr;
    auto const &within = blocks_.front()->self_edges, &across = blocks_.front()->cross_edges;
    return &seen_.of({within, across}, [&] {
      for (auto const& b : blocks_)
        sda::require(at::equal(b->self_edges, within) && at::equal(b->cross_edges, across), "graphdit: blocks with different edges");
      index_t const nodes = coordinates_.size(0), all = options.blanket_size * nodes;
      return sda::neighbourhoods(edges_in_time(within, across, options.blanket_size, nodes), all, all);
    });
  }
  bool everywhere() const { return options.self_attention_hops == 0 && options.cross_attention_hops == 0; }

  at::Tensor coordinates_, longitudes_;
  std::shared_ptr<linear> in_, out_;
  std::shared_ptr<sine_encoding> level_;
  std::vector<std::shared_ptr<graphdit_block>> blocks_;
  following_edges seen_;
};

}  // namespace appa
