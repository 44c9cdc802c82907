// SPDX-License-Identifier: Apache-2.0
#include <sda/filter/ensemble_kalman.hpp>
#include <sda/filter/ienks.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>
#include <sda_test.hpp>

#include <Eigen/Dense>

using namespace sda;
using S = host_array<double>;

namespace {

struct problem {
  index_t n = 9, p = 5, members = 30;
  S forecast = sda_test::normals(members, n, key{1});
  // y = x[0 .. p) with variances of its own
  observation<masked<S>, S, diagonal_error<S>> seen{{forecast, std::vector<std::int64_t>{0, 1, 2, 3, 4}, n},
                                                    sda_test::normals(1, p, key{2}),
                                                    diagonal_error<S>(sda_test::normals(1, p, key{3}).square() + 0.1)};

  Eigen::MatrixXd gain(Eigen::MatrixXd const& c) const {
    Eigen::MatrixXd const h = Eigen::MatrixXd::Identity(p, n);
    Eigen::MatrixXd const r = seen.error.variance().row(0).matrix().asDiagonal();
    return c * h.transpose() * (h * c * h.transpose() + r).inverse();
  }
};
Eigen::MatrixXd covariance(S const& e) {
  Eigen::MatrixXd const a = (e.rowwise() - e.colwise().mean()).matrix();
  return a.transpose() * a / double(e.rows() - 1);
}

}  // namespace

TEMPLATE_TEST_CASE("an analysis has the Kalman filter's mean for the sample covariance", "", etkf, denkf, enkf) {
  problem const t;
  S e = t.forecast;
  TestType{}.analyse(e, t.seen, key{4});
  Eigen::VectorXd const mean = t.forecast.colwise().mean().transpose().matrix();
  Eigen::VectorXd const expected = mean + t.gain(covariance(t.forecast)) * (t.seen.y.row(0).transpose().matrix() - mean.head(t.p));
  CHECK((e.colwise().mean().transpose().matrix() - expected).norm() <= 1e-12);
}

TEST_CASE("the etkf has the Kalman filter's covariance, rotated or not, and inflation scales it") {
  problem const t;
  Eigen::MatrixXd const c = covariance(t.forecast);
  Eigen::MatrixXd const expected = c - t.gain(c) * c.topRows(t.p);
  for (bool const rotate : {false, true}) {
    S e = t.forecast;
    etkf{.inflate = {.factor = 1.5}, .rotate = rotate}.analyse(e, t.seen, key{5});
    CHECK((covariance(e) - 2.25 * expected).norm() <= 1e-12);
  }
}

TEST_CASE("the perturbed-observation filter has the Kalman filter's covariance on average over its perturbations") {
  problem const t;
  Eigen::MatrixXd const c = covariance(t.forecast), k = t.gain(c);
  Eigen::MatrixXd const expected = c - k * c.topRows(t.p);
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(t.n, t.n);
  int const draws = 4000;
  for (int i = 0; i < draws; ++i) {
    S e = t.forecast;
    enkf{}.analyse(e, t.seen, key{6}.fold(std::uint64_t(i)));
    sum += covariance(e);
  }
  // a sample covariance of N - 1 degrees of freedom, averaged: 4 standard errors of its largest element
  double const error = 4 * expected.norm() * std::sqrt(2.0 / double(t.members - 1) / draws);
  CHECK((sum / draws - expected).cwiseAbs().maxCoeff() <= error);
}

TEST_CASE("relaxation with weight one gives the prior's perturbations or spread back") {
  problem const t;
  S rtpp = t.forecast, rtps = t.forecast;
  etkf{.inflate = {.rtpp = 1}}.analyse(rtpp, t.seen, key{});
  etkf{.inflate = {.rtps = 1}}.analyse(rtps, t.seen, key{});
  S const before = t.forecast.rowwise() - t.forecast.colwise().mean();
  CHECK(((rtpp.rowwise() - rtpp.colwise().mean()) - before).abs().maxCoeff() <= 1e-12);
  CHECK((covariance(rtps).diagonal() - covariance(t.forecast).diagonal()).cwiseAbs().maxCoeff() <= 1e-12);
}

TEST_CASE("a random rotation is orthogonal and keeps the mean") {
  auto const q = random_rotation(17, key{8});
  auto const qq = product(q, transposed(q));
  for (index_t i = 0; i < 17; ++i) {
    double sum = 0;
    for (index_t j = 0; j < 17; ++j) {
      CHECK(std::abs(qq[i][j] - double(i == j)) <= 1e-14);
      sum += q[j][i];
    }
    CHECK(std::abs(sum - 1) <= 1e-14 * 17);
  }
}

TEST_CASE("the finite-size filter is an etkf whose prior was inflated by the scale that minimises its cost") {
  problem t;
  for (double const surprise : {0.0, 1.0, 30.0}) {
    t.seen.y = sda_test::normals(1, t.p, key{2}) * surprise;
    auto const v = view_ensemble(t.forecast, t.seen);
    auto const s = detail::information_spectrum(v.information);
    std::vector<double> along(s.values.size());
    for (std::size_t i = 0; i < along.size(); ++i) along[i] = std::inner_product(v.pull.begin(), v.pull.end(), s.vectors[index_t(i)], 0.0);
    double const l = finite_size_scale(s.values, along, 1);
    S inflated = v.anomalies * l;
    inflated.rowwise() += v.mean.row(0);
    S e = t.forecast;
    etkf{}.analyse(inflated, t.seen, key{});
    enkf_n{}.analyse(e, t.seen, key{});
    CHECK((e - inflated).abs().maxCoeff() <= 1e-11);
    // the more the mean is off, the more the ensemble is opened
    if (surprise == 30) CHECK(l > 2);
    else CHECK(l < 1.2);
  }
}

TEST_CASE("on a linear problem the iterative smoother is the etkf after one step, whatever the window's model") {
  problem const t;
  S const m = sda_test::normals(t.n, t.n, key{9}) / 3;
  auto const forecast = [&](S const& e) {
    S out = zeros_like(e);
    multiply(out, e, m);
    return out;
  };
  S start = t.forecast, end = forecast(t.forecast);
  int const runs = ienks{.iterations = 5, .tolerance = 1e-8}.analyse(start, forecast, t.seen, key{});
  etkf{}.analyse(end, t.seen, key{});
  CHECK(runs == 2);   // one step, and one that finds nothing left
  CHECK((forecast(start) - end).abs().maxCoeff() <= 1e-10);
}
