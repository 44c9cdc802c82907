// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <scripted.hpp>

#include <Eigen/Cholesky>
#include <sda/sampler/sample.hpp>
#include <span>
#include <vector>

// With an affine denoiser a run of a sampler is x ↦ M x + c + Σ_j N_j ξ_j. The samplers' own code is asked for M, c and the
// N_j: the rows of one batch are the origin, the unit vectors, and the origin with each unit vector in place of each draw
// of noise. Nothing is sampled, so the law of the result is exact.

namespace sda_test::affine {

inline int const eigen_threads = (Eigen::setNbThreads(1), 1);  // these matrices are small, and tests run beside each other

/// A normal law.
struct moments {
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
};

namespace detail {

// The law behind one run through `levels` that draws noise `draws` times.
template <class A, class D>
moments pushed(A const& sampler, D const& d, std::span<sda::level const> levels, index_t draws, moments const& law) {
  index_t const n = law.mean.size();
  double const unit = levels[0].sigma;
  host_array<double> probes = host_array<double>::Zero(1 + n * (1 + draws), n);
  for (index_t i = 0; i < n; ++i) probes(1 + i, i) = unit;
  auto const source = [n](host_array<double>& xi, index_t j) {
    for (index_t i = 0; i < n; ++i) xi(1 + n * (1 + j) + i, i) = 1;
  };
  Eigen::MatrixXd const image = sample_from(sampler, through{d}, levels, scripted(probes, source), sda::key{}).x.matrix();
  Eigen::RowVectorXd const c = image.row(0);
  Eigen::MatrixXd const m = (image.middleRows(1, n).rowwise() - c).transpose() / unit, added = image.bottomRows(n * draws).rowwise() - c;
  return {m * law.mean + c.transpose(), m * law.covariance * m.transpose() + added.transpose() * added};
}

template <class A, class D> index_t count_draws(A const& sampler, D const& d, std::span<sda::level const> levels, index_t n) {
  scripted const one(host_array<double>::Zero(1, n), [](host_array<double>&, index_t) {});
  sample_from(sampler, through{d}, levels, one, sda::key{});
  return one.noise->drawn;
}

}  // namespace detail

/// What a sampler makes of a law given at the first level, for a denoiser that is affine in x. Runs that draw no noise are
/// taken whole, others step by step: their samplers must have no memory.
template <class A, class D> moments propagate(A const& sampler, D const& d, std::vector<sda::level> const& levels, moments law) {
  std::span<sda::level const> const all(levels);
  index_t const n = law.mean.size();
  if (detail::count_draws(sampler, d, all, n) == 0) return detail::pushed(sampler, d, all, 0, law);
  if constexpr (std::same_as<sda::memory_t<A, scripted>, sda::none>)
    for (std::size_t i = 0; i + 1 < levels.size(); ++i)
      law = detail::pushed(sampler, d, all.subspan(i, 2), detail::count_draws(sampler, d, all.subspan(i, 2), n), law);
  else throw sda::error("propagate: a sampler that draws noise and has a memory");
  return law;
}

/// N(0, σ²) of the first level: what sample() starts from.
inline moments pure_noise(std::vector<sda::level> const& levels, index_t n) {
  double const sigma = levels.front().sigma;
  return {Eigen::VectorXd::Zero(n), sigma * sigma * Eigen::MatrixXd::Identity(n, n)};
}

/// KL(p ‖ q)
inline double divergence(moments const& p, moments const& q) {
  Eigen::LLT<Eigen::MatrixXd> const factor(q.covariance), own(p.covariance);
  Eigen::VectorXd const d = p.mean - q.mean;
  auto const log_det = [](auto const& f) { return 2 * f.matrixLLT().diagonal().array().log().sum(); };
  return (factor.solve(p.covariance).trace() + d.dot(factor.solve(d)) - double(d.size()) + log_det(factor) - log_det(own)) / 2;
}

/// The mean over coordinates of the variance of p over that of q.
inline double variance_ratio(moments const& p, moments const& q) {
  return (p.covariance.diagonal().array() / q.covariance.diagonal().array()).mean();
}

}  // namespace sda_test::affine
