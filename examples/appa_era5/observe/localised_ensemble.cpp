// SPDX-License-Identifier: Apache-2.0
#include "observe/localised_ensemble.hpp"

#include <sda/calculus/gaspari_cohn.hpp>
#include <sda/core/parallel.hpp>
#include <sda/filter/ensemble.hpp>
#include <sda/observation/kriging.hpp>

#include <cmath>

namespace appa {

using sda::require;

field_taper::field_taper(grid const& g, channel_set const& c, taper_options const& o) {
  require(o.half_width > 0 && o.vertical >= 0 && o.variables >= 0 && o.variables <= 1, "a taper of half widths ", o.half_width, " km and ", o.vertical,
          ", between variables ", o.variables);
  std::vector<sda::place> places;
  for (double const north : g.latitudes)
    for (double const east : g.longitudes) places.push_back({north, east});
  double const band = 2 * o.half_width / sda::earth_radius * 180 / std::numbers::pi;   // degrees
  std::vector<std::vector<std::pair<index_t, double>>> near(places.size());
  sda::parallel_for(g.points(), g.points() * g.points(), [&](index_t i) {
    for (index_t row = 0; row < g.height(); ++row) {
      if (std::abs(g.latitudes[std::size_t(row)] - places[std::size_t(i)].latitude) > band) continue;
      for (index_t j = row * g.width(); j < (row + 1) * g.width(); ++j)
        if (double const w = sda::gaspari_cohn(sda::great_circle(places[std::size_t(i)], places[std::size_t(j)]), o.half_width); w > 0)
          near[std::size_t(i)].push_back({j, w});
    }
  });
  for (auto const& row : near) {
    for (auto const& [j, w] : row) point.push_back(j), weight.push_back(w);
    first.push_back(index_t(point.size()));
  }
  auto const list = c.list();
  channels.resize(c.size(), c.size());
  for (index_t a = 0; a < c.size(); ++a)
    for (index_t b = 0; b < c.size(); ++b) {
      auto const &one = list[std::size_t(a)], &other = list[std::size_t(b)];
      bool const levels = o.vertical > 0 && one.level != other.level && one.level > 0 && other.level > 0;
      channels(a, b) = (one.name == other.name ? 1 : o.variables) * (levels ? sda::gaspari_cohn(std::log(double(one.level) / other.level), o.vertical) : 1);
    }
}

localised_ensemble::localised_ensemble(state const& members, std::shared_ptr<field_taper const> taper, double inflation, sda::cg solve)
    : mean(sda::ensemble_mean(members)), taper_(std::move(taper)), spread_(sda::anomalies(members, mean)), solve_(solve) {
  require(members.rows() >= 2 && inflation > 0, "an ensemble of ", members.rows(), " members, inflated by ", inflation);
  index_t const numbers = (index_t(taper_->first.size()) - 1) * taper_->channels.rows();
  require(members.cols() == numbers, "members of ", members.cols(), " numbers, a taper of ", numbers);
  spread_ *= inflation / std::sqrt(double(members.rows() - 1));
}

localised_ensemble::state localised_ensemble::covariance(state const& v) const {
  index_t const n = v.rows(), channels = taper_->channels.rows(), members = spread_.rows(), points = spread_.cols() / channels, width = n * members * channels;
  require(v.cols() == spread_.cols(), v.cols(), " numbers of a state of ", spread_.cols());
  using row_major = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  row_major seen(points, width);   // (s_k ∘ v) by point, then sample, member and channel, mixed over channels
  sda::parallel_for(points, points * width, [&](index_t p) {
    for (index_t r = 0; r < n; ++r)
      for (index_t k = 0; k < members; ++k)
        seen.row(p).segment((r * members + k) * channels, channels).noalias() =
            (spread_.row(k).segment(p * channels, channels) * v.row(r).segment(p * channels, channels)).matrix() * taper_->channels;
  });
  state out(n, v.cols());
  sda::parallel_for(points, index_t(taper_->point.size()) * width, [&](index_t p) {
    Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(width);
    for (index_t e = taper_->first[std::size_t(p)]; e < taper_->first[std::size_t(p + 1)]; ++e)
      sum += taper_->weight[std::size_t(e)] * seen.row(taper_->point[std::size_t(e)]);
    for (index_t r = 0; r < n; ++r)
      for (index_t c = 0; c < channels; ++c) {
        double total = 0;
        for (index_t k = 0; k < members; ++k) total += spread_(k, p * channels + c) * sum((r * members + k) * channels + c);
        out(r, p * channels + c) = total;
      }
  });
  return out;
}

localised_ensemble::state localised_ensemble::gain(state const& v, sda::level l) const {
  auto const noisy = [&](state const& u) { return state(l.alpha * l.alpha * covariance(u) + l.sigma * l.sigma * u); };
  return l.alpha * covariance(solve_(noisy, v));
}

localised_ensemble::at::at(localised_ensemble const& prior, state const& x, sda::level l) : prior_(&prior), level_(l), value_(x) {
  sda::lincomb(value_, sda::term{1.0, x}, sda::term{-l.alpha, prior.mean});
  value_ = prior.gain(value_, l);
  sda::lincomb(value_, sda::term{1.0, value_}, sda::term{1.0, prior.mean});
}

}  // namespace appa
