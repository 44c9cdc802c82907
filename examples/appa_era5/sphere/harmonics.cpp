// SPDX-License-Identifier: Apache-2.0
#include "sphere/harmonics.hpp"

#include <sda/core/error.hpp>

#include <cmath>
#include <numbers>

namespace appa {

using Eigen::MatrixXd;
using std::numbers::pi;

quadrature gauss_legendre(index_t n) {
  sda::require(n >= 1, "gauss_legendre: ", n, " rows");
  quadrature q{std::vector<double>(static_cast<std::size_t>(n)), std::vector<double>(static_cast<std::size_t>(n))};
  for (index_t i = 0; i < n; ++i) {
    double x = std::cos(pi * (double(i) + 0.75) / (double(n) + 0.5)), slope = 1;
    for (int newton = 0; newton < 100; ++newton) {
      double p = 1, before = 0;
      for (index_t l = 1; l <= n; ++l) {
        double const next = ((2 * double(l) - 1) * x * p - (double(l) - 1) * before) / double(l);
        before = p, p = next;
      }
      slope = double(n) * (x * p - before) / (x * x - 1);
      double const step = p / slope;
      x -= step;
      if (std::abs(step) < 1e-16) break;
    }
    q.sines[std::size_t(i)] = x, q.weights[std::size_t(i)] = 2 / ((1 - x * x) * slope * slope);
  }
  return q;
}

quadrature even_rows(index_t n, bool poles) {
  sda::require(n >= 2, "even_rows: ", n, " rows");
  quadrature q;
  index_t const spans = poles ? n - 1 : n;
  for (index_t i = 0; i < n; ++i) {
    double const angle = pi * (poles ? double(i) : double(i) + 0.5) / double(spans);
    double sum = 1;
    for (index_t k = 1; 2 * k <= spans; ++k) {
      double const half = poles && 2 * k == spans ? 1 : 2;
      sum -= half * std::cos(2 * double(k) * angle) / (4 * double(k) * double(k) - 1);
    }
    q.sines.push_back(poles && (i == 0 || i == n - 1) ? (i == 0 ? 1.0 : -1.0) : std::cos(angle));
    q.weights.push_back((poles && (i == 0 || i == n - 1) ? 1 : 2) / double(spans) * sum);
  }
  return q;
}

harmonics::harmonics(int truncation, quadrature rows, index_t width) : truncation_(truncation), rows_(std::move(rows)), width_(width) {
  sda::require(truncation >= 1 && width > 2 * truncation, "harmonics to degree ", truncation, " need more than ", 2 * truncation, " columns, not ", width);
  for (int m = 0; m <= truncation; ++m)
    for (int l = m; l <= truncation; ++l) {
      degree_.push_back(l), order_.push_back(m);
      epsilon_.push_back(std::sqrt((double(l) * l - double(m) * m) / (4.0 * l * l - 1)));
    }
  waves_.resize(2 * (truncation + 1), width), projections_.resize(width, 2 * (truncation + 1));
  for (int m = 0; m <= truncation; ++m)
    for (index_t j = 0; j < width; ++j) {
      double const angle = 2 * pi * double((m * j) % width) / double(width), both = m == 0 ? 1 : 2;   // m and -m
      waves_(2 * m, j) = both * std::cos(angle), waves_(2 * m + 1, j) = -both * std::sin(angle);
      projections_(j, 2 * m) = 2 * pi / double(width) * std::cos(angle), projections_(j, 2 * m + 1) = -2 * pi / double(width) * std::sin(angle);
    }
  if (size() * index_t(rows_.sines.size()) <= index_t{1} << 24)
    for (int m = 0; m <= truncation; ++m) legendre_.push_back(legendre_of(m));
}

MatrixXd harmonics::legendre_of(int m) const {
  index_t const rows = index_t(rows_.sines.size());
  MatrixXd p(rows, truncation_ - m + 1);
  double const log_diagonal = [&] {   // of √((2m+1)/(4π) ∏ (2k-1)/(2k))
    double sum = std::log((2.0 * m + 1) / (4 * pi));
    for (int k = 1; k <= m; ++k) sum += std::log((2.0 * k - 1) / (2.0 * k));
    return sum / 2;
  }();
  for (index_t i = 0; i < rows; ++i) {
    double const mu = rows_.sines[std::size_t(i)], c2 = 1 - mu * mu;
    p(i, 0) = c2 > 0 || m == 0 ? (m % 2 ? -1 : 1) * std::exp(log_diagonal + (m ? m / 2.0 * std::log(c2) : 0)) : 0;
  }
  auto const sines = Eigen::Map<Eigen::ArrayXd const>(rows_.sines.data(), rows);
  for (int l = m + 1; l <= truncation_; ++l) {   // ε_l P_l = μ P_{l-1} - ε_{l-1} P_{l-2}
    p.col(l - m) = sines * p.col(l - m - 1).array();
    if (l > m + 1) p.col(l - m) -= epsilon_[std::size_t(index(l - 1, m))] * p.col(l - m - 2);
    p.col(l - m) /= epsilon_[std::size_t(index(l, m))];
  }
  return p;
}

MatrixXd harmonics::synthesise(MatrixXd const& spectra) const {
  sda::require(spectra.rows() == size() && spectra.cols() % 2 == 0, "synthesise: ", spectra.rows(), " coefficients where ", size(), " were expected");
  index_t const rows = index_t(rows_.sines.size()), fields = spectra.cols() / 2;
  std::vector<MatrixXd> fourier(std::size_t(fields), MatrixXd(rows, 2 * (truncation_ + 1)));
  for (int m = 0; m <= truncation_; ++m) {
    MatrixXd const part = (legendre_.empty() ? legendre_of(m) : legendre_[std::size_t(m)]) * spectra.middleRows(index(m, m), truncation_ - m + 1);
    for (index_t f = 0; f < fields; ++f) fourier[std::size_t(f)].middleCols(2 * m, 2) = part.middleCols(2 * f, 2);
  }
  MatrixXd out(points(), fields);
  using by_rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  for (index_t f = 0; f < fields; ++f) Eigen::Map<by_rows>(out.col(f).data(), rows, width_).noalias() = fourier[std::size_t(f)] * waves_;
  return out;
}

MatrixXd harmonics::analyse(MatrixXd const& fields) const {
  sda::require(fields.rows() == points(), "analyse: ", fields.rows(), " points where ", points(), " were expected");
  index_t const rows = index_t(rows_.sines.size()), n = fields.cols();
  auto const weights = Eigen::Map<Eigen::VectorXd const>(rows_.weights.data(), rows);
  using by_rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  std::vector<MatrixXd> fourier(static_cast<std::size_t>(n));
  for (index_t f = 0; f < n; ++f)
    fourier[std::size_t(f)] = weights.asDiagonal() * (Eigen::Map<by_rows const>(fields.col(f).data(), rows, width_) * projections_);
  MatrixXd spectra(size(), 2 * n), part(rows, 2 * n);
  for (int m = 0; m <= truncation_; ++m) {
    for (index_t f = 0; f < n; ++f) part.middleCols(2 * f, 2) = fourier[std::size_t(f)].middleCols(2 * m, 2);
    spectra.middleRows(index(m, m), truncation_ - m + 1).noalias() = (legendre_.empty() ? legendre_of(m) : legendre_[std::size_t(m)]).transpose() * part;
  }
  return spectra;
}

MatrixXd harmonics::laplacian(MatrixXd const& a) const {
  MatrixXd out = a;
  for (index_t i = 0; i < size(); ++i) out.row(i) *= -double(degree_[std::size_t(i)]) * (degree_[std::size_t(i)] + 1);
  return out;
}
MatrixXd harmonics::inverse_laplacian(MatrixXd const& a) const {
  MatrixXd out = a;
  out.row(0).setZero();
  for (index_t i = 1; i < size(); ++i) out.row(i) /= -double(degree_[std::size_t(i)]) * (degree_[std::size_t(i)] + 1);
  return out;
}
MatrixXd harmonics::d_longitude(MatrixXd const& a) const {
  MatrixXd out(a.rows(), a.cols());
  for (index_t f = 0; f < a.cols(); f += 2)
    for (index_t i = 0; i < size(); ++i) out(i, f) = -order_[std::size_t(i)] * a(i, f + 1), out(i, f + 1) = order_[std::size_t(i)] * a(i, f);
  return out;
}

template <class Below, class Above> MatrixXd harmonics::ladder(MatrixXd const& a, Below below, Above above) const {
  MatrixXd out = MatrixXd::Zero(a.rows(), a.cols());
  for (index_t i = 0; i < size(); ++i) {
    int const l = degree_[std::size_t(i)], m = order_[std::size_t(i)];
    if (l > m) out.row(i) += below(l) * epsilon_[std::size_t(i)] * a.row(i - 1);
    if (l < truncation_) out.row(i) += above(l) * epsilon_[std::size_t(i + 1)] * a.row(i + 1);
  }
  return out;
}
MatrixXd harmonics::cos_d_latitude(MatrixXd const& a) const {
  return ladder(a, [](int l) { return 1.0 - l; }, [](int l) { return l + 2.0; });
}
MatrixXd harmonics::times_sine(MatrixXd const& a) const {
  return ladder(a, [](int) { return 1.0; }, [](int) { return 1.0; });
}
MatrixXd harmonics::divergence(MatrixXd const& a, MatrixXd const& b) const {
  MatrixXd out = d_longitude(a) + ladder(b, [](int l) { return -(l + 1.0); }, [](int l) { return double(l); });
  for (int m = 0; m <= truncation_; ++m) out.row(index(truncation_, m)).setZero();
  return out;
}

MatrixXd power_by_degree(harmonics const& h, MatrixXd const& spectra) {
  MatrixXd power = MatrixXd::Zero(h.truncation() + 1, spectra.cols() / 2);
  for (int m = 0; m <= h.truncation(); ++m)
    for (int l = m; l <= h.truncation(); ++l)
      for (index_t f = 0; f < power.cols(); ++f)
        power(l, f) += (m == 0 ? 1 : 2) * spectra.block(h.index(l, m), 2 * f, 1, 2).squaredNorm();
  return power;
}

}  // namespace appa
