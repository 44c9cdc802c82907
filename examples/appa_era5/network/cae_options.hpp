// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "options.hpp"
#include "saturation.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace appa {

using index_t = std::int64_t;

/// The options of a configuration's `ae` that this network has, by their names there.
struct cae_options {
  index_t in_channels = 71;
  std::array<index_t, 2> shape{721, 1440};  // latitudes, longitudes
  index_t resize = 32;                      // grid points a latent cell is wide
  index_t lat_channels = 64;
  std::vector<index_t> hid_channels{64, 128, 256, 512, 768, 1024};  // by level, each half as fine as the one before
  std::vector<index_t> hid_blocks{3, 3, 3, 3, 3, 3};
  bool pixel_shuffle = true, identity_init = true, checkpointing = false;
  index_t ffn_factor = 1;
  double dropout = 0, noise_level = 0;
  std::array<index_t, 2> patch_size{1, 1};
  saturation saturate;
};

inline void from_json(nlohmann::json const& j, cae_options& o) {
  option(j, "in_channels", o.in_channels), option(j, "shape", o.shape), option(j, "resize", o.resize), option(j, "lat_channels", o.lat_channels);
  option(j, "hid_channels", o.hid_channels), option(j, "hid_blocks", o.hid_blocks), option(j, "ffn_factor", o.ffn_factor);
  option(j, "pixel_shuffle", o.pixel_shuffle), option(j, "identity_init", o.identity_init), option(j, "checkpointing", o.checkpointing);
  option(j, "dropout", o.dropout), option(j, "noise_level", o.noise_level), option(j, "patch_size", o.patch_size);
  option(j, "saturation", o.saturate.kind), option(j, "saturation_bound", o.saturate.bound);
}

/// Operations of all convolutions of the encoder, and of the decoder, two for each product and sum.
inline double operations_of(cae_options const& o) {
  auto const conv = [](index_t in, index_t out, index_t pixels) { return 18. * double(in) * double(out) * double(pixels); };
  index_t const f = o.resize, h = (o.shape[0] + f - 1) / f * f, w = (o.shape[1] + f - 1) / f * f + 2 * f;
  double total = 0;
  for (std::size_t i = 0; i < o.hid_channels.size(); ++i) {
    index_t const pixels = (h / o.patch_size[0] >> i) * (w / o.patch_size[1] >> i), c = o.hid_channels[i];
    index_t const finer = i ? 4 * o.hid_channels[i - 1] : o.patch_size[0] * o.patch_size[1] * o.in_channels;
    total += conv(finer, c, pixels) + double(o.hid_blocks[i]) * 2 * conv(c, o.ffn_factor * c, pixels);
    if (i + 1 == o.hid_channels.size()) total += conv(c, o.lat_channels, pixels);
  }
  return total;
}

/// Pixels of level i of the decoder.
inline double pixels_of(cae_options const& o, std::size_t i) {
  index_t const f = o.resize, h = (o.shape[0] + f - 1) / f * f, w = (o.shape[1] + f - 1) / f * f + 2 * f;
  return double((h / o.patch_size[0] >> i) * (w / o.patch_size[1] >> i));
}

/// Numbers alive while a state goes back through the decoder: those that autograd keeps, those of the block being worked on, and fields.
inline double numbers_of_decoder(cae_options const& o) {
  double kept = 0, block = 0;
  for (std::size_t i = 0; i < o.hid_channels.size(); ++i) {
    double const n = pixels_of(o, i) * double(o.hid_channels[i]), blocks = double(o.hid_blocks[i]), hidden = double(o.ffn_factor);
    kept += n * (o.checkpointing ? blocks + 2 : (2 + 2 * hidden) * blocks + 2);
    block = std::max(block, n * (4 + 2 * hidden));
  }
  return kept + block + 3 * pixels_of(o, 0) * double(o.patch_size[0] * o.patch_size[1] * o.in_channels);
}

}  // namespace appa
