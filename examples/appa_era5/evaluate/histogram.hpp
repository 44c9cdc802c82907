// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace appa {

/// Weighted counts over even bins of [low, high], beside the exact mean and mean square of all values; those beyond lie in the bins at
/// the ends.
class histogram {
 public:
  histogram(double low, double high, std::size_t bins = 200) : low_(low), high_(high), counts_(bins) {
    sda::require(low < high && bins > 0, "a histogram of ", bins, " bins over [", low, ", ", high, "]");
  }

  void add(double x, double weight = 1) {
    if (!std::isfinite(x) || !(weight > 0)) return;
    double const place = (x - low_) / (high_ - low_) * double(counts_.size());
    counts_[std::size_t(std::clamp(place, 0.0, double(counts_.size()) - 0.5))] += weight;
    weight_ += weight, first_ += weight * x, second_ += weight * x * x;
  }

  bool empty() const { return weight_ == 0; }
  double low() const { return low_; }
  double high() const { return high_; }
  std::vector<double> const& counts() const { return counts_; }
  /// The middle of a bin.
  double at(std::size_t bin) const { return low_ + (double(bin) + 0.5) * (high_ - low_) / double(counts_.size()); }
  double mean() const { return first_ / weight_; }
  double root_mean_square() const { return std::sqrt(second_ / weight_); }
  /// The value below which a part of all weight lies, evenly spread within bins; NaN of nothing.
  double quantile(double part) const {
    double below = 0;
    for (std::size_t b = 0; b < counts_.size(); ++b) {
      if (counts_[b] > 0 && below + counts_[b] >= part * weight_) return at(b) + ((part * weight_ - below) / counts_[b] - 0.5) * (high_ - low_) / double(counts_.size());
      below += counts_[b];
    }
    return std::nan("");
  }

 private:
  double low_, high_;
  std::vector<double> counts_;
  double weight_ = 0, first_ = 0, second_ = 0;
};

}  // namespace appa
