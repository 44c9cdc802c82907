// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "network/cae.hpp"
#include "network/vidit.hpp"

// What a forward pass costs, by the sizes of a network.

namespace appa {

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
  double const maps = patch * (channels + 4 * double(o.blanket_size)) * width + patch * channels * width + 3 * width * width +
                      double(o.hid_blocks) * (4 + 2 * double(o.ffn_factor)) * width * width;
  return 2 * tokens_of(o) * maps + attention_operations_of(o);
}

}  // namespace appa
