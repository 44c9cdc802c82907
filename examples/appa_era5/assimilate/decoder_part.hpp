// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "network/roles.hpp"

#include <sda/torch/traced.hpp>

#include <memory>

namespace appa {

/// Some numbers of decoded states. With a convolutional decoder at the cost of what they depend on: at every level the image is cut into
/// tiles; those that are needed are worked on side by side, each with a rim as wide as the level's convolutions reach, or beyond the edge
/// of the image the very zeros that the whole has. The numbers are those of the whole decoder but for rounding. A decoder on a graph
/// makes the whole state.
class decoder_part {
 public:
  /// `columns` are numbers of a state, point * channels + channel, in any order; `date` [4] is the states', where the network asks for it.
  decoder_part(std::shared_ptr<autoencoder const> net, std::vector<index_t> const& columns, at::Device device = at::kCPU,
               at::Tensor const& date = {});

  /// Latents [rows, cells, latents] as the autoencoder has them, to what was asked for, [rows, columns]. Differentiable both ways.
  at::Tensor operator()(at::Tensor const& z) const;

  /// The same at z, with the products of its Jacobian: `kept_numbers` numbers of a row are kept for them.
  class local {
   public:
    local(decoder_part const& of, at::Tensor const& z);
    local(local&&) noexcept;
    ~local();
    at::Tensor const& value() const { return value_; }
    at::Tensor jvp(at::Tensor const& v) const;
    at::Tensor vjp(at::Tensor const& u) const;

   private:
    decoder_part const* of_;
    std::vector<class linear_level> levels_;  // the finest first; none: a graph's
    std::unique_ptr<sda::traced> traced_;
    at::Tensor z_, value_;
  };
  local linearize(at::Tensor const& z) const { return {*this, z}; }

  /// Operations, two for each product and sum, of a row.
  double operations() const { return operations_; }
  /// Numbers that a linearisation keeps of a row.
  double kept_numbers() const { return kept_; }

 private:
  struct stage {
    index_t tiles, height, width;
    at::Tensor from;  // where each pixel lies among those that the level before made; undefined: as they are
    index_t before = 0;  // pixels that the level before made
  };
  at::Tensor image(stage const& s, at::Tensor const& x) const;
  void tile(std::vector<index_t> const& columns, at::Device device);

  std::shared_ptr<autoencoder const> whole_;
  std::shared_ptr<class cae const> net_;  // the same, if it is cut into tiles
  std::vector<stage> stages_;             // by level, the finest first
  at::Tensor date_, wanted_, picked_;
  index_t made_ = 0;                      // channels of the fields
  double operations_ = 0, kept_ = 0;
};

}  // namespace appa
