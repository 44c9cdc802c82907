// SPDX-License-Identifier: Apache-2.0
#include "evaluate/climate.hpp"

#include "data/state_file.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace appa {

using sda::require;

void write_climate(std::string const& path, archive const& data, period const& over, int step, std::string const& command,
                   std::function<void(index_t done, index_t all)> const& progress) {
  require(step >= 1 && 24 % step == 0, "climate: every ", step, " hours do not make a day");
  std::vector<std::vector<hours>> states(std::size_t(12 * 24 / step));   // by month and time of day
  for (hours const t : data.times()) {
    date const d = date_of(t);
    if (over.contains(t) && d.hour % step == 0) states[std::size_t((d.month - 1) * 24 / step + d.hour / step)].push_back(t);
  }
  index_t all = 0, done = 0;
  for (auto const& s : states) all += index_t(s.size());
  require(all > 0, "climate: none of the hours of ", text(over), " is there");
  std::size_t const n = std::size_t(data.channels().size() * data.where().points());
  std::vector<float> state(n);
  std::vector<double> sum(n), counts(n);
  state_writer out(path, {.where = data.where(), .channels = data.channels(), .title = "Mean states by month and time of day",
                          .source = "hours of " + text(over), .history = command, .what = quantity::mean});
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (states[i].empty()) continue;
    std::fill(sum.begin(), sum.end(), 0.0), std::fill(counts.begin(), counts.end(), 0.0);
    for (hours const t : states[i]) {
      data.read(t, 1, 1, state.data());
      for (std::size_t x = 0; x < n; ++x)
        if (!std::isnan(state[x])) sum[x] += double(state[x]), counts[x] += 1;
      if (progress) progress(++done, all);
    }
    for (std::size_t x = 0; x < n; ++x) state[x] = float(sum[x] / counts[x]);   // NaN where there never is a value
    int const month = int(i) * step / 24 + 1, hour = int(i) * step % 24;
    out.append(hours_of({2000, month, 15, hour}), state);
  }
  out.commit();
}

climate::climate(std::string const& path, channel_set const& channels) : data_({path}, channels) {}

climate::between climate::stands_for(hours t) const {
  date const d = date_of(t);
  auto const from = [](int a, int b, int round) { return (b - a + round) % round; };   // on the way round
  auto const month_of = [](hours known) { return date_of(known).month; };
  auto const apart = [&](hours known) { return std::min(from(month_of(known), d.month, 12), from(d.month, month_of(known), 12)); };
  auto const& times = data_.times();
  int const month = month_of(*std::min_element(times.begin(), times.end(), [&](hours a, hours b) { return apart(a) < apart(b); }));
  std::vector<hours> of_month;
  std::copy_if(times.begin(), times.end(), std::back_inserter(of_month), [&](hours known) { return month_of(known) == month; });
  auto const nearest = [&](auto const& distance) {
    return *std::min_element(of_month.begin(), of_month.end(), [&](hours a, hours b) { return distance(date_of(a).hour) < distance(date_of(b).hour); });
  };
  hours const before = nearest([&](int hour) { return from(hour, d.hour, 24); }), after = nearest([&](int hour) { return from(d.hour, hour, 24); });
  int const passed = from(date_of(before).hour, d.hour, 24), left = from(d.hour, date_of(after).hour, 24);
  return {before, after, passed + left > 0 ? double(passed) / (passed + left) : 0};
}

std::vector<float> climate::at(hours t) const {
  auto const [before, after, part] = stands_for(t);
  std::vector<float> out(std::size_t(data_.channels().size() * data_.where().points())), next(part > 0 ? out.size() : 0);
  data_.read(before, 1, 1, out.data());
  if (part > 0) data_.read(after, 1, 1, next.data());
  for (std::size_t i = 0; i < next.size(); ++i) out[i] = float((1 - part) * double(out[i]) + part * double(next[i]));
  return out;
}

}  // namespace appa
