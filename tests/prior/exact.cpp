// SPDX-License-Identifier: Apache-2.0
// The oracles of other tests, held against each other.
#include <exact.hpp>
#include <sda/prior/gaussian_full.hpp>
#include <sda/prior/mixture.hpp>

using namespace sda;
using namespace sda_test;
using S = host_array<double>;

TEST_CASE("conditioning an AR(1) chain equals smoothing it") {
  index_t const steps = 33;
  double const phi = 0.9, variance = 2;
  std::vector<exact::seen_at_step> seen(std::size_t(steps), exact::seen_at_step{});
  exact::matrix<> h = exact::matrix<>::Zero(5, steps), r = exact::matrix<>::Zero(5, 5);
  exact::vector<> y(5);
  for (index_t i = 0; i < 5; ++i) {
    double const error = 0.1 + 0.2 * double(i);
    y(i) = normal<double>(key{1}, 0, i);
    seen[std::size_t(8 * i)] = {y(i), error};
    h(i, 8 * i) = 1;
    r(i, i) = error;
  }
  auto const posterior = exact::condition<double>({exact::vector<>::Zero(steps), exact::ar1_covariance(steps, phi, variance)}, h, y, r);
  auto const smoothed = exact::smooth_ar1(phi, variance, seen);
  for (index_t i = 0; i < steps; ++i) {
    CHECK(posterior.mean(i) == Approx(smoothed[std::size_t(i)].first).margin(1e-13));
    CHECK(posterior.covariance(i, i) == Approx(smoothed[std::size_t(i)].second).epsilon(1e-13));
  }
}

TEST_CASE("a mixture conditioned part by part is the mixture that is denoised") {
  S const means = normals(3, 2, key{1}), x = normals(4, 2, key{2}), like(1, 1);
  std::vector<double> const weights{0.2, 0.5, 0.3}, variances{0.1, 0.3, 0.05};
  exact::mixture_law<> law{weights, {}};
  for (index_t k = 0; k < 3; ++k) law.parts.push_back({exact::row_of<double>(means, k), variances[std::size_t(k)] * exact::matrix<>::Identity(2, 2)});
  level const l{0.7, 0.5};
  S const denoised = isotropic_mixture(like, weights, std::span<double const>(means.data(), 6), variances)(x, l);
  for (index_t r = 0; r < 4; ++r) CHECK((denoised.row(r).matrix().transpose() - exact::denoise(law, exact::row_of<double>(x, r), l)).norm() <= 1e-13);
}
