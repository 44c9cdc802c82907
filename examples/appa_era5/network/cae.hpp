// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "cae_options.hpp"
#include "layers.hpp"
#include "roles.hpp"

// The convolutional autoencoder of Appa (arXiv:2504.18720): the sphere as an image, wrapped around in longitude.

namespace appa {

/// Images [rows, c, h, w] with blocks of y x x pixels as channels, c y x of them in this order; and back.
inline at::Tensor space_to_depth(at::Tensor const& image, index_t y, index_t x) {
  if (y == 1 && x == 1) return image;
  auto const s = image.sizes();
  return image.view({s[0], s[1], s[2] / y, y, s[3] / x, x})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({s[0], s[2] / y, s[3] / x, s[1] * y * x})
      .permute({0, 3, 1, 2});
}
inline at::Tensor depth_to_space(at::Tensor const& image, index_t y, index_t x) {
  if (y == 1 && x == 1) return image;
  auto const s = image.sizes();
  index_t const c = s[1] / (y * x);
  return image.permute({0, 2, 3, 1})
      .reshape({s[0], s[2], s[3], c, y, x})
      .permute({0, 1, 4, 2, 5, 3})
      .reshape({s[0], s[2] * y, s[3] * x, c})
      .permute({0, 3, 1, 2});
}

/// x + W₂ silu(W₁ norm(x)), where norm gives the channels of a pixel zero mean and unit variance (of divisor c - 1).
class residual_block : public torch::nn::Module {
 public:
  residual_block(index_t channels, cae_options const& o) : dropout_(o.dropout), checkpointing_(o.checkpointing) {
    epsilon_ = register_module("norm", std::make_shared<torch::nn::Module>())->register_buffer("eps", at::scalar_tensor(1e-5f));
    first = install(*this, "ffn.0", std::make_shared<convolution>(channels, o.ffn_factor * channels));
    last = install(*this, "ffn.3", std::make_shared<convolution>(o.ffn_factor * channels, channels));
  }

  at::Tensor operator()(at::Tensor const& x) const {
    auto const s = x.sizes();
    auto const keep = dropout_mask({s[0], first->weight.size(0), s[2], s[3]}, x.options(), is_training() ? dropout_ : 0);
    auto const f = [=, self = shared_from_this(), this](sda::detail::tensor_list const& a) {
      return a[0] + (*last)(dropped(at::silu((*first)(normalised(a[0]))), keep));
    };
    return checkpointing_ ? sda::checkpointed(f, {x}, trained(*this)) : f({x});
  }

  /// norm at an image, and the product with its Jacobian there, which is symmetric.
  struct local_norm {
    at::Tensor x, factor, mean, rstd, value;  // x, mean and rstd [rows, h, w, .]

    at::Tensor product(at::Tensor const& v) const {
      return std::get<0>(at::native_layer_norm_backward(v.permute({0, 2, 3, 1}).contiguous(), x, {x.size(3)}, mean, rstd, factor, {}, {true, false, false}))
          .permute({0, 3, 1, 2});
    }
  };
  local_norm norm_at(at::Tensor const& image) const {
    auto const x = image.permute({0, 2, 3, 1}).contiguous();
    auto const [factor, epsilon] = norm_for(x);
    auto const [y, mean, rstd] = at::native_layer_norm(x, {x.size(3)}, factor, {}, epsilon);
    return {x, factor, mean, rstd, y.permute({0, 3, 1, 2})};
  }

  std::shared_ptr<convolution> first, last;

 private:
  // Layer normalisation has the divisor c: its epsilon and a factor make up for that.
  std::pair<at::Tensor, double> norm_for(at::Tensor const& x) const {
    auto const c = x.size(3);
    double const ratio = double(c - 1) / double(c);
    return {at::full({c}, std::sqrt(ratio), x.options()), ratio * epsilon_.item<double>()};
  }
  at::Tensor normalised(at::Tensor const& image) const {
    auto const x = image.permute({0, 2, 3, 1});
    auto const [factor, epsilon] = norm_for(x);
    return at::layer_norm(x, {x.size(3)}, factor, {}, epsilon).permute({0, 3, 1, 2});
  }

  at::Tensor epsilon_;
  double dropout_;
  bool checkpointing_;
};

/// Fields [rows, pixels, channels] to latents [rows, cells, latents] and back; pixels and cells run along circles of latitude.
///
///   encode: pad, then for each level: halve (level 0: patches), convolve, residual blocks;   convolve, saturate
///   decode: convolve, then for each level from the last: residual blocks, convolve, double (level 0: patches);   crop
///
/// Padding wraps around in longitude and is zero beyond the poles, so that cells tile the image and one column of cells on
/// either side repeats.
class cae : public autoencoder {
 public:
  explicit cae(cae_options o) : options(std::move(o)) {
    check();
    index_t const levels = std::ssize(options.hid_channels);
    for (index_t i = 0; i < levels; ++i) place_level(i, levels);
  }

