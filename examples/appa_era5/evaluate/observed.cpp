// SPDX-License-Identifier: Apache-2.0
#include "evaluate/observed.hpp"

#include "data/dataset.hpp"
#include "data/sea.hpp"
#include "evaluate/scores.hpp"
#include "observe/earlier_run.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace appa {

using nlohmann::json;
using sda::require;

std::vector<char> observed_run::points(hours t, channel_set const& channels) const {
  index_t const points = states.where.points(), own = states.channels.size();
  std::vector<index_t> place;
  for (auto const& c : states.channels.list()) place.push_back(channels.index_of(c));
  std::vector<char> out(std::size_t(channels.size() * points));
  auto const seen = assimilated(t);
  for (std::size_t i = 0; i < seen.columns.size(); ++i)
    if (index_t const c = place[std::size_t(seen.columns[i] % own)]; c >= 0 && (seen.weights.empty() || seen.weights[i] != 0))
      out[std::size_t(c * points + seen.columns[i] / own)] = 1;
  return out;
}

namespace {

// Of all that was assimilated, as a task's run.json has it.
std::string digest_of(observed_run const& seen, int step) {
  fingerprint out;
  for (hours t = seen.looked.first; t <= seen.looked.last; t += step) add(out, seen.assimilated(t));
  return out.words();
}

}  // namespace

observed_run observed_by(json const& about, std::shared_ptr<archive const> data, statistics const& standard, std::string const& folder) {
  auto const list = about.value(json::json_pointer("/configuration/observations"), json());
  auto const when = about.value("observations", json::object());
  require(list.is_array() && when.contains("first") && when.contains("hours"), "run.json says nothing of observations");
  hours const first = hours_of(parse_date(when.at("first"))), size = when.at("hours");
  observed_run out{{data->where(), data->channels(), standard, sea_of(*data)}, {}, {first, first + size - 1}};
  auto const truth = [data, standard](hours t) { return dataset(data, {t, t}, {}, standard)[0].values; };
  std::function<background(hours)> prior;
  if (when.contains("prior")) {
    auto const before = std::filesystem::path(folder) / when.at("prior").get<std::string>();
    require(std::filesystem::exists(before), before.string(), ", by whose spread gross errors were told, is not there");
    prior = believed_by(before, out.states);
  }
  out.look = observe_by(list, out.states, truth, sda::key{about.value("seed", std::uint64_t{0})}.fold(0), prior);   // as tasks do
  if (int const step = about.value("step", 1); when.contains("digest") && data->missing(out.looked, step).empty()) {
    auto const digest = digest_of(out, step);
    require(when.at("digest") == digest, "the observations from ", text(first), " on, made anew, have the digest ", digest, ", and run.json says ",
            when.at("digest").get<std::string>(), ": other states, statistics or files of observations than the run looked at");
  }
  return out;
}

void observed_beside::add(trajectories const& run, std::shared_ptr<observed_run const> seen) { all_.push_back({run.path(), run.last_seen(), std::move(seen)}); }

std::vector<observed_run const*> observed_beside::beside(trajectories const& run) const {
  std::vector<observed_run const*> out;
  for (auto const& other : all_)
    if ((run.assimilated() == 0 || other.last_seen == run.last_seen()) && std::find(out.begin(), out.end(), other.seen.get()) == out.end())
      out.push_back(other.seen.get());
  return out;
}

std::vector<char> observed_beside::points(trajectories const& run, hours t, channel_set const& channels) const {
  std::vector<char> out(std::size_t(channels.size() * run.where().points()));
  for (auto const* const seen : beside(run)) {
    auto const some = seen->points(t, channels);
    std::transform(out.begin(), out.end(), some.begin(), out.begin(), std::bit_or<char>());
  }
  return out;
}

observed_run const* observed_beside::of(trajectories const& run) const {
  for (auto const& [path, last_seen, seen] : all_)
    if (path == run.path()) return seen.get();
  auto const others = beside(run);
  return others.empty() ? nullptr : others.front();
}

namespace {

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

void left_out_scores::add(trajectories const& run, observed_run const& seen) {
  bool const several = run.members() > 1;
  double const more = run.mirrored() ? 1 : double(run.members() + 1) / double(run.members());
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
    auto const scores = scores_of_columns(members, values, run.mirrored());
    for (std::size_t i = 0; i < n; ++i) {
      auto const& report = left.reports[i];
      double const r = double(left.seen.variances[i]), unit = report.error / std::sqrt(r), d = (scores.mean[i] - values[i]) * unit, spread2 = several ? scores.variance[i] : 0;
      auto& sum = of_[report.what->name];
      ++sum.count, sum.square += d * d, sum.bias += d, sum.crps += scores.crps(i) * unit, sum.expected += (more * spread2 + r) * unit * unit;
    }
  }
}

json left_out_scores::by_variable() const {
  json out = json::array();
  for (auto const& [name, sum] : of_) {
    double const n = double(sum.count);
    out.push_back({{"variable", name}, {"count", sum.count}, {"rmse", std::sqrt(sum.square / n)}, {"bias", sum.bias / n}, {"crps", sum.crps / n},
                   {"expected", std::sqrt(sum.expected / n)}});
  }
  return out;
}

}  // namespace appa
