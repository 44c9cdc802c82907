// SPDX-License-Identifier: Apache-2.0
#include <sda/guidance/jfps.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/trajectory/window.hpp>

#include <dense.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

// Self-Organizing SDA on a product state whose posterior is known: an AR(1) chain around an unknown level θ, which stands behind
// the steps as a shared column. Every other step is seen.

namespace {

/// The covariance of (x_1, ..., x_n, θ), x_i = θ + AR(1), θ ~ N(0, 1).
matrix chain_and_level(index_t n) {
  matrix c = matrix::Ones(n + 1, n + 1);
  c.topLeftCorner(n, n) += ar1(n, .9);
  return c;
}

struct problem {
  index_t length = 25, theta = 25;
  dense_gaussian prior = centred(chain_and_level(25));
  matrix h = every(2, 26).topRows(13);
  dense_error error = isotropic_error(13, .3);
  vector y =
      h * (matrix(prior.covariance.llt().matrixL()) * normals(1, 26, key{7}).matrix().transpose()) + .3 * normals(1, 13, key{8}).matrix().transpose();

  dense_gaussian posterior() const { return conditioned(prior, h, y, error.r); }
  auto seen() const { return observation{dense_operator{h}, array(y.transpose().array()), error}; }
};

/// What a run of sampling believes of θ, beside the truth: bias in standard deviations, ratio of variances. No sampling error.
struct belief {
  double bias, variance;
};
template <class D> belief of_theta(problem const& p, dense_gaussian const& exact, D const& d, double eta) {
  auto const m = ddim_moments(d, p.length + 1, geometric(100, 1e-3, 128), eta);
  double const variance = exact.covariance(p.theta, p.theta);
  return {(m.mean(p.theta) - exact.mean(p.theta)) / std::sqrt(variance), m.covariance(p.theta, p.theta) / variance};
}

auto windows(index_t k) { return windowed{pseudo_blankets(25, 1, k, 1), centred(chain_and_level(2 * k + 1))}; }

}  // namespace

TEST_CASE("a parameter in the shared column is found with the uncertainty it has, where one window holds the trajectory") {
  problem const p;
  auto const exact = p.posterior();
  level const l{.8, .6};
  array const x = normals(3, 26, key{9});
  CHECK(distance(mmps{windows(12), p.seen(), gmres{13}}(x, l), exact(x, l)) <= 1e-10);
  auto const found = of_theta(p, exact, mmps{p.prior, p.seen(), dense_solver{}}, 1), best = of_theta(p, exact, exact, 1);
  CHECK(std::abs(found.bias) <= .002);
  CHECK(found.variance == Approx(best.variance).epsilon(1e-6));  // what the steps leave of it
  CHECK(best.variance == Approx(1).margin(.1));
}

TEST_CASE("without the Jacobian no evaluation moves the parameter, and a run, which the prior's own coupling drags along, errs") {
  problem const p;
  auto const exact = p.posterior();
  jfps const blind{p.prior, p.seen(), unit_prior{}, dense_solver{}};
  array const x = normals(3, 26, key{10});
  level const l{1, .7};
  CHECK((blind(x, l).col(p.theta) == p.prior(x, l).col(p.theta)).all());
  CHECK((mmps{p.prior, p.seen(), gmres{13}}(x, l).col(p.theta) - p.prior(x, l).col(p.theta)).abs().minCoeff() > 1e-3);
  auto const stochastic = of_theta(p, exact, blind, 1), deterministic = of_theta(p, exact, blind, 0);
  INFO("DDPM " << stochastic.bias << ", " << stochastic.variance << "; DDIM " << deterministic.bias << ", " << deterministic.variance);
  CHECK(stochastic.variance > 1.15 * of_theta(p, exact, exact, 1).variance);
  CHECK(deterministic.variance > 1.3 * of_theta(p, exact, exact, 0).variance);
  CHECK(std::abs(stochastic.bias) > .3);
  CHECK(std::abs(deterministic.bias) > .5);
}

TEST_CASE("the mean over windows knows less of a parameter than the whole, ever more as windows grow") {
  problem const p;
  auto const exact = p.posterior();
  std::vector<belief> found;
  for (index_t const k : {2, 5, 9, 12}) found.push_back(of_theta(p, exact, mmps{windows(k), p.seen(), gmres{13}}, 1));
  for (std::size_t i = 0; i + 1 < found.size(); ++i) {
    INFO("window " << i << ": bias " << found[i].bias << ", variance " << found[i].variance << "; then " << found[i + 1].bias << ", "
                   << found[i + 1].variance);
    CHECK(std::abs(found[i + 1].bias) < std::abs(found[i].bias));
    CHECK(found[i + 1].variance < found[i].variance);
  }
  CHECK(found.front().variance > 1.2);
  CHECK(std::abs(found.back().bias) <= .002);
}
