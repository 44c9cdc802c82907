// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/prior/gaussian.hpp>

#include <Eigen/Eigenvalues>

// Gaussians of full covariance, for states of any kind: the eigen-decomposition is made here once, on the host.

namespace sda {

/// The eigenvalues and eigenvectors of a covariance, as a Gaussian wants them.
template <State S> struct principal_axes {
  S variance;
  dense_basis<S> basis;
};

namespace detail {
template <State S, class M> S loaded(S const& like, M const& matrix) {
  Eigen::Array<value_t<S>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> const host = matrix.template cast<value_t<S>>();
  S out = zeros(like, host.rows(), host.cols());
  load(out, std::span<value_t<S> const>(host.data(), std::size_t(host.size())));
  return out;
}

// Eigenvalues that rounding has made negative count as zero; larger ones are an error.
inline Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> decomposed(Eigen::MatrixXd const& c, Eigen::VectorXd& values) {
  require(c.rows() == c.cols() && c.rows() > 0, "covariance: ", c.rows(), " x ", c.cols(), " is not square");
  double const size = c.cwiseAbs().maxCoeff(), skew = (c - c.transpose()).cwiseAbs().maxCoeff();
  require(std::isfinite(size) && skew <= 1e-10 * size, "covariance: not symmetric, entries up to ", size, " differ by ", skew);
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(c);
  require(solver.info() == Eigen::Success, "covariance: the eigenvalues of ", c.rows(), " x ", c.cols(), " did not converge");
  values = solver.eigenvalues();
  require(values(0) >= -1e-10 * values(values.size() - 1), "covariance: not positive, eigenvalues from ", values(0), " to ",
          values(values.size() - 1));
  values = values.cwiseMax(0.0);
  return solver;
}
}  // namespace detail

/// C = Q Λ Qᵀ of a symmetric positive semi-definite matrix; costs O(d³).
template <State S> principal_axes<S> principal_axes_of(S const& like, Eigen::MatrixXd const& covariance) {
  Eigen::VectorXd values;
  Eigen::MatrixXd const q = detail::decomposed(covariance, values).eigenvectors();
  return {detail::loaded(like, values.transpose()), {detail::loaded(like, q), detail::loaded(like, q.transpose())}};
}

/// N(mean, covariance) for a dense covariance.
template <State S> gaussian<S, dense_basis<S>> gaussian_full(S mean, Eigen::MatrixXd const& covariance) {
  require(columns(mean) == covariance.rows(), "gaussian_full: a mean of ", columns(mean), " numbers, a covariance of ", covariance.rows());
  auto axes = principal_axes_of(mean, covariance);
  return {std::move(mean), std::move(axes.variance), std::move(axes.basis)};
}

/// N(mean, C_time ⊗ C_space): trajectories, time-major; only the two small matrices are decomposed.
template <State S>
gaussian<S, kronecker_basis<S, dense_basis<S>, dense_basis<S>>> gaussian_kronecker(S mean, Eigen::MatrixXd const& time,
                                                                                   Eigen::MatrixXd const& space) {
  require(columns(mean) == time.rows() * space.rows(), "gaussian_kronecker: a mean of ", columns(mean), " numbers for ", time.rows(),
          " steps of ", space.rows());
  Eigen::VectorXd t, s;
  Eigen::MatrixXd const qt = detail::decomposed(time, t).eigenvectors(), qs = detail::decomposed(space, s).eigenvectors();
  Eigen::MatrixXd const values = t * s.transpose();   // stored column by column, that is space-major
  auto const axes = [&](Eigen::MatrixXd const& q) { return dense_basis<S>{detail::loaded(mean, q), detail::loaded(mean, q.transpose())}; };
  S variance = detail::loaded(mean, Eigen::Map<Eigen::RowVectorXd const>(values.data(), values.size()));
  kronecker_basis<S, dense_basis<S>, dense_basis<S>> basis(mean, time.rows(), space.rows(), axes(qt), axes(qs));
  return {std::move(mean), std::move(variance), std::move(basis)};
}

/// A stationary AR(1) chain: Cov(x_i, x_j) = variance φ^|i−j|, each of the `width` numbers of a state on its own.
template <State S> auto gaussian_ar1(S mean, index_t steps, index_t width, double phi, double variance = 1) {
  require(std::abs(phi) < 1 && variance > 0, "gaussian_ar1: φ = ", phi, ", variance = ", variance);
  require(columns(mean) == steps * width, "gaussian_ar1: a mean of ", columns(mean), " numbers for ", steps, " steps of ", width);
  Eigen::MatrixXd time(steps, steps);
  for (index_t i = 0; i < steps; ++i)
    for (index_t j = 0; j < steps; ++j) time(i, j) = variance * std::pow(phi, std::abs(i - j));
  Eigen::VectorXd values;
  Eigen::MatrixXd const q = detail::decomposed(time, values).eigenvectors();
  S spectrum = detail::loaded(mean, values.transpose().replicate(1, width));
  kronecker_basis<S> basis(mean, steps, width, {detail::loaded(mean, q), detail::loaded(mean, q.transpose())});
  return gaussian<S, kronecker_basis<S>>{std::move(mean), std::move(spectrum), std::move(basis)};
}

}  // namespace sda
