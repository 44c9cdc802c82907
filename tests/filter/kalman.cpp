// SPDX-License-Identifier: Apache-2.0
#include <exact.hpp>
#include <linear_chain.hpp>
#include <sda/calculus/ode.hpp>
#include <sda/filter/kalman.hpp>
#include <sda/model/lorenz96.hpp>

using namespace sda;
using S = host_array<double>;
using sda_test::linear_chain;
using sda_test::to_eigen;

TEST_CASE("the smoother gives the marginals of the joint posterior, and the covariance of neighbours") {
  linear_chain const chain;
  auto const joint = chain.posterior();
  auto const smoothed = rts_smoother(chain.start, chain.transitions, chain.seen);
  index_t const n = chain.n;
  for (index_t t = 0; t < chain.length; ++t) {
    auto const& law = smoothed.laws[std::size_t(t)];
    CHECK((to_eigen(law.mean) - joint.mean.segment(t * n, n)).norm() <= 1e-12);
    CHECK((to_eigen(law.covariance) - joint.covariance.block(t * n, t * n, n, n)).norm() <= 1e-12);
    if (t + 1 < chain.length)
      CHECK((to_eigen(smoothed.covariance_with_next[std::size_t(t)]) - joint.covariance.block(t * n, (t + 1) * n, n, n)).norm() <= 1e-12);
  }
}

TEST_CASE("the filter's last law is the smoother's, and a time without observations is a forecast") {
  linear_chain const chain;
  auto const filtered = kalman_filter(chain.start, chain.transitions, chain.seen);
  auto const smoothed = rts_smoother(chain.start, chain.transitions, chain.seen);
  CHECK(filtered.back().mean == smoothed.laws.back().mean);
  auto const ahead = kalman_forecast(filtered[1], chain.transitions[1]);
  REQUIRE(chain.seen[2].op.height == 0);
  CHECK(filtered[2].mean == ahead.mean);
  CHECK(filtered[2].covariance.elements == ahead.covariance.elements);
}

TEST_CASE("the extended filter carries a covariance by the derivative of the flow") {
  flow const step{lorenz96{}, 0.05};
  S const x = sda_test::normals(1, 6, key{1});
  normal_law const law{{x.data(), x.data() + 6}, identity_matrix(6)};
  auto const ahead = extended_forecast(step, x, law, identity_matrix(6, 0.5));
  S const there = step(x);
  for (index_t j = 0; j < 6; ++j) CHECK(ahead.mean[std::size_t(j)] == there(0, j));
  Eigen::MatrixXd m(6, 6);  // by differences
  double const h = 1e-6;
  for (index_t j = 0; j < 6; ++j) {
    S up = x, down = x;
    up(0, j) += h, down(0, j) -= h;
    m.col(j) = ((step(up) - step(down)) / (2 * h)).matrix().transpose();
  }
  Eigen::MatrixXd const expected = m * m.transpose() + 0.5 * Eigen::MatrixXd::Identity(6, 6);
  CHECK((to_eigen(ahead.covariance) - expected).norm() <= 1e-8);  // the differences' error
}
