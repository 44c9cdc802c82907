// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/filter/inflation.hpp>

namespace sda {

namespace detail {

/// e = mean + w X + T X, the latter inflated.
template <State X, State Y>
void recombine(X& e, ensemble_view<X, Y> const& v, std::vector<double> const& w, small_matrix const& turn, inflation const& inflate) {
  small_matrix step(1, v.members());
  step.elements = w;
  X const shift = mix(step, v.anomalies);
  X analysed = mix(turn, v.anomalies);
  inflate(analysed, v.anomalies);
  lincomb(e, term{1.0, v.mean}, term{1.0, shift}, term{1.0, analysed});
}

/// S = Y R⁻¹ Yᵀ = Σ λ u uᵀ, positive semi-definite up to rounding.
inline symmetric_eigen information_spectrum(small_matrix const& information) {
  auto s = eigen_symmetric(information);
  for (double& value : s.values) value = std::max(value, 0.0);
  return s;
}

/// Σ_k u_k (u_k · g) f(λ_k)
template <class F> std::vector<double> spectral_step(symmetric_eigen const& s, std::vector<double> const& g, F const& f) {
  std::vector<double> w(g.size());
  for (index_t k = 0; k < s.vectors.height; ++k) {
    double const* const u = s.vectors[k];
    double const a = std::inner_product(g.begin(), g.end(), u, 0.0) * f(s.values[std::size_t(k)]);
    for (std::size_t j = 0; j < w.size(); ++j) w[j] += a * u[j];
  }
  return w;
}

}  // namespace detail

/// Ensemble transform Kalman filter with the symmetric square root (Bishop et al., 2001; Hunt et al., 2007):
/// xᵃ = x̄ + w X + T X, w = A⁻¹ g, T = √(N-1) A^{-1/2}, A = (N-1) 1 + S.
struct etkf {
  inflation inflate{};
  bool rotate = false;   // a random mean-preserving rotation of the anomalies (Sakov & Oke, 2008)

  template <State X, class O> void analyse(X& e, O const& seen, key k) const {
    auto const v = view_ensemble(e, seen);
    double const dof = double(v.members() - 1);
    auto const s = detail::information_spectrum(v.information);
    small_matrix turn = s.apply([&](double value) { return std::sqrt(dof / (dof + value)); });
    if (rotate) turn = product(random_rotation(v.members(), k), turn);
    detail::recombine(e, v, detail::spectral_step(s, v.pull, [&](double value) { return 1 / (dof + value); }), turn, inflate);
  }
};

/// Deterministic ensemble Kalman filter (Sakov & Oke, 2008): anomalies move with half the gain, T = 1 - ½ S A⁻¹.
struct denkf {
  inflation inflate{};

  template <State X, class O> void analyse(X& e, O const& seen, key) const {
    auto const v = view_ensemble(e, seen);
    double const dof = double(v.members() - 1);
    auto const s = detail::information_spectrum(v.information);
    small_matrix const turn = s.apply([&](double value) { return 1 - value / (2 * (dof + value)); });
    detail::recombine(e, v, detail::spectral_step(s, v.pull, [&](double value) { return 1 / (dof + value); }), turn, inflate);
  }
};

/// Ensemble Kalman filter with perturbed observations (Burgers et al., 1998), centred: row i of T is
/// e_i + (ε_i - Y_i) R⁻¹ Yᵀ A⁻¹.
struct enkf {
  inflation inflate{};

  template <State X, class O> void analyse(X& e, O const& seen, key k) const {
    auto const v = view_ensemble(e, seen);
    index_t const n = v.members();
    auto drawn = seen.error.draw(k, v.seen);
    auto const centre = ensemble_mean(drawn);
    lincomb(drawn, term{1.0, drawn}, term{-1.0, centre}, term{-1.0, v.seen});
    small_matrix turn = gram(drawn, v.weighted_seen), a = v.information, step(1, n);
    for (index_t i = 0; i < n; ++i) a[i][i] += double(n - 1);
    auto const factor = cholesky(std::move(a));
    cholesky_solve(factor, turn);
    for (index_t i = 0; i < n; ++i) turn[i][i] += 1;
    step.elements = v.pull;
    cholesky_solve(factor, step);
    detail::recombine(e, v, step.elements, turn, inflate);
  }
};

}  // namespace sda
