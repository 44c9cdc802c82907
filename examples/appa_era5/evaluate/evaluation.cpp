// SPDX-License-Identifier: Apache-2.0
#include "evaluate/evaluation.hpp"

#include <algorithm>
#include <cmath>

namespace appa {

using sda::require;

namespace {

bool has_even_rows(grid const& g) {
  if (!g.is_global()) return false;
  auto const even = regular_grid(g.width(), g.height(), g.has_poles());
  return same(grid{g.latitudes, even.longitudes}, even);
}

// The range of the signed errors that are shown of a variable, as published.
double widest_error(std::string const& variable) {
  std::string const name = variable_of(variable).short_name;
  return name == "msl" ? 700 : name == "tp" ? 4e-3 : name == "sst" ? 20 : name == "z" ? 600 : name == "q" ? 5e-3 : 10;
}

std::vector<double> as_double(std::span<float const> x) { return {x.begin(), x.end()}; }

// One method's scores as they grow.
class scoring {
 public:
  scoring(evaluation& out, reference const& against, evaluation_options const& o) : out_(out), against_(against), o_(o) {
    grid const& g = against.truth->where();
    regions_ = regions_of(g, against.sea);
    if (against.seen) regions_.push_back({"unobserved", regions_[0].weights});
    for (auto const& r : regions_) out_.regions.push_back(r.name);
    list_ = against.truth->channels().list();
    for (auto const& c : list_) out_.errors.emplace_back(-widest_error(c.name), widest_error(c.name));
  }

  void add(trajectories const& run, hours t, index_t lead) {
    auto const& data = *against_.truth;
    std::size_t const points = std::size_t(data.where().points());
    std::vector<float> truth(list_.size() * points);
    data.read(t, 1, 1, truth.data());
    auto const normal = against_.normal ? against_.normal->at(t) : std::vector<float>();
    auto const seen = against_.seen ? against_.seen(run, t) : std::vector<char>();
    for (std::size_t c = 0; c < list_.size(); ++c) {
      auto const members = run.read(list_[c], t);
      auto const part = [&](std::vector<float> const& whole) { return as_double(std::span(whole).subspan(c * points, points)); };
      if (!seen.empty()) hide(std::span(seen).subspan(c * points, points));
      auto const true_field = part(truth);
      out_.scores.put(lead, index_t(c), area_means(members, true_field, normal.empty() ? std::vector<double>() : part(normal), regions_, out_.mirrored));
      auto const k = o_.key.fold(std::uint64_t(t)).fold(c);
      out_.scores.rank(lead, index_t(c), members, true_field, regions_[0].weights, k);
      auto const mean = sda::mean_of_members(members);
      for (std::size_t p = 0; p < points; ++p) out_.errors[c].add(mean[p] - true_field[p], regions_[0].weights[p]);
    }
  }

  void look(trajectories const& run, hours t) {
    std::size_t const points = std::size_t(against_.truth->where().points());
    std::vector<float> state(list_.size() * points);
    against_.truth->read(t, 1, 1, state.data());
    out_.of_truth.add(state);
    for (index_t m = 0; m < run.members(); ++m) {
      for (std::size_t c = 0; c < list_.size(); ++c) run.read(list_[c], t, m, state.data() + c * points);
      out_.own.add(state);
    }
  }

 private:
  evaluation& out_;
  reference const& against_;
  evaluation_options const& o_;
  std::vector<region> regions_;
  std::vector<channel> list_;

  void hide(std::span<char const> seen) {
    for (std::size_t p = 0; p < seen.size(); ++p) regions_.back().weights[p] = seen[p] ? 0 : regions_[0].weights[p];
  }
};

void check(trajectories const& run, reference const& against, index_t members) {
  require(same(run.where(), against.truth->where()), run.path(), " is on a grid of ", text(run.where()), ", the truth on one of ", text(against.truth->where()));
  require(run.members() == members, run.path(), " has ", run.members(), " members, the first start ", members);
  for (auto const& c : against.truth->channels().list()) require(run.has(c), run.path(), " holds no ", label(c), ", which is asked for");
}

}  // namespace

appearance::appearance(grid const& g, channel_set const& channels, int degrees) {
  if (has_even_rows(g)) power.emplace(g, channels.size(), degrees > 0 ? degrees : exact_degree(g));
  if (balance some(g, channels); some.anything()) checks.emplace(std::move(some));
}
void appearance::add(std::span<float const> state) {
  if (power) power->add(state);
  if (checks) checks->add(state);
}

evaluation evaluate(std::string const& name, std::vector<std::string> const& folders, reference const& against, evaluation_options const& o) {
  require(!folders.empty(), "evaluate: ", name, " names no folder");
  std::vector<trajectories> runs;
  std::vector<hours> leads;
  for (auto const& folder : folders) {
    runs.emplace_back(folder, o.members);
    check(runs.back(), against, runs.front().members());
    for (hours const t : runs.back().times())
      if (against.truth->has(t)) leads.push_back(runs.back().lead(t));
  }
  std::sort(leads.begin(), leads.end());
  leads.erase(std::unique(leads.begin(), leads.end()), leads.end());
  require(!leads.empty(), "evaluate: there is no truth for any hour of ", folders.front());

  auto const& channels = against.truth->channels();
  grid const& g = against.truth->where();
  auto const parts = index_t(regions_of(g, against.sea).size()) + (against.seen ? 1 : 0);
  bool const mirrored = std::all_of(runs.begin(), runs.end(), [](trajectories const& run) { return run.mirrored(); });
  evaluation out{name, folders, {}, runs.front().about(), runs.front().members(), runs.front().assimilated(), mirrored, leads, {},
                 score_table(runs.front().members(), index_t(leads.size()), channels.size(), parts, mirrored), {},
                 appearance(g, channels, o.degrees), appearance(g, channels, o.degrees)};
  scoring score(out, against, o);
  index_t all = 0, done = 0;
  for (auto const& run : runs) all += index_t(run.times().size());
  for (auto const& run : runs) {
    out.scores.begin_case();
    out.starts.push_back(run.times().front());
    index_t state = 0;
    for (hours const t : run.times()) {
      if (against.truth->has(t)) {
        score.add(run, t, std::lower_bound(leads.begin(), leads.end(), run.lead(t)) - leads.begin());
        if (o.physics_every > 0 && state++ % o.physics_every == 0) score.look(run, t);
      } else ++out.passed_over;
      if (o.progress) o.progress(++done, all);
    }
  }
  return out;
}

}  // namespace appa
