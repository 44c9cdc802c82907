// SPDX-License-Identifier: Apache-2.0
#include <exact.hpp>
#include <sda/filter/ensemble_kalman.hpp>
#include <sda/filter/ienks.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>
#include <sample_moments.hpp>

using namespace sda;
using S = host_array<double>;
using sda_test::covariance;

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
    double const l = finite_size_scale(s.values, along, 1, 1);
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
  CHECK(runs == 2);  // one step, and one that finds nothing left
  CHECK((forecast(start) - end).abs().maxCoeff() <= 1e-10);
}

TEST_CASE("on a linear problem the finite-size iterative smoother is the finite-size filter, as far as it may widen") {
  problem t;
  auto const stay = [](S const& e) { return e; };
  for (double const surprise : {1.0, 30.0}) {
    t.seen.y = sda_test::normals(1, t.p, key{2}) * surprise;
    S e = t.forecast, expected = t.forecast;
    ienks{.iterations = 5, .tolerance = 1e-8, .certainty = 1, .most = 1.3}.analyse(e, stay, t.seen, key{});
    if (surprise == 1) {
      enkf_n{.certainty = 1, .nullity = 0}.analyse(expected, t.seen, key{});
    } else {
      S const mean = ensemble_mean(expected);
      expected = (anomalies(expected, mean) * 1.3).rowwise() + mean.row(0);
      etkf{}.analyse(expected, t.seen, key{});
    }
    CHECK((e - expected).abs().maxCoeff() <= 1e-6);  // the scale is the place of a minimum: good to the root of rounding
  }
}

TEST_CASE("a step to where the model overflows is taken back: the iterative smoother finds what it finds with a model that bears all") {
  S const forecast = 0.6 + 0.1 * sda_test::normals(10, 1, key{12});
  observation const seen{masked<S>(forecast, std::vector<std::int64_t>{0}, 1), S(S::Constant(1, 1, 2)), scalar_error{0.01}};
  double farthest = 0;
  auto const cube = [&](S const& e) {
    farthest = std::max(farthest, e.abs().maxCoeff());
    return S(e.cube());
  };
  auto const brittle = [](S const& e) { return S((e.abs() <= 1.3).select(e.cube(), std::numeric_limits<double>::infinity())); };
  S free = forecast, bound = forecast;
  ienks const filter{.iterations = 60, .tolerance = 1e-10};
  filter.analyse(free, cube, seen, key{});
  filter.analyse(bound, brittle, seen, key{});
  CHECK(farthest > 1.3);
  CHECK(free.maxCoeff() < 1.3);
  CHECK((free - bound).abs().maxCoeff() <= 1e-6);
}

// An ensemble smoother is an ensemble filter of trajectories: rows hold past and present, only the present is seen.
TEST_CASE("on rows of past and present the etkf is the ensemble smoother: the past moves by its own covariance with what is seen") {
  problem const t;
  index_t const n = t.n;
  S const past = sda_test::normals(t.members, n, key{10});
  S both(t.members, 2 * n);
  both << past, t.forecast;
  observation const seen{masked<S>(both, std::vector<std::int64_t>{9, 10, 11, 12, 13}, 2 * n), t.seen.y, t.seen.error};
  S present = t.forecast, smoothed = both;
  etkf{}.analyse(present, t.seen, key{});
  etkf{}.analyse(smoothed, seen, key{});
  CHECK((smoothed.rightCols(n) - present).abs().maxCoeff() <= 1e-12);
  Eigen::MatrixXd const c = covariance(both), cross = c.block(0, n, n, t.p);
  Eigen::MatrixXd const r = t.seen.error.variance().row(0).matrix().asDiagonal();
  Eigen::MatrixXd const gain = cross * (c.block(n, n, t.p, t.p) + r).inverse();
  Eigen::VectorXd const innovation = t.seen.y.row(0).matrix().transpose() - both.middleCols(n, t.p).colwise().mean().matrix().transpose();
  Eigen::VectorXd const expected = past.colwise().mean().matrix().transpose() + gain * innovation;
  CHECK((smoothed.leftCols(n).colwise().mean().matrix().transpose() - expected).norm() <= 1e-12);
  CHECK((covariance(smoothed).topLeftCorner(n, n) - (c.topLeftCorner(n, n) - gain * cross.transpose())).norm() <= 1e-12);
}

// What the model adds is made orthogonal to the ensemble, with the variance of the model: then sample moments are exact.
TEST_CASE("cycled on a linear chain the ensemble smoother has the moments of rauch, tung and striebel") {
  index_t const members = 9;
  double const phi = 0.8;
  std::vector<sda_test::exact::seen_at_step> const chain{{1.2, 0.5}, {0, 0}, {-0.5, 0.5}, {0.3, 0.5}, {0, 0}, {2, 0.5}};
  S trajectory(members, 0);
  for (std::size_t i = 0; i < chain.size(); ++i) {
    Eigen::MatrixXd known(members, trajectory.cols() + 1);
    known << Eigen::VectorXd::Ones(members), trajectory.matrix();
    Eigen::VectorXd fresh = sda_test::normals(members, 1, key{11}.fold(i)).matrix();
    fresh -= known * (known.transpose() * known).ldlt().solve(known.transpose() * fresh);
    fresh *= std::sqrt((i == 0 ? 1 : 1 - phi * phi) * double(members - 1)) / fresh.norm();
    S longer(members, trajectory.cols() + 1);
    longer.leftCols(trajectory.cols()) = trajectory;
    longer.col(trajectory.cols()) = fresh.array();
    if (i > 0) longer.col(trajectory.cols()) += phi * trajectory.col(trajectory.cols() - 1);
    trajectory = longer;
    if (chain[i].variance <= 0) continue;
    observation const seen{masked<S>(trajectory, std::vector<std::int64_t>{std::int64_t(i)}, trajectory.cols()), S(S::Constant(1, 1, chain[i].y)),
                           diagonal_error<S>(S(S::Constant(1, 1, chain[i].variance)))};
    etkf{}.analyse(trajectory, seen, key{});
  }
  auto const exact = sda_test::exact::smooth_ar1(phi, 1, chain);
  for (std::size_t i = 0; i < chain.size(); ++i) {
    CHECK(std::abs(trajectory.col(index_t(i)).mean() - exact[i].first) <= 1e-12);
    CHECK(std::abs(covariance(trajectory)(index_t(i), index_t(i)) - exact[i].second) <= 1e-12);
  }
}
