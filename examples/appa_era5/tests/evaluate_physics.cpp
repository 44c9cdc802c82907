// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include "evaluate/balance.hpp"
#include "sphere/harmonics.hpp"
#include "sphere/power.hpp"

#include <numbers>

using namespace appa;
using std::numbers::pi;

TEST_CASE("one harmonic has its power at its degree, on rows with and without poles") {
  for (grid const& g : {parse_grid("128x65"), parse_grid("128x64"), parse_grid("64x33")}) {
    INFO(text(g));
    int const top = exact_degree(g);
    harmonics const h(top, even_rows(g.height(), g.has_poles()), g.width());
    Eigen::MatrixXd a = Eigen::MatrixXd::Zero(h.size(), 4);
    a(h.index(12, 7), 0) = 0.6, a(h.index(12, 7), 1) = 0.8;   // Y_12^7, and below Y_9^0 with another field's Y_5^5
    a(h.index(9, 0), 2) = 3, a(h.index(5, 5), 3) = 1;
    auto const power = degree_power(g, top)(h.synthesise(a));
    Eigen::MatrixXd expected = Eigen::MatrixXd::Zero(top + 1, 2);
    expected(12, 0) = 2, expected(9, 1) = 9, expected(5, 1) = 2;
    CHECK((power - expected).cwiseAbs().maxCoeff() < 1e-12);
  }
  grid band = parse_grid("64x33");
  band.latitudes.resize(10);
  CHECK_THROWS_AS(degree_power(band, 4), sda::error);
  CHECK_THROWS_AS(degree_power(parse_grid("64x33"), 33), sda::error);
}

TEST_CASE("spectra by either library are the same") {
  grid const g = parse_grid("96x49");
  Eigen::MatrixXd const fields = sda_test::normals(g.points(), 3, sda::key{4}).matrix();
  harmonics const h(30, even_rows(49, true), 96);
  Eigen::MatrixXd const expected = power_by_degree(h, h.analyse(fields));
  CHECK((degree_power(g, 30)(fields) - expected).cwiseAbs().maxCoeff() < 1e-11 * expected.maxCoeff());
}

TEST_CASE("isothermal air has the heights of the barometric formula, air of one potential temperature those of its lapse rate") {
  std::vector<int> levels;
  for (int p = 100; p <= 1000; p += 2) levels.push_back(p);
  std::vector<double> isothermal(levels.size(), 250.0), mixed;
  for (int const p : levels) mixed.push_back(300 * std::pow(p / 1000.0, physics::kappa));
  auto const cold = hypsometric_heights(levels, isothermal, {}, 1e5), adiabatic = hypsometric_heights(levels, mixed, {}, 102000);
  double const ground = 300 * std::pow(1.02, physics::kappa);
  for (std::size_t i = 0; i < levels.size(); i += 50) {
    CHECK(cold[i] == Approx(physics::gas_constant * 250 / physics::gravity * std::log(1000.0 / levels[i])).margin(1e-9));
    // g z = c_p (T_ground - T); layers of 2 hPa leave an error of the second order
    CHECK(adiabatic[i] == Approx(physics::heat_capacity / physics::gravity * (ground - mixed[i])).epsilon(2e-4));
  }
  auto const moist = hypsometric_heights(levels, isothermal, std::vector<double>(levels.size(), 0.01), 1e5);
  CHECK(moist[0] / cold[0] == Approx(1 + 0.01 * physics::virtual_part).epsilon(1e-12));
  CHECK(physics::kappa == Approx(0.2857).epsilon(1e-3));
}

