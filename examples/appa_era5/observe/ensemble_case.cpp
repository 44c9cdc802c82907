// SPDX-License-Identifier: Apache-2.0
#include "observe/ensemble_case.hpp"

#include "data/archive.hpp"

#include <algorithm>
#include <cmath>

namespace appa {

using sda::require;

std::vector<float> as_fields(sda::host_array<double> const& x, index_t row, index_t channels) {
  index_t const points = x.cols() / channels;
  std::vector<float> out;
  for (index_t c = 0; c < channels; ++c)
    for (index_t p = 0; p < points; ++p) out.push_back(float(x(row, p * channels + c)));
  return out;
}

sda::host_array<double> ensemble_case::as_rows() const {
  index_t const channels = states.channels.size(), points = states.where.points();
  sda::host_array<double> out(index_t(members.size()), channels * points);
  for (index_t m = 0; m < out.rows(); ++m)
    for (index_t c = 0; c < channels; ++c)
      for (index_t p = 0; p < points; ++p) out(m, p * channels + c) = members[std::size_t(m)][std::size_t(c * points + p)];
  return out;
}

background ensemble_case::prior() const {
  auto const all = as_rows();
  sda::host_array<double> const mean = all.colwise().mean();
  sda::host_array<double> const spread = ((all.rowwise() - mean.row(0)).square().colwise().sum() / double(all.rows() - 1)).sqrt();
  return {as_fields(mean, 0, states.channels.size()), as_fields(spread, 0, states.channels.size())};
}

std::vector<double> ensemble_case::unobserved_error(sda::host_array<double> const& x, sight const& seen) const {
  require(!truth.empty(), "no member was taken out to be the truth");
  index_t const channels = states.channels.size(), points = states.where.points();
  std::vector<char> looked_at(static_cast<std::size_t>(points));
  for (index_t const c : seen.columns) looked_at[std::size_t(c / channels)] = 1;
  auto const areas = over_points(states.where, area_weights(states.where));
  std::vector<double> out;
  for (index_t c = 0; c < channels; ++c) {
    double sum = 0, area = 0;
    for (index_t p = 0; p < points; ++p) {
      if (looked_at[std::size_t(p)]) continue;
      double const e = x(0, p * channels + c) - truth[std::size_t(c * points + p)], a = areas[std::size_t(p)];
      sum += a * e * e, area += a;
    }
    out.push_back(std::sqrt(sum / area) * states.standard.deviation[std::size_t(c)]);
  }
  return out;
}

ensemble_case read_ensemble(std::vector<std::string> const& files, std::vector<std::string> variables, std::vector<int> levels, hours t, int truth) {
  auto const paths = expand(files);
  era5_file const first(paths.front());
  if (variables.empty()) variables = first.variables();
  if (levels.empty())
    for (double const p : first.levels()) levels.push_back(int(std::lround(p)));
  require(first.members() >= (truth < 0 ? 2 : 3) && truth < first.members(), paths.front(), " has ", first.members(), " members, of which ", truth, " is to be the truth");

  ensemble_case out;
  out.states.channels = select_channels(variables, levels);
  std::size_t const channels = std::size_t(out.states.channels.size());
  for (int m = 0; m < int(first.members()); ++m) {
    archive const data(paths, out.states.channels, m);
    out.states.where = data.where();
    std::vector<float> x(channels * std::size_t(data.where().points()));
    data.read(t, 1, 1, x.data());
    require(std::none_of(x.begin(), x.end(), [](float v) { return std::isnan(v); }), "member ", m, " has missing values at ", text(t));
    if (m == truth) out.truth = std::move(x);
    else out.members.push_back(std::move(x));
  }

  std::size_t const points = std::size_t(out.states.where.points());
  double const n = double(out.members.size());
  out.states.standard.channels = out.states.channels;
  for (std::size_t c = 0; c < channels; ++c) {
    double total = 0, squares = 0;
    for (std::size_t i = c * points; i < (c + 1) * points; ++i) {
      double mean = 0;
      for (auto const& x : out.members) mean += x[i] / n;
      total += mean;
      for (auto const& x : out.members) squares += (x[i] - mean) * (x[i] - mean);
    }
    require(squares > 0, "the members agree on ", label(out.states.channels.list()[c]), " everywhere: there is nothing to correct");
    out.states.standard.mean.push_back(total / double(points)), out.states.standard.deviation.push_back(std::sqrt(squares / ((n - 1) * double(points))));
  }
  for (auto& x : out.members) out.states.standard.standardise(x, index_t(points));
  if (!out.truth.empty()) out.states.standard.standardise(out.truth, index_t(points));
  return out;
}

}  // namespace appa
