// SPDX-License-Identifier: Apache-2.0
#include "evaluate/spectra.hpp"

#include <sda/core/error.hpp>

#include <algorithm>
#include <limits>

namespace appa {

using Eigen::MatrixXd;

void spectra::add(std::span<float const> state) {
  sda::require(index_t(state.size()) == channels_ * points_, "spectra: a state of ", state.size(), " numbers for ", channels_, " channels of ", points_);
  MatrixXd const fields = Eigen::Map<Eigen::MatrixXf const>(state.data(), points_, channels_).cast<double>();
  MatrixXd power = power_(fields.array().isNaN().select(0.0, fields));
  for (index_t c = 0; c < channels_; ++c)
    if (fields.col(c).hasNaN()) power.col(c).setConstant(std::numeric_limits<double>::quiet_NaN());
  samples_.push_back(power.cast<float>());
}

MatrixXd spectra::mean() const {
  MatrixXd sum = MatrixXd::Zero(top() + 1, channels_);
  for (auto const& s : samples_) sum += s.cast<double>() / double(samples_.size());
  return sum;
}

// Between the two nearest in order, linearly.
MatrixXd spectra::quantile(double part) const {
  sda::require(!samples_.empty(), "spectra of nothing");
  MatrixXd out(top() + 1, channels_);
  std::vector<float> all(samples_.size());
  for (index_t i = 0; i < out.size(); ++i) {
    for (std::size_t s = 0; s < all.size(); ++s) all[s] = samples_[s].data()[i];
    std::sort(all.begin(), all.end());
    double const at = part * double(all.size() - 1);
    std::size_t const below = std::size_t(at);
    out.data()[i] = double(all[below]) + (at - double(below)) * double(all[std::min(below + 1, all.size() - 1)] - all[below]);
  }
  return out;
}

}  // namespace appa
