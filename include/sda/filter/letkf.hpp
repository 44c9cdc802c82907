// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/inverse_root.hpp>
#include <sda/core/parallel_dealt.hpp>
#include <sda/filter/inflation.hpp>
#include <sda/filter/localisation.hpp>

#include <array>

namespace sda {

namespace detail {

/// The local analyses of up to four consecutive columns, one a lane: x <- w X + √(N-1) A^{-1/2} x with S = Σ_o τ_o Y_o Y_oᵀ / r_o over
/// the observations o of each column, A = (N-1) 1 + S, w = A⁻¹ g. S is reduced to tridiagonal form by reflections that x and g
/// follow; there A⁻¹ and the terms of A^{-1/2} (calculus/inverse_root.hpp) are a sweep down and one up.
class local_analysis {
 public:
  static constexpr int lanes = 4;
  explicit local_analysis(int members)
      : n_(members), s_(std::size_t(n_ * n_ * lanes)), x_(std::size_t(n_ * lanes)), g_(x_), d_(x_), e_(x_), p_(x_), slope_(x_), pivot_(x_), sum_(x_) {
  }

  /// `seen` is p x N (observation-major anomalies), `precision` 1/r and `innovation` y - ȳ have p; `x` points at the first of
  /// the columns of the N x n anomalies, `shift` at their means' increments; `used` columns <= lanes are there.
  void operator()(localisation const& near, index_t first, int used, double const* seen, double const* precision, double const* innovation, double* x,
                  index_t stride, double* shift) {
    gather(near, first, used, seen, precision, innovation);
    std::fill(x_.begin(), x_.end(), 0.0);
    for (int i = 0; i < n_; ++i) std::copy_n(x + i * stride, used, x_.data() + i * lanes);
    reduce();
    analyse();
    restore();
    for (int l = 0; l < used; ++l) shift[l] = moved_[std::size_t(l)];
    for (int i = 0; i < n_; ++i) std::copy_n(sum_.data() + i * lanes, used, x + i * stride);
  }

 private:
  using pack = host::packed<double>::type;
  static pack* packs(std::vector<double>& v) { return host::packed<double>::at(v.data()); }

  /// The upper triangle of S, and g, over all observations that reach any of the columns; a weight is 0 where one is not reached.
  void gather(localisation const& near, index_t first, int used, double const* seen, double const* precision, double const* innovation) {
    std::fill(s_.begin(), s_.end(), 0.0);
    std::fill(g_.begin(), g_.end(), 0.0);
    pack *const s = packs(s_), *const g = packs(g_);
    std::array<std::size_t, lanes> next{}, end{};
    for (int l = 0; l < used; ++l)
      next[std::size_t(l)] = std::size_t(near.first[std::size_t(first + l)]),
      end[std::size_t(l)] = std::size_t(near.first[std::size_t(first + l + 1)]);
    for (;;) {
      auto o = std::numeric_limits<std::int64_t>::max();
      for (std::size_t l = 0; l < lanes; ++l)
        if (next[l] < end[l]) o = std::min(o, near.observation[next[l]]);
      if (o == std::numeric_limits<std::int64_t>::max()) return;
      double weights[lanes] = {};
      for (std::size_t l = 0; l < lanes; ++l)
        if (next[l] < end[l] && near.observation[next[l]] == o) weights[l] = near.taper[next[l]++] * precision[o];
      pack const weight = *host::packed<double>::at(weights);
      double const* const y = seen + o * n_;
      for (int i = 0; i < n_; ++i) {
        pack const wy = weight * y[i];
        g[i] += wy * innovation[o];
        for (int j = i; j < n_; ++j) s[i * n_ + j] += wy * y[j];
      }
    }
  }

