// SPDX-License-Identifier: Apache-2.0
#include "evaluate/observed.hpp"

#include "data/dataset.hpp"

#include <sda/metrics/crps.hpp>
#include <sda/metrics/spread_skill.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace appa {

using nlohmann::json;
using sda::require;

std::vector<char> observed_run::points(hours t, channel const& c) const {
  std::vector<char> out(static_cast<std::size_t>(states.where.points()));
  index_t const channels = states.channels.size(), own = states.channels.index_of(c);
  auto const seen = assimilated(t);
  for (std::size_t i = 0; i < seen.columns.size(); ++i)
    if (seen.columns[i] % channels == own && (seen.weights.empty() || seen.weights[i] != 0)) out[std::size_t(seen.columns[i] / channels)] = 1;
  return out;
}

observed_run observed_by(json const& about, std::shared_ptr<archive const> data, statistics const& standard, std::vector<char> const& sea) {
  auto const list = about.value(json::json_pointer("/configuration/observations"), json());
  auto const when = about.value("observations", json::object());
  require(list.is_array() && when.contains("first") && when.contains("hours"), "run.json says nothing of observations");
  hours const first = hours_of(parse_date(when.at("first"))), size = when.at("hours");
  observed_run out{{data->where(), data->channels(), standard, sea}, {}, {first, first + size - 1}};
  auto const truth = [data, standard](hours t) { return dataset(data, {t, t}, {}, standard)[0].values; };
  out.look = observe_by(list, out.states, truth, sda::key{about.value("seed", std::uint64_t{0})}.fold(0));   // as tasks do
  return out;
}

namespace {

struct residuals {
  index_t count = 0;
  double square = 0, bias = 0, expected = 0, crps = 0;
};

// A member's standardised state, [points, channels].
std::vector<float> standardised(trajectories const& run, observed_run const& seen, hours t, index_t member) {
  std::size_t const points = std::size_t(run.where().points()), channels = std::size_t(seen.states.channels.size());
  auto const list = seen.states.channels.list();
  std::vector<float> one(points), state(points * channels);
  for (std::size_t c = 0; c < channels; ++c) {
    run.read(list[c], t, member, one.data());
    double const mean = seen.states.standard.mean[c], deviation = seen.states.standard.deviation[c];
    for (std::size_t p = 0; p < points; ++p) state[p * channels + c] = std::isnan(one[p]) ? 0 : float((double(one[p]) - mean) / deviation);
  }
  return state;
}

double seen_of(std::vector<float> const& state, sight const& s, std::size_t i) {
  double sum = 0;
  for (std::size_t k = i * std::size_t(s.corners); k < (i + 1) * std::size_t(s.corners); ++k)
    sum += (s.weights.empty() ? 1.0 : double(s.weights[k])) * double(state[std::size_t(s.columns[k])]);
  return sum;
}

}  // namespace

json at_left_out(trajectories const& run, observed_run const& seen) {
  std::map<std::string, residuals> by_variable;
  for (hours const t : run.times()) {
    auto const left = seen.at(t).of(fate::left_out);
    std::size_t const n = std::size_t(left.seen.count());
    if (n == 0) continue;
    sda::host_table members{run.members(), index_t(n), {}};
    for (index_t m = 0; m < run.members(); ++m) {
      auto const state = standardised(run, seen, t, m);
      for (std::size_t i = 0; i < n; ++i) members.values.push_back(seen_of(state, left.seen, i));
    }
    std::vector<double> const values(left.seen.values.begin(), left.seen.values.end());
    bool const several = run.members() > 1;
    auto const mean = sda::mean_of_members(members), scores = sda::crps(members, values, several ? sda::crps_kind::fair : sda::crps_kind::standard);
    auto const spread2 = several ? sda::variance_of_members(members) : std::vector<double>(n, 0.0);
    double const more = double(run.members() + 1) / double(run.members());
    for (std::size_t i = 0; i < n; ++i) {
      auto const& report = left.reports[i];
      double const r = double(left.seen.variances[i]), unit = report.error / std::sqrt(r), d = (mean[i] - values[i]) * unit;
      auto& sum = by_variable[report.what->name];
      ++sum.count, sum.square += d * d, sum.bias += d, sum.crps += scores[i] * unit, sum.expected += (more * spread2[i] + r) * unit * unit;
    }
  }
  json out = json::array();
  for (auto const& [name, sum] : by_variable) {
    double const n = double(sum.count);
    out.push_back({{"variable", name}, {"count", sum.count}, {"rmse", std::sqrt(sum.square / n)}, {"bias", sum.bias / n}, {"crps", sum.crps / n},
                   {"expected", std::sqrt(sum.expected / n)}});
  }
  return out;
}

}  // namespace appa
