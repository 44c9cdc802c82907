// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <Eigen/Dense>
#include <cmath>
#include <sda/calculus/level.hpp>
#include <sda_test.hpp>
#include <vector>

// Closed forms of the linear-Gaussian world in plain linear algebra, for any scalar (long double for oracles of double).
// Written for clarity; nothing here is shared with the library.

namespace sda_test::exact {

template <class T = double> using matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
template <class T = double> using vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;

template <class T = double> struct normal_law {
  vector<T> mean;
  matrix<T> covariance;
};

/// x given y = A x + N(0, R).
template <class T> normal_law<T> condition(normal_law<T> const& prior, matrix<T> const& a, vector<T> const& y, matrix<T> const& r) {
  matrix<T> const cross = prior.covariance * a.transpose(), seen = a * cross + r;
  matrix<T> const gain = seen.ldlt().solve(cross.transpose()).transpose();
  matrix<T> const covariance = prior.covariance - gain * cross.transpose();
  return {prior.mean + gain * (y - a * prior.mean), (covariance + covariance.transpose()) / 2};
}

/// log N(x; law)
template <class T> T log_density(normal_law<T> const& law, vector<T> const& x) {
  Eigen::LDLT<matrix<T>> const factor(law.covariance);
  vector<T> const d = x - law.mean;
  T const two_pi = 8 * std::atan(T(1));
  return -(d.dot(factor.solve(d)) + factor.vectorD().array().log().sum() + T(d.size()) * std::log(two_pi)) / 2;
}

/// ∂E[x_0|x_t]/∂x_t = α C (α² C + σ²)⁻¹ for x_t = α x_0 + σ z, through the eigenvalues of C: exact for singular C too.
template <class T> matrix<T> denoiser_jacobian(normal_law<T> const& prior, sda::level l) {
  Eigen::SelfAdjointEigenSolver<matrix<T>> const eigen(prior.covariance);
  T const alpha = T(l.alpha), sigma = T(l.sigma);
  vector<T> const values = eigen.eigenvalues(), gain = alpha * values.array() / (alpha * alpha * values.array() + sigma * sigma);
  return eigen.eigenvectors() * gain.asDiagonal() * eigen.eigenvectors().transpose();
}

/// E[x_0|x_t]
template <class T> vector<T> denoise(normal_law<T> const& prior, vector<T> const& x, sda::level l) {
  return prior.mean + denoiser_jacobian(prior, l) * (x - T(l.alpha) * prior.mean);
}

template <class T = double> struct mixture_law {
  std::vector<T> weights;
  std::vector<normal_law<T>> parts;
};

/// A mixture given y = A x + N(0, R): parts conditioned, weights multiplied by their evidence.
template <class T> mixture_law<T> condition(mixture_law<T> const& prior, matrix<T> const& a, vector<T> const& y, matrix<T> const& r) {
  mixture_law<T> out;
  std::vector<T> logs;
  for (std::size_t k = 0; k < prior.parts.size(); ++k) {
    auto const& part = prior.parts[k];
    out.parts.push_back(condition(part, a, y, r));
    logs.push_back(std::log(prior.weights[k]) + log_density<T>({a * part.mean, a * part.covariance * a.transpose() + r}, y));
  }
  T const top = *std::max_element(logs.begin(), logs.end());
  T total = 0;
  for (T const l : logs) total += std::exp(l - top);
  for (T const l : logs) out.weights.push_back(std::exp(l - top) / total);
  return out;
}

template <class T> vector<T> mean(mixture_law<T> const& law) {
  vector<T> out = vector<T>::Zero(law.parts.front().mean.size());
  for (std::size_t k = 0; k < law.parts.size(); ++k) out += law.weights[k] * law.parts[k].mean;
  return out;
}

/// E[x_0|x_t] of a mixture.
template <class T> vector<T> denoise(mixture_law<T> const& prior, vector<T> const& x, sda::level l) {
  auto const n = x.size();
  T const alpha = T(l.alpha), sigma = T(l.sigma);
  return mean(condition<T>(prior, alpha * matrix<T>::Identity(n, n), x, sigma * sigma * matrix<T>::Identity(n, n)));
}

/// Cov(x_i, x_j) = variance φ^|i-j| of a stationary AR(1) chain.
template <class T = double> matrix<T> ar1_covariance(Eigen::Index steps, T phi, T variance = 1) {
  matrix<T> c(steps, steps);
  for (Eigen::Index i = 0; i < steps; ++i)
    for (Eigen::Index j = 0; j < steps; ++j) c(i, j) = variance * std::pow(phi, T(std::abs(i - j)));
  return c;
}

/// One observation of a scalar chain; a variance of 0 or less means that nothing was seen at that step.
struct seen_at_step {
  double y = 0, variance = 0;
};

/// Rauch-Tung-Striebel smoother of the scalar chain x_0 ~ N(0, q/(1-φ²)), x_{i+1} = φ x_i + N(0, q): means and variances.
inline std::vector<std::pair<double, double>> smooth_ar1(double phi, double stationary_variance, std::vector<seen_at_step> const& seen) {
  double const q = stationary_variance * (1 - phi * phi);
  std::vector<std::pair<double, double>> filtered, predicted;
  double m = 0, p = stationary_variance;
  for (auto const& s : seen) {
    predicted.emplace_back(m, p);
    if (s.variance > 0) {
      double const gain = p / (p + s.variance);
      m += gain * (s.y - m);
      p *= 1 - gain;
    }
    filtered.emplace_back(m, p);
    m *= phi;
    p = phi * phi * p + q;
  }
  auto smoothed = filtered;
  for (std::size_t i = seen.size() - 1; i-- > 0;) {
    double const gain = filtered[i].second * phi / predicted[i + 1].second;
    smoothed[i].first += gain * (smoothed[i + 1].first - predicted[i + 1].first);
    smoothed[i].second += gain * gain * (smoothed[i + 1].second - predicted[i + 1].second);
  }
  return smoothed;
}

/// Row r of a state as a vector of any scalar.
template <class T, class S> vector<T> row_of(S const& x, sda::index_t r) { return x.row(r).matrix().transpose().template cast<T>(); }

/// A covariance of d numbers with eigenvalues between 1 and 1/spread (by construction), the same everywhere.
inline matrix<double> random_covariance(sda::index_t d, double spread, sda::key k) {
  matrix<double> const g = normals(d, d, k).matrix();
  matrix<double> const q = Eigen::HouseholderQR<matrix<double>>(g).householderQ();
  vector<double> values(d);
  for (sda::index_t i = 0; i < d; ++i) values(i) = std::pow(spread, -double(i) / double(std::max<sda::index_t>(d - 1, 1)));
  matrix<double> const c = q * values.asDiagonal() * q.transpose();
  return (c + c.transpose()) / 2;
}

}  // namespace sda_test::exact
