// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/level.hpp>
#include <sda_test.hpp>

#include <Eigen/Cholesky>
#include <Eigen/LU>
#include <cmath>
#include <utility>
#include <vector>

/// Dense oracles, written with matrices alone: what the library's answers are held against.
namespace sda_test {

using matrix = Eigen::MatrixXd;
using vector = Eigen::VectorXd;
using array = sda::host_array<double>;

inline int const eigen_threads = (Eigen::setNbThreads(1), 1);  // these matrices are small, and tests run beside each other

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

/// y = x Hᵀ, a linear operator.
struct dense_operator {
  matrix h;
  array operator()(array const& x) const { return (x.matrix() * h.transpose()).array(); }
  array adjoint(array const& u) const { return (u.matrix() * h).array(); }
};
/// y = atan(x Hᵀ), one number at a time.
struct bent_operator {
  matrix h;
  struct linearization {
    matrix h;
    array inside, at;
    array const& value() const { return at; }
    array vjp(array const& u) const { return ((u / (1 + inside * inside)).matrix() * h).array(); }
    array jvp(array const& v) const { return (v.matrix() * h.transpose()).array() / (1 + inside * inside); }
  };
  linearization linearize(array const& x) const {
    array const inside = (x.matrix() * h.transpose()).array();
    return {h, inside, inside.atan()};
  }
  array operator()(array const& x) const { return linearize(x).at; }
};
/// Every n-th coordinate of `width`, from the first.
inline matrix every(sda::index_t n, sda::index_t width) {
  matrix h = matrix::Zero((width + n - 1) / n, width);
  for (sda::index_t i = 0; i < h.rows(); ++i) h(i, i * n) = 1;
  return h;
}

/// An error covariance as a matrix.
struct dense_error {
  matrix r;
  array apply(array const& v) const { return (v.matrix() * r).array(); }
  array solve(array const& v) const { return r.ldlt().solve(v.matrix().transpose()).transpose().array(); }
  array draw(sda::key k, array const& like) const {
    matrix const half = r.llt().matrixL();
    return (normals(like.rows(), like.cols(), k).matrix() * half.transpose()).array();
  }
  /// R + diag(v), v of one row.
  dense_error inflated(array const& v) const { return {r + matrix(v.row(0).matrix().asDiagonal())}; }
};
inline dense_error isotropic_error(sda::index_t n, double sigma) { return {sigma * sigma * matrix::Identity(n, n)}; }

/// Solves a(x) = b as a matrix equation: for a the same map for all rows, whatever their number.
struct dense_solver {
  template <class A, class M = int> array operator()(A const& a, array const& b, M const& = {}) const {
    array unit = array::Zero(b.cols(), b.cols());
    unit.matrix().setIdentity();
    matrix const m = a(unit).matrix().transpose();
    return m.partialPivLu().solve(b.matrix().transpose()).transpose().array();
  }
};

/// What sampling does to a Gaussian: with an affine denoiser, mean and covariance after DDIM(eta) steps through levels,
/// from noise of the first. No sampling error. `beside` sees the level and the weights of x̂ and x_t of every step.
struct moments {
  vector mean;
  matrix covariance;
};
template <class D, class Beside>
moments ddim_moments(D const& d, sda::index_t n, std::vector<sda::level> const& levels, double eta, Beside const& beside) {
  matrix const one = matrix::Identity(n, n);
  moments x{vector::Zero(n), levels[0].sigma * levels[0].sigma * one};
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    sda::level const from = levels[i], to = levels[i + 1];
    double const cleaned = from.alpha * to.sigma / (to.alpha * from.sigma), fresh = eta * (1 - cleaned * cleaned);
    double const keep = to.sigma / from.sigma * std::sqrt(1 - fresh), pull = to.alpha - keep * from.alpha;
    affine_map const f = probe(d, n, from);
    matrix const b = pull * f.m + keep * one;
    x.mean = b * x.mean + pull * f.c;
    x.covariance = b * x.covariance * b.transpose() + to.sigma * to.sigma * fresh * one;
    beside(from, pull, keep);
  }
  return x;
}
template <class D> moments ddim_moments(D const& d, sda::index_t n, std::vector<sda::level> const& levels, double eta) {
  return ddim_moments(d, n, levels, eta, [](sda::level, double, double) {});
}

/// How far moments are from the truth, a coordinate: KL(x || exact), rms bias in standard deviations, mean ratio of variances.
struct bias {
  double kl, mean, variance;
};
inline bias compare(moments const& x, dense_gaussian const& exact) {
  matrix const &p = x.covariance, &q = exact.covariance;
  double const n = double(p.rows());
  auto const lp = p.llt(), lq = q.llt();
  vector const d = x.mean - exact.mean;
  double const logdet = 2 * (matrix(lq.matrixL()).diagonal().array().log().sum() - matrix(lp.matrixL()).diagonal().array().log().sum());
  return {0.5 * (lq.solve(p).trace() + d.dot(lq.solve(d)) - n + logdet) / n, std::sqrt((d.array().square() / q.diagonal().array()).mean()),
          (p.diagonal().array() / q.diagonal().array()).mean()};
}

/// steps + 1 levels (1, s), s from `most` down to `least` in equal ratios.
inline std::vector<sda::level> geometric(double most, double least, int steps) {
  std::vector<sda::level> levels;
  for (int i = 0; i <= steps; ++i) levels.push_back({1, most * std::pow(least / most, double(i) / steps)});
  return levels;
}

/// The two problems of the bias atlas: AR(1) of 65 steps, phi = 0.95; (a) every 8th step seen with error 0.05, (b) all with 0.25.
struct atlas_problem {
  sda::index_t n = 65;
  dense_gaussian prior = centred(ar1(65, .95));
  matrix h;
  double sigma;
  vector y;

  atlas_problem(sda::index_t stride, double error_sigma) : h(every(stride, 65)), sigma(error_sigma) {
    matrix const half = prior.covariance.llt().matrixL();
    vector const truth = half * normals(1, n, sda::key{801}).matrix().transpose();
    y = h * truth + sigma * normals(1, h.rows(), sda::key{802}).matrix().transpose();
  }
  matrix r() const { return sigma * sigma * matrix::Identity(h.rows(), h.rows()); }
  dense_gaussian posterior() const { return conditioned(prior, h, y, r()); }
  array y_row() const { return y.transpose().array(); }
};
inline atlas_problem sparse_accurate() { return {8, .05}; }
inline atlas_problem dense_noisy() { return {1, .25}; }

}  // namespace sda_test
