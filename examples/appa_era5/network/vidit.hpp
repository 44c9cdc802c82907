// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "dates.hpp"
#include "layers.hpp"
#include "options.hpp"
#include "roles.hpp"

#include <sda/torch/attention.hpp>
#include <sda/torch/sparse_attention.hpp>

// The vision transformer of Appa's latent prior (arXiv:2504.18720), over space and time: a window of latent states is cut
// into patches, the tokens, all of which see all, or those near them.

namespace appa {

/// The options of a configuration's `backbone` that this network has, by their names there, and the shape of a state.
struct vidit_options {
  std::array<index_t, 3> state{23, 47, 64};    // latent rows, columns, channels
  index_t context_channels = 0;                // what is told of each cell, behind its channels
  index_t blanket_size = 24;                   // states in a window
  std::array<index_t, 3> patch_size{2, 1, 1};  // in time, rows, columns
  std::vector<index_t> window_size;            // tokens seen in time, rows, columns, wrapped around; none: all
  index_t mod_features = 256, hid_channels = 1024, hid_blocks = 16, ffn_factor = 4, attention_heads = 8;
  bool qk_norm = true, rope = true, checkpointing = true;
  double dropout = 0;
};

inline void from_json(nlohmann::json const& j, vidit_options& o) {
  option(j, "state", o.state), option(j, "blanket_size", o.blanket_size), option(j, "patch_size", o.patch_size),
      option(j, "window_size", o.window_size);
  option(j, "mod_features", o.mod_features), option(j, "hid_channels", o.hid_channels), option(j, "hid_blocks", o.hid_blocks);
  option(j, "ffn_factor", o.ffn_factor), option(j, "attention_heads", o.attention_heads), option(j, "qk_norm", o.qk_norm), option(j, "rope", o.rope);
  option(j, "checkpointing", o.checkpointing), option(j, "dropout", o.dropout);
}

/// Tokens of a window.
inline double tokens_of(vidit_options const& o) {
  return double(o.blanket_size / o.patch_size[0] * (o.state[0] / o.patch_size[1]) * (o.state[1] / o.patch_size[2]));
}
/// Operations of full attention.
inline double attention_operations_of(vidit_options const& o) {
  return double(o.hid_blocks) * 4 * tokens_of(o) * tokens_of(o) * double(o.hid_channels);
}
/// ... and of all linear maps with it.
inline double operations_of(vidit_options const& o) {
  double const width = double(o.hid_channels), patch = double(o.patch_size[0] * o.patch_size[1] * o.patch_size[2]), channels = double(o.state[2]);
  double const maps = patch * (channels + double(o.context_channels) + 4 * double(o.blanket_size)) * width + patch * channels * width +
                      3 * width * width + double(o.hid_blocks) * (4 + 2 * double(o.ffn_factor)) * width * width;
  return 2 * tokens_of(o) * maps + attention_operations_of(o);
}

/// Numbers alive while a window goes back through the transformer: those that autograd keeps, and those of the block being worked on.
inline double numbers_of_denoiser(vidit_options const& o) {
  double const stream = tokens_of(o) * double(o.hid_channels), block = stream * (18 + 3 * double(o.ffn_factor));
  return (o.checkpointing ? double(o.hid_blocks) * stream + block : double(o.hid_blocks) * block) + 6 * stream + 4 * double(1 << 22);
}

/// Dates [..., T, 4] of a window as 4 T numbers: all sines and cosines of the year, then those of the hour at longitude 0.
inline at::Tensor date_channels(at::Tensor const& dates) {
  return at::cat({year_features(dates).flatten(-2), hour_features(dates, at::zeros({1})).flatten(-3)}, -1);
}

/// Turns each pair (2 i, 2 i + 1) of x [rows, heads, tokens, d] by its angle [heads, tokens, d / 2] (Su et al., 2021).
class rotation {
 public:
  explicit rotation(at::Tensor const& angle) : cosine_(angle.cos()), sine_(angle.sin()) {
    if (angle.scalar_type() == at::kFloat || angle.scalar_type() == at::kDouble) turn_ = at::complex(cosine_, sine_);
  }
  at::Tensor operator()(at::Tensor const& x) const {
    auto const pairs = x.unflatten(-1, {x.size(-1) / 2, 2});
    if (turn_.defined()) return at::view_as_real(at::view_as_complex(pairs) * turn_).flatten(-2);  // one pass instead of seven
    auto const even = pairs.select(-1, 0), odd = pairs.select(-1, 1);
    return at::stack({cosine_ * even - sine_ * odd, sine_ * even + cosine_ * odd}, -1).flatten(-2);
  }

