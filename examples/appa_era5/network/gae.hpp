// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "dates.hpp"
#include "gae_blocks.hpp"
#include "roles.hpp"

// The graph autoencoder of Appa's first version: pixels, then icospheres of fewer and fewer nodes, each of which sees the nodes
// around it, and back.

namespace appa {

/// Fields [rows, pixels, channels] to latents [rows, nodes, latents] and back, given dates [4] or [rows, 4] and fields of context
/// [1 or rows, pixels, context_channels]:
///
///   encode: context, then for each icosphere: pool, context, self-attention blocks;   project, saturate
///   decode: project, then for each icosphere from the last: self-attention blocks, context, pool to the finer one
class gae : public autoencoder {
 public:
  /// `pixels` are the latitudes and longitudes of the fields, in degrees.
  gae(gae_options o, std::vector<std::array<double, 2>> const& pixels) : options(std::move(o)) {
    check();
    grids_.push_back({});
    std::vector<float> longitudes;
    for (auto const& [latitude, longitude] : pixels) grids_[0].push_back(on_sphere(latitude, longitude)), longitudes.push_back(float(longitude));
    longitudes_ = register_buffer("in_longitudes", at::tensor(longitudes));
    for (int const d : options.ico_divisions) grids_.push_back(icosphere(d).vertices());
    build();
    std::vector<at::Tensor> nearest;
    for (std::size_t i = 1; i < grids_.size(); ++i) nearest.push_back(to_tensor(nearest_keys(grids_[i], grids_[0])));
    pixels_of_nodes_ = register_buffer("static_pool_indices_cat", at::cat(nearest));
  }

  at::Tensor encode(at::Tensor x, at::Tensor const& dates, at::Tensor const& fields) const {
    auto const where = contexts(x, dates, fields);
    x = x + (*into_[0])(where[0]);
    for (std::size_t i = 0; i < down_.size(); ++i) {
      x = (*down_[i].pool)(x) + (*into_[i + 1])(where[i + 1]);
      for (auto const& block : down_[i].blocks) x = (*block)(x);
    }
    return options.saturate((*to_latents_)(x));
  }
  at::Tensor decode(at::Tensor const& z, at::Tensor const& dates, at::Tensor const& fields) const {
    auto const where = contexts(z, dates, fields);
    bool const noisy = is_training() && options.noise_level > 0;
    auto x = (*from_latents_)(noisy ? z + options.noise_level * at::randn_like(z) : z);
    for (std::size_t i = up_.size(); i-- > 0;) {
      for (auto const& block : up_[i].blocks) x = (*block)(x);
      x = (*up_[i].pool)(x + (*out_of_[i])(where[i + 1]));
    }
    return x;
  }

  /// Fields of context at dates, [1 or rows, pixels, context_channels]: for those who know no more than dates.
  std::function<at::Tensor(at::Tensor const& dates)> surroundings;

  at::Tensor encode(at::Tensor const& x, at::Tensor const& dates) const override { return encode(x, dates, around(dates).to(x.options())); }
  at::Tensor decode(at::Tensor const& z, at::Tensor const& dates) const override { return decode(z, dates, around(dates).to(z.options())); }

  index_t points() const override { return std::ssize(grids_.front()); }
  index_t channels() const override { return options.in_channels; }
  index_t latents() const override { return options.latent_channels; }
  lattice where() const override { return {{}, options.ico_divisions.back()}; }
  toll decoding() const override;

  /// Random values; blocks begin near the identity.
  void initialise(sda::key k) override {
    auto const g = sda::generator(k, at::kCPU);
    initialise_maps(*this, g);
    for (auto const& s : into_) s->initialise(g);
    for (auto const& s : out_of_) s->initialise(g);
    for (auto const* side : {&down_, &up_})
      for (auto const& l : *side) {
        l.pool->initialise(g);
        for (auto const& b : l.blocks) b->initialise(g);
      }
  }

  /// Sines and cosines of the year and of the local hour at the pixels, [..., pixels, 4].
  at::Tensor date_features(at::Tensor const& dates) const {
    auto const hour = hour_features(dates, longitudes_);
    return at::cat({year_features(dates).unsqueeze(-2).expand(hour.sizes()), hour}, -1);
  }

  gae_options const options;

 private:
  // An icosphere and the way to it from the finer grid, or back.
  struct level {
    std::shared_ptr<pooling_block> pool;
    std::vector<std::shared_ptr<graph_block>> blocks;
  };

  index_t width(std::size_t grid) const { return grid == 0 ? options.in_channels : options.hid_channels[grid - 1]; }

  // Parts are numbered in the order in which they are passed.
  template <class M> std::shared_ptr<M> next(char const* side, int& number, std::shared_ptr<M> m) {
    return install(*this, std::string(side).append(".").append(std::to_string(number++)), std::move(m));
  }
  std::shared_ptr<siren> context(char const* side, std::size_t number, std::size_t grid) {
    auto const name = std::string(side).append("_context_embedding.").append(std::to_string(number));
    return install(*this, name, std::make_shared<siren>(4 + options.context_channels, width(grid)));
  }
  std::shared_ptr<graph_block> block(std::size_t grid, std::vector<edge> const& seen) const {
    return std::make_shared<graph_block>(width(grid), options.heads[grid - 1], seen, options);
  }

