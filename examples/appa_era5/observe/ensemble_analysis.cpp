// SPDX-License-Identifier: Apache-2.0
#include "observe/ensemble_analysis.hpp"

#include "observe/sight_operator.hpp"

#include <sda/filter/letkf.hpp>
#include <sda/guidance/mmps.hpp>

#include <algorithm>
#include <cmath>

namespace appa {

namespace {
using state = sda::host_array<double>;
sda::level constexpr only_noise{1, 1e4};
}  // namespace

state ensemble_analysis::operator()(state const& members, grid const& g, channel_set const& channels, sight const& seen, bool draws, sda::key k) const {
  localised_ensemble prior(members, std::make_shared<field_taper const>(g, channels, taper), inflation);
  auto observed = observation_of(members, seen, members.cols());
  if (draws) {
    index_t const n = members.rows();
    state starts(n + 1, members.cols()), values(n + 1, seen.count());
    starts << prior.mean, (members.rowwise() - prior.mean.row(0)) * inflation + prior.mean.replicate(n, 1);
    values = observed.y.replicate(n + 1, 1);
    values.bottomRows(n) += observed.error.draw(k, state(n, seen.count()));
    prior.mean = std::move(starts), observed.y = std::move(values);
  }
  sda::mmps const posterior{std::cref(prior).get(), observed, sda::cg{iterations, tolerance}};
  return posterior(state(state::Zero(prior.mean.rows(), members.cols())), only_noise);
}

state letkf_analysis(state members, grid const& g, channel_set const& channels, sight const& seen, taper_options const& taper, double inflation) {
  field_taper const weights(g, channels, taper);
  index_t const width = channels.size();
  std::vector<std::vector<index_t>> at_point(static_cast<std::size_t>(g.points()));   // an observation stands where most of it is read
  std::vector<index_t> channel_of;
  for (index_t i = 0; i < seen.count(); ++i) {
    auto best = std::size_t(i * seen.corners);
    for (std::size_t c = best; !seen.weights.empty() && c < std::size_t((i + 1) * seen.corners); ++c)
      if (std::abs(seen.weights[c]) > std::abs(seen.weights[best])) best = c;
    at_point[std::size_t(seen.columns[best] / width)].push_back(i), channel_of.push_back(seen.columns[best] % width);
  }
  sda::localisation near;
  for (index_t p = 0; p < g.points(); ++p) {
    std::vector<std::pair<index_t, double>> reach;
    for (index_t e = weights.first[std::size_t(p)]; e < weights.first[std::size_t(p + 1)]; ++e)
      for (index_t const i : at_point[std::size_t(weights.point[std::size_t(e)])]) reach.push_back({i, weights.weight[std::size_t(e)]});
    std::sort(reach.begin(), reach.end());
    for (index_t c = 0; c < width; ++c) {
      for (auto const& [i, w] : reach)
        if (double const both = w * weights.channels(c, channel_of[std::size_t(i)]); both > 0) near.observation.push_back(i), near.taper.push_back(both);
      near.first.push_back(std::int64_t(near.observation.size()));
    }
  }
  state const mean = sda::ensemble_mean(members);
  members = (members.rowwise() - mean.row(0)) * inflation;
  members.rowwise() += mean.row(0);
  sda::letkf{near}.analyse(members, observation_of(members, seen, members.cols()), sda::key{});
  return members;
}

}  // namespace appa
