// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>
#include <temporary.hpp>

#include "data/archive.hpp"
#include "sphere/synthesis.hpp"

#include <cmath>
#include <fstream>

using namespace appa;
using Eigen::MatrixXd;

namespace {

/// A winter, spun up once for all cases.
atmosphere const& winter() {
  static atmosphere const one = [] {
    atmosphere a({}, hours_of({2018, 12, 1, 0}), sda::key{1});
    while (a.now() < hours_of({2019, 1, 10, 0})) a.advance();
    return a;
  }();
  return one;
}
double distance(atmosphere const& a, atmosphere const& b) { return (a.streamfunctions() - b.streamfunctions()).norm(); }

}  // namespace

TEST_CASE("a forecast from a perturbed state diverges at the pace of weather, and persistence decays faster") {
  atmosphere truth = winter(), forecast = winter();
  MatrixXd x = truth.state();
  MatrixXd const noise = sda_test::normals(x.rows(), 6, sda::key{2}).matrix();
  for (index_t i = truth.sphere().truncation() + 1; i < x.rows(); ++i)
    if (truth.sphere().degrees()[std::size_t(i)] <= 10) x.row(i).head(6) += 1e-3 * x.leftCols(6).norm() / 16 * noise.row(i);
  forecast.restore(truth.now(), x);
  auto const day = [](atmosphere& a) {
    for (int h = 0; h < 24; ++h) a.advance();
  };
  for (int d = 0; d < 6; ++d) day(truth), day(forecast);   // until the errors have the shape that grows
  atmosphere const start = truth;
  double const first = distance(forecast, truth);
  std::vector<double> error, persistence;
  for (int d = 0; d < 10; ++d) {
    day(truth), day(forecast);
    error.push_back(distance(forecast, truth)), persistence.push_back(distance(start, truth));
    CHECK(error.back() < persistence.back());
    if (d > 0 && d < 3) CHECK(persistence[std::size_t(d)] > persistence[std::size_t(d) - 1]);
  }
  double const doubling = 10 * std::log(2) / std::log(error.back() / first);   // days
  CAPTURE(first, error, persistence, doubling);
  CHECK((doubling > 1 && doubling < 6));
}

TEST_CASE("a seed is a weather: the same again, and another with another seed") {
  auto const after_a_day = [](std::uint64_t seed) {
    atmosphere a({}, 0, sda::key{seed});
    for (int h = 0; h < 24; ++h) a.advance();
    return a.state();
  };
  MatrixXd const a = after_a_day(7);
  CHECK((a == after_a_day(7)));
  CHECK((a != after_a_day(8)));
}

TEST_CASE("without radiation, friction and diffusion the flow keeps its energy") {
  atmosphere_settings s;
  s.relaxation = s.friction = s.diffusion = 1e9;
  atmosphere a(s, 0, sda::key{1});
  auto const energy = [&] {   // -½ Σ ψ q over the levels, q without f: kinetic and available potential energy
    MatrixXd const psi = a.streamfunctions(), q = a.state().leftCols(6);
    double sum = 0;
    for (int m = 0; m <= s.truncation; ++m)
      for (int l = m; l <= s.truncation; ++l) sum -= (m ? 1.0 : 0.5) * psi.row(a.sphere().index(l, m)).dot(q.row(a.sphere().index(l, m)));
    return sum;
  };
  double const before = energy();
  for (int h = 0; h < 72; ++h) a.advance();
  CHECK(energy() == Approx(before).epsilon(1e-3));
}

