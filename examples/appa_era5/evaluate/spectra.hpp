// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sphere/power.hpp"

#include <span>
#include <vector>

namespace appa {

/// Power by degree of many states: its mean and quantiles. A field with missing values has none.
class spectra {
 public:
  spectra(grid const& g, index_t channels, int top) : power_(g, top), points_(g.points()), channels_(channels) {}

  int top() const { return power_.top(); }
  index_t states() const { return index_t(samples_.size()); }
  /// A state: channels x points numbers.
  void add(std::span<float const> state);
  /// Degrees x channels.
  Eigen::MatrixXd mean() const;
  Eigen::MatrixXd quantile(double part) const;

 private:
  degree_power power_;
  index_t points_, channels_;
  std::vector<Eigen::MatrixXf> samples_;   // degrees x channels each
};

}  // namespace appa
