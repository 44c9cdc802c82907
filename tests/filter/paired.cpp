// SPDX-License-Identifier: Apache-2.0
#include <sda/filter/paired.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>
#include <sample_moments.hpp>
#include <sda_test.hpp>

using namespace sda;
using S = host_array<double>;
using sda_test::covariance;
using sda_test::untapered;

TEST_CASE("the paired filter has the kalman filter's mean but for the noise it starts from, and tends to its covariance at second order") {
  index_t const n = 5, members = 12;
  S const forecast = sda_test::normals(members, n, key{1});
  observation const seen{masked<S>(forecast, std::vector<std::int64_t>{0, 3}, n), sda_test::normals(1, 2, key{2}), scalar_error{0.5}};
  Eigen::MatrixXd const c = covariance(forecast);
  Eigen::MatrixXd h = Eigen::MatrixXd::Zero(2, n);
  h(0, 0) = h(1, 3) = 1;
  Eigen::MatrixXd const gain = c * h.transpose() * (h * c * h.transpose() + 0.5 * Eigen::MatrixXd::Identity(2, 2)).inverse();
  Eigen::VectorXd const mean = forecast.colwise().mean().matrix().transpose();
  Eigen::VectorXd const expected = mean + gain * (seen.y.matrix().transpose() - h * mean);
  std::vector<double> errors, spreads;
  for (int const steps : {64, 256}) {
    S e = forecast;
    paired_flow_filter<untapered>{.taper = {}, .steps = steps, .sigma_min = 1e-3, .sigma_max = 1e4}.analyse(e, seen, key{});
    errors.push_back((e.colwise().mean().matrix().transpose() - expected).norm());
    spreads.push_back((covariance(e) - (c - gain * h * c)).norm());
  }
  // encoding knows the prior's mean at sigma_max, decoding takes it for the posterior's: their difference over sigma_max is left
  for (double const error : errors) CHECK(error <= 2 * (expected - mean).norm() / 1e4);
  CHECK(spreads[1] <= spreads[0] / 10);  // 16 at the second order
  CHECK(spreads[1] <= 1e-2);
}

TEST_CASE("with nothing seen the paired filter gives its inflated members back") {
  index_t const n = 6;
  S const forecast = sda_test::normals(5, n, key{3});
  S e = forecast;
  paired_flow_filter<ring_taper>{.taper = {n, 2}, .inflation = 1.1, .steps = 64}.analyse(
      e, observation{masked<S>(e, std::vector<std::int64_t>{}, n), S(1, 0), scalar_error{1}}, key{});
  S const mean = forecast.colwise().mean();
  S const inflated = (1.1 * (forecast.rowwise() - mean.row(0))).rowwise() + mean.row(0);
  CHECK(sda_test::distance(e, inflated) <= 2e-2);  // Heun's error, there and back
}
