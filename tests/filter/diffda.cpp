// SPDX-License-Identifier: Apache-2.0
#include <sda/filter/cycle.hpp>
#include <sda/filter/diffda.hpp>
#include <sda/model/ar1.hpp>
#include <sda/observation/kriging.hpp>
#include <sda/observation/masked.hpp>

#include <dense.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

namespace {

/// Departures that are a Gaussian field on an arc of the equator with just the covariance that kriging believes in; every
/// third site is seen without error. So kriging is the posterior mean, and all of the posterior is known.
struct arc {
  index_t n = 24;
  double spacing = 300, deviation = .7;  // km; of a departure
  std::vector<place> sites, stations;
  std::vector<std::int64_t> at;
  dense_gaussian standard = centred(sda_test::ar1(24, std::exp(-300.0 / 600)));

  arc() {
    for (index_t i = 0; i < n; ++i) {
      sites.push_back({0, spacing * double(i) / earth_radius * 180 / std::numbers::pi});
      if (i % 3 == 0) stations.push_back(sites.back()), at.push_back(i);
    }
  }
  auto spread_out() const { return interpolating(array{}, kriging{}(stations, sites), index_t(stations.size())); }
  array hard_mask() const {
    array m = array::Zero(1, n);
    for (auto const c : at) m(0, c) = 1;
    return m;
  }
  auto seen(array const& y) const { return observation{masked<array>(y, at, n), y, isotropic_error(index_t(at.size()), 1)}; }
};

/// The law of (x - b) / s given b, where s and the law do not depend on b; keeps what it was bound to.
struct bound_to_background {
  dense_gaussian departures;
  array* background;
  dense_gaussian at(array const& b) const {
    *background = b;
    return departures;
  }
};

}  // namespace

TEST_CASE("DiffDA draws from the posterior of a Gaussian field, whose mean is kriging") {
  arc const a;
  index_t const members = 400;
  array const background = normals(1, a.n, key{1}).replicate(members, 1), y = normals(1, index_t(a.at.size()), key{2});
  array bound, e = background;
  diffda const filter{bound_to_background{a.standard, &bound},
                      a.spread_out(),
                      a.hard_mask(),
                      array(array::Constant(1, a.n, a.deviation)),
                      geometric(20, 1e-3, 128),
                      1,
                      16,
                      ddpm};
  filter.analyse(e, a.seen(y), key{3});
  CHECK((bound == background).all());

  matrix h = matrix::Zero(index_t(a.at.size()), a.n);
  for (index_t i = 0; i < h.rows(); ++i) h(i, a.at[std::size_t(i)]) = 1;
  dense_gaussian const prior{background.row(0).matrix().transpose(), a.deviation * a.deviation * a.standard.covariance, nullptr, nullptr};
  auto const exact = conditioned(prior, h, y.row(0).matrix().transpose(), 1e-12 * matrix::Identity(h.rows(), h.rows()));
  array const kriged = background.row(0) + a.spread_out()(array(y - a.seen(y).op(array(background.row(0)))));
  CHECK(distance(kriged, array(exact.mean.transpose().array())) <= 1e-10);

  Eigen::RowVectorXd const mean = e.matrix().colwise().mean();
  matrix const away = e.matrix().rowwise() - mean, covariance = away.transpose() * away / double(members - 1);
  double mean_error = 0, ratio = 0;
  for (index_t i = 0; i < a.n; ++i) {
    if (i % 3 == 0) {
      CHECK((e.col(i) - y(0, i / 3)).abs().maxCoeff() <= 5e-3);  // of the last level
      continue;
    }
    mean_error += std::pow(mean(i) - exact.mean(i), 2) / exact.covariance(i, i) / 16;
    ratio += covariance(i, i) / exact.covariance(i, i) / 16;
  }
  INFO("rms error of the mean " << std::sqrt(mean_error) << " standard deviations, variance ratio " << ratio);
  CHECK(std::sqrt(mean_error) <= .15);  // 0.05 from sampling; the rest is what RePaint's passes leave (tests/sampler/repaint.cpp)
  CHECK(ratio == Approx(1).margin(.15));
}

TEST_CASE("a soft mask holds the surroundings of stations nearer to kriging than they are") {
  arc const a;
  array const y = normals(1, index_t(a.at.size()), key{2});
  array const soft = soft_mask(y, std::span<place const>(a.stations), std::span<place const>(a.sites), 200);
  array e[2];
  for (int i = 0; i < 2; ++i) {
    e[i] = array::Zero(300, a.n);
    diffda const filter{a.standard, a.spread_out(), i ? soft : a.hard_mask(), array(array::Ones(1, a.n)), geometric(20, 1e-3, 32), 1, 4, ddpm};
    filter.analyse(e[i], a.seen(y), key{3});
  }
  array const kriged = a.spread_out()(y);
  for (index_t i = 0; i < a.n; ++i) {
    if (i % 3 == 0 || i > 20) continue;
    double const hard_variance = (e[0].col(i) - kriged(0, i)).square().mean(), soft_variance = (e[1].col(i) - kriged(0, i)).square().mean();
    CHECK(soft_variance < .8 * hard_variance);
  }
}

TEST_CASE("cycled with a forecast model, DiffDA follows what it sees and errs less than the forecast elsewhere") {
  arc const a;
  double const phi = .9;
  index_t const n = a.n;
  matrix const half = a.standard.covariance.llt().matrixL();
  auto const push = [&](index_t count, key k) {
    return array(std::sqrt(1 - phi * phi) * (normals(count, n, k).matrix() * half.transpose()).array());
  };
  array truth = (normals(1, n, key{4}).matrix() * half.transpose()).array(), e = array::Zero(20, n);
  auto const model = [&](array const& x) { return array(phi * x); };  // the external forecast: it does not know the noise
  diffda const filter{a.standard, a.spread_out(), a.hard_mask(), array(array::Constant(1, n, .6)), geometric(20, 1e-3, 32), 1, 6, ddpm};
  double forecast_error = 0, analysis_error = 0;
  auto const seen = [&](index_t i) {
    truth = phi * truth + push(1, key{5}.fold(std::uint64_t(i)));
    array y(1, index_t(a.at.size()));
    for (std::size_t s = 0; s < a.at.size(); ++s) y(0, index_t(s)) = truth(0, a.at[s]);
    return a.seen(y);
  };
  cycle(filter, e, 30, model, 1, seen, key{6}, [&](index_t i, array const& analysis) {
    for (auto const c : a.at) REQUIRE((analysis.col(c) - truth(0, c)).abs().maxCoeff() <= 4e-3);
    if (i < 5) return;
    array const mean = analysis.colwise().mean(), before = phi * mean;
    analysis_error += (mean - truth).square().mean();
    forecast_error += (before - phi * truth - push(1, key{5}.fold(std::uint64_t(i) + 1))).square().mean();
  });
  INFO("mean square errors: analysis " << analysis_error / 25 << ", forecast " << forecast_error / 25);
  CHECK(analysis_error < .85 * forecast_error);
}
