// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/eigen_jacobi.hpp>
#include <sda/core/parallel.hpp>
#include <sda/filter/inflation.hpp>
#include <sda/filter/localisation.hpp>

#include <array>

namespace sda {

namespace detail {

/// The local analyses of Lanes consecutive columns: x <- x̄ + w X + T X with S = Σ_o τ_o Y_o Y_oᵀ / r_o over the observations o
/// of each column, w = A⁻¹ g, T = √(N-1) A^{-1/2}, A = (N-1) 1 + S, by the spectrum of S.
template <int Lanes> class local_analysis {
 public:
  explicit local_analysis(int members) : n_(members), s_(std::size_t(n_ * n_ * Lanes)), u_(s_), g_(std::size_t(n_ * Lanes)) {}

  /// `seen` is p x N (observation-major anomalies), `precision` 1/r and `innovation` y - ȳ have p; `x` points at the first of
  /// the columns of the N x n anomalies, `shift` at their means' increments; `columns` <= Lanes are used.
  void operator()(localisation const& near, index_t first, int columns_used, double const* seen, double const* precision, double const* innovation,
                  double* x, index_t stride, double* shift) {
    gather(near, first, columns_used, seen, precision, innovation);
    decompose(columns_used);
    double const dof = double(n_ - 1);
    using lane = std::array<double, Lanes>;
    lane moved{};
    std::vector<lane> in(std::size_t(n_), lane{}), out(in);
    for (int i = 0; i < n_; ++i) std::copy_n(x + i * stride, columns_used, in[std::size_t(i)].begin());
    for (int k = 0; k < n_; ++k) {
      lane ux{}, ug{};
      for (int i = 0; i < n_; ++i) {
        double const* const u = u_.data() + (k * n_ + i) * Lanes;
        for (int l = 0; l < Lanes; ++l) {
          ux[std::size_t(l)] += u[l] * in[std::size_t(i)][std::size_t(l)];
          ug[std::size_t(l)] += u[l] * g_[std::size_t(i * Lanes + l)];
        }
      }
      for (int l = 0; l < Lanes; ++l) {
        double const value = std::max(0.0, s_[std::size_t((k * n_ + k) * Lanes + l)]);
        moved[std::size_t(l)] += ux[std::size_t(l)] * ug[std::size_t(l)] / (dof + value);
        ux[std::size_t(l)] *= std::sqrt(dof / (dof + value));
      }
      for (int i = 0; i < n_; ++i) {
        double const* const u = u_.data() + (k * n_ + i) * Lanes;
        for (int l = 0; l < Lanes; ++l) out[std::size_t(i)][std::size_t(l)] += u[l] * ux[std::size_t(l)];
      }
    }
    for (int l = 0; l < columns_used; ++l) {
      shift[l] = moved[std::size_t(l)];
      for (int i = 0; i < n_; ++i) x[i * stride + l] = out[std::size_t(i)][std::size_t(l)];
    }
  }

 private:
  /// Jacobi's sweeps over all lanes at once win for small ensembles alone: 6 sweeps are exact to rounding up to 10 members.
  void decompose(int used) {
    if (n_ <= 10) return eigen_jacobi<Lanes>(s_.data(), u_.data(), n_, 6);
    small_matrix one(n_, n_);
    for (int l = 0; l < used; ++l) {
      for (int i = 0; i < n_; ++i)
        for (int j = i; j < n_; ++j) one[i][j] = one[j][i] = s_[std::size_t((i * n_ + j) * Lanes + l)];
      auto const e = eigen_symmetric(one);
      for (int i = 0; i < n_; ++i) {
        s_[std::size_t((i * n_ + i) * Lanes + l)] = e.values[std::size_t(i)];
        for (int j = 0; j < n_; ++j) u_[std::size_t((i * n_ + j) * Lanes + l)] = e.vectors[i][j];
      }
    }
  }
  void gather(localisation const& near, index_t first, int used, double const* seen, double const* precision, double const* innovation) {
    std::fill(s_.begin(), s_.end(), 0.0);
    std::fill(g_.begin(), g_.end(), 0.0);
    for (int l = 0; l < used; ++l)
      for (auto e = near.first[std::size_t(first + l)]; e < near.first[std::size_t(first + l + 1)]; ++e) {
        auto const o = near.observation[std::size_t(e)];
        double const weight = near.taper[std::size_t(e)] * precision[o];
        double const* const y = seen + o * n_;
        for (int i = 0; i < n_; ++i) {
          double const wy = weight * y[i];
          g_[std::size_t(i * Lanes + l)] += wy * innovation[o];
          for (int j = i; j < n_; ++j) s_[std::size_t((i * n_ + j) * Lanes + l)] += wy * y[j];
        }
      }
  }

  int n_;
  std::vector<double> s_, u_, g_;
};

}  // namespace detail

/// Local ensemble transform Kalman filter (Hunt et al., 2007): every column is analysed with the observations near it, their
/// precision tapered; R must be diagonal (R⁻¹ is asked once, of a row of ones). The analyses are made on the host, eight columns
/// at a time, on threads, whose number changes nothing; a state may offer them as analyse_columns, false if not for this many.
struct letkf {
  localisation near;
  inflation inflate{};
  bool rotate = false;

