// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/eigen_symmetric.hpp>
#include <sda/prior/gaussian.hpp>

// Gaussians of full covariance, for states of any kind. The eigenvectors are found here once, on the host, and live where
// the state lives from then on.

namespace sda {

namespace detail {
// Eigenvalues that rounding has made negative count as zero; anything more is an error.
inline symmetric_eigen principal_axes(small_matrix const& covariance) {
  require_symmetric(covariance, "covariance");
  require(covariance.height > 0, "covariance: 0 x 0");
  symmetric_eigen out = eigen_symmetric(covariance);
  require(out.values.front() >= -1e-10 * out.values.back(), "covariance: not positive, eigenvalues from ", out.values.front(), " to ",
          out.values.back());
  for (double& v : out.values) v = std::max(v, 0.0);
  return out;
}
template <State S> dense_basis<S> basis_of(S const& like, symmetric_eigen const& axes) {
  return {to_state(like, transposed(axes.vectors)), to_state(like, axes.vectors)};
}
// The eigenvalues of time ⊗ space, space-major.
inline small_matrix product_spectrum(std::vector<double> const& time, std::vector<double> const& space) {
  small_matrix out(1, index_t(time.size() * space.size()));
  double* to = out[0];
  for (double const s : space)
    for (double const t : time) *to++ = s * t;
  return out;
}
inline small_matrix ar1_covariance(index_t steps, double phi, double variance) {
  require(steps > 0 && std::abs(phi) < 1 && variance > 0, "AR(1) chain: ", steps, " steps, φ = ", phi, ", variance = ", variance);
  small_matrix c(steps, steps);
  for (index_t i = 0; i < steps; ++i)
    for (index_t j = 0; j < steps; ++j) c[i][j] = variance * std::pow(phi, std::abs(i - j));
  return c;
}
}  // namespace detail

/// N(mean, covariance) of a covariance whose principal axes are known; O(d²) a row and step.
template <State S> gaussian<S, dense_basis<S>> gaussian_along(S mean, symmetric_eigen const& axes) {
  S variance = to_state(mean, detail::product_spectrum(axes.values, {1.0}));
  dense_basis<S> basis = detail::basis_of(mean, axes);
  return {std::move(mean), std::move(variance), std::move(basis)};
}

/// N(mean, covariance) for a dense covariance, symmetric and positive semi-definite; O(d³) once.
template <State S> gaussian<S, dense_basis<S>> gaussian_full(S mean, small_matrix const& covariance) {
  require(columns(mean) == covariance.height, "gaussian_full: a mean of ", columns(mean), " numbers, a covariance of ", covariance.height);
  return gaussian_along(std::move(mean), detail::principal_axes(covariance));
}

/// N(mean, time ⊗ space): trajectories of states, time-major; only the two small covariances are decomposed.
template <State S> auto gaussian_kronecker(S mean, small_matrix const& time, small_matrix const& space) {
  require(columns(mean) == time.height * space.height, "gaussian_kronecker: a mean of ", columns(mean), " numbers for ", time.height, " steps of ",
          space.height);
  symmetric_eigen const t = detail::principal_axes(time), s = detail::principal_axes(space);
  S variance = to_state(mean, detail::product_spectrum(t.values, s.values));
  kronecker_basis<S, dense_basis<S>, dense_basis<S>> basis(mean, time.height, space.height, detail::basis_of(mean, t), detail::basis_of(mean, s));
  return gaussian{std::move(mean), std::move(variance), std::move(basis)};
}

/// Stationary AR(1) chains: Cov(x_i, x_j) = variance φ^|i−j|, each of the `width` numbers of a state on its own.
template <State S> auto gaussian_ar1(S mean, index_t steps, index_t width, double phi, double variance = 1) {
  require(columns(mean) == steps * width, "gaussian_ar1: a mean of ", columns(mean), " numbers for ", steps, " steps of ", width);
  symmetric_eigen const axes = detail::principal_axes(detail::ar1_covariance(steps, phi, variance));
  S spectrum = to_state(mean, detail::product_spectrum(axes.values, std::vector<double>(std::size_t(width), 1.0)));
  kronecker_basis<S> basis(mean, steps, width, detail::basis_of(mean, axes));
  return gaussian{std::move(mean), std::move(spectrum), std::move(basis)};
}

}  // namespace sda