 private:
  at::Tensor cosine_, sine_, turn_;
};

/// A transformer block, [rows, tokens, width] in and out:
///
///   y = FFN(h + MSA(h)),   h = (a + 1) norm(x) + b,
///   x ← (x + c y) / √(1 + c²),   x ← (x + d skip) / √(1 + d²),
///
/// where a, b, c, d follow from the noise level and `skip` is what entered the first block.
class vidit_block : public torch::nn::Module {
 public:
  explicit vidit_block(vidit_options const& o) : options_(o) {
    index_t const width = o.hid_channels;
    if (o.rope) theta = register_parameter("theta", at::empty({3, width / 2}));
    modulate_in_ = install(*this, "ada_zero.0", std::make_shared<linear>(o.mod_features, o.mod_features));
    modulate_out = install(*this, "ada_zero.2", std::make_shared<linear>(o.mod_features, 4 * width));
    qkv_ = install(*this, "msa.qkv_proj", std::make_shared<linear>(width, 3 * width, false));
    join_ = install(*this, "msa.y_proj", std::make_shared<linear>(width, width));
    widen_ = install(*this, "ffn.0", std::make_shared<linear>(width, o.ffn_factor * width));
    narrow_ = install(*this, "ffn.3", std::make_shared<linear>(o.ffn_factor * width, width));
  }

  /// `level` [1 or rows, features], `where` the tokens' coordinates [tokens, 3].
  at::Tensor operator()(at::Tensor const& x, at::Tensor const& level, at::Tensor const& skip, at::Tensor const& where,
                        sda::neighbourhoods const& seen) const {
    double const p = is_training() ? options_.dropout : 0;
    auto const keep = dropout_mask({x.size(0), x.size(1), widen_->weight.size(0)}, x.options(), p);
    auto const f = [=, self = shared_from_this(), this](sda::detail::tensor_list const& args) {
      return forward(args[0], args[1], args[2], where, seen, keep);
    };
    return options_.checkpointing ? sda::checkpointed(f, {x, level, skip}, trained(*this)) : f({x, level, skip});
  }

  /// The four modulations, [..., 4 width].
  at::Tensor modulation(at::Tensor const& level) const { return (*modulate_out)(at::silu((*modulate_in_)(level))); }

  /// Multi-head self-attention of tokens.
  at::Tensor attend(at::Tensor const& x, at::Tensor const& where, sda::neighbourhoods const& seen) const {
    index_t const heads = options_.attention_heads, d = options_.hid_channels / heads;
    auto const parts = (*qkv_)(x).view({x.size(0), x.size(1), 3, heads, d}).permute({2, 0, 3, 1, 4});  // q | k | v, heads before tokens
    at::Tensor q = parts[0], k = parts[1], v = parts[2];
    if (options_.qk_norm) q = rms_norm(q, 1e-5), k = rms_norm(k, 1e-5);
    if (options_.rope) {
      rotation const turn(at::matmul(where, theta).view({x.size(1), heads, d / 2}).transpose(0, 1));
      q = turn(q), k = turn(k);
    }
    auto const y = seen.groups.empty() ? sda::attention(q, k, v) : sda::sparse_attention(q, k, v, seen);
    return (*join_)(y.transpose(1, 2).flatten(2));
  }

  at::Tensor theta;
  std::shared_ptr<linear> modulate_out;

