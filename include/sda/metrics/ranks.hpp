// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/metrics/table.hpp>

#include <cmath>
#include <limits>

namespace sda {

/// The probability that a χ² variable of `freedom` degrees exceeds x: the regularised incomplete gamma Q(freedom / 2, x / 2).
inline double chi_square_tail(double x, double freedom) {
  require(x >= 0 && freedom > 0, "chi_square_tail: x = ", x, ", ", freedom, " degrees of freedom");
  double const a = freedom / 2, h = x / 2, tiny = 1e-300, precision = std::numeric_limits<double>::epsilon();
  if (h == 0) return 1;
  double const front = std::exp(a * std::log(h) - h - std::lgamma(a));
  if (h < a + 1) {  // P by its series
    double term = 1 / a, sum = term;
    for (double n = a + 1; term > sum * precision; n += 1) sum += term *= h / n;
    return 1 - front * sum;
  }
  double b = h + 1 - a, c = 1 / tiny, d = 1 / b, q = d;  // Q by its continued fraction (modified Lentz)
  for (int n = 1; n < 100000; ++n) {
    double const an = -n * (n - a);
    b += 2;
    d = an * d + b;
    c = b + an / c;
    d = 1 / (std::abs(d) < tiny ? tiny : d);
    if (std::abs(c) < tiny) c = tiny;
    q *= d * c;
    if (std::abs(d * c - 1) < precision) break;
  }
  return front * q;
}

/// How often the truth falls between the members: flat when truth and members are drawn alike (Hamill, 2001).
class rank_histogram {
 public:
  explicit rank_histogram(index_t members) : counts_(static_cast<std::size_t>(members + 1)) {
    require(members >= 1, "rank_histogram: ", members, " members");
  }

  /// Counts every column; among equals the rank is drawn, uniform(k, 0, column). Columns whose truth is NaN (not observed)
  /// are passed over; NaN members are an error.
  void add(host_table const& e, std::span<double const> truth, key k) {
    detail::check_table(e, truth);
    require(e.members + 1 == index_t(counts_.size()), "rank_histogram: ", e.members, " members where ", counts_.size() - 1, " were expected");
    for (index_t c = 0; c < e.columns; ++c) {
      double const y = truth[std::size_t(c)];
      if (std::isnan(y)) continue;
      index_t below = 0, equal = 0;
      for (index_t m = 0; m < e.members; ++m) {
        require(!std::isnan(e(m, c)), "rank_histogram: member ", m, " is NaN at column ", c);
        below += e(m, c) < y;
        equal += e(m, c) == y;
      }
      ++counts_[std::size_t(below + index_t(uniform(k, 0, c) * double(equal + 1)))];
    }
  }

  /// Adds what was counted elsewhere, by rank.
  void add_counts(std::span<index_t const> ranks) {
    require(ranks.size() == counts_.size(), "rank_histogram: ", ranks.size(), " ranks where ", counts_.size(), " were expected");
    for (std::size_t r = 0; r < ranks.size(); ++r) counts_[r] += ranks[r];
  }

  /// counts()[r]: how often r members were below the truth.
  std::span<index_t const> counts() const { return counts_; }
  index_t total() const {
    index_t sum = 0;
    for (index_t const n : counts_) sum += n;
    return sum;
  }
  /// Σ (count - expected)² / expected against a flat histogram.
  double chi_square() const {
    double const expected = double(total()) / double(counts_.size());
    require(expected > 0, "rank_histogram: nothing was counted");
    double sum = 0;
    for (index_t const n : counts_) sum += (double(n) - expected) * (double(n) - expected) / expected;
    return sum;
  }
  /// How likely a flat histogram looks at least as uneven, if the counted cases were independent.
  double p_value() const { return chi_square_tail(chi_square(), double(counts_.size() - 1)); }

 private:
  std::vector<index_t> counts_;
};

}  // namespace sda