  void build() {
    std::size_t const last = grids_.size() - 1;
    int parts = 0;
    std::vector<std::vector<edge>> around{{}}, between{{}};
    into_.push_back(context("encoder", 0, 0));
    for (std::size_t i = 1; i <= last; ++i) {
      around.push_back(neighbours(i)), between.push_back(pooling(i));
      pooling_block::sizes const s{width(i - 1), width(i), width(i), options.heads[i - 1]};
      level& l = down_.emplace_back();
      l.pool = next("encoder", parts, std::make_shared<pooling_block>(s, grids_[i], grids_[i - 1], between[i], options));
      for (index_t b = 0; b < options.self_attention_blocks[i - 1]; ++b) l.blocks.push_back(next("encoder", parts, block(i, around[i])));
      into_.push_back(context("encoder", i, i));
    }
    to_latents_ = next("encoder", parts, std::make_shared<linear>(width(last), options.latent_channels));

    parts = 0;
    up_.resize(last), out_of_.resize(last);
    from_latents_ = next("decoder", parts, std::make_shared<linear>(options.latent_channels, width(last)));
    for (std::size_t i = last; i >= 1; --i) {
      level& l = up_[i - 1];
      for (index_t b = 0; b < options.self_attention_blocks[i - 1]; ++b) l.blocks.push_back(next("decoder", parts, block(i, around[i])));
      for (auto& [query, key] : between[i]) std::swap(query, key);
      pooling_block::sizes const s{width(i), width(i), width(i - 1), options.heads[i - 1]};
      l.pool = next("decoder", parts, std::make_shared<pooling_block>(s, grids_[i - 1], grids_[i], between[i], options));
      out_of_[i - 1] = context("decoder", last - i, i);
    }
  }

  // Who sees whom on grid i, and which nodes of grid i - 1 each of its nodes sees.
  std::vector<edge> neighbours(std::size_t i) const {
    if (options.self_attention_hops.empty()) return icosphere(options.ico_divisions[i - 1]).multi_mesh();
    return edges_within(grids_[i], grids_[i], hop_radius(grids_[i], options.self_attention_hops[i - 1]));
  }
  std::vector<edge> pooling(std::size_t i) const {
    double const chord = options.use_hop_pooling ? hop_radius(grids_[i], 1) : area_radius(grids_[i].size(), options.pooling_area[i - 1]);
    return edges_within(grids_[i], grids_[i - 1], chord);
  }

  at::Tensor around(at::Tensor const& dates) const {
    if (surroundings) return surroundings(dates);
    sda::require(options.context_channels == 0, "gae: ", options.context_channels, " fields of context, and nothing says what they are");
    return at::empty({1, points(), 0});
  }

  // What the nodes of each grid know of when and where: a node of an icosphere knows what the nearest pixel does.
  std::vector<at::Tensor> contexts(at::Tensor const& like, at::Tensor const& dates, at::Tensor const& fields) const {
    auto when = date_features(dates).to(like.options());
    if (when.dim() == 2) when = when.unsqueeze(0);
    sda::require(fields.dim() == 3 && fields.size(1) == longitudes_.size(0) && fields.size(2) == options.context_channels, "gae: context ",
                 c10::str(fields.sizes()), " for ", longitudes_.size(0), " pixels of ", options.context_channels);
    index_t const n = std::max(when.size(0), fields.size(0));
    std::vector<at::Tensor> out{at::cat({when.expand({n, -1, -1}), fields.expand({n, -1, -1})}, -1)};
    for (std::size_t i = 1, at = 0; i < grids_.size(); at += grids_[i++].size())
      out.push_back(out[0].index_select(1, pixels_of_nodes_.narrow(0, index_t(at), std::ssize(grids_[i]))));
    return out;
  }

  void check() const {
    auto const& o = options;
    auto const n = o.ico_divisions.size();
    for (auto const& [name, size] :
         {std::pair{"hid_channels", o.hid_channels.size()}, {"heads", o.heads.size()}, {"self_attention_blocks", o.self_attention_blocks.size()}})
      sda::require(n > 0 && size == n, "gae: ", n, " ico_divisions and ", size, " ", name);
    sda::require(o.self_attention_hops.empty() || o.self_attention_hops.size() == n, "gae: ", n, " ico_divisions and ", o.self_attention_hops.size(),
                 " hops");
    sda::require(o.use_hop_pooling || o.pooling_area.size() == n, "gae: ", n, " ico_divisions and ", o.pooling_area.size(), " areas of pooling");
  }

  std::vector<std::vector<point>> grids_;  // pixels, then icospheres
  at::Tensor longitudes_, pixels_of_nodes_;
  std::vector<level> down_, up_;
  std::vector<std::shared_ptr<siren>> into_, out_of_;  // context, by grid
  std::shared_ptr<linear> to_latents_, from_latents_;
};

inline toll gae::decoding() const {
  toll out{operations_of(*from_latents_, where().cells()), 0, 0, options.checkpointing};
  double largest = 0, beginnings = 0;  // of blocks
  auto const add = [&](toll const& block, double in) { out += block, largest = std::max(largest, block.kept), beginnings += in; };
  for (std::size_t i = 0; i < up_.size(); ++i) {
    index_t const n = std::ssize(grids_[i + 1]);
    double const in = double(n * width(i + 1));
    for (auto const& block : up_[i].blocks) add(block->cost(n), in);
    add(up_[i].pool->cost(), in);
    out.maps += out_of_[i]->operations(n), out.kept += 5 * in;
  }
  if (options.checkpointing) out.kept = beginnings + largest;
  out.kept += 3 * double(points() * options.in_channels) + 6 * double(1 << 23);  // fields, and tiles of attention
  return out;
}

}  // namespace appa
