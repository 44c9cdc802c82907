// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/grid.hpp"

#include <sda/core/random.hpp>
#include <sda/metrics/table.hpp>

#include <array>
#include <cmath>
#include <span>
#include <string>
#include <vector>

namespace appa {

/// A part of the globe: the area of every point in it, 0 for those outside.
struct region {
  std::string name;
  std::vector<double> weights;
};
/// global, tropics (20° and nearer to the equator), north and south of them and, where there is a sea, ocean.
std::vector<region> regions_of(grid const& g, std::vector<char> const& sea = {});

/// What is averaged over a region, of one case: the squared error of the mean of the members, their variance, CRPS (fair) and its
/// terms E|X - y| and E|X - X'|, error of the mean, and correlation of anomalies.
enum class measure { squared_error, variance, crps, crps_skill, crps_spread, bias, correlation };
inline constexpr std::array measure_names{"squared_error_of_mean", "variance", "crps", "crps_skill", "crps_spread", "bias", "anomaly_correlation"};
inline constexpr index_t measures = index_t(measure_names.size());

/// Column by column the mean of the members, their variance (NaN of one), and the terms E|X - y| and E|X - X'| of CRPS (fair; of one member
/// the absolute error). `mirrored` members, 1 and 2, 3 and 4, ..., are opposite about the mean, so that it has no sampling error: their
/// variance is Σ (x - mean)² / M, and E|X - X'| is over members of different pairs; else Σ (x - mean)² / (M - 1), and over all.
struct column_scores {
  std::vector<double> mean, variance, crps_skill, crps_spread;
  double crps(std::size_t c) const { return crps_skill[c] - crps_spread[c] / 2; }
};
column_scores scores_of_columns(sda::host_table const& e, std::span<double const> truth, bool mirrored);

/// Area means of an ensemble at one hour, over several regions: regions x measures numbers. Points where anything is NaN do not count; a
/// region without points gives NaN, as do spread of one member and correlation without a climate. `mirrored` as above.
std::vector<double> area_means(sda::host_table const& e, std::span<double const> truth, std::span<double const> climate,
                               std::span<region const> regions, bool mirrored = false);

/// What is said of a lead, channel and region over all cases: squares are averaged over cases, then rooted; the rest is averaged.
/// `ratio` is √((M + 1) / M) spread / rmse; of mirrored members, whose mean has no sampling error, spread / rmse.
struct summary {
  double rmse, spread, ratio, crps, bias, correlation;
  index_t cases;
};
inline constexpr std::array summary_names{"rmse", "spread", "spread_skill_ratio", "crps", "bias", "anomaly_correlation"};

/// Area means of every case, as a table that grows by cases. What was never put is NaN.
class score_table {
 public:
  score_table(index_t members, index_t leads, index_t channels, index_t regions, bool mirrored = false)
      : mirrored_(mirrored), members_(members), leads_(leads), channels_(channels), regions_(regions), counts_(std::size_t(leads * channels * (members + 1))) {}

  index_t members() const { return members_; }
  index_t cases() const { return index_t(values_.size()) / size_of_case(); }
  index_t leads() const { return leads_; }
  index_t channels() const { return channels_; }
  index_t regions() const { return regions_; }

  void begin_case() { values_.resize(values_.size() + std::size_t(size_of_case()), std::nan("")); }
  /// Those of area_means, into the last case.
  void put(index_t lead, index_t channel, std::vector<double> const& means);
  double operator()(index_t of_case, index_t lead, index_t channel, index_t region, measure m) const {
    return values_[std::size_t(((((of_case * leads_ + lead) * channels_ + channel) * regions_ + region) * measures) + index_t(m))];
  }

  /// Counts where the truth falls among the members. A point counts with the probability of its weight over the largest, so that
  /// counts are those of equal areas.
  void rank(index_t lead, index_t channel, sda::host_table const& e, std::span<double const> truth, std::span<double const> weights, sda::key k);
  /// How often r members were below the truth, r = 0 ... members; of one lead, or with -1 of all.
  std::vector<index_t> ranks(index_t lead, index_t channel) const;

  summary at(index_t lead, index_t channel, index_t region) const;
  /// The means of at(lead) over leads that have one: of roots, not of squares.
  summary over_leads(index_t channel, index_t region) const;

 private:
  bool mirrored_;
  index_t members_, leads_, channels_, regions_;
  std::vector<double> values_;
  std::vector<index_t> counts_;   // lead, channel, rank

  index_t size_of_case() const { return leads_ * channels_ * regions_ * measures; }
};

/// The numbers of a summary, in the order of summary_names.
inline std::array<double, summary_names.size()> numbers(summary const& s) { return {s.rmse, s.spread, s.ratio, s.crps, s.bias, s.correlation}; }

}  // namespace appa
