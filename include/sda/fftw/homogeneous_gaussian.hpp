// SPDX-License-Identifier: Apache-2.0
// A Gaussian prior of trajectories of fields on a torus that needs no training. Where points are alike, and left and right, waves
// are independent of one another; each has a covariance in time, estimated from samples:
//   Cov = H diag(C_k) Hᵀ,  H: fields to waves cas(kx x) cas(ky y), cas = cos + sin,  C_k: frames x frames = V_k Λ_k V_kᵀ.
#pragma once
#include <sda/calculus/eigen_symmetric.hpp>
#include <sda/fftw/fourier.hpp>
#include <sda/prior/gaussian.hpp>

namespace sda {

/// Bracewell's discrete Hartley transform of ny x nx fields along either axis, orthonormal, real and its own inverse. Columns may
/// hold many fields, one after the other.
class hartley {
 public:
  hartley(index_t ny, index_t nx) : ny_(ny), nx_(nx) {
    require(ny >= 1 && nx >= 1, "hartley: a grid of ", ny, " x ", nx);
    std::vector<double> a(std::size_t(ny * nx)), b(a.size());
    plan_ = planned_alone([&] {
      return fftw_plan_r2r_2d(int(ny), int(nx), a.data(), b.data(), FFTW_DHT, FFTW_DHT, FFTW_ESTIMATE | FFTW_UNALIGNED | FFTW_PRESERVE_INPUT);
    });
    require(plan_ != nullptr, "hartley: FFTW has no plan for ", ny, " x ", nx);
  }
  index_t points() const { return ny_ * nx_; }
  /// The wave number without its sign, of coordinate i of a field, as (|ky|, |kx|) counted through.
  index_t wave(index_t i) const { return folded(i / nx_, ny_) * (nx_ / 2 + 1) + folded(i % nx_, nx_); }
  index_t waves() const { return (ny_ / 2 + 1) * (nx_ / 2 + 1); }

  template <host_doubles S> S operator()(S const& x) const {
    index_t const n = points(), fields = columns(x) / n;
    require(columns(x) == fields * n, "hartley: ", columns(x), " columns for fields of ", n, " points");
    S out = zeros_like(x);
    double const scale = 1 / std::sqrt(double(n));
    parallel_for(rows(x) * fields, rows(x) * columns(x) * 64, [&](index_t i) {
      double* const to = out.data() + i * n;
      fftw_execute_r2r(plan_.get(), const_cast<double*>(x.data()) + i * n, to);
      for (index_t j = 0; j < n; ++j) to[j] *= scale;
    });
    return out;
  }
  template <host_doubles S> S adjoint(S const& c) const { return (*this)(c); }

 private:
  static index_t folded(index_t k, index_t n) { return std::min(k, n - k); }
  index_t ny_, nx_;
  fftw_plan_handle plan_;
};

/// The Basis of a homogeneous_gaussian: waves, and for every wave number directions in time.
class trajectory_waves {
 public:
  /// directions[wave]: rows are the directions, orthonormal
  trajectory_waves(hartley space, std::vector<small_matrix> directions) : space_(std::move(space)), directions_(std::move(directions)) {
    require(index_t(directions_.size()) == space_.waves(), "trajectory_waves: ", directions_.size(), " bases of time for ", space_.waves(), " waves");
    for (auto const& v : directions_) transposed_.push_back(transposed(v));
  }
  template <host_doubles S> S operator()(S const& x) const { return turned(space_(x), directions_); }
  template <host_doubles S> S adjoint(S const& c) const { return space_(turned(c, transposed_)); }
  hartley const& space() const { return space_; }
  std::vector<small_matrix> const& directions() const { return directions_; }

 private:
  template <host_doubles S> S turned(S const& x, std::vector<small_matrix> const& by) const {
    index_t const n = space_.points(), t = by[0].height;
    require(columns(x) == t * n, "trajectory_waves: ", columns(x), " columns for ", t, " fields of ", n, " points");
    S out = zeros_like(x);
    parallel_for(rows(x) * n, rows(x) * n * t * t, [&](index_t i) {
      double const* const from = x.data() + i / n * columns(x) + i % n;
      double* const to = out.data() + i / n * columns(x) + i % n;
      small_matrix const& v = by[std::size_t(space_.wave(i % n))];
      for (index_t j = 0; j < t; ++j) {
        double sum = 0;
        for (index_t s = 0; s < t; ++s) sum += v[j][s] * from[s * n];
        to[j * n] = sum;
      }
    });
    return out;
  }
  hartley space_;
  std::vector<small_matrix> directions_, transposed_;
};

/// The Gaussian of samples that are rows of `frames` fields of ny x nx points: their mean field, the same at all times, and waves'
/// covariances in time. Variances below `floor` times the largest are raised to it.
template <host_doubles S> gaussian<S, trajectory_waves> homogeneous_gaussian(S const& samples, index_t frames, index_t ny, index_t nx, double floor = 1e-12) {
  hartley const space(ny, nx);
  index_t const n = space.points(), count = rows(samples);
  require(frames >= 1 && count >= 1 && columns(samples) == frames * n, "homogeneous_gaussian: ", count, " samples of ", columns(samples), " columns for ", frames,
          " fields of ", ny, " x ", nx);
  S mean = zeros(samples, 1, frames * n);
  for (index_t r = 0; r < count; ++r)
    for (index_t i = 0; i < frames * n; ++i) mean.data()[i % n] += samples.data()[r * frames * n + i] / double(count * frames);
  for (index_t t = 1; t < frames; ++t) copy_block(mean, 0, t * n, mean, 0, 0, 1, n);
  S away = clone(samples);
  lincomb(away, term{1.0, away}, term{-1.0, mean});
  away = space(away);

  std::vector<small_matrix> directions(std::size_t(space.waves()), small_matrix(frames, frames));
  std::vector<double> members(directions.size());
  for (index_t i = 0; i < n; ++i) {
    small_matrix& c = directions[std::size_t(space.wave(i))];
    members[std::size_t(space.wave(i))] += double(count);
    for (index_t r = 0; r < count; ++r) {
      double const* const a = away.data() + r * frames * n + i;
      for (index_t t = 0; t < frames; ++t)
        for (index_t s = 0; s < frames; ++s) c[t][s] += a[t * n] * a[s * n];
    }
  }
  std::vector<std::vector<double>> values(directions.size());
  double largest = 0;
  for (std::size_t w = 0; w < directions.size(); ++w) {
    for (double& e : directions[w].elements) e /= members[w];
    auto eigen = eigen_symmetric(std::move(directions[w]));
    values[w] = std::move(eigen.values), directions[w] = std::move(eigen.vectors);
    largest = std::max(largest, values[w].back());
  }
  S variance = zeros_like(mean);
  for (index_t i = 0; i < frames * n; ++i)
    variance.data()[i] = std::max(values[std::size_t(space.wave(i % n))][std::size_t(i / n)], floor * largest);
  return {std::move(mean), std::move(variance), trajectory_waves(space, std::move(directions))};
}

}  // namespace sda