 private:
  at::Tensor forward(at::Tensor const& x, at::Tensor const& level, at::Tensor const& skip, at::Tensor const& where, sda::neighbourhoods const& seen,
                     at::Tensor const& keep) const {
    auto const m = modulation(level).unsqueeze(1).chunk(4, -1);
    at::Tensor const &a = m[0], &b = m[1], &c = m[2], &d = m[3];
    auto y = (a + 1) * layer_norm(x) + b;
    y = y + attend(y, where, seen);
    y = (*narrow_)(dropped(at::silu((*widen_)(y)), keep));
    y = (x + c * y) * at::rsqrt(1 + c.square());
    return (y + d * skip) * at::rsqrt(1 + d.square());
  }

  vidit_options options_;
  std::shared_ptr<linear> modulate_in_, qkv_, join_, widen_, narrow_;
};

/// F(x, c, dates) on windows of images: x [rows, T h w channels] in this order; with a context, each cell has channels + context_channels numbers,
/// and F channels.
class vidit : public backbone {
 public:
  explicit vidit(vidit_options o) : options((check(o), std::move(o))) {
    index_t const patch = options.patch_size[0] * options.patch_size[1] * options.patch_size[2], width = options.hid_channels;
    index_t const channels = options.state[2];
    in_ = install(*this, "in_proj", std::make_shared<linear>(patch * (channels + options.context_channels + 4 * options.blanket_size), width));
    out_ = install(*this, "out_proj", std::make_shared<linear>(width, patch * channels));
    position_ = install(*this, "positional_embedding.0", std::make_shared<sine_encoding>(width));
    from_position_ = install(*this, "positional_embedding.2", std::make_shared<linear>(3 * width, width));
    level_ = install(*this, "diffusion_time_encoder", std::make_shared<sine_encoding>(options.mod_features));
    for (index_t i = 0; i < options.hid_blocks; ++i)
      blocks_.push_back(install(*this, std::string("blocks.").append(std::to_string(i)), std::make_shared<vidit_block>(options)));
    if (!options.window_size.empty()) seen_ = neighbours();
  }

  at::Tensor forward(at::Tensor const& x, at::Tensor const& c, at::Tensor const& dates) const override {
    auto const skip = (*in_)(tokens(x, dates)), where = coordinates().to(x.options()), m = level_features(c);
    auto h = skip + embedding(where);
    auto const around = seen_.to(x.device());
    for (auto const& block : blocks_) h = (*block)(h, m, skip, where, around);
    auto shape = x.sizes().vec();
    shape.back() = shape.back() / inputs() * options.state[2];
    return states((*out_)(h)).reshape(shape);
  }

  index_t length() const override { return options.blanket_size; }
  toll denoising() const override {
    double const attention = attention_operations_of(options);
    return {operations_of(options) - attention, attention, numbers_of_denoiser(options), options.checkpointing};
  }

  /// Random values; blocks begin near the identity, rotations with waves of 1 to 100 tokens in all directions.
  void initialise(sda::key k) override {
    torch::NoGradGuard const off;
    auto const g = sda::generator(k, at::kCPU);
    initialise_maps(*this, g);
    for (auto const& b : blocks_) {
      b->modulate_out->weight.mul_(1e-2);
      if (!options.rope) continue;
      auto const direction = at::empty(b->theta.sizes()).normal_(0, 1, g);
      b->theta.copy_(direction / direction.norm(2, 0, true) * at::pow(100, -at::empty({1, b->theta.size(1)}).uniform_(0, 1, g)));
    }
  }

  // The steps that forward is made of.

