// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/metrics/rmse.hpp>

namespace sda {

/// The variance of the members (divisor members - 1), column by column.
inline std::vector<double> variance_of_members(host_table const& e) {
  require(e.members >= 2, "variance_of_members: ", e.members, " member");
  auto const mean = mean_of_members(e);
  std::vector<double> variance(mean.size());
  for (index_t m = 0; m < e.members; ++m)
    for (index_t c = 0; c < e.columns; ++c) {
      double const anomaly = e(m, c) - mean[std::size_t(c)];
      variance[std::size_t(c)] += anomaly * anomaly / double(e.members - 1);
    }
  return variance;
}

/// ... and its weighted mean.
inline double mean_variance(host_table const& e, std::span<double const> weights = {}) { return weighted_mean(variance_of_members(e), weights); }

/// Spread and skill over many cases: squares are averaged over columns, then over cases, and rooted last.
class spread_skill {
 public:
  /// One case: an ensemble, its truth, and weights of the columns. Every case has as many members.
  void add(host_table const& e, std::span<double const> truth, std::span<double const> weights = {}) {
    detail::check_table(e, truth);
    require(cases_ == 0 || e.members == members_, "spread_skill: ", e.members, " members after cases of ", members_);
    double const variance = mean_variance(e, weights), error = mean_squared_error(mean_of_members(e), truth, weights);
    members_ = e.members;
    ++cases_;
    variance_ += variance;
    error_ += error;
  }
  index_t cases() const { return cases_; }
  /// √ of the mean ensemble variance.
  double spread() const { return root(variance_); }
  /// √ of the mean squared error of the ensemble mean.
  double skill() const { return root(error_); }
  /// √((M + 1) / M) spread / skill: 1 when truth and M members are drawn alike (Fortin et al., 2014).
  double ratio() const { return std::sqrt(double(members_ + 1) / double(members_)) * spread() / skill(); }

 private:
  double root(double sum) const {
    require(cases_ > 0, "spread_skill: no case was added");
    return std::sqrt(sum / double(cases_));
  }
  index_t members_ = 0, cases_ = 0;
  double variance_ = 0, error_ = 0;
};

}  // namespace sda
