// SPDX-License-Identifier: Apache-2.0
#include <sda/calculus/eigen_symmetric.hpp>
#include <sda_test.hpp>

using namespace sda;

namespace {

small_matrix positive_definite(index_t n, std::uint64_t which, index_t rank) {
  auto const x = sda_test::normals(rank, n, key{5}.fold(which));
  small_matrix y(rank, n);
  std::copy(x.data(), x.data() + x.size(), y.elements.begin());
  return product(transposed(y), y);
}
double largest_difference(small_matrix const& a, small_matrix const& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.elements.size(); ++i) worst = std::max(worst, std::abs(a.elements[i] - b.elements[i]));
  return worst;
}

}  // namespace

TEST_CASE("the spectral form gives the matrix back, and its vectors are orthonormal") {
  for (index_t const n : {1, 2, 3, 7, 10, 11, 24, 40, 100})  // 10 and 11: the last of one block of reflections, the first of two
    for (index_t const rank : {n, std::max<index_t>(1, n / 3)}) {  // full rank, and many zero eigenvalues
      auto const a = positive_definite(n, std::uint64_t(n), rank);
      auto const e = eigen_symmetric(a);
      double const scale = std::abs(e.values.back());
      CHECK(largest_difference(e.apply([](double v) { return v; }), a) <= 1e-14 * double(n) * scale);
      CHECK(largest_difference(product(e.vectors, transposed(e.vectors)), identity_matrix(n)) <= 1e-14 * double(n));
      CHECK(std::is_sorted(e.values.begin(), e.values.end()));
    }
}

TEST_CASE("a diagonal matrix and equal eigenvalues are no special case") {
  auto a = identity_matrix(6, 2.5);
  a[3][3] = -1;
  auto const e = eigen_symmetric(a);
  CHECK(e.values.front() == -1);
  CHECK(e.values.back() == 2.5);
  CHECK(largest_difference(e.apply([](double v) { return v; }), a) <= 1e-15);
}

TEST_CASE("cholesky solves what it factors, and names the pivot of what it cannot") {
  auto a = positive_definite(12, 1, 20);
  auto const l = cholesky(a);
  CHECK(largest_difference(product(l, transposed(l)), a) <= 1e-13 * std::abs(a[0][0]));
  small_matrix x(2, 12);
  for (index_t i = 0; i < 12; ++i) x[0][i] = double(i), x[1][i] = 1;
  auto b = product(x, a);
  cholesky_solve(l, b);
  CHECK(largest_difference(b, x) <= 1e-10);
  a[4][4] = -1;
  CHECK_THROWS_WITH(cholesky(a), Catch::Contains("pivot 4 of 12"));
}
