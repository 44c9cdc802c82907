// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>

#include <vector>

namespace appa {

using sda::index_t;

/// What was seen of one state of standardised fields [points, channels] (number `point * channels + channel`, as decoders give them):
/// observation i is
///
///     y_i = Σ_k w_ik x[c_ik] + e_i,   e_i ~ N(0, r_i),   k < corners,
///
/// in units of a channel's deviation. Values, variances, columns and weights stand in one order, whatever they come from.
struct sight {
  int corners = 1;                // numbers of the state in an observation
  std::vector<index_t> columns;   // c, those of an observation side by side
  std::vector<float> weights;     // w likewise; none: all 1
  std::vector<float> values;      // y
  std::vector<float> variances;   // r

  index_t count() const { return index_t(values.size()); }
};

}  // namespace appa
