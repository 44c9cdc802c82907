// SPDX-License-Identifier: Apache-2.0
#include "sphere/atmosphere.hpp"

#include <sda/core/error.hpp>

#include <Eigen/LU>

#include <cmath>
#include <numbers>

namespace appa {

namespace {

using Eigen::MatrixXd;
using std::numbers::pi;

double constexpr day = 86400, hour = 3600;
double constexpr stretching_above = 1 / (700e3 * 700e3), stretching_below = 1 / (450e3 * 450e3);   // 1/m²
double constexpr depth = 9000;   // m, of the air that mountains squeeze

index_t rows_for(int truncation) { return (3 * truncation + 2) / 2 + (3 * truncation + 2) / 2 % 2; }   // quadratic terms without aliasing

double sine_of(harmonics const& h, index_t point, index_t width) { return h.sines()[std::size_t(point / width)]; }

}  // namespace

atmosphere::atmosphere(atmosphere_settings const& s, hours start, sda::key seed)
    : settings_(s), sphere_(s.truncation + 1, gauss_legendre(rows_for(s.truncation)), 2 * rows_for(s.truncation)), now_(start) {
  index_t const height = rows_for(s.truncation), width = 2 * height;
  for (double const mu : sphere_.sines()) where_.latitudes.push_back(std::asin(mu) * 180 / pi);
  for (index_t j = 0; j < width; ++j) where_.longitudes.push_back(360 * double(j) / double(width));
  auto const ground = idealised_earth(where_);
  land_ = Eigen::Map<Eigen::ArrayXd const>(ground.land.data(), index_t(ground.land.size()));
  inverse_cos2_.resize(sphere_.points());
  MatrixXd squeezed(sphere_.points(), 1);
  for (index_t i = 0; i < sphere_.points(); ++i) {
    double const mu = sine_of(sphere_, i, width);
    inverse_cos2_(i) = 1 / (1 - mu * mu);
    squeezed(i) = 2 * rotation * mu * ground.height[std::size_t(i)] / depth;
  }
  planetary_ = MatrixXd::Zero(sphere_.size(), 2 * levels);
  for (int level = 0; level < levels; ++level) planetary_(sphere_.index(1, 0), 2 * level) = 2 * rotation * std::sqrt(4 * pi / 3);
  planetary_.rightCols(2) += sphere_.analyse(squeezed);
  for (int l = 0; l <= s.truncation + 1; ++l) {
    double const k2 = double(l) * (l + 1) / (radius * radius), a = stretching_above, b = stretching_below;
    Eigen::Matrix3d m;
    m << -k2 - a, a, 0, a, -k2 - a - b, b, 0, b, -k2 - b;
    inverse_.push_back(l == 0 ? Eigen::Matrix3d::Zero() : Eigen::Matrix3d(m.inverse()));
  }
  radiative_shear();

  x_ = MatrixXd::Zero(sphere_.size(), 12);
  MatrixXd const shear = radiative(double(start));
  MatrixXd psi = MatrixXd::Zero(sphere_.size(), 2 * levels);
  psi.middleCols(2, 2) = 0.5 * shear.rightCols(2), psi.leftCols(2) = psi.middleCols(2, 2) + 0.5 * shear.leftCols(2);
  for (index_t i = 0; i < sphere_.size(); ++i)
    for (int part = 0; part < 2; ++part)
      if (int const l = sphere_.degrees()[std::size_t(i)]; l >= 3 && l <= 12 && i >= s.truncation + 2) {
        double const wave = 2e6 * (2 * sda::uniform(seed, part, i) - 1);
        for (int level = 0; level < levels; ++level) psi(i, 2 * level + part) += wave;
      }
  MatrixXd q = sphere_.laplacian(psi) / (radius * radius);
  MatrixXd const above = stretching_above * (psi.leftCols(2) - psi.middleCols(2, 2)), below = stretching_below * (psi.middleCols(2, 2) - psi.rightCols(2));
  q.leftCols(2) -= above, q.middleCols(2, 2) += above - below, q.rightCols(2) += below;
  x_.leftCols(6) = q;
  x_(0, 6) = 22 * std::sqrt(4 * pi);
}

void atmosphere::restore(hours now, MatrixXd state) {
  sda::require(state.rows() == x_.rows() && state.cols() == x_.cols(), "a state of ", state.rows(), " x ", state.cols(), " numbers for an atmosphere of ",
               x_.rows(), " x ", x_.cols());
  now_ = now, x_ = std::move(state);
}

// Jets in the middle latitudes; continents colder than the sea in winter and warmer in summer.
void atmosphere::radiative_shear() {
  index_t const n = sphere_.points(), width = where_.width();
  MatrixXd mean = MatrixXd::Zero(n, 4), seasonal = MatrixXd::Zero(n, 4), zonal_land = MatrixXd::Zero(where_.height(), 1);
  for (index_t i = 0; i < n; ++i) zonal_land(i / width) += land_(i) / double(width);
  double psi[2] = {0, 0};   // from the north: dψ = -u a dφ
  double before = 90;
  for (index_t row = 0; row < where_.height(); ++row) {
    double const latitude = where_.latitudes[std::size_t(row)], middle = (before + latitude) / 2, step = (before - latitude) * pi / 180;
    double const jet = std::exp(-std::pow((std::abs(middle) - 33) / 14, 2)), swing = middle > 0 ? 0.3 : -0.2;
    before = latitude;
    for (int kind = 0; kind < 2; ++kind) psi[kind] += jet * (kind ? swing : (middle > 0 ? 0.72 : 0.85)) * radius * step;
    double const mu = std::sin(latitude * pi / 180);
    for (index_t j = 0; j < width; ++j) {
      index_t const i = row * width + j;
      double const contrast = 2.5e7 * mu * (land_(i) - zonal_land(row));   // ψ: colder land is thinner air
      mean(i, 0) = settings_.shear_above * psi[0], mean(i, 1) = settings_.shear_below * psi[0];
      seasonal(i, 0) = settings_.shear_above * psi[1] - contrast, seasonal(i, 1) = settings_.shear_below * psi[1] - 0.8 * contrast;
    }
  }
  mean_shear_ = sphere_.analyse(mean.leftCols(2)), season_shear_ = sphere_.analyse(seasonal.leftCols(2));
  for (index_t i = 0; i < sphere_.size(); ++i)
    if (int const l = sphere_.degrees()[std::size_t(i)]; l == 0 || l > settings_.truncation || l > 15) mean_shear_.row(i).setZero(), season_shear_.row(i).setZero();
}

MatrixXd atmosphere::radiative(double t) const { return mean_shear_ + std::cos(season(t) - 0.5) * season_shear_; }   // a month late

MatrixXd atmosphere::invert(MatrixXd const& q) const {
  MatrixXd psi(q.rows(), q.cols());
  for (index_t i = 0; i < q.rows(); ++i) {
    auto const& m = inverse_[std::size_t(sphere_.degrees()[std::size_t(i)])];
    for (int part = 0; part < 2; ++part) {
      Eigen::Vector3d const v = m * Eigen::Vector3d(q(i, part), q(i, 2 + part), q(i, 4 + part));
      for (int level = 0; level < levels; ++level) psi(i, 2 * level + part) = v(level);
    }
  }
  return psi;
}

MatrixXd atmosphere::winds(MatrixXd const& psi) const {
  MatrixXd uv(psi.rows(), 2 * psi.cols());
  uv << -sphere_.cos_d_latitude(psi), sphere_.d_longitude(psi);
  return uv;
}

MatrixXd atmosphere::balanced(MatrixXd const& psi) const {
  return 2 * rotation * sphere_.inverse_laplacian(sphere_.times_sine(sphere_.laplacian(psi)) + sphere_.cos_d_latitude(psi));
}

MatrixXd atmosphere::tendency(MatrixXd const& x, double t) const {
  MatrixXd const q = x.leftCols(6), psi = invert(q);
  MatrixXd spectra(sphere_.size(), 20);
  spectra << winds(psi), q + planetary_, x.middleCols(6, 2);
  MatrixXd const g = sphere_.synthesise(spectra);   // u1 u2 u3 v1 v2 v3 q1 q2 q3 water
  MatrixXd flux(g.rows(), 8);
  for (int level = 0; level < levels; ++level) {
    flux.col(level) = g.col(level).array() * g.col(6 + level).array() * inverse_cos2_;
    flux.col(4 + level) = g.col(3 + level).array() * g.col(6 + level).array() * inverse_cos2_;
  }
  flux.col(3) = 0.5 * (g.col(1) + g.col(2)).array() * g.col(9).array() * inverse_cos2_;
  flux.col(7) = 0.5 * (g.col(4) + g.col(5)).array() * g.col(9).array() * inverse_cos2_;
  MatrixXd const a = sphere_.analyse(flux);
  MatrixXd out = MatrixXd::Zero(x.rows(), x.cols());
  out.leftCols(8) = -sphere_.divergence(a.leftCols(8), a.rightCols(8)) / (radius * radius);

  MatrixXd const eq = radiative(t);
  MatrixXd const above = stretching_above / (settings_.relaxation * day) * (psi.leftCols(2) - psi.middleCols(2, 2) - eq.leftCols(2));
  MatrixXd const below = stretching_below / (settings_.relaxation * day) * (psi.middleCols(2, 2) - psi.rightCols(2) - eq.rightCols(2));
  out.leftCols(2) += above, out.middleCols(2, 2) += below - above, out.middleCols(4, 2) -= below;
  out.middleCols(4, 2) -= sphere_.laplacian(psi.rightCols(2)) / (radius * radius * settings_.friction * day);
  double const top = double(settings_.truncation) * (settings_.truncation + 1);
  for (index_t i = 0; i < x.rows(); ++i) {
    double const l = sphere_.degrees()[std::size_t(i)];
    out.row(i).leftCols(8) -= std::pow(l * (l + 1) / top, 4) / (settings_.diffusion * day) * x.row(i).leftCols(8);
    // The sea follows the waves of the air's temperature, f (ψ_2 - ψ_3) / (R ln(800/500)) at 45°, over 40 days.
    double const warm = i > settings_.truncation + 1 ? 0.4 * 1.03e-4 / (287 * std::log(1.6)) : 0;
    if (l > settings_.truncation) out.row(i).setZero();
    else out.row(i).segment(8, 2) = (warm * (psi.row(i).segment(2, 2) - psi.row(i).tail(2)) - x.row(i).segment(8, 2)) / (40 * day);
  }
  return out;
}

void atmosphere::advance() {
  double const t = double(now_);
  MatrixXd const before = x_;
  MatrixXd const k1 = tendency(x_, t), k2 = tendency(x_ + hour / 2 * k1, t + 0.5), k3 = tendency(x_ + hour / 2 * k2, t + 0.5), k4 = tendency(x_ + hour * k3, t + 1);
  x_ += hour / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
  ++now_;
  rain_and_evaporate(before);
}

double atmosphere::capacity(double temperature) { return 52 * std::exp(0.066 * (temperature - 291)); }

double atmosphere::mean_ascent(double t, double latitude) {
  double const belt = 4 - 8 * std::cos(season(t) - 0.6);   // degrees north
  return 1.0 * std::exp(-std::pow((latitude - belt) / 8, 2)) - 0.55 * std::exp(-std::pow((std::abs(latitude - belt / 2) - 24) / 9, 2));
}

double atmosphere::rain(double water, double capacity, double ascent) {
  double const excess = water / capacity - 0.78 + 0.16 * ascent, soft = 0.03;
  double const positive = excess > 12 * soft ? excess : soft * std::log1p(std::exp(excess / soft));
  return std::max(water, 0.0) * positive / 8;   // what is too much falls in eight hours
}

// Air sinks where thickness grows without being carried there or heated: D(ψ_2 - ψ_3)/Dt, in the north.
void atmosphere::rain_and_evaporate(MatrixXd const& before) {
  MatrixXd const psi = streamfunctions(), old = invert(before.leftCols(6)), eq = radiative(double(now_));
  auto const thickness = [](MatrixXd const& p) -> MatrixXd { return p.middleCols(2, 2) - p.rightCols(2); };
  MatrixXd const still = (thickness(psi) - thickness(old)) / hour + (thickness(psi) - eq.rightCols(2)) / (settings_.relaxation * day);
  MatrixXd spectra(sphere_.size(), 16);
  spectra << winds(psi.rightCols(4)), still, balanced(psi.rightCols(4)), x_.middleCols(6, 2);
  MatrixXd const g = sphere_.synthesise(spectra);   // u2 u3 v2 v3 still Φ2 Φ3 water
  MatrixXd water(g.rows(), 2);
  for (index_t i = 0; i < g.rows(); ++i) {
    double const mu = sine_of(sphere_, i, where_.width()), latitude = where_.latitudes[std::size_t(i / where_.width())];
    double const carried = (g(i, 1) * g(i, 2) - g(i, 0) * g(i, 3)) * inverse_cos2_(i) / (radius * radius);   // J(ψ_mid, ψ_2 - ψ_3)
    double const rises = -(g(i, 4) + carried) * mu / std::sqrt(mu * mu + 0.05) / 70;
    double const temperature = 278 + (g(i, 5) - g(i, 6)) / (287 * std::log(1.6)), most = capacity(temperature);
    double const ascent = std::tanh(rises / 3) * 3 + mean_ascent(double(now_), latitude);
    double const wet = (1 - land_(i)) / 4.5 + land_(i) / 12;   // parts of what is missing that evaporate in a day
    double const lacking = std::max(0.9 * most - g(i, 7), 0.0);
    water(i, 0) = std::max(g(i, 7), 0.0) + wet * lacking / 24;
    water(i, 0) -= std::min(rain(water(i, 0), most, ascent), 0.5 * water(i, 0));
    water(i, 1) = ascent;
  }
  MatrixXd const a = sphere_.analyse(water);
  x_.middleCols(6, 2) = a.leftCols(2), x_.middleCols(10, 2) = a.rightCols(2);
  for (int m = 0; m <= settings_.truncation + 1; ++m) x_.row(sphere_.index(settings_.truncation + 1, m)).setZero();
}

}  // namespace appa
