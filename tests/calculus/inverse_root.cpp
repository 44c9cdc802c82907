// SPDX-License-Identifier: Apache-2.0
#include <sda/calculus/inverse_root.hpp>
#include <sda_test.hpp>

using namespace sda;

namespace {

small_matrix spread_out(index_t n, double scale) {
  host_array<double> const x = sda_test::normals(n, n, key{std::uint64_t(n)}) * std::sqrt(scale);
  return small_matrix(Eigen::MatrixXd(x.matrix() * x.matrix().transpose()));
}
double largest(small_matrix const& a) {
  double most = 0;
  for (double const x : a.elements) most = std::max(most, std::abs(x));
  return most;
}
small_matrix less(small_matrix a, small_matrix const& b) {
  for (std::size_t i = 0; i < a.elements.size(); ++i) a.elements[i] -= b.elements[i];
  return a;
}

}  // namespace

TEST_CASE("the rule for the inverse root is exact to rounding wherever it holds") {
  for (double const ratio : {1.0, 4.0, 1e2, 1e6, 1e12}) {
    auto const& rule = inverse_root_rule::up_to(ratio);
    for (int i = 0; i <= 50; ++i) {
      double const x = std::pow(ratio, i / 50.0);
      double sum = 0;
      for (std::size_t j = 0; j < rule.shift.size(); ++j) sum += rule.weight[j] / (rule.shift[j] + x);
      CHECK(std::abs(sum * std::sqrt(x) - 1) <= 1e-13);   // 58 terms of either size for the last
    }
  }
  CHECK(inverse_root_rule::up_to(4).shift.size() == 8);
}

TEST_CASE("the inverse root of a matrix, squared, undoes it, as far as its condition lets it") {
  for (index_t const n : {1, 2, 3, 8, 10, 11, 41})
    for (double const scale : {0.0, 1e-6, 1.0, 1e5}) {
      small_matrix const s = spread_out(n, scale), root = inverse_root(s, 2.5);
      small_matrix a = s;
      for (index_t i = 0; i < n; ++i) a[i][i] += 2.5;
      CHECK(largest(less(product(product(root, a), root), identity_matrix(n))) <= 1e-13 * (1 + largest(s)));
      CHECK(largest(less(root, transposed(root))) <= 1e-15);
    }
}

TEST_CASE("the inverse root says what it cannot do") {
  CHECK_THROWS_WITH(inverse_root(small_matrix(2, 3), 1), Catch::Contains("2 x 3"));
  CHECK_THROWS_WITH(inverse_root(identity_matrix(2), 0), Catch::Contains("above 0"));
}
