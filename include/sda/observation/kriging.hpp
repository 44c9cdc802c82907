// SPDX-License-Identifier: Apache-2.0
// Kriging: the best linear estimate of a random field at a target from its values at scattered stations,
//   w = (C + nugget 1)⁻¹ c,   C_ij = exp(-d_ij / length),  c_i = exp(-d_i / length)
// with d great-circle distances (Matérn covariance of order 1/2). The field's mean is zero, as that of a departure from a
// background, or unknown: then w += C⁻¹1 (1 - 1ᵀw) / 1ᵀC⁻¹1, whose weights sum to one. DiffDA (Huang et al., 2024,
// arXiv:2401.05932) spreads station values over its grid this way.
#pragma once
#include <sda/calculus/small_matrix.hpp>
#include <sda/core/parallel.hpp>
#include <sda/observation/interpolating.hpp>

#include <numbers>

namespace sda {

/// A place on the sphere, in degrees.
struct place {
  double latitude, longitude;
};

inline constexpr double earth_radius = 6371;  // km

/// Great-circle distance in km, accurate for places close together too.
inline double great_circle(place a, place b) {
  double const degree = std::numbers::pi / 180;
  double const up = std::sin((a.latitude - b.latitude) * degree / 2), across = std::sin((a.longitude - b.longitude) * degree / 2);
  double const h = up * up + std::cos(a.latitude * degree) * std::cos(b.latitude * degree) * across * across;
  return 2 * earth_radius * std::asin(std::sqrt(std::min(1.0, h)));
}

/// The nearest of many stations: `most` at the most, none farther than `reach` km.
class nearest_stations {
 public:
  explicit nearest_stations(std::span<place const> stations) : stations_(stations.begin(), stations.end()), northward_(stations.size()) {
    for (place const& s : stations)
      require(std::abs(s.latitude) <= 90 && std::isfinite(s.longitude), "kriging: a station at latitude ", s.latitude, ", longitude ", s.longitude);
    std::iota(northward_.begin(), northward_.end(), index_t{0});
    std::sort(northward_.begin(), northward_.end(), [this](index_t a, index_t b) { return latitude(a) < latitude(b); });
  }
  struct neighbour {
    double distance;
    index_t station;
    friend auto operator<=>(neighbour const&, neighbour const&) = default;
  };
  /// In order of distance.
  std::vector<neighbour> operator()(place target, index_t most, double reach) const {
    double const band = reach / earth_radius * 180 / std::numbers::pi;
    auto at = std::lower_bound(northward_.begin(), northward_.end(), target.latitude - band, [this](index_t s, double l) { return latitude(s) < l; });
    std::vector<neighbour> found;
    for (; at != northward_.end() && latitude(*at) <= target.latitude + band; ++at)
      if (double const d = great_circle(stations_[std::size_t(*at)], target); d <= reach) found.push_back({d, *at});
    auto const kept = std::min(found.size(), std::size_t(most));
    std::partial_sort(found.begin(), found.begin() + std::ptrdiff_t(kept), found.end());
    found.resize(kept);
    return found;
  }
  place const& operator[](index_t s) const { return stations_[std::size_t(s)]; }

 private:
  double latitude(index_t s) const { return stations_[std::size_t(s)].latitude; }
  std::vector<place> stations_;
  std::vector<index_t> northward_;  // stations from south to north
};

/// What is believed of the field; the defaults are DiffDA's, but that its departures have a mean of zero.
struct kriging {
  double length = 600;        // km
  index_t neighbours = 9;     // stations that a target sees, the nearest
  double reach = 2000;        // km; where no station is so near, the estimate is zero
  double nugget = 0;          // variance of the stations' errors, as a share of the field's
  bool unknown_mean = false;  // ordinary kriging

