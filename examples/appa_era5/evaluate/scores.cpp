// SPDX-License-Identifier: Apache-2.0
#include "evaluate/scores.hpp"

#include <sda/metrics/crps.hpp>
#include <sda/metrics/ranks.hpp>
#include <sda/metrics/spread_skill.hpp>

#include <algorithm>
#include <cmath>

namespace appa {

using sda::require;

std::vector<region> regions_of(grid const& g, std::vector<char> const& sea) {
  auto const area = area_weights(g);
  auto const part = [&](std::string name, auto const& inside) {
    std::vector<double> of_rows(area);
    for (std::size_t i = 0; i < of_rows.size(); ++i)
      if (!inside(g.latitudes[i])) of_rows[i] = 0;
    return region{std::move(name), over_points(g, of_rows)};
  };
  double constexpr edge = 20;
  std::vector<region> all{part("global", [](double) { return true; }), part("tropics", [](double y) { return std::abs(y) <= edge; }),
                          part("north", [](double y) { return y > edge; }), part("south", [](double y) { return y < -edge; })};
  if (std::find(sea.begin(), sea.end(), 0) == sea.end() || std::find(sea.begin(), sea.end(), 1) == sea.end()) return all;
  require(index_t(sea.size()) == g.points(), "regions: a sea of ", sea.size(), " points on a grid of ", g.points());
  all.push_back({"ocean", all[0].weights});
  for (std::size_t i = 0; i < sea.size(); ++i)
    if (!sea[i]) all.back().weights[i] = 0;
  return all;
}

namespace {

double correlation_of(std::span<double const> mean, std::span<double const> truth, std::span<double const> climate, std::span<double const> weights) {
  double both = 0, own = 0, true_ = 0;
  for (std::size_t i = 0; i < mean.size(); ++i) {
    if (weights[i] <= 0) continue;
    double const f = mean[i] - climate[i], o = truth[i] - climate[i];
    both += weights[i] * f * o, own += weights[i] * f * f, true_ += weights[i] * o * o;
  }
  return own > 0 && true_ > 0 ? both / std::sqrt(own * true_) : std::nan("");
}

// The variance of M mirrored members from Σ (x - mean)² / (M - 1), and their E|X - X'| from that over all M (M - 1) pairs.
void leave_partners_out(sda::host_table const& e, std::vector<double>& variance, std::vector<double>& spread) {
  double const m = double(e.members);
  require(e.members % 2 == 0 && e.members >= 4, "mirrored members: ", e.members, " members are not two or more pairs");
  for (std::size_t c = 0; c < variance.size(); ++c) {
    double partners = 0;
    for (index_t i = 0; i < e.members; i += 2) partners += 2 * std::abs(e(i, index_t(c)) - e(i + 1, index_t(c)));
    variance[c] *= (m - 1) / m;
    spread[c] = (spread[c] * m * (m - 1) - partners) / (m * (m - 2));
  }
}

}  // namespace

column_scores scores_of_columns(sda::host_table const& e, std::span<double const> truth, bool mirrored) {
  bool const several = e.members > 1;
  auto terms = sda::crps_terms_of(e, truth, several ? sda::crps_kind::fair : sda::crps_kind::standard);
  auto variance = several ? sda::variance_of_members(e) : std::vector<double>(truth.size(), std::nan(""));
  if (mirrored) leave_partners_out(e, variance, terms.spread);
  return {sda::mean_of_members(e), std::move(variance), std::move(terms.skill), std::move(terms.spread)};
}

std::vector<double> area_means(sda::host_table const& given, std::span<double const> given_truth, std::span<double const> climate,
                               std::span<region const> regions, bool mirrored) {
  std::size_t const n = given_truth.size();
  require(climate.empty() || climate.size() == n, "area_means: a climate of ", climate.size(), " points for ", n);
  std::vector<char> counts(n);
  sda::host_table e = given;
  std::vector<double> truth(given_truth.begin(), given_truth.end());
  for (std::size_t c = 0; c < n; ++c) {
    counts[c] = std::isfinite(truth[c]) && (climate.empty() || std::isfinite(climate[c]));
    for (index_t m = 0; m < e.members && counts[c]; ++m) counts[c] = std::isfinite(e(m, index_t(c)));
    if (counts[c]) continue;
    truth[c] = 0;
    for (index_t m = 0; m < e.members; ++m) e.values[std::size_t(m) * n + c] = 0;
  }
  auto const s = scores_of_columns(e, truth, mirrored);
  std::vector<double> error(n), square(n), score(n), weights;
  for (std::size_t c = 0; c < n; ++c) error[c] = s.mean[c] - truth[c], square[c] = error[c] * error[c], score[c] = s.crps(c);

  std::vector<double> out;
  for (auto const& r : regions) {
    require(r.weights.size() == n, "area_means: region ", r.name, " of ", r.weights.size(), " points for ", n);
    weights = r.weights;
    for (std::size_t c = 0; c < n; ++c)
      if (!counts[c]) weights[c] = 0;
    bool const any = std::any_of(weights.begin(), weights.end(), [](double w) { return w > 0; });
    for (std::vector<double> const* const field : std::array<std::vector<double> const*, 6>{&square, &s.variance, &score, &s.crps_skill, &s.crps_spread, &error})
      out.push_back(any ? sda::weighted_mean(*field, weights) : std::nan(""));
    out.push_back(climate.empty() ? std::nan("") : correlation_of(s.mean, truth, climate, weights));
  }
  return out;
}

void score_table::put(index_t lead, index_t channel, std::vector<double> const& means) {
  require(!values_.empty() && index_t(means.size()) == regions_ * measures, "score_table: ", means.size(), " means for ", regions_, " regions");
  std::copy(means.begin(), means.end(), values_.end() - (size_of_case() - (lead * channels_ + channel) * regions_ * measures));
}

void score_table::rank(index_t lead, index_t channel, sda::host_table const& e, std::span<double const> truth, std::span<double const> weights,
                       sda::key k) {
  double const largest = *std::max_element(weights.begin(), weights.end());
  std::vector<index_t> kept;
  for (index_t c = 0; c < e.columns; ++c) {
    bool keep = std::isfinite(truth[std::size_t(c)]) && sda::uniform(k, 1, c) * largest < weights[std::size_t(c)];
    for (index_t m = 0; m < e.members && keep; ++m) keep = std::isfinite(e(m, c));
    if (keep) kept.push_back(c);
  }
  sda::host_table some{e.members, index_t(kept.size()), {}};
  std::vector<double> some_truth;
  for (index_t const c : kept) some_truth.push_back(truth[std::size_t(c)]);
  for (index_t m = 0; m < e.members; ++m)
    for (index_t const c : kept) some.values.push_back(e(m, c));
  sda::rank_histogram counted(e.members);
  if (!kept.empty()) counted.add(some, some_truth, k);
  auto const first = counts_.begin() + (lead * channels_ + channel) * (members_ + 1);
  for (index_t r = 0; r <= members_; ++r) first[r] += counted.counts()[std::size_t(r)];
}

std::vector<index_t> score_table::ranks(index_t lead, index_t channel) const {
  std::vector<index_t> sum(static_cast<std::size_t>(members_ + 1));
  for (index_t l = lead < 0 ? 0 : lead; l < (lead < 0 ? leads_ : lead + 1); ++l)
    for (index_t r = 0; r <= members_; ++r) sum[std::size_t(r)] += counts_[std::size_t((l * channels_ + channel) * (members_ + 1) + r)];
  return sum;
}

summary score_table::at(index_t lead, index_t channel, index_t region) const {
  auto const mean = [&](measure m) {
    double sum = 0, n = 0;
    for (index_t c = 0; c < cases(); ++c)
      if (double const x = (*this)(c, lead, channel, region, m); !std::isnan(x)) sum += x, ++n;
    return std::pair{n > 0 ? sum / n : std::nan(""), index_t(n)};
  };
  auto const [error, n] = mean(measure::squared_error);
  double const rmse = std::sqrt(error), spread = std::sqrt(mean(measure::variance).first), m = double(members_);
  return {rmse, spread, (mirrored_ ? 1 : std::sqrt((m + 1) / m)) * spread / rmse, mean(measure::crps).first, mean(measure::bias).first, mean(measure::correlation).first, n};
}

summary score_table::over_leads(index_t channel, index_t region) const {
  std::array<double, summary_names.size()> sum{}, counts{};
  index_t cases = 0;
  for (index_t l = 0; l < leads_; ++l) {
    auto const s = at(l, channel, region);
    auto const x = numbers(s);
    for (std::size_t i = 0; i < x.size(); ++i)
      if (!std::isnan(x[i])) sum[i] += x[i], counts[i] += 1;
    cases = std::max(cases, s.cases);
  }
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = counts[i] > 0 ? sum[i] / counts[i] : std::nan("");
  return {sum[0], sum[1], sum[2], sum[3], sum[4], sum[5], cases};
}

}  // namespace appa
