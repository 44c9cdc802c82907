// SPDX-License-Identifier: Apache-2.0
#include "data/statistics.hpp"

#include <sda/core/parallel.hpp>

#include <algorithm>
#include <cmath>

namespace appa {

namespace {

using sda::require;

// Moments of a channel about a shift near its mean, so that squares do not cancel: averages over space, added over time.
struct moments {
  double shift = 0, first = 0, second = 0, states = 0;

  void add(float const* x, std::vector<double> const& weights) {
    if (states == 0) shift = mean_of(x, weights, [](double v) { return v; });
    double const one = mean_of(x, weights, [this](double v) { return v - shift; });
    if (std::isnan(one)) return;
    first += one;
    second += mean_of(x, weights, [this](double v) { return (v - shift) * (v - shift); });
    states += 1;
  }
  double mean() const { return shift + first / states; }
  double deviation() const { return std::sqrt(std::max(second / states - first / states * (first / states), 1e-32)); }

 private:
  template <class F> static double mean_of(float const* x, std::vector<double> const& weights, F const& f) {
    double sum = 0, weight = 0;
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (!std::isnan(x[i])) sum += weights[i] * f(x[i]), weight += weights[i];
    return weight > 0 ? sum / weight : std::nan("");
  }
};

template <class F> void change(std::span<float> states, index_t points, index_t channels, F const& f) {
  require(points > 0 && index_t(states.size()) % (points * channels) == 0, states.size(), " numbers are no states of ", channels, " channels and ", points, " points");
  sda::parallel_for(index_t(states.size()) / points, index_t(states.size()), [&](index_t field) {
    for (float& x : states.subspan(std::size_t(field * points), std::size_t(points))) x = f(std::size_t(field % channels), x);
  });
}

}  // namespace

void statistics::standardise(std::span<float> states, index_t points) const {
  change(states, points, channels.size(), [this](std::size_t c, float x) { return float((x - mean[c]) / deviation[c]); });
}
void statistics::restore(std::span<float> states, index_t points) const {
  change(states, points, channels.size(), [this](std::size_t c, float x) { return float(x * deviation[c] + mean[c]); });
}

statistics statistics::select(channel_set const& some) const {
  statistics out{some, {}, {}};
  for (auto const& c : some.list()) {
    index_t const i = channels.index_of(c);
    require(i >= 0, "there are no statistics of ", label(c));
    out.mean.push_back(mean[std::size_t(i)]), out.deviation.push_back(deviation[std::size_t(i)]);
  }
  return out;
}

statistics compute_statistics(archive const& data, statistics_options const& o) {
  std::vector<hours> chosen;
  for (hours t = o.over.first; t <= o.over.last; t += o.step)
    if (data.has(t)) chosen.push_back(t);
  require(!chosen.empty(), "none of the hours of ", text(o.over), " is there");
  index_t const points = data.where().points(), channels = data.channels().size();
  auto const weights = over_points(data.where(), o.area_weighted ? area_weights(data.where()) : std::vector<double>(std::size_t(data.where().height()), 1.0));
  index_t const most = std::clamp<index_t>((index_t{1} << 26) / (points * channels), 1, 24);   // states read together, 256 MB at most
  std::vector<float> block(static_cast<std::size_t>(most * points * channels));
  std::vector<moments> sums(static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < chosen.size();) {
    index_t n = 1;
    while (n < most && i + std::size_t(n) < chosen.size() && chosen[i + std::size_t(n)] == chosen[i] + n * o.step) ++n;
    data.read(chosen[i], n, o.step, block.data());
    sda::parallel_for(channels, n * points * channels, [&](index_t c) {
      for (index_t s = 0; s < n; ++s) sums[std::size_t(c)].add(block.data() + (s * channels + c) * points, weights);
    });
    i += std::size_t(n);
    if (o.progress) o.progress(index_t(i), index_t(chosen.size()));
  }
  statistics out{data.channels(), {}, {}};
  auto const list = out.channels.list();
  for (std::size_t c = 0; c < sums.size(); ++c) {
    require(sums[c].states > 0, label(list[c]), " has no value in ", text(o.over));
    out.mean.push_back(sums[c].mean()), out.deviation.push_back(sums[c].deviation());
  }
  return out;
}

void write_statistics(std::string const& path, statistics const& s, std::string const& source, std::string const& command) {
  sda::netcdf::writer out(path);
  out.provenance("Means and standard deviations of channels", source, command);
  index_t const n = index_t(s.channels.levels.size());
  if (n > 0) {
    out.dimension("level", n);
    out.variable<int>("level", {"level"}, {{"units", "hPa"}, {"standard_name", "air_pressure"}, {"positive", "down"}});
    out.put<int>("level", s.channels.levels);
  }
  auto const put = [&](std::string const& name, bool aloft, char const* suffix, std::vector<double> const& values, index_t first) {
    auto const& v = variable_of(name);
    std::string const stored = v.short_name + suffix;
    out.variable<double>(stored, aloft ? std::vector<std::string>{"level"} : std::vector<std::string>{}, {{"long_name", name + suffix}, {"units", v.units}});
    out.put<double>(stored, {values.begin() + first, values.begin() + first + (aloft ? n : 1)});
  };
  index_t at = 0;
  for (bool const aloft : {false, true})
    for (auto const& name : aloft ? s.channels.atmosphere : s.channels.surface) {
      put(name, aloft, "_mean", s.mean, at), put(name, aloft, "_std", s.deviation, at);
      at += aloft ? n : 1;
    }
  out.commit();
}

statistics read_statistics(std::string const& path, channel_set const& channels) {
  sda::netcdf::reader const in(path);
  statistics s{channels, {}, {}};
  std::vector<double> const levels = in.has("level") ? in.read("level") : std::vector<double>{};
  for (auto const& c : channels.list())
    for (char const* const suffix : {"_mean", "_std"}) {
      auto const values = in.read(variable_of(c.name).short_name + suffix);
      auto const at = c.level ? std::find(levels.begin(), levels.end(), double(c.level)) : levels.begin();
      require(!c.level || (at != levels.end() && values.size() == levels.size()), path, " has no statistics of ", label(c));
      double const value = values.at(c.level ? std::size_t(at - levels.begin()) : 0);
      require(std::isfinite(value) && (suffix[1] == 'm' || value > 0), path, ": ", label(c), suffix, " is ", value);
      (suffix[1] == 'm' ? s.mean : s.deviation).push_back(value);
    }
  return s;
}

}  // namespace appa
