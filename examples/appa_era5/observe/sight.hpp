// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/fingerprint.hpp"

#include <sda/core/config.hpp>

#include <span>
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

/// Puts observations behind others. Those with fewer corners are filled up with weights of 0.
void append(sight& to, sight const& more);
/// The observations at some places, in the order named.
sight select(sight const& from, std::span<index_t const> kept);

/// Observations whose errors are chains, ρ_i the correlation of e_i with e_{i-1} (0 begins a chain) and Cov(e_i, e_j) = √(r_i r_j) ρ_{j+1} ... ρ_i,
/// as ones with independent errors that say the same of every state:
///
///     y_i - a y_{i-1} = Σ_k w_ik x[c_ik] - a Σ_k w_{i-1,k} x[c_{i-1,k}] + N(0, (1 - ρ_i²) r_i),   a = ρ_i √(r_i / r_{i-1}).
///
/// Nothing is done if all ρ are 0 or there are none; else corners are twice as many.
sight independent(sight const& chained, std::span<float const> correlations);

/// Adds what is seen, where, and how well.
void add(fingerprint& all, sight const& s);

}  // namespace appa
