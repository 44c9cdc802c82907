// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "network/cae.hpp"

#include <memory>

namespace appa {

/// Some numbers of decoded states, at the cost of what they depend on. At every level of the decoder the image is cut into tiles; those
/// that are needed are worked on side by side, each with a rim as wide as the level's convolutions reach, or beyond the edge of the
/// image the very zeros that the whole has. The numbers are those of the whole decoder but for rounding.
class decoder_part {
 public:
  /// `columns` are numbers of a state, point * channels + channel, in any order.
  decoder_part(std::shared_ptr<cae const> net, std::vector<index_t> const& columns, at::Device device = at::kCPU);

  /// Latents [rows, cells, latents] as the autoencoder has them, to what was asked for, [rows, columns]. Differentiable both ways.
  at::Tensor operator()(at::Tensor const& z) const;

  /// Operations, two for each product and sum, of a row.
  double operations() const { return operations_; }
  /// Numbers that autograd keeps of a row.
  double kept_numbers() const { return kept_; }

 private:
  struct stage {
    index_t tiles, height, width;
    at::Tensor from;  // where each pixel lies among those that the level before made; undefined: as they are
  };
  std::shared_ptr<cae const> net_;
  std::vector<stage> stages_;  // by level, the finest first
  at::Tensor wanted_, picked_;
  double operations_ = 0, kept_ = 0;
};

}  // namespace appa