  /// S to tridiagonal form, diagonal d and off-diagonal e; row k of its place keeps the reflection 1 - v vᵀ. x and g follow.
  void reduce() {
    pack *const s = packs(s_), *const d = packs(d_), *const e = packs(e_), *const p = packs(p_);
    for (int k = 0; k < n_; ++k) {
      d[k] = s[k * n_ + k];
      e[k] = k + 1 < n_ ? s[k * n_ + k + 1] : pack{};
      if (k + 2 >= n_) continue;
      pack* const v = s + k * n_;  // from k + 1 on
      pack squares{};
      for (int i = k + 1; i < n_; ++i) squares += v[i] * v[i], p[i] = pack{};
      double scale[lanes], alpha[lanes];
      for (int l = 0; l < lanes; ++l) {
        double const norm = std::sqrt(squares[l]), head = v[k + 1][l];
        scale[l] = norm > 0 ? 1 / std::sqrt(norm * (norm + std::abs(head))) : 0;
        alpha[l] = norm > 0 ? head > 0 ? -norm : norm : head;
      }
      e[k] = *host::packed<double>::at(alpha);
      v[k + 1] -= e[k];
      for (int i = k + 1; i < n_; ++i) v[i] *= *host::packed<double>::at(scale);
      reflect(v, k + 1, packs(x_)), reflect(v, k + 1, packs(g_));
      // S -= v qᵀ + q vᵀ on what is left, q = S v - ½ (vᵀ S v) v
      pack along{};
      for (int i = k + 1; i < n_; ++i) {
        pack const vi = v[i];
        pack sum = p[i] + s[i * n_ + i] * vi;
        for (int j = i + 1; j < n_; ++j) sum += s[i * n_ + j] * v[j], p[j] += s[i * n_ + j] * vi;
        p[i] = sum;
        along += sum * vi;
      }
      for (int i = k + 1; i < n_; ++i) p[i] -= 0.5 * along * v[i];
      for (int i = k + 1; i < n_; ++i) {
        pack const vi = v[i], pi = p[i];
        for (int j = i; j < n_; ++j) s[i * n_ + j] -= vi * p[j] + pi * v[j];
      }
    }
  }
  /// x -= v (v · x)
  void reflect(pack const* v, int first, pack* x) const {
    pack along{};
    for (int i = first; i < n_; ++i) along += v[i] * x[i];
    for (int i = first; i < n_; ++i) x[i] -= along * v[i];
  }

  void analyse() {
    double const dof = double(n_ - 1);
    pack *const d = packs(d_), *const e = packs(e_), *const x = packs(x_), *const g = packs(g_), *const p = packs(p_), *const sum = packs(sum_);
    double highest = 0;  // of the spectrum of S in any lane (Gershgorin)
    for (int i = 0; i < n_; ++i)
      for (int l = 0; l < lanes; ++l) highest = std::max(highest, d[i][l] + (i > 0 ? std::abs(e[i - 1][l]) : 0) + std::abs(e[i][l]));
    solve(dof, g, p);
    pack moved{};
    for (int i = 0; i < n_; ++i) moved += x[i] * p[i], sum[i] = pack{};
    for (std::size_t l = 0; l < lanes; ++l) moved_[l] = moved[l];
    auto const& rule = inverse_root_rule::up_to(1 + highest / dof);
    for (std::size_t term = 0; term < rule.shift.size(); ++term) {
      solve(dof * (1 + rule.shift[term]), x, p);
      double const weight = dof * rule.weight[term];  // √(N-1) of the transform, and of the rule on [N-1, ...)
      for (int i = 0; i < n_; ++i) sum[i] += weight * p[i];
    }
  }
  /// z = (above 1 + tridiagonal)⁻¹ y
  void solve(double above, pack const* y, pack* z) {
    pack *const d = packs(d_), *const e = packs(e_), *const slope = packs(slope_), *const pivot = packs(pivot_);
    pivot[0] = 1 / (above + d[0]);
    z[0] = y[0];
    for (int i = 1; i < n_; ++i) {
      slope[i] = e[i - 1] * pivot[i - 1];
      pivot[i] = 1 / (above + d[i] - slope[i] * e[i - 1]);
      z[i] = y[i] - slope[i] * z[i - 1];
    }
    z[n_ - 1] *= pivot[n_ - 1];
    for (int i = n_ - 2; i >= 0; --i) z[i] = pivot[i] * z[i] - slope[i + 1] * z[i + 1];
  }
  void restore() {
    for (int k = n_ - 3; k >= 0; --k) reflect(packs(s_) + k * n_, k + 1, packs(sum_));
  }

  int n_;
  std::vector<double> s_, x_, g_, d_, e_, p_, slope_, pivot_, sum_;
  std::array<double, lanes> moved_{};
};

}  // namespace detail

/// Local ensemble transform Kalman filter (Hunt et al., 2007): every column is analysed with the observations near it, their
/// precision tapered; R must be diagonal (R⁻¹ is asked once, of a row of ones). The analyses are made on the host, four columns
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
    constexpr index_t lanes = detail::local_analysis::lanes, grain = 4 * lanes;
    parallel_dealt((m + grain - 1) / grain, m * n * n * n / 8, [&](index_t i) {
      detail::local_analysis solve{int(n)};
      index_t const last = std::min(m, (i + 1) * grain);
      for (index_t c = i * grain; c < last; c += lanes)
        solve(near, c, int(std::min<index_t>(lanes, last - c)), seen.data(), precision.data(), innovation.data(), x.data() + c, m, moved.data() + c);
    });
    from_host(analysed, x);
    from_host(shift, moved);
  }
};

}  // namespace sda
