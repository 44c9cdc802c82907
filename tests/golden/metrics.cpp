// SPDX-License-Identifier: Apache-2.0
#include <golden.hpp>
#include <sda/metrics/crps.hpp>
#include <sda/metrics/latitude_weights.hpp>
#include <sda/metrics/spread_skill.hpp>

using namespace sda;
using sda_test::distance;
using sda_test::golden;
using state = host_array<double>;

namespace {

/// The stored ensemble (member, date, lead, latitude, longitude) and truth, cut into cases of one date and lead.
struct cases {
  index_t members, dates, leads, points;
  std::vector<double> ensemble, truth;

  explicit cases(golden const& g)
      : members(g.config.at("ensemble_size")), dates(g.config.at("dates")), leads(g.config.at("lead_times")),
        points(g.config.at("grid").at(0).get<index_t>() * g.config.at("grid").at(1).get<index_t>()), ensemble(g["inputs/ensemble"].as<double>()),
        truth(g["inputs/truth"].as<double>()) {}

  host_table table(index_t date, index_t lead) const {
    host_table e{members, points, {}};
    for (index_t m = 0; m < members; ++m) {
      auto const first = ensemble.begin() + ((m * dates + date) * leads + lead) * points;
      e.values.insert(e.values.end(), first, first + points);
    }
    return e;
  }
  std::span<double const> truth_of(index_t date, index_t lead) const {
    return std::span<double const>(truth).subspan(std::size_t((date * leads + lead) * points), std::size_t(points));
  }
};

std::vector<double> area_weights(golden const& g) {
  index_t const height = g.config.at("grid").at(0), width = g.config.at("grid").at(1);
  std::vector<double> latitudes, weights;
  for (index_t i = 0; i < height; ++i) latitudes.push_back(90 - 180 * double(i) / double(height - 1));
  for (double const w : latitude_weights(latitudes)) weights.insert(weights.end(), std::size_t(width), w);
  return weights;
}

}  // namespace

TEST_CASE("golden metrics: latitude weights, crps, spread and skill by region") {
  auto const files = sda_test::golden_files("metrics_");
  if (files.empty()) SDA_SKIP("no metrics_* reference values");
  for (auto const& file : files) {
    golden const g(file);
    cases const c(g);
    auto const area = area_weights(g);
    index_t const width = g.config.at("grid").at(1);
    state const stored = g.array("outputs/latitude_weights");
    for (index_t i = 0; i < stored.size(); ++i) CHECK(area[std::size_t(i * width)] == Approx(stored(i)).epsilon(g.tolerance()));

    for (std::string const region : {"global", "ocean"}) {
      INFO(file << ": " << region);
      auto weights = area;
      auto const mask = g["inputs/ocean_mask"].as<double>();
      if (region == "ocean")
        for (std::size_t i = 0; i < weights.size(); ++i) weights[i] *= mask[i];

      state score(c.dates, c.leads), skill(c.dates, c.leads), spread(c.dates, c.leads), variance(c.dates, c.leads), error(c.dates, c.leads);
      state over_dates(4, c.leads);  // crps, skill, spread, ratio
      for (index_t lead = 0; lead < c.leads; ++lead) {
        spread_skill total;
        for (index_t date = 0; date < c.dates; ++date) {
          auto const e = c.table(date, lead);
          auto const y = c.truth_of(date, lead);
          auto const terms = crps_terms_of(e, y);
          score(date, lead) = weighted_mean(crps(e, y), weights);
          skill(date, lead) = weighted_mean(terms.skill, weights);
          spread(date, lead) = weighted_mean(terms.spread, weights);
          variance(date, lead) = mean_variance(e, weights);
          error(date, lead) = mean_squared_error(mean_of_members(e), y, weights);
          total.add(e, y, weights);
        }
        over_dates.col(lead) << score.col(lead).mean(), total.skill(), total.spread(), total.ratio();
      }
      auto const same = [&](state const& value, std::string const& expected) {
        INFO(expected);
        CHECK(distance(value, g.array("outputs/" + region + "/" + expected)) < g.tolerance());
      };
      same(score, "crps");
      same(skill, "crps_skill");
      same(spread, "crps_spread");
      same(variance, "ensemble_variance");
      same(error, "mean_squared_error_of_mean");
      same(over_dates.row(0), "crps_mean");
      same(over_dates.row(1), "skill");
      same(over_dates.row(2), "spread");
      same(over_dates.row(3), "spread_skill_ratio");
      same(over_dates.rowwise().mean().transpose(), "time_average");
    }
  }
}
