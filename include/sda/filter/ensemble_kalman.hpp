// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/eigen_symmetric.hpp>
#include <sda/calculus/inverse_root.hpp>
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
    small_matrix turn = inverse_root(v.information, dof), pull(1, v.members());
    pull.elements = v.pull;
    auto const step = product(product(pull, turn), turn).elements;
    for (double& t : turn.elements) t *= std::sqrt(dof);
    if (rotate) turn = product(random_rotation(v.members(), k), turn);
    detail::recombine(e, v, step, turn, inflate);
  }
};

/// Deterministic ensemble Kalman filter (Sakov & Oke, 2008): anomalies move with half the gain, T = 1 - ½ S A⁻¹.
struct denkf {
  inflation inflate{};

  template <State X, class O> void analyse(X& e, O const& seen, key) const {
    auto const v = view_ensemble(e, seen);
    double const dof = double(v.members() - 1);
    small_matrix a = v.information, step(1, v.members()), turn = identity_matrix(v.members(), dof / 2);
    for (index_t i = 0; i < a.height; ++i) a[i][i] += dof;
    auto const factor = cholesky(std::move(a));
    step.elements = v.pull;
    cholesky_solve(factor, step);
    cholesky_solve(factor, turn);
    for (index_t i = 0; i < turn.height; ++i) turn[i][i] += 0.5;   // 1 - ½ S A⁻¹ = ½ + ½ (N-1) A⁻¹
    detail::recombine(e, v, step.elements, turn, inflate);
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

/// The finite-size filter's scale of the prior anomalies, l² = (N-1)/ζ: minimises the dual cost
/// Σ_k h_k²/(N-1 + l² λ_k) + ε/l² + c ln l² with ε = (N+1)/N, c = (N+g)/(N-1), g = `nullity` (Bocquet, 2011, eq. 31, divided
/// by (N-1)/2). ε and c are corrected towards the prior's mode as far as the observations leave it (Bocquet et al., 2015,
/// eq. 36), and multiplied by `certainty`.
inline double finite_size_scale(std::vector<double> const& values, std::vector<double> const& pull, double certainty, double nullity) {
  double const n = double(values.size()), dof = n - 1;
  double left = 0;
  for (double const v : values) left += dof / (v + dof) / n;   // the share of the prior precision that survives, in the mean
  double eps = (n + 1) / n, c = (n + nullity) / dof;
  double const correction = std::sqrt(std::pow(eps / c, left));
  eps *= certainty / correction;
  c *= certainty * correction;
  auto const cost = [&](double log_l2) {
    double const l2 = std::exp(log_l2);
    double sum = eps / l2 + c * log_l2;
    for (std::size_t k = 0; k < values.size(); ++k)
      if (values[k] > 0) sum += pull[k] * pull[k] / values[k] / (dof + l2 * values[k]);   // h_k² = (u_k·g)²/λ_k
    return sum;
  };
  // coarse scan, then golden sections: the cost may have two minima far from the solution
  double best = 0, step = 0.25;
  for (double x = -6; x <= 12; x += step)
    if (cost(x) < cost(best)) best = x;
  double const golden = 0.6180339887498949;
  double low = best - step, high = best + step;
  for (int i = 0; i < 60; ++i) {
    double const a = high - golden * (high - low), b = low + golden * (high - low);
    (cost(a) < cost(b) ? high : low) = cost(a) < cost(b) ? b : a;
  }
  return std::exp((low + high) / 4);
}

/// Finite-size ensemble Kalman filter, dual form (Bocquet, 2011): an etkf whose prior inflation comes from the data.
struct enkf_n {
  double certainty = 1;   // of the hyperprior: above 1 trusts the ensemble's own spread more (Raanes et al., 2019)
  double nullity = 1;     // g, directions among the N in which anomalies are 0: 1 up to N = n + 1. 0 inflates more, as DAPPER does
  inflation inflate{};
  bool rotate = false;

  template <State X, class O> void analyse(X& e, O const& seen, key k) const {
    auto const v = view_ensemble(e, seen);
    double const dof = double(v.members() - 1);
    auto const s = detail::information_spectrum(v.information);
    std::vector<double> along(s.values.size());
    for (std::size_t i = 0; i < along.size(); ++i) along[i] = std::inner_product(v.pull.begin(), v.pull.end(), s.vectors[index_t(i)], 0.0);
    double const l = finite_size_scale(s.values, along, certainty, nullity), l2 = l * l;
    small_matrix turn = s.apply([&](double value) { return l * std::sqrt(dof / (dof + l2 * value)); });
    if (rotate) turn = product(random_rotation(v.members(), k), turn);
    detail::recombine(e, v, detail::spectral_step(s, v.pull, [&](double value) { return l2 / (dof + l2 * value); }), turn, inflate);
  }
};

}  // namespace sda