  at::Tensor encode(at::Tensor const& x) const { return options.saturate(tokens(descend(pad(image(x, options.shape))))); }
  at::Tensor decode(at::Tensor const& z) const { return tokens(crop(ascend(image(noised(z), cells())))); }

  at::Tensor encode(at::Tensor const& x, at::Tensor const&) const override { return encode(x); }
  at::Tensor decode(at::Tensor const& z, at::Tensor const&) const override { return decode(z); }

  index_t points() const override { return options.shape[0] * options.shape[1]; }
  index_t channels() const override { return options.in_channels; }
  index_t latents() const override { return options.lat_channels; }
  lattice where() const override { return {cells()}; }
  toll decoding() const override { return {operations_of(options), 0, numbers_of_decoder(options), options.checkpointing}; }

  /// Rows and columns of latent cells.
  std::array<index_t, 2> cells() const {
    auto const [top, bottom, left, right] = margins();
    return {(top + options.shape[0] + bottom) / options.resize, (left + options.shape[1] + right) / options.resize};
  }

  /// Random values, with which levels begin near the identity and residual blocks at it.
  void initialise(sda::key k) override {
    torch::NoGradGuard const off;
    initialise_maps(*this, sda::generator(k, at::kCPU));
    for (auto const* side : {&encoder_, &decoder_})
      for (auto const& l : *side)
        for (auto const& b : l.blocks) b->last->weight.mul_(1e-2);
    if (!options.identity_init) return;
    for (std::size_t i = 0; i + 1 < encoder_.size(); ++i) near_identity(*encoder_[i + 1].convolve), near_identity(*decoder_[i + 1].convolve);
    near_identity(*into_latents_), near_identity(*from_latents_);
  }

  // The steps that encode and decode are made of.

  static at::Tensor image(at::Tensor const& x, std::array<index_t, 2> const& shape) {
    sda::require(x.dim() == 3 && x.size(1) == shape[0] * shape[1], "cae: ", c10::str(x.sizes()), " is no [rows, ", shape[0], " x ", shape[1],
                 ", channels]");
    return x.view({x.size(0), shape[0], shape[1], x.size(2)}).permute({0, 3, 1, 2});
  }
  static at::Tensor tokens(at::Tensor const& x) { return x.permute({0, 2, 3, 1}).flatten(1, 2); }

  at::Tensor pad(at::Tensor const& x) const {
    auto const [top, bottom, left, right] = margins();
    auto const ring = at::cat({x.narrow(3, x.size(3) - left, left), x, x.narrow(3, 0, right)}, 3);
    return at::constant_pad_nd(ring, {0, 0, top, bottom});
  }
  at::Tensor crop(at::Tensor const& x) const {
    auto const [top, bottom, left, right] = margins();
    return x.narrow(2, top, options.shape[0]).narrow(3, left, options.shape[1]);
  }

  at::Tensor descend(at::Tensor x) const {
    auto const [y, w] = options.patch_size;
    for (std::size_t i = 0; i < encoder_.size(); ++i) {
      if (i == 0) x = space_to_depth(x, y, w);
      if (i > 0 && options.pixel_shuffle) x = space_to_depth(x, 2, 2);
      x = (*encoder_[i].convolve)(x);
      for (auto const& block : encoder_[i].blocks) x = (*block)(x);
    }
    return (*into_latents_)(x);
  }
  at::Tensor ascend(at::Tensor x) const {
    for (index_t i = levels(); i-- > 0;) x = ascend_level(i, x);
    return x;
  }