  /// States with their dates beside them, as patches [rows, tokens, features]: channel by channel, each in its order of offsets.
  at::Tensor tokens(at::Tensor const& x, at::Tensor const& dates) const {
    auto const& o = options;
    auto const [t, h, w] = grid();
    auto const [pt, ph, pw] = o.patch_size;
    sda::require(x.dim() >= 2 && x.numel() == x.size(0) * o.blanket_size * o.state[0] * o.state[1] * inputs(), "vidit: a row of ",
                 c10::str(x.sizes()), " is no window of ", o.blanket_size, " states of ", o.state[0], " x ", o.state[1], " x ", inputs());
    sda::require(dates.dim() >= 2 && dates.size(-2) == o.blanket_size, "vidit: dates ", c10::str(dates.sizes()), " for windows of ", o.blanket_size);
    auto const when = date_channels(dates).to(x.options()).view({-1, 1, 1, 1, 4 * o.blanket_size});
    auto const image = x.view({x.size(0), o.blanket_size, o.state[0], o.state[1], inputs()});
    auto const all = at::cat({image, when.expand({x.size(0), o.blanket_size, o.state[0], o.state[1], -1})}, -1);
    return all.view({x.size(0), t, pt, h, ph, w, pw, -1}).permute({0, 1, 3, 5, 7, 2, 4, 6}).flatten(4).flatten(1, 3);
  }
  at::Tensor states(at::Tensor const& y) const {
    auto const [t, h, w] = grid();
    auto const [pt, ph, pw] = options.patch_size;
    return y.view({y.size(0), t, h, w, options.state[2], pt, ph, pw}).permute({0, 1, 5, 2, 6, 3, 7, 4});
  }
  at::Tensor embedding(at::Tensor const& where) const { return (*from_position_)((*position_)(where).flatten(-2)); }
  at::Tensor level_features(at::Tensor const& c) const { return (*level_)(c.reshape({-1})); }

  /// Where the tokens are, [tokens, 3]: in time, row and column.
  at::Tensor coordinates() const {
    auto const [t, h, w] = grid();
    return at::stack(at::meshgrid({at::arange(t), at::arange(h), at::arange(w)}, "ij"), -1).view({-1, 3});
  }

  std::vector<std::shared_ptr<vidit_block>> const& blocks() const { return blocks_; }
  /// Which tokens see which; without groups, all see all.
  sda::neighbourhoods const& seen() const { return seen_; }

  vidit_options const options;

 private:
  static void check(vidit_options const& o) {
    std::array<index_t, 3> const window{o.blanket_size, o.state[0], o.state[1]};
    for (std::size_t i = 0; i < 3; ++i)
      sda::require(o.patch_size[i] > 0 && window[i] > 0 && window[i] % o.patch_size[i] == 0, "vidit: patches of ", o.patch_size[i], " for ",
                   window[i]);
    sda::require(o.state[2] > 0 && o.context_channels >= 0 && o.hid_channels > 0 && o.hid_channels % 4 == 0, "vidit: ", o.state[2], " channels, ",
                 o.hid_channels, " hidden");
    sda::require(o.attention_heads > 0 && o.hid_channels % (2 * o.attention_heads) == 0, "vidit: ", o.attention_heads, " heads of a width of ",
                 o.hid_channels);
    sda::require(o.window_size.empty() || o.window_size.size() == 3, "vidit: window_size has ", o.window_size.size(), " numbers, not 3");
  }
  index_t inputs() const { return options.state[2] + options.context_channels; }
  std::array<index_t, 3> grid() const {
    auto const& o = options;
    return {o.blanket_size / o.patch_size[0], o.state[0] / o.patch_size[1], o.state[1] / o.patch_size[2]};
  }

  // Tokens whose distance, around each axis, is at most half the window.
  sda::neighbourhoods neighbours() const {
    auto const size = grid();
    auto const where = coordinates();
    auto near = at::ones({where.size(0), where.size(0)}, at::kBool);
    for (index_t axis = 0; axis < 3; ++axis) {
      auto const c = where.select(1, axis);
      auto const apart = (c.unsqueeze(1) - c.unsqueeze(0)).remainder(size[std::size_t(axis)]);
      near &= at::minimum(apart, size[std::size_t(axis)] - apart) <= options.window_size[std::size_t(axis)] / 2;
    }
    return {at::nonzero(near), where.size(0), where.size(0)};
  }

  std::shared_ptr<linear> in_, out_, from_position_;
  std::shared_ptr<sine_encoding> position_, level_;
  std::vector<std::shared_ptr<vidit_block>> blocks_;
  sda::neighbourhoods seen_;
};

}  // namespace appa
