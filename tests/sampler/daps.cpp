// SPDX-License-Identifier: Apache-2.0
#include <sda/sampler/daps.hpp>
#include <sda/sampler/sample.hpp>

#include <Eigen/Eigenvalues>

#include <dense.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

TEST_CASE("for a standard normal prior every clean draw is one of the posterior given x_t, and the run one of the posterior") {
  // x̂(x_t) must be the mean of x_0 given x_t for this to be exact: one ODE step
  index_t const n = 6, m = 20000;
  auto const prior = centred(matrix::Identity(n, n));
  matrix const h = to_matrix(normals(2, n, key{1}));
  array const y = normals(1, 2, key{2});
  observation const seen{dense_operator{h}, y, isotropic_error(2, .4)};
  auto const exact = conditioned(prior, h, y.row(0).matrix().transpose(), isotropic_error(2, .4).r);
  auto const levels = geometric(30, .05, 12);
  auto const got = sample(annealing, daps{prior, seen, key{3}, 1, cg{2}}, std::span<level const>(levels), array(array::Zero(m, n)), key{4});
  vector const mean = got.colwise().mean().matrix().transpose();
  matrix const centred_draws = got.matrix().rowwise() - mean.transpose();
  matrix const covariance = centred_draws.transpose() * centred_draws / double(m - 1), want = exact.covariance + .05 * .05 * matrix::Identity(n, n);
  double const four_sigma = 4 / std::sqrt(double(m));
  CHECK((mean - exact.mean).cwiseAbs().maxCoeff() <= four_sigma);
  CHECK((covariance - want).cwiseAbs().maxCoeff() <= 1.5 * four_sigma);
}

TEST_CASE("the flow along the noise ends where the probability-flow ODE of a Gaussian ends") {
  index_t const n = 5;
  auto const prior = centred(ar1(n, .5));
  observation const nothing{dense_operator{matrix(0, n)}, array(1, 0), dense_error{matrix(0, 0)}};
  array const x = 3 * normals(2, n, key{5});
  struct none_at_all {
    double variance(level) const { return 0; }
  };
  daps const d{prior, nothing, key{6}, 2000, cg{1}, none_at_all{}};
  // dx/dσ = (x - x̂)/σ: x_σ = (C + σ²)^½ (C + s²)^-½ x, down to the last level and then to x̂
  level const l{1, 2};
  Eigen::SelfAdjointEigenSolver<matrix> const eigen(prior.covariance);
  vector const c = eigen.eigenvalues();
  double const end2 = std::pow(2e-3, 2);
  vector const factor = ((c.array() + end2) / (c.array() + 4)).sqrt() * c.array() / (c.array() + end2);
  matrix const flow = eigen.eigenvectors() * factor.asDiagonal() * eigen.eigenvectors().transpose();
  CHECK(distance(d(x, l), (x.matrix() * flow).array()) <= 5e-3);  // Euler's error with 2000 steps
}

TEST_CASE("rows of a whole are drawn as in the whole") {
  index_t const n = 5;
  auto const prior = centred(ar1(n, .5));
  observation const seen{dense_operator{every(2, n)}, array(normals(1, 3, key{7})), isotropic_error(3, .4)};
  array const x = normals(6, n, key{8});
  array const whole = daps{prior, seen, key{9}}(x, level{1, .7});
  array const part = daps{prior, seen, key{9}.from_row(2)}(take_rows(x, 2, 5), level{1, .7});
  CHECK(distance(part, take_rows(whole, 2, 5)) <= 1e-14);
}