  /// Level i of `ascend`: an image of its resolution to one of the next finer level, or, for level 0, to fields. There may be `wanted`
  /// outputs of the last convolution alone.
  at::Tensor ascend_level(index_t i, at::Tensor x, at::Tensor const& wanted = {}) const {
    auto const& [convolve, blocks] = decoder_[std::size_t(i)];
    if (i + 1 == levels()) x = (*from_latents_)(x);
    for (auto const& block : blocks) x = (*block)(x);
    x = enlarged(i, x);
    return finer(i, wanted.defined() ? at::conv2d(x, convolve->weight.index_select(0, wanted), convolve->bias.index_select(0, wanted), 1, 1) : (*convolve)(x));
  }
  /// What stands before and behind a level's last convolution: the resolution doubled by copies, or channels that become pixels.
  at::Tensor enlarged(index_t i, at::Tensor const& x) const {
    return i > 0 && !options.pixel_shuffle ? at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)}) : x;
  }
  at::Tensor finer(index_t i, at::Tensor const& x) const {
    auto const [y, w] = block_of(i);
    return depth_to_space(x, y, w);
  }
  /// Their transposes.
  at::Tensor reduced(index_t i, at::Tensor const& u) const { return i > 0 && !options.pixel_shuffle ? 4 * at::avg_pool2d(u, {2, 2}) : u; }
  at::Tensor coarser(index_t i, at::Tensor const& u) const {
    auto const [y, w] = block_of(i);
    return space_to_depth(u, y, w);
  }
  index_t levels() const { return std::ssize(decoder_); }
  /// Level i, with the convolution that leads to it from the finer level, or back.
  struct level {
    std::shared_ptr<convolution> convolve;
    std::vector<std::shared_ptr<residual_block>> blocks;
  };
  level const& decoder_level(index_t i) const { return decoder_[std::size_t(i)]; }
  std::shared_ptr<convolution> const& from_latents() const { return from_latents_; }
  /// How many pixels of level i away what `ascend_level` makes still depends on.
  index_t reach(index_t i) const { return 2 * std::ssize(decoder_[std::size_t(i)].blocks) + (i + 1 == levels() ? 2 : 1); }
  /// Where the first point lies in the padded image.
  std::array<index_t, 2> origin() const { return {margins()[0], margins()[2]}; }

  cae_options const options;

 private:
  // Pixels that the channels behind a level's last convolution become.
  std::array<index_t, 2> block_of(index_t i) const {
    return i == 0 ? options.patch_size : options.pixel_shuffle ? std::array<index_t, 2>{2, 2} : std::array<index_t, 2>{1, 1};
  }

  void place_level(index_t i, index_t levels) {
    auto const& o = options;
    auto const number = [](index_t n) { return std::string(".").append(std::to_string(n)); };
    auto const conv = [this](std::string const& path, index_t in, index_t out, index_t stride = 1) {
      return install(*this, path, std::make_shared<convolution>(in, out, stride));
    };
    index_t const width = o.hid_channels[std::size_t(i)], blocks = o.hid_blocks[std::size_t(i)], last = levels - 1;
    index_t const patch = o.patch_size[0] * o.patch_size[1] * o.in_channels, finer = i ? o.hid_channels[std::size_t(i - 1)] : patch;
    auto const down = "encoder.descent" + number(i), up = "decoder.ascent" + number(last - i);
    index_t const first = i == last ? 1 : 0;  // the deepest level of the decoder begins with a convolution

    level in, out;
    bool const folds = i > 0 && o.pixel_shuffle;
    in.convolve = conv(down + (folds ? ".0.1" : ".0"), folds ? 4 * finer : finer, width, i > 0 && !folds ? 2 : 1);
    if (i == last) from_latents_ = conv(up + ".0", o.lat_channels, width);
    for (index_t b = 0; b < blocks; ++b) {
      in.blocks.push_back(install(*this, down + number(1 + b), std::make_shared<residual_block>(width, o)));
      out.blocks.push_back(install(*this, up + number(first + b), std::make_shared<residual_block>(width, o)));
    }
    if (i == last) into_latents_ = conv(down + number(1 + blocks), width, o.lat_channels);
    out.convolve = conv(up + number(first + blocks) + (i == 0 ? "" : folds ? ".0" : ".1"), width, folds ? 4 * finer : finer);
    encoder_.push_back(std::move(in)), decoder_.push_back(std::move(out));
  }

  void check() const {
    auto const& o = options;
    auto const levels = o.hid_channels.size();
    sda::require(levels > 0 && o.hid_blocks.size() == levels, "cae: ", levels, " hid_channels and ", o.hid_blocks.size(), " hid_blocks");
    sda::require(o.in_channels > 0 && o.lat_channels > 0 && o.ffn_factor > 0 && o.shape[0] > 0 && o.shape[1] > 0, "cae: sizes must be positive");
    for (index_t const p : o.patch_size)
      sda::require(p > 0 && p << (levels - 1) == o.resize, "cae: patches of ", p, ", halved ", levels - 1, " times, are no resize of ", o.resize);
    auto const [top, bottom, left, right] = margins();
    sda::require(left <= o.shape[1] && right <= o.shape[1], "cae: a ring of ", o.shape[1], " points is too short to be wrapped by ", left, " and ",
                 right);
  }

  // Points to add: top, bottom, left, right.
  std::array<index_t, 4> margins() const {
    index_t const f = options.resize, h = (f - options.shape[0] % f) % f, w = (f - options.shape[1] % f) % f + 2 * f;
    return {h / 2, h - h / 2, w / 2, w - w / 2};
  }

  at::Tensor noised(at::Tensor const& z) const { return is_training() && options.noise_level > 0 ? z + options.noise_level * at::randn_like(z) : z; }

  // Each output channel looks at one pixel of the input channel of its number, and a little at the rest.
  static void near_identity(convolution& c) {
    c.weight.mul_(1e-2);
    index_t const in = c.weight.size(1);
    for (index_t o = 0; o < c.weight.size(0); ++o) c.weight[o][o % in][1][1].add_(1);
  }

  std::vector<level> encoder_, decoder_;  // by level, the finest first
  std::shared_ptr<convolution> into_latents_, from_latents_;
};

}  // namespace appa