TEST_CASE("the weather is plausible: hydrostatic, geostrophic, wet where it may be") {
  grid const g = parse_grid("64x33");
  weather const made(winter(), g, published_channels());
  auto const x = made.state(winter());
  auto const& list = made.channels();
  auto const at = [&](char const* name, int level, index_t point) { return double(x[std::size_t(list.index_of({name, level}) * g.points() + point)]); };
  auto const context = made.context("land_sea_mask", winter().now());
  std::size_t wrong = 0;
  for (index_t p = 0; p < g.points(); ++p) {
    wrong += std::isnan(at("sea_surface_temperature", 0, p)) != (context[std::size_t(p)] > 0.5f);
    wrong += !(at("total_precipitation", 0, p) >= 0);
    for (int const level : levels_13()) wrong += !(at("specific_humidity", level, p) > 0 && at("specific_humidity", level, p) < 0.04);
    for (auto const& [low, high] : {std::pair{1000, 925}, {700, 600}, {500, 400}, {300, 250}, {150, 100}}) {   // layers within one piece of the profile
      double const thickness = at("geopotential", high, p) - at("geopotential", low, p);
      double const mean = (at("temperature", high, p) + at("temperature", low, p)) / 2;
      CHECK(thickness / (287 * std::log(double(low) / high)) == Approx(mean).margin(1.5));
    }
  }
  CHECK(wrong == 0);
  double along = 0, winds = 0, slopes = 0;   // correlation of f u with -dΦ/dy in middle latitudes
  for (index_t row = 5; row < 28; ++row) {
    double const f = 2 * atmosphere::rotation * std::sin(g.latitudes[std::size_t(row)] * std::acos(-1) / 180), dy = 2 * 111195 * 5.625;
    if (std::abs(g.latitudes[std::size_t(row)]) < 25) continue;
    for (index_t j = 0; j < g.width(); ++j) {
      double const slope = -(at("geopotential", 500, (row - 1) * g.width() + j) - at("geopotential", 500, (row + 1) * g.width() + j)) / dy;
      double const wind = f * at("u_component_of_wind", 500, row * g.width() + j);
      along += slope * wind, winds += wind * wind, slopes += slope * slope;
    }
  }
  CHECK(along / std::sqrt(winds * slopes) > 0.97);
  CHECK(at("temperature", 850, 16 * 64) > at("temperature", 850, 2 * 64) + 20);
}

TEST_CASE("the same weather is seen on every grid") {
  auto const some = select_channels({"t2m", "z", "u"}, {500});
  weather const coarse(winter(), parse_grid("64x33"), some), fine(winter(), parse_grid("128x65"), some), bands(winter(), parse_grid("64x32"), some);
  auto const a = coarse.state(winter()), b = fine.state(winter());
  for (std::size_t c = 1; c < 3; ++c)
    for (std::size_t row = 1; row < 32; ++row)   // at the poles winds have directions
      for (std::size_t j = 0; j < 64; ++j) CHECK(a[(c * 33 + row) * 64 + j] == Approx(b[(c * 65 + 2 * row) * 128 + 2 * j]).epsilon(1e-4).margin(1e-3));
  CHECK(bands.state(winter()).size() == 3 * 64 * 32);
}

TEST_CASE("a run that was stopped ends as one that was not, in files that are read back") {
  sda_test::temporary_folder const tmp;
  synthesis_settings s;
  s.over = {hours_of({2019, 1, 31, 22}), hours_of({2019, 2, 1, 1})}, s.spin_up = 1, s.daily = true, s.context = true, s.where = parse_grid("24x13"), s.model.truncation = 10;
  s.channels = select_channels({"t2m", "sst", "z", "q"}, {500, 850}), s.seed = 4;
  s.folder = tmp / "whole";
  synthesize(s);
  synthesis_settings half = s;
  half.folder = tmp / "parts";
  half.progress = [](hours done, hours) { sda::require(done < 27, "stop"); };
  CHECK_THROWS_WITH(synthesize(half), Catch::Contains("stop"));
  CHECK(std::filesystem::exists(tmp / "parts" / "single-levels-2019-01-31.nc"));
  CHECK(!std::filesystem::exists(tmp / "parts" / "single-levels-2019-02-01.nc"));
  half.progress = {};
  synthesize(half);
  auto const numbers = [&](char const* folder) {
    archive const a({(tmp / folder / "*levels*.nc").string()}, s.channels);
    CHECK(a.times().size() == 4);
    std::vector<float> x(std::size_t(4 * a.channels().size() * a.where().points()));
    a.read(s.over.first, 4, 1, x.data());
    for (float& v : x) v = std::isnan(v) ? -1 : v;
    return x;
  };
  CHECK((numbers("whole") == numbers("parts")));
  archive const context({(tmp / "whole" / "*.nc").string()}, select_channels({"land_sea_mask", "tisr"}, {}));
  CHECK(context.times().size() == 4);   // what does not change is there at every hour
  s.seed = 5;
  CHECK_THROWS_WITH(synthesize(s), Catch::Contains("belongs to another run"));
}