TEST_CASE("the geostrophic wind of a solid rotation and of a wave are those of calculus") {
  grid const g = parse_grid("144x73");
  double const h = 2.5 * pi / 180, speed = 30, height = 500;
  int const waves = 4;
  std::vector<double> rotation, wave;
  for (double const latitude : g.latitudes)
    for (double const longitude : g.longitudes) {
      double const y = latitude * pi / 180, x = longitude * pi / 180;
      rotation.push_back(-physics::rotation * physics::radius * speed * std::sin(y) * std::sin(y));
      wave.push_back(height * std::sin(waves * x));
    }
  auto const solid = geostrophic_wind(g, rotation), standing = geostrophic_wind(g, wave);
  for (index_t i = 0; i < g.points(); ++i) {
    double const y = g.latitudes[std::size_t(i / 144)] * pi / 180, x = g.longitudes[std::size_t(i % 144)] * pi / 180;
    bool const outside = i / 144 == 0 || i / 144 == 72 || std::abs(y) <= 20 * pi / 180;
    REQUIRE(std::isnan(solid.u[std::size_t(i)]) == outside);
    if (outside) continue;
    // Central differences of these functions are the derivatives times sin(kh) / kh.
    CHECK(std::abs(solid.u[std::size_t(i)] - speed * std::cos(y) * std::sin(2 * h) / (2 * h)) < 1e-9);
    CHECK(std::abs(solid.v[std::size_t(i)]) < 1e-9);
    CHECK(std::abs(standing.u[std::size_t(i)]) < 1e-9);
    double const f = 2 * physics::rotation * std::sin(y);
    double const slope = height * waves * std::cos(waves * x) * std::sin(waves * h) / (waves * h);
    CHECK(std::abs(standing.v[std::size_t(i)] - slope / (f * physics::radius * std::cos(y))) < 1e-9);
  }
}

TEST_CASE("an atmosphere in balance has no departures, one at right angles to it has no correlation with itself") {
  grid const g = parse_grid("72x37");
  auto const channels = select_channels({"t", "u", "v", "z", "msl"}, {500, 700, 850});
  std::vector<float> state(std::size_t(channels.size() * g.points()));
  auto const at = [&](char const* name, int level) { return state.data() + channels.index_of({name, level}) * g.points(); };
  std::vector<double> const temperature{250, 265, 280};
  auto const heights = hypsometric_heights(channels.levels, temperature, {}, 101000);
  for (std::size_t l = 0; l < 3; ++l) {
    int const level = channels.levels[l];
    std::vector<double> z;
    for (index_t i = 0; i < g.points(); ++i) {
      double const y = g.latitudes[std::size_t(i / 72)] * pi / 180, x = g.longitudes[std::size_t(i % 72)] * pi / 180;
      z.push_back(physics::gravity * heights[l] + 4000 * std::cos(y) * std::cos(y) + 600 * std::cos(3 * x) * std::cos(y));
      at("geopotential", level)[i] = float(physics::gravity * heights[l]);
      at("temperature", level)[i] = float(temperature[l]), at("mean_sea_level_pressure", 0)[i] = 101000;
    }
    auto const calm = geostrophic_wind(g, z);
    for (index_t i = 0; i < g.points(); ++i) {
      if (level != 700) at("geopotential", level)[i] = float(z[std::size_t(i)]);
      at("u_component_of_wind", level)[i] = float(level == 850 ? -calm.v[std::size_t(i)] : calm.u[std::size_t(i)]);   // 850: turned to the left
      at("v_component_of_wind", level)[i] = float(level == 850 ? calm.u[std::size_t(i)] : calm.v[std::size_t(i)]);
    }
  }
  balance checks(g, channels);
  REQUIRE(checks.anything());
  checks.add(state);
  auto const& levels = checks.levels();
  CHECK(levels[1].height.root_mean_square() < 1e-5);   // km: floats of geopotential
  CHECK(std::abs(levels[1].height.quantile(0.5)) < 0.003);   // a bin
  CHECK(levels[0].correlation() == Approx(1).epsilon(1e-4));
  CHECK(levels[0].departure() < 0.01);   // a float of geopotential is 0.004 m²/s²
  CHECK(levels[0].cosine.mean() == Approx(1).epsilon(1e-4));
  CHECK(levels[2].cosine.mean() == Approx(0).margin(1e-3));
  CHECK(levels[2].sine.mean() == Approx(1).epsilon(1e-4));
  CHECK(levels[2].departure() == Approx(std::sqrt(2.0)).epsilon(1e-3));
  CHECK_FALSE(balance(g, select_channels({"t", "u"}, {500, 850})).anything());
}

TEST_CASE("a histogram knows its quantiles, and what lies beyond it is at its ends") {
  histogram x(0, 1, 100);
  for (int i = 0; i < 1000; ++i) x.add((i + 0.5) / 1000, 2);
  for (double const q : {0.05, 0.5, 0.95}) CHECK(x.quantile(q) == Approx(q).epsilon(1e-9));
  x.add(7, 1000), x.add(std::nan("")), x.add(-3, 0);
  CHECK(x.counts().back() == 1020);
  CHECK(x.mean() == Approx((1000 + 7000) / 3000.0));
  CHECK(std::isnan(histogram(0, 1).quantile(0.5)));
}
