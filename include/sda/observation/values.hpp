// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>

#include <map>

namespace sda {

/// What a NaN among the values means: a mistake, or an instrument that was silent.
enum class missing { is_error, is_dropped };
/// What two values of one column mean: a mistake, or two looks at the same number with independent errors.
enum class repeated { is_error, is_averaged };

/// Values from the host, as they come from files: values[i] was seen of column columns[i] with variances[i].
struct raw_values {
  std::span<std::int64_t const> columns;
  std::span<double const> values, variances;
};

namespace detail {
struct seen_value {
  double value, variance;
};
// The usable ones, in the order of their first appearance.
inline void collect(raw_values const& raw, missing nan, repeated twice, std::vector<std::int64_t>& at, std::vector<seen_value>& seen) {
  require(raw.values.size() == raw.columns.size() && raw.variances.size() == raw.columns.size(), "observed: ", raw.columns.size(), " columns, ",
          raw.values.size(), " values, ", raw.variances.size(), " variances");
  std::map<std::int64_t, std::size_t> place;
  for (std::size_t i = 0; i < raw.columns.size(); ++i) {
    double const y = raw.values[i], v = raw.variances[i];
    if (std::isnan(y) && nan == missing::is_dropped) continue;
    require(std::isfinite(y), "observed: value ", i, " (column ", raw.columns[i], ") is ", y);
    require(v > 0 && std::isfinite(v), "observed: the variance of value ", i, " (column ", raw.columns[i], ") is ", v);
    auto const [where, is_new] = place.try_emplace(raw.columns[i], seen.size());
    if (is_new) {
      at.push_back(raw.columns[i]);
      seen.push_back({y, v});
      continue;
    }
    require(twice == repeated::is_averaged, "observed: value ", i, " is another of column ", raw.columns[i]);
    // two independent looks weigh like one of the precision of both
    seen_value& s = seen[where->second];
    double const variance = 1 / (1 / s.variance + 1 / v);
    s = {variance * (s.value / s.variance + y / v), variance};
  }
}
}  // namespace detail

/// Columns of states of `width` with their values and variances as an observation, by an explicit policy for NaN and for
/// repeated columns. All may be missing: an observation of nothing is legal. Infinite values and variances that are not
/// positive are errors, with their numbers.
template <State S>
observation<masked<S>, S, diagonal_error<S>> observed(S const& like, index_t width, raw_values const& raw, missing nan,
                                                      repeated twice = repeated::is_error) {
  std::vector<std::int64_t> at;
  std::vector<detail::seen_value> seen;
  detail::collect(raw, nan, twice, at, seen);
  std::vector<value_t<S>> values;
  std::vector<double> variances;
  for (auto const& s : seen) {
    values.push_back(value_t<S>(s.value));
    variances.push_back(s.variance);
  }
  S y = zeros(like, 1, index_t(at.size()));
  load(y, std::span<value_t<S> const>(values));
  return {masked<S>(like, at, width), std::move(y), diagonal_error<S>(like, variances)};
}

}  // namespace sda
