// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "climatology.hpp"

#include <sda/metrics/crps.hpp>
#include <sda/metrics/ranks.hpp>
#include <sda/metrics/spread_skill.hpp>

#include <cstdio>
#include <ostream>

namespace lorenz96 {

/// Members of an ensemble of one window: each row one member, columns step-major.
using members = sda::host_array<float>;

/// What one method made of all windows, against the truth. RMSE is the mean over steps of the error over the ring.
class scores {
 public:
  /// `variable` is its place in a file; the rank histogram is that of ensembles of `size`.
  scores(std::string name, std::string variable, index_t length, index_t size)
      : name_(std::move(name)), variable_(std::move(variable)), rmse_(std::size_t(length), 0.0), ranks_(std::size_t(size + 1), 0) {}

  /// A window's ensemble.
  void add(trajectory const& truth, members const& x) {
    auto const e = sda::to_host(x);
    std::span<double const> const y(truth.data(), std::size_t(truth.size()));
    bool const one = e.members == 1;
    auto const per_number = sda::crps(e, y, one ? sda::crps_kind::standard : sda::crps_kind::fair);
    sda::rank_histogram ranks(e.members);
    ranks.add(e, y, sda::key{});
    for (std::size_t r = 0; r < ranks_.size(); ++r) ranks_[r] += ranks.counts()[r];
    double const variance = one ? 0 : sda::mean_variance(e) * double(e.members + 1) / double(e.members);
    add(truth, sda::mean_of_members(e), std::accumulate(per_number.begin(), per_number.end(), 0.0), variance);
  }
  /// A window's Gaussian; its rank is the bin of the distribution function.
  void add(trajectory const& truth, gaussian_estimate const& g) {
    double crps = 0, variance = 0;
    for (index_t c = 0; c < truth.size(); ++c) {
      double const mean = g.mean.data()[c], s = g.spread.data()[c], y = truth.data()[c];
      crps += sda::crps_gaussian(mean, s, y);
      variance += s * s / double(truth.size());
      double const below = s > 0 ? 0.5 * std::erfc((mean - y) / (s * std::numbers::sqrt2)) : y > mean;
      ++ranks_[std::min(ranks_.size() - 1, std::size_t(below * double(ranks_.size())))];
    }
    add(truth, {g.mean.data(), g.mean.data() + g.mean.size()}, crps, variance);
  }

  std::string const& name() const { return name_; }
  std::string const& variable() const { return variable_; }
  /// RMSE at each step of the window.
  std::vector<double> by_position() const {
    std::vector<double> out = rmse_;
    for (double& x : out) x /= double(windows_);
    return out;
  }
  /// Of steps [first, last) of the window.
  double rmse(index_t first, index_t last) const {
    return std::accumulate(rmse_.begin() + first, rmse_.begin() + last, 0.0) / double((last - first) * windows_);
  }
  double rmse() const { return rmse(0, length()); }
  double rmse_first() const { return rmse(0, 1); }
  /// The middle half of the window.
  double rmse_middle() const { return rmse(length() / 4, length() - length() / 4); }
  double rmse_last() const { return rmse(length() - 1, length()); }
  /// Of the window that was added last.
  double rmse_latest() const { return latest_; }
  double crps() const { return crps_ / double(windows_ * numbers_); }
  /// √ of the mean variance, for M members times (M + 1) / M: equal to the root mean square error when calibrated.
  double spread() const { return std::sqrt(variance_ / double(windows_)); }
  double spread_skill() const { return spread() / std::sqrt(square_error_ / double(windows_)); }
  std::vector<int> const& ranks() const { return ranks_; }
  /// χ² of the rank histogram per degree of freedom: about 1 if calibrated and cases were independent. Neighbours in space
  /// and time are not, hence somewhat more.
  double rank_chi2() const {
    double const expected = double(windows_ * numbers_) / double(ranks_.size());
    double sum = 0;
    for (int const n : ranks_) sum += (n - expected) * (n - expected) / expected;
    return sum / double(ranks_.size() - 1);
  }

 private:
  std::string name_, variable_;
  std::vector<double> rmse_;  // summed over windows, as all that follows
  std::vector<int> ranks_;
  index_t windows_ = 0, numbers_ = 0;
  double square_error_ = 0, variance_ = 0, crps_ = 0, latest_ = 0;

  index_t length() const { return index_t(rmse_.size()); }
  void add(trajectory const& truth, std::vector<double> const& mean, double crps, double variance) {
    std::size_t const ring = std::size_t(truth.cols());
    latest_ = 0;
    for (std::size_t t = 0; t < rmse_.size(); ++t) {
      double const square = sda::mean_squared_error(std::span(mean).subspan(t * ring, ring), {truth.data() + t * ring, ring});
      rmse_[t] += std::sqrt(square);
      latest_ += std::sqrt(square) / double(rmse_.size());
      square_error_ += square / double(rmse_.size());
    }
    ++windows_, numbers_ = truth.size();
    crps_ += crps, variance_ += variance;
  }
};

/// The table a run ends with.
inline void print_table(std::ostream& out, std::vector<scores> const& methods) {
  char line[200];
  std::snprintf(line, sizeof line, "%-24s %8s %8s %8s %8s %8s %8s %13s %10s\n", "method", "rmse", "first", "middle", "last", "crps", "spread",
                "spread/skill", "rank chi2");
  out << line;
  for (scores const& s : methods) {
    std::snprintf(line, sizeof line, "%-24s %8.3f %8.3f %8.3f %8.3f %8.3f %8.3f %13.2f %10.1f\n", s.name().c_str(), s.rmse(), s.rmse_first(),
                  s.rmse_middle(), s.rmse_last(), s.crps(), s.spread(), s.spread_skill(), s.rank_chi2());
    out << line;
  }
}

}  // namespace lorenz96
