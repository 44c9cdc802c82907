// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "observe/localised_ensemble.hpp"
#include "observe/sight.hpp"

#include <sda/core/random.hpp>

namespace appa {

/// How an ensemble is analysed with no training.
struct ensemble_analysis {
  taper_options taper;
  double inflation = 1;
  int iterations = 200;      // of conjugate gradients, at the most,
  double tolerance = 1e-4;   // and where they stop

  using state = sda::host_array<double>;

  /// The posterior of states [points, channels] whose prior is the localised Gaussian of the members (rows): MMPS, at a level of noise at which only
  /// prior and observations speak, where it is exact. The first row is the mean; with `draws`, every member's posterior follows, as it
  /// would be had it been the mean and the observations been drawn anew from R.
  state operator()(state const& members, grid const& g, channel_set const& channels, sight const& seen, bool draws, sda::key k) const;
};

/// The same observations by the local ensemble transform Kalman filter: the members analysed. It tapers R in the place of covariances.
sda::host_array<double> letkf_analysis(sda::host_array<double> members, grid const& g, channel_set const& channels, sight const& seen, taper_options const& taper,
                                       double inflation = 1);

}  // namespace appa