  /// The weights of the stations' values at every target, for `interpolating`. Exact at the stations if there is no nugget. Costs a
  /// small Cholesky factorisation a target, on threads.
  stencil operator()(std::span<place const> stations, std::span<place const> targets) const {
    require(length > 0 && neighbours > 0 && reach >= 0 && nugget >= 0, "kriging: length ", length, " km, ", neighbours, " neighbours within ", reach,
            " km, nugget ", nugget);
    require(!stations.empty(), "kriging: no stations");
    nearest_stations const near(stations);
    std::size_t const corners = std::min(std::size_t(neighbours), stations.size());
    stencil out{std::vector(corners, std::vector<std::int64_t>(targets.size(), 0)), std::vector(corners, std::vector<double>(targets.size(), 0.0))};
    parallel_for(index_t(targets.size()), index_t(targets.size()) * 256, [&](index_t t) {
      auto const found = near(targets[std::size_t(t)], neighbours, reach);
      if (found.empty()) return;
      auto const w = weights(near, found);
      for (std::size_t i = 0; i < found.size(); ++i) out.columns[i][std::size_t(t)] = found[i].station, out.weights[i][std::size_t(t)] = w[i];
    });
    return out;
  }

 private:
  std::vector<double> weights(nearest_stations const& near, std::vector<nearest_stations::neighbour> const& found) const {
    index_t const n = index_t(found.size());
    small_matrix c(n, n), rhs(2, n);  // rhs: covariances with the target, and ones
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < i; ++j) {
        double const d = great_circle(near[found[std::size_t(i)].station], near[found[std::size_t(j)].station]);
        require(d > 0 || nugget > 0, "kriging: stations ", found[std::size_t(i)].station, " and ", found[std::size_t(j)].station,
                " are at one place");
        c[i][j] = c[j][i] = std::exp(-d / length);
      }
      c[i][i] = 1 + nugget;
      rhs[0][i] = std::exp(-found[std::size_t(i)].distance / length), rhs[1][i] = 1;
    }
    cholesky_solve(cholesky(std::move(c)), rhs);
    std::vector<double> w(rhs[0], rhs[0] + n);
    if (unknown_mean) {
      double const short_of_one = 1 - std::accumulate(w.begin(), w.end(), 0.0), all = std::accumulate(rhs[1], rhs[1] + n, 0.0);
      for (index_t i = 0; i < n; ++i) w[std::size_t(i)] += rhs[1][i] * short_of_one / all;
    }
    return w;
  }
};

/// The same stencil for several fields, one behind the other on both sides: `stations` values of each.
inline stencil for_fields(stencil const& one, index_t stations, index_t fields) {
  stencil out{std::vector<std::vector<std::int64_t>>(one.columns.size()), std::vector<std::vector<double>>(one.weights.size())};
  for (std::size_t k = 0; k < one.columns.size(); ++k)
    for (index_t f = 0; f < fields; ++f) {
      for (auto const c : one.columns[k]) out.columns[k].push_back(f * stations + c);
      out.weights[k].insert(out.weights[k].end(), one.weights[k].begin(), one.weights[k].end());
    }
  return out;
}

/// DiffDA's soft mask as a row beside `like`: exp(-d²/2 width²) of the distance d to the nearest station, in km; 1 at the
/// stations. The same for every one of `fields`.
template <State S> S soft_mask(S const& like, std::span<place const> stations, std::span<place const> targets, double width, index_t fields = 1) {
  require(width > 0, "soft_mask: a width of ", width, " km");
  nearest_stations const near(stations);
  std::vector<value_t<S>> numbers(targets.size());
  parallel_for(index_t(targets.size()), index_t(targets.size()) * 256, [&](index_t t) {
    auto const found = near(targets[std::size_t(t)], 1, 6 * width);  // beyond, 1.5e-8 at the most
    double const d = found.empty() ? 0 : found.front().distance / width;
    numbers[std::size_t(t)] = found.empty() ? value_t<S>(0) : value_t<S>(std::exp(-d * d / 2));
  });
  S row = zeros(like, 1, index_t(targets.size())), out = zeros(like, 1, index_t(targets.size()) * fields);
  load(row, std::span<value_t<S> const>(numbers));
  for (index_t f = 0; f < fields; ++f) copy_block(out, 0, f * columns(row), row, 0, 0, 1, columns(row));
  return out;
}

}  // namespace sda
