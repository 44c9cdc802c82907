// SPDX-License-Identifier: Apache-2.0
#include "observe/observation_file.hpp"

#include <sda/core/parallel.hpp>
#include <sda/netcdf/writer.hpp>

#include <algorithm>
#include <cmath>

namespace appa {

using sda::require;

std::vector<float> shown_by(sight const& s, std::span<float const> state, index_t channels) {
  require(channels > 0 && state.size() % std::size_t(channels) == 0, "a state of ", state.size(), " numbers in ", channels, " channels");
  index_t const points = index_t(state.size()) / channels;
  std::vector<float> out(s.values.size());
  sda::parallel_for(s.count(), s.count() * s.corners, [&](index_t i) {
    double sum = 0;
    for (index_t k = i * s.corners; k < (i + 1) * s.corners; ++k) {
      index_t const column = s.columns[std::size_t(k)];
      sum += (s.weights.empty() ? 1 : double(s.weights[std::size_t(k)])) * state[std::size_t(column % channels * points + column / channels)];
    }
    out[std::size_t(i)] = float(sum);
  });
  return out;
}

namespace {

// Numbers of all hours, one after the other.
template <class T> std::vector<T> gathered(std::span<observed_hour const> all, auto const& number) {
  std::vector<T> out;
  for (auto const& hour : all)
    for (std::size_t i = 0; i < hour.what.reports.size(); ++i) out.push_back(T(number(hour, i)));
  return out;
}
std::vector<variable const*> listed_variables() {
  std::vector<variable const*> out;
  for (auto const& known : {surface_variables(), atmospheric_variables()})
    for (auto const& v : known) out.push_back(&v);
  return out;
}

}  // namespace

void write_observations(std::string const& path, std::span<observed_hour const> all, std::string const& title, std::string const& history,
                        sda::netcdf::attributes const& about) {
  auto const variables = listed_variables();
  std::vector<int> numbers;
  std::string names, units;
  for (std::size_t v = 0; v < variables.size(); ++v) {
    numbers.push_back(int(v));
    names += (v ? " " : "") + variables[v]->short_name, units += (v ? ", " : "") + variables[v]->short_name + " in " + variables[v]->units;
  }
  index_t count = 0;
  for (auto const& hour : all) {
    auto const n = hour.what.reports.size();
    require(n == hour.what.fates.size() && index_t(n) == hour.what.seen.count(), "of ", hour.what.seen.count(), " observations, ", n, " are described");
    for (auto const* const x : {&hour.before, &hour.before_spread, &hour.after, &hour.after_spread})
      require(x->empty() || x->size() == n, x->size(), " numbers in the place of ", n, " observations");
    count += index_t(n);
  }

  sda::netcdf::writer w(path);
  for (auto const& [name, value] : {std::pair<std::string, std::string>{"Conventions", "CF-1.8"}, {"featureType", "point"}, {"title", title}, {"source", "appa"}, {"history", history}})
    w.describe({name, value});
  for (auto const& a : about) w.describe(a);
  w.dimension("obs", count);
  bool is_coordinate = true;
  auto const add = [&]<class T>(std::string const& name, T, sda::netcdf::attributes attributes, auto const& number) {
    if (!is_coordinate) attributes.push_back({"coordinates", std::string("time latitude longitude air_pressure")});
    w.variable<T>(name, {"obs"}, attributes);
    if (count > 0) w.put(name, gathered<T>(all, number));
  };
  using h = observed_hour;
  add("time", double(), {{"standard_name", "time"}, {"long_name", "time of the state"}, {"units", "hours since 1970-01-01 00:00:00"}, {"calendar", "proleptic_gregorian"}},
      [](h const& o, std::size_t) { return o.time; });
  add("latitude", double(), {{"standard_name", "latitude"}, {"units", "degrees_north"}}, [](h const& o, std::size_t i) { return o.what.reports[i].where.latitude; });
  add("longitude", double(), {{"standard_name", "longitude"}, {"units", "degrees_east"}}, [](h const& o, std::size_t i) { return o.what.reports[i].where.longitude; });
  add("air_pressure", float(), {{"standard_name", "air_pressure"}, {"units", "hPa"}, {"positive", "down"}, {"comment", "missing at the surface"}},
      [](h const& o, std::size_t i) { return o.what.reports[i].level > 0 ? o.what.reports[i].level : std::nan(""); });
  is_coordinate = false;
  add("variable", int(), {{"long_name", "what was observed"}, {"flag_values", numbers}, {"flag_meanings", names}, {"comment", units}}, [&](h const& o, std::size_t i) {
    return std::find(variables.begin(), variables.end(), o.what.reports[i].what) - variables.begin();
  });
  add("instrument", int(), {{"long_name", "number of the instrument, as listed"}}, [](h const& o, std::size_t i) { return o.what.reports[i].from; });
  add("flag", int(), {{"long_name", "what became of the observation"}, {"flag_values", std::vector{0, 1, 2, 3}}, {"flag_meanings", "assimilated left_out gross_error thinned"}},
      [](h const& o, std::size_t i) { return int(o.what.fates[i]); });
  add("value", float(), {{"long_name", "observed value, in the variable's units"}, {"ancillary_variables", "error flag"}}, [](h const& o, std::size_t i) { return o.what.reports[i].value; });
  add("error", float(), {{"long_name", "standard deviation of the value's error"}}, [](h const& o, std::size_t i) { return o.what.reports[i].error; });

  auto const unit = [](h const& o, std::size_t i) { return o.what.reports[i].error / std::sqrt(double(o.what.seen.variances[i])); };
  for (auto const& [name, mean, spread] : {std::tuple("background", &h::before, &h::before_spread), {"analysis", &h::after, &h::after_spread}}) {
    auto const any = [&](auto const& member) { return std::any_of(all.begin(), all.end(), [&](h const& o) { return !(o.*member).empty(); }); };
    std::string const of = name;
    auto const departure = [&](h const& o, std::size_t i) {
      return (o.*mean).empty() ? std::nan("") : (double(o.what.seen.values[i]) - (o.*mean)[i]) * unit(o, i);
    };
    if (any(mean)) {
      add(of, float(), {{"long_name", of + " in the observation's place, mean of the members"}}, [&](h const& o, std::size_t i) { return o.what.reports[i].value - departure(o, i); });
      add(of + "_departure", float(), {{"long_name", "observed value minus " + of}}, departure);
    }
    if (any(spread))
      add(of + "_spread", float(), {{"long_name", "standard deviation of the members of the " + of}},
          [&](h const& o, std::size_t i) { return (o.*spread).empty() ? std::nan("") : (o.*spread)[i] * unit(o, i); });
  }
  w.commit();
}

}  // namespace appa
