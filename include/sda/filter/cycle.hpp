// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/filter/ensemble.hpp>
#include <sda/metrics/crps.hpp>
#include <sda/metrics/ranks.hpp>
#include <sda/metrics/rmse.hpp>
#include <sda/metrics/spread_skill.hpp>
#include <sda/model/simulate.hpp>

namespace sda {

/// Forecast and analysis in turns, `count` times: e is carried to the time of observation i by the model, a step or
/// `steps` of them, and seen(i) is assimilated; observe(i, e) then sees the analysis. Draws come from k.fold(i). Filters that
/// ask for the analysis before (enff's path from it) are given it.
template <State S, Model<S> M, class F, class Seen, class Observer>
void cycle(F const& filter, S& e, index_t count, M const& model, index_t steps, Seen const& seen, key k, Observer&& observe) {
  for (index_t i = 0; i < count; ++i) {
    key const draws = k.fold(std::uint64_t(i));
    S const before = clone(e);
    for (index_t s = 0; s < steps; ++s) e = advance(model, e, draws.fold(std::uint64_t(s) + 1));
    auto const o = seen(i);
    if constexpr (requires { filter.analyse(e, before, o, draws); }) filter.analyse(e, before, o, draws.fold(0));
    else filter.analyse(e, o, draws.fold(0));
    observe(i, std::as_const(e));
  }
}

/// What a run of analyses scored: means over time of the error of the ensemble mean, of the spread (each the root of a mean
/// square over columns) and of the CRPS, the rank histogram, and how often the error was beyond what counts as lost.
class cycle_scores {
 public:
  cycle_scores(index_t members, double lost_beyond) : ranks_(members), lost_beyond_(lost_beyond) {}

  template <State S> void add(S const& e, std::span<double const> truth) {
    host_table const members = to_host(e);
    double const error = sda::rmse(members, truth), variance = mean_variance(members);
    ranks_.add(members, truth, key{});
    ++cycles_;
    rmse_ += error, spread_ += std::sqrt(variance), square_ += error * error, variance_ += variance, lost_ += !(error <= lost_beyond_);
    crps_ += weighted_mean(sda::crps(members, truth));
  }
  /// An estimate that is a Gaussian for every column; it has no ranks.
  void add(std::span<double const> estimate, std::span<double const> deviation, std::span<double const> truth) {
    require(deviation.size() == truth.size(), "cycle_scores: ", deviation.size(), " deviations for ", truth.size(), " columns");
    double const error = sda::rmse(estimate, truth), n = double(truth.size());
    double variance = 0;
    for (std::size_t c = 0; c < truth.size(); ++c) {
      variance += deviation[c] * deviation[c] / n;
      crps_ += crps_gaussian(estimate[c], deviation[c], truth[c]) / n;
    }
    ++cycles_;
    rmse_ += error, spread_ += std::sqrt(variance), square_ += error * error, variance_ += variance, lost_ += !(error <= lost_beyond_);
  }
  index_t cycles() const { return cycles_; }
  double rmse() const { return mean(rmse_); }
  double spread() const { return mean(spread_); }
  double crps() const { return mean(crps_); }
  double lost() const { return mean(double(lost_)); }
  /// √ of mean variance (for M members times (M + 1) / M) over mean square error: 1 when calibrated.
  double spread_skill() const {
    double const n = double(ranks_.counts().size() - 1), factor = ranks_.total() > 0 ? (n + 1) / n : 1;
    return std::sqrt(factor * variance_ / square_);
  }
  rank_histogram const& ranks() const { return ranks_; }

 private:
  double mean(double sum) const {
    require(cycles_ > 0, "cycle_scores: nothing was scored");
    return sum / double(cycles_);
  }
  rank_histogram ranks_;
  double lost_beyond_, rmse_ = 0, spread_ = 0, crps_ = 0, square_ = 0, variance_ = 0;
  index_t cycles_ = 0, lost_ = 0;
};

}  // namespace sda
