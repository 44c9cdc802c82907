// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "observe/observing.hpp"

#include <sda/eigen.hpp>

namespace appa {

/// The members of an ensemble at one hour, standardised by what they agree on: every channel's mean, and the root mean square of their spread.
struct ensemble_case {
  scene states;
  std::vector<std::vector<float>> members;   // [channels, points]
  std::vector<float> truth;                  // a member that was taken out; empty if none was

  background prior() const;
  /// Members as rows of numbers point * channels + channel.
  sda::host_array<double> as_rows() const;
  /// Root mean square of x - truth by channel, weighted by area, over the points that the sight does not look at; in units. `x` is a row as above.
  std::vector<double> unobserved_error(sda::host_array<double> const& x, sight const& seen) const;
};

/// Reads all members of files; `truth` is taken out unless it is negative. Without variables, those that the first file has.
ensemble_case read_ensemble(std::vector<std::string> const& files, std::vector<std::string> variables, std::vector<int> levels, hours t, int truth);

/// A row of numbers point * channels + channel as a state [channels, points].
std::vector<float> as_fields(sda::host_array<double> const& x, index_t row, index_t channels);

}  // namespace appa