  template <State X, class A, State Y, class R>
    requires ObservationOperator<A, X, Y>
  void analyse(X& e, observation<A, Y, R> const& o, key k) const {
    index_t const n = rows(e), m = columns(e);
    require(n >= 2, "letkf: needs 2 members at least, not ", n);
    require(near.columns_covered() == m, "letkf: the localisation covers ", near.columns_covered(), " columns, the state has ", m);
    X const mean = ensemble_mean(e);
    X const prior = anomalies(e, mean);
    X analysed = clone(prior), shift = zeros_like(mean);
    analyse_locally(analysed, shift, o, e);
    if (rotate) analysed = mix(random_rotation(n, k), analysed);
    inflate(analysed, prior);
    lincomb(e, term{1.0, mean}, term{1.0, shift}, term{1.0, analysed});
  }

 private:
  static constexpr int lanes = 8;

  template <State S> static std::vector<double> on_host_of(S const& x) {
    std::vector<value_t<S>> raw(std::size_t(rows(x) * columns(x)));
    store(x, std::span<value_t<S>>(raw));
    if constexpr (std::same_as<value_t<S>, double>) return raw;
    else return {raw.begin(), raw.end()};
  }
  template <State S> static void from_host(S& x, std::vector<double> const& values) {
    std::vector<value_t<S>> const raw(values.begin(), values.end());
    load(x, std::span<value_t<S> const>(raw));
  }

  template <State X, class A, State Y, class R> void analyse_locally(X& analysed, X& shift, observation<A, Y, R> const& o, X const& e) const {
    Y const all = o.op(e), centre = ensemble_mean(all);
    index_t const n = rows(e), m = columns(e), p = columns(all);
    for (auto const i : near.observation) require(i >= 0 && i < p, "letkf: the localisation names observation ", i, " of ", p);
    Y const precision_of = precisions(o.error, all), innovations = anomalies(o.y, centre), spreads = anomalies(all, centre);
    if constexpr (requires {
                    { algebra<X>::analyse_columns(analysed, shift, near, spreads, precision_of, innovations) } -> std::same_as<bool>;
                  })
      if (algebra<X>::analyse_columns(analysed, shift, near, spreads, precision_of, innovations)) return;
    auto const precision = on_host_of(precision_of), innovation = on_host_of(innovations), spread = on_host_of(spreads);
    std::vector<double> seen(std::size_t(p * n)), x = on_host_of(analysed), moved(static_cast<std::size_t>(m));
    for (index_t i = 0; i < n; ++i)
      for (index_t c = 0; c < p; ++c) seen[std::size_t(c * n + i)] = spread[std::size_t(i * p + c)];
    index_t const grain = 4 * lanes;
    parallel_chunks(m, grain, m * n * n * n, [&](index_t first, index_t last) {
      detail::local_analysis<lanes> solve{int(n)};
      for (index_t c = first; c < last; c += lanes)
        solve(near, c, int(std::min<index_t>(lanes, last - c)), seen.data(), precision.data(), innovation.data(), x.data() + c, m, moved.data() + c);
    });
    from_host(analysed, x);
    from_host(shift, moved);
  }
};

}  // namespace sda
