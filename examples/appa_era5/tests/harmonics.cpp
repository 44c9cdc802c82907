// SPDX-License-Identifier: Apache-2.0
#include <golden.hpp>

#include "sphere/harmonics.hpp"

#include <numbers>

using namespace appa;
using Eigen::MatrixXd;

namespace {

MatrixXd random_spectra(harmonics const& h, index_t fields, int top) {
  MatrixXd a = sda_test::normals(h.size(), 2 * fields, sda::key{3}).matrix();
  for (index_t i = 0; i < h.size(); ++i)
    if (h.degrees()[std::size_t(i)] > top) a.row(i).setZero();
  for (int l = 0; l <= h.truncation(); ++l)   // fields are real
    for (index_t f = 0; f < fields; ++f) a(h.index(l, 0), 2 * f + 1) = 0;
  return a;
}
double error(MatrixXd const& a, MatrixXd const& b) { return (a - b).cwiseAbs().maxCoeff() / b.cwiseAbs().maxCoeff(); }

}  // namespace

TEST_CASE("analysis undoes synthesis on every kind of rows") {
  for (auto const& rows : {gauss_legendre(24), even_rows(45, true), even_rows(46, true), even_rows(45, false)}) {
    CHECK(Eigen::Map<Eigen::VectorXd const>(rows.weights.data(), index_t(rows.weights.size())).sum() == Approx(2).epsilon(1e-14));
    harmonics const h(21, rows, 64);
    MatrixXd const a = random_spectra(h, 3, 21);
    CHECK(error(h.analyse(h.synthesise(a)), a) < 1e-12);
  }
}

TEST_CASE("derivatives of spectra are those of the fields") {
  harmonics const h(22, gauss_legendre(36), 72);
  // The field x = cos(latitude) cos(longitude), and y: x² + y² + sin² = 1.
  MatrixXd x(h.points(), 1), east(h.points(), 1), north(h.points(), 1), sine(h.points(), 1);
  for (index_t i = 0; i < h.points(); ++i) {
    double const mu = h.sines()[std::size_t(i / 72)], c2 = 1 - mu * mu, lon = 2 * std::numbers::pi * double(i % 72) / 72;
    x(i) = std::sqrt(c2) * std::cos(lon) * mu, sine(i) = mu * x(i);
    east(i) = -std::sqrt(c2) * std::sin(lon) * mu;
    north(i) = std::sqrt(c2) * std::cos(lon) * (c2 - mu * mu);   // cos d/dφ of cos φ sin φ cos λ
  }
  MatrixXd const a = h.analyse(x);
  CHECK(error(h.synthesise(h.d_longitude(a)), east) < 1e-12);
  CHECK(error(h.synthesise(h.cos_d_latitude(a)), north) < 1e-12);
  CHECK(error(h.synthesise(h.times_sine(a)), sine) < 1e-12);
  CHECK(error(h.laplacian(a), -6 * a) < 1e-12);
  CHECK(error(h.inverse_laplacian(h.laplacian(a)), a) < 1e-12);
}

TEST_CASE("the divergence of a gradient is the Laplacian") {
  harmonics const h(22, gauss_legendre(36), 72);
  MatrixXd const a = random_spectra(h, 2, 20);
  MatrixXd east = h.synthesise(h.d_longitude(a)), north = h.synthesise(h.cos_d_latitude(a));
  for (index_t i = 0; i < h.points(); ++i) {
    double const mu = h.sines()[std::size_t(i / 72)];
    east.row(i) /= 1 - mu * mu, north.row(i) /= 1 - mu * mu;
  }
  MatrixXd const d = h.divergence(h.analyse(east), h.analyse(north));
  CHECK(error(d, h.laplacian(a)) < 1e-11);
}

TEST_CASE("the power of one harmonic lies in the bin of its degree, and all power is the mean square") {
  harmonics const h(60, even_rows(181, true), 360);
  MatrixXd a = MatrixXd::Zero(h.size(), 2);
  a(h.index(40, 7), 0) = 0.6, a(h.index(40, 7), 1) = 0.8;
  MatrixXd const field = h.synthesise(a), power = power_by_degree(h, h.analyse(field));
  CHECK(power(40) == Approx(2).epsilon(1e-12));
  CHECK(power.sum() == Approx(2).epsilon(1e-12));
  auto const rows = even_rows(181, true);
  double mean = 0;
  for (index_t i = 0; i < h.points(); ++i) mean += rows.weights[std::size_t(i / 360)] / 720 * field(i) * field(i);
  CHECK(4 * std::numbers::pi * mean == Approx(2).epsilon(1e-12));
}

TEST_CASE("golden metrics: spherical harmonics and power by degree") {
  auto const files = sda_test::golden_files("metrics_");
  if (files.empty()) SDA_SKIP("no metrics_* reference values");
  for (auto const& file : files) {
    sda_test::golden const g(file);
    auto const& about = g.config.at("spectrum");
    index_t const rows = about.at("nlat"), width = about.at("nlon");
    int const degrees = about.at("lmax");
    auto const fields = g["inputs/spectrum_fields"].as<double>();
    harmonics const h(degrees - 1, even_rows(rows, true), width);
    MatrixXd const x = Eigen::Map<MatrixXd const>(fields.data(), h.points(), index_t(fields.size()) / h.points());
    MatrixXd const a = h.analyse(x), power = power_by_degree(h, a);
    auto const same = [&](std::string const& name, auto const& value) {
      INFO(name);
      auto const stored = g["outputs/spectrum/" + name].as<double>();
      double worst = 0, largest = 0;
      for (std::size_t i = 0; i < stored.size(); ++i) worst = std::max(worst, std::abs(value(i) - stored[i])), largest = std::max(largest, std::abs(stored[i]));
      CHECK(worst <= 1e-6 * largest);
    };
    std::size_t const n = std::size_t(degrees);
    auto const coefficient = [&](std::size_t i, index_t part) {
      std::size_t const m = i % n, l = i / n % n, f = i / n / n;
      return m > l ? 0.0 : a(h.index(int(l), int(m)), index_t(2 * f) + part);
    };
    same("coefficients_real", [&](std::size_t i) { return coefficient(i, 0); });
    same("coefficients_imag", [&](std::size_t i) { return coefficient(i, 1); });
    same("degree_power", [&](std::size_t i) { return power(index_t(i % n), index_t(i / n)); });
    same("degree_power_per_mode", [&](std::size_t i) { return power(index_t(i % n), index_t(i / n)) / double(2 * (i % n) + 1); });
    same("legacy_sum_over_degree", [&](std::size_t i) {
      std::size_t const m = i % n, f = i / n;
      double sum = 0;
      for (std::size_t l = m; l < n; ++l) sum += a.block(h.index(int(l), int(m)), index_t(2 * f), 1, 2).squaredNorm();
      return sum / double(2 * m + 1);
    });
  }
}
