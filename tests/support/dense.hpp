// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/level.hpp>
#include <sda/eigen.hpp>

#include <Eigen/Cholesky>
#include <cmath>
#include <utility>
#include <vector>

/// Dense oracles, written with matrices alone: what the library's answers are held against.
namespace sda_test {

using matrix = Eigen::MatrixXd;
using vector = Eigen::VectorXd;
using array = sda::host_array<double>;

inline int const eigen_threads = (Eigen::setNbThreads(1), 1);   // these matrices are small, and tests run beside each other

inline array to_rows(matrix const& m) { return m.array(); }
inline matrix to_matrix(array const& a) { return a.matrix(); }

/// Covariance of a stationary AR(1) process of unit variance.
inline matrix ar1(sda::index_t n, double phi) {
  matrix c(n, n);
  for (sda::index_t i = 0; i < n; ++i)
    for (sda::index_t j = 0; j < n; ++j) c(i, j) = std::pow(phi, double(std::abs(i - j)));
  return c;
}

/// The exact denoiser of N(mean, covariance): x̂ = m + J (x - a m), J = a C (a² C + s² I)⁻¹, with its products. `evaluations`
/// and `vjps` count rows, if given.
struct dense_gaussian {
  vector mean;
  matrix covariance;
  sda::index_t* evaluations = nullptr;
  sda::index_t* vjps = nullptr;

  matrix jacobian(sda::level l) const {
    matrix const c = covariance, noisy = l.alpha * l.alpha * c + l.sigma * l.sigma * matrix::Identity(c.rows(), c.cols());
    return l.alpha * noisy.ldlt().solve(c);
  }
  array operator()(array const& x, sda::level l) const { return linearize(x, l).value(); }

  struct linearization {
    array at;
    matrix j;
    sda::index_t* vjps;
    array const& value() const { return at; }
    array vjp(array const& u) const {
      if (vjps) *vjps += u.rows();
      return (u.matrix() * j).array();
    }
    array jvp(array const& v) const { return (v.matrix() * j.transpose()).array(); }
  };
  linearization linearize(array const& x, sda::level l) const {
    if (evaluations) *evaluations += x.rows();
    matrix const j = jacobian(l);
    matrix const xhat = ((x.matrix().rowwise() - l.alpha * mean.transpose()) * j.transpose()).rowwise() + mean.transpose();
    return {xhat.array(), j, vjps};
  }
};
inline dense_gaussian centred(matrix c) {
  vector const zero = vector::Zero(c.rows());
  return {zero, std::move(c), nullptr, nullptr};
}

/// The distribution of x given H x + N(0, R) = y, for x ~ N(mean, covariance).
inline dense_gaussian conditioned(dense_gaussian const& p, matrix const& h, vector const& y, matrix const& r) {
  matrix const s = h * p.covariance * h.transpose() + r, gain = s.ldlt().solve(h * p.covariance).transpose();
  matrix c = p.covariance - gain * h * p.covariance;
  c = 0.5 * (c + c.transpose()).eval();
  return {p.mean + gain * (y - h * p.mean), c, nullptr, nullptr};
}

/// x ↦ x Mᵀ + c of an affine denoiser at one level, found by asking it.
struct affine_map {
  matrix m;
  vector c;
};
template <class D> affine_map probe(D const& d, sda::index_t n, sda::level l) {
  array questions = array::Zero(n + 1, n);
  questions.bottomRows(n).matrix().setIdentity();
  matrix const answers = d(questions, l).matrix();
  return {(answers.bottomRows(n).rowwise() - answers.row(0)).transpose(), answers.row(0).transpose()};
}

}  // namespace sda_test
