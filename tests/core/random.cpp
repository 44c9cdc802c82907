// SPDX-License-Identifier: Apache-2.0
#include <sda/core/fill_normal.hpp>
#include <sda_test.hpp>

#include <cmath>
#include <vector>

using namespace sda;

TEST_CASE("philox reproduces the known answers of its authors") {
  words const zero = philox({{0, 0, 0, 0}}, 0);
  CHECK(zero.w[0] == 0x6627e8d5u);
  CHECK(zero.w[1] == 0xe169c58du);
  CHECK(zero.w[2] == 0xbc57ac4cu);
  CHECK(zero.w[3] == 0x9b00dbd8u);
  words const ones = philox({{~0u, ~0u, ~0u, ~0u}}, ~0ull);
  CHECK(ones.w[0] == 0x408f276du);
  CHECK(ones.w[1] == 0x41c83b0eu);
  CHECK(ones.w[2] == 0xa20bc7c6u);
  CHECK(ones.w[3] == 0x6d5451fdu);
}

TEST_CASE("the normal quantile inverts the normal distribution") {
  for (std::uint64_t w = 0; w < (1ull << 32); w += 40961) {
    double const p = (double(w) + 0.5) * 0x1p-32, z = normal_quantile<double>(std::uint32_t(w));
    double const back = 0.5 * std::erfc(-z / std::sqrt(2.0));
    REQUIRE(std::abs(back - p) <= 4e-15);
    REQUIRE(std::abs(normal_quantile<float>(std::uint32_t(w)) - z) <= 1e-6 * std::max(1.0, std::abs(z)));
  }
}

TEST_CASE("a block of four gives the numbers of its words, to the last bit") {
  auto const check = []<class T>(T) {
    for (std::uint32_t i = 0; i < 20000; ++i) {
      words const w = key{5}(0, i);
      T z[4];
      normal_quantiles(w, z);
      for (int j = 0; j < 4; ++j) REQUIRE(z[j] == normal_quantile<T>(w.w[j]));
    }
  };
  check(float{});
  check(double{});
}

TEST_CASE("a row filled at once equals its numbers one by one, from any column on") {
  key const k = key{7}.fold(3);
  for (index_t first : {0, 1, 3, 254, 1021}) {
    auto const check = [&]<class T>(T, index_t n) {
      std::vector<T> row(static_cast<std::size_t>(n));
      fill_normal(row.data(), k, 5, first, n);
      for (index_t i = 0; i < n; ++i) REQUIRE(row[std::size_t(i)] == normal<T>(k, 5, first + i));
    };
    for (index_t n : {0, 1, 31, 777}) check(float{}, n), check(double{}, n);
  }
}

TEST_CASE("a row has the same bits in vectors of every width") {
  auto const check = []<class T>(T) {
    index_t const n = 5000;
    for (vectors const v : {vectors::plain, vectors::avx2, vectors::avx512}) {
      if (v > widest_vectors()) continue;
      std::vector<T> row(std::size_t(n), T(0));
      with_vectors(v, [&](auto width) __attribute__((always_inline)) { detail::fill_normal_by<width()>(row.data(), key{8}, 2, 5, n); });
      for (index_t i = 0; i < n; ++i) REQUIRE(row[std::size_t(i)] == normal<T>(key{8}, 2, 5 + i));
    }
  };
  check(float{});
  check(double{});
}

TEST_CASE("the numbers are the same bits for every compiler, optimisation and processor") {
  std::uint64_t hash = 0;  // of two million numbers, as any IEEE arithmetic gives them
  auto const take = [&](auto x) { hash = hash * 1099511628211ull + detail::bits(x); };
  for (index_t i = 0; i < 2000000; ++i) {
    take(normal<float>(key{5}, i % 7, i));
    take(normal<double>(key{5}, i % 7, i));
  }
  CHECK(hash == 0xf69f1cc32fb51f2eull);
}

TEST_CASE("a batch draws what the whole draws in its rows") {
  key const k = key{7}.fold(1);
  auto const whole = sda_test::normals(6, 50, k), part = sda_test::normals(2, 50, k.from_row(3));
  CHECK((part == whole.middleRows(3, 2)).all());
  CHECK(k.from_row(3).fold(9) == k.fold(9).from_row(3));
}

TEST_CASE("keys and their children are uncorrelated and standard normal") {
  index_t const n = 400000;
  auto const x = sda_test::normals(1, n, key{1}), y = sda_test::normals(1, n, key{1}.fold(0)), z = sda_test::normals(1, n, key{2});
  double const four_sigma = 4 / std::sqrt(double(n));
  CHECK(std::abs(x.mean()) < four_sigma);
  CHECK(std::abs(x.square().mean() - 1) < four_sigma * std::sqrt(2.0));
  CHECK(std::abs(x.pow(4).mean() - 3) < four_sigma * std::sqrt(96.0));
  CHECK(std::abs((x * y).mean()) < four_sigma);
  CHECK(std::abs((x * z).mean()) < four_sigma);
}
