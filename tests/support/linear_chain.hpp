// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <exact.hpp>
#include <sda/filter/kalman.hpp>

namespace sda_test {

using sda::index_t;

inline Eigen::MatrixXd to_eigen(sda::small_matrix const& m) {
  return Eigen::Map<Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> const>(m.elements.data(), m.height, m.width);
}
inline Eigen::VectorXd to_eigen(std::vector<double> const& x) { return Eigen::Map<Eigen::VectorXd const>(x.data(), index_t(x.size())); }

/// A linear-Gaussian chain of 3 numbers over 5 times, seen in different ways, at time 2 not at all; and its joint posterior
/// by plain algebra on all 15 numbers.
struct linear_chain {
  index_t n = 3, length = 5;
  sda::normal_law start{{1, -1, 2}, exact::random_covariance(3, 4, sda::key{1})};
  std::vector<sda::linear_transition> transitions;
  std::vector<sda::linear_sight> seen;

  linear_chain() {
    for (std::uint64_t t = 0; t + 1 < std::uint64_t(length); ++t)
      transitions.push_back({sda::small_matrix(Eigen::MatrixXd(0.6 * normals(n, n, sda::key{2}.fold(t)).matrix())),
                             sda::small_matrix(exact::random_covariance(n, 9, sda::key{3}.fold(t))),
                             std::vector<double>{0.1 * double(t), 0.2, -0.3}});
    for (std::uint64_t t = 0; t < std::uint64_t(length); ++t) {
      index_t const p = t == 2 ? 0 : 1 + index_t(t % 2);
      sda::host_array<double> const y = normals(1, p, sda::key{4}.fold(t));
      seen.push_back(
          {sda::small_matrix(Eigen::MatrixXd(normals(p, n, sda::key{5}.fold(t)).matrix())), {y.data(), y.data() + p}, sda::identity_matrix(p, 0.3)});
    }
  }

  /// The law of (x_0, ..., x_4) before anything was seen.
  exact::normal_law<> prior() const {
    index_t const all = n * length;
    Eigen::MatrixXd spread = Eigen::MatrixXd::Identity(all, all), causes = Eigen::MatrixXd::Zero(all, all);  // x = spread (x_0, η_1, ...)
    Eigen::VectorXd push(all);
    causes.topLeftCorner(n, n) = to_eigen(start.covariance);
    push.head(n) = to_eigen(start.mean);
    for (index_t t = 1; t < length; ++t) {
      auto const& m = transitions[std::size_t(t - 1)];
      spread.block(t * n, 0, n, t * n) = to_eigen(m.transition) * spread.block((t - 1) * n, 0, n, t * n);
      causes.block(t * n, t * n, n, n) = to_eigen(m.noise);
      push.segment(t * n, n) = to_eigen(m.offset);
    }
    return {spread * push, spread * causes * spread.transpose()};
  }
  exact::normal_law<> posterior() const {
    index_t p = 0, row = 0;
    for (auto const& s : seen) p += s.op.height;
    Eigen::MatrixXd h = Eigen::MatrixXd::Zero(p, n * length), r = Eigen::MatrixXd::Zero(p, p);
    Eigen::VectorXd y(p);
    for (index_t t = 0; t < length; ++t) {
      auto const& s = seen[std::size_t(t)];
      h.block(row, t * n, s.op.height, n) = to_eigen(s.op);
      r.block(row, row, s.op.height, s.op.height) = to_eigen(s.error);
      y.segment(row, s.op.height) = to_eigen(s.y);
      row += s.op.height;
    }
    return exact::condition<double>(prior(), h, y, r);
  }
};

}  // namespace sda_test
