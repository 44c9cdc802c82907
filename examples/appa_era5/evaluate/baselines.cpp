// SPDX-License-Identifier: Apache-2.0
#include "evaluate/baselines.hpp"

#include "data/state_file.hpp"

#include <sda/core/parallel.hpp>
#include <sda/core/pending_file.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace appa {

using nlohmann::json;
using sda::require;

void baseline::like(json const& run) {
  require(run.contains("first") && run.contains("states"), "run.json does not say which states it is about");
  first = hours_of(parse_date(run.at("first"))), states = run.at("states"), assimilated = run.value("assimilated", index_t{0}), step = run.value("step", 1);
  for (char const* const key : {"seed", "configuration", "observations"})
    if (run.contains(key)) about[key] = run.at(key);
  if (about.contains("configuration")) about["configuration"].erase("assimilation");  // which says how the run was drawn, not this
}

namespace {

state_contents contents_of(baseline const& b, std::string const& title) {
  return {.where = b.data->where(), .channels = b.data->channels(), .title = title, .source = "appa baseline", .history = b.command, .sea = b.sea};
}

std::string member_file(baseline const& b, index_t m) {
  char name[32];
  std::snprintf(name, sizeof name, "member_%03d.nc", int(m + 1));
  return (b.folder / "members" / name).string();
}

// run.json, then each member by fill(m, out) where it is not there, then mean and spread.
void write_members(baseline const& b, index_t members, std::function<void(index_t, state_writer&)> const& fill) {
  std::filesystem::create_directories(b.folder / "members");
  json about = b.about.is_object() ? b.about : json::object();
  about.update({{"task", b.task}, {"first", text(b.first)}, {"states", b.states}, {"assimilated", b.assimilated}, {"step", b.step}, {"lead", (b.states - b.assimilated) * b.step}});
  std::string const words = about.dump(2) + "\n";
  sda::pending_file file(b.folder / "run.json");
  file.write(std::as_bytes(std::span(words)));
  file.commit();
  std::vector<std::string> files;
  for (index_t m = 0; m < members; ++m) files.push_back(member_file(b, m));
  sda::parallel_for(members, sda::parallel_threshold, [&](index_t m) {
    if (std::filesystem::exists(files[std::size_t(m)])) return;
    state_writer out(files[std::size_t(m)], contents_of(b, sda::detail::text(b.task, ", member ", m + 1)));
    fill(m, out);
    out.commit();
  });
  if (members > 1) write_mean_and_spread(files, (b.folder / "mean.nc").string(), (b.folder / "spread.nc").string(), contents_of(b, b.task));
}

int day_of_year(hours t) { return int((t - hours_of({date_of(t).year, 1, 1, 0})) / 24); }

std::vector<hours> starts_of(baseline const& b, period const& from, int days) {
  std::vector<hours> out;
  for (hours const t : b.data->times()) {
    int const apart = std::abs(day_of_year(t) - day_of_year(b.first));
    bool fits = date_of(t).hour == date_of(b.first).hour && std::min(apart, 365 - apart) <= days && from.contains(t) && from.contains(t + (b.states - 1) * b.step);
    for (index_t s = 0; s < b.states && fits; ++s) fits = b.data->has(t + s * b.step);
    if (fits) out.push_back(t);
  }
  return out;
}

}  // namespace

void write_climatology(baseline const& b, period const& from, index_t members, int days, sda::key k) {
  auto const starts = starts_of(b, from, days);
  require(index_t(starts.size()) >= members, "climatology: ", starts.size(), " trajectories of ", text(from), " start within ", days, " days of the date, and ",
          members, " members are asked for");
  std::vector<std::pair<std::uint32_t, hours>> order;
  for (std::size_t i = 0; i < starts.size(); ++i) order.push_back({k(0, std::uint32_t(i)).w[0], starts[i]});
  std::sort(order.begin(), order.end());
  write_members(b, members, [&](index_t m, state_writer& out) {
    std::vector<float> state(std::size_t(b.data->channels().size() * b.data->where().points()));
    for (index_t s = 0; s < b.states; ++s) {
      b.data->read(order[std::size_t(m)].second + s * b.step, 1, 1, state.data());
      out.append(b.at(s), state);
    }
  });
}

void write_persistence(baseline const& b, hours known) {
  std::vector<float> state(std::size_t(b.data->channels().size() * b.data->where().points()));
  b.data->read(known, 1, 1, state.data());
  write_members(b, 1, [&](index_t, state_writer& out) {
    for (index_t s = 0; s < b.states; ++s) out.append(b.at(s), state);
  });
}

namespace {

// The climate of an hour, standardised, [points, channels]; what is missing is 0, as in states.
std::vector<double> standardised_climate(climate const& normal, statistics const& standard, index_t points, hours t) {
  auto const mean = normal.at(t);
  std::size_t const channels = standard.mean.size();
  std::vector<double> out(mean.size());
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t p = 0; p < std::size_t(points); ++p) {
      double const x = double(mean[c * std::size_t(points) + p]);
      out[p * channels + c] = std::isnan(x) ? 0 : (x - standard.mean[c]) / standard.deviation[c];
    }
  return out;
}

}  // namespace

void write_interpolation(baseline const& b, observed_run const& seen, static_gaussian const& prior, climate const& normal, interpolation_settings const& s,
                         sda::key k) {
  auto const& standard = seen.states.standard;
  index_t const points = b.data->where().points(), channels = b.data->channels().size();
  hours const from = seen.looked.size() > 0 ? std::min(b.first, b.first - (b.first - seen.looked.first + b.step - 1) / b.step * b.step) : b.first;
  std::vector<sight> each;
  for (hours t = from; t <= b.at(b.states - 1); t += b.step) {   // observations less the climate
    each.push_back(seen.assimilated(t));
    auto& now = each.back();
    auto const mean = standardised_climate(normal, standard, points, t);
    for (std::size_t i = 0; i < now.columns.size(); ++i)
      now.values[i / std::size_t(now.corners)] -= float((now.weights.empty() ? 1.0 : double(now.weights[i])) * mean[std::size_t(now.columns[i])]);
  }
  write_members(b, s.members, [&](index_t m, state_writer& out) {
    interpolate(prior, each, s.members == 1 ? -1 : m, s, k, [&](index_t t, Eigen::MatrixXd const& x) {
      hours const now = from + t * b.step;
      if (now < b.first) return;
      auto const mean = standardised_climate(normal, standard, points, now);
      std::vector<float> state(std::size_t(channels * points));
      for (index_t c = 0; c < channels; ++c)
        for (index_t p = 0; p < points; ++p) {
          double const z = mean[std::size_t(p * channels + c)] + x(p, c);
          state[std::size_t(c * points + p)] = float(z * standard.deviation[std::size_t(c)] + standard.mean[std::size_t(c)]);
        }
      out.append(now, state);
    });
  });
}

}  // namespace appa
