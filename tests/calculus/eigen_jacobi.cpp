// SPDX-License-Identifier: Apache-2.0
#include <sda/calculus/eigen_jacobi.hpp>
#include <sda_test.hpp>

#include <Eigen/Dense>
#include <cstring>
#include <vector>

using namespace sda;

namespace {

template <int Lanes> struct batch {
  int n;
  std::vector<double> a, v;
  explicit batch(int size) : n(size), a(std::size_t(n * n * Lanes)), v(a.size()) {}
  double& at(std::vector<double>& x, int i, int j, int l) const { return x[std::size_t((i * n + j) * Lanes + l)]; }
};

Eigen::MatrixXd symmetric(int n, std::uint64_t which) {
  Eigen::MatrixXd const x = sda_test::normals(n, n + 2, key{3}.fold(which)).matrix();
  return x * x.transpose();
}

}  // namespace

TEST_CASE("jacobi rotations diagonalise every matrix of a batch to rounding") {
  constexpr int lanes = 8;
  for (int const n : {1, 2, 7, 10, 40}) {
    batch<lanes> b(n);
    std::vector<Eigen::MatrixXd> matrices;
    for (int l = 0; l < lanes; ++l) matrices.push_back(symmetric(n, std::uint64_t(l)));
    matrices[1].setIdentity();  // nothing to rotate, and equal eigenvalues
    matrices[2].setZero();
    for (int l = 0; l < lanes; ++l)
      for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) b.at(b.a, i, j, l) = matrices[std::size_t(l)](i, j);
    eigen_jacobi<lanes>(b.a.data(), b.v.data(), n, n <= 10 ? 6 : 8);
    for (int l = 0; l < lanes; ++l) {
      Eigen::MatrixXd vectors(n, n);
      Eigen::VectorXd values(n);
      for (int i = 0; i < n; ++i) {
        values(i) = b.at(b.a, i, i, l);
        for (int j = 0; j < n; ++j) vectors(i, j) = b.at(b.v, i, j, l);
      }
      auto const& m = matrices[std::size_t(l)];
      double const scale = std::max(m.norm(), 1e-300);
      CHECK((vectors * vectors.transpose() - Eigen::MatrixXd::Identity(n, n)).norm() <= 1e-13 * n);
      CHECK((vectors.transpose() * values.asDiagonal() * vectors - m).norm() <= 1e-13 * scale * n);
    }
  }
}

TEST_CASE("a lane's bits do not depend on how many lanes there are") {
  int const n = 7;
  batch<4> four(n);
  for (int l = 0; l < 4; ++l) {
    auto const m = symmetric(n, std::uint64_t(l));
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) four.at(four.a, i, j, l) = m(i, j);
  }
  auto const before = four.a;
  eigen_jacobi<4>(four.a.data(), four.v.data(), n, 6);
  for (int l = 0; l < 4; ++l) {
    batch<8> eight(n);  // the same matrix in every lane of another width
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j)
        for (int k = 0; k < 8; ++k) eight.at(eight.a, i, j, k) = before[std::size_t((i * n + j) * 4 + l)];
    eigen_jacobi<8>(eight.a.data(), eight.v.data(), n, 6);
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) REQUIRE(eight.at(eight.v, i, j, 5) == four.at(four.v, i, j, l));
  }
}
