// SPDX-License-Identifier: Apache-2.0
// The laws of algebra<S>: one body for every state. A test of states includes this after naming its makers,
//   #define SDA_TEST_MAKERS make_host<float>, make_host<double>
// A maker has `static S make(index_t r, index_t c)`, zeros out of nothing, and for CPU states `static void threads(int n)`:
// work on n threads from now on. Numbers go in through load() and come out through store() alone.
#pragma once
#include "numbers.hpp"

namespace conformance {

// Shapes that are empty, single, odd, wider than any piece of work, and long enough for several threads.
inline std::vector<std::pair<index_t, index_t>> const shapes{{1, 1}, {3, 5}, {7, 1}, {1, 4099}, {5, 2049}, {33, 1024}, {0, 3}, {4, 0}};

TEMPLATE_TEST_CASE("a state keeps its shape and its elements", "", SDA_TEST_MAKERS) {
  static_assert(check_state<state_of<TestType>>());
  for (auto [r, c] : shapes) {
    auto x = random<TestType>(r, c, 1);
    auto const before = numbers(x);
    CHECK((rows(x) == r && columns(x) == c));
    auto const z = zeros(x, c, r);
    CHECK((rows(z) == c && columns(z) == r));
    CHECK(numbers(z) == std::vector<value_of<TestType>>(before.size(), 0));
    CHECK(numbers(zeros_like(x)) == numbers(z));
    x = reshape(std::move(x), c, r);
    CHECK((rows(x) == c && columns(x) == r));
    CHECK(numbers(x) == before);
  }
}

TEMPLATE_TEST_CASE("lincomb sums its terms within the rounding of the sum", "", SDA_TEST_MAKERS) {
  using T = value_of<TestType>;
  for (auto [r, c] : shapes) {
    auto const x = random<TestType>(r, c, 1), y = random<TestType>(r, c, 2), w = random<TestType>(r, c, 3);
    auto out = TestType::make(r, c);
    lincomb(out, term{0.3, x}, term{-1.7, y}, weighted{0.9, w, x}, noise{2.5, key{4}});
    auto const a = numbers(x), b = numbers(y), v = numbers(w), got = numbers(out);
    for (std::size_t i = 0; i < got.size(); ++i) {
      double const z = normal<T>(key{4}, index_t(i) / c, index_t(i) % c);
      double const p[] = {0.3 * a[i], -1.7 * b[i], 0.9 * v[i] * a[i], 2.5 * z};
      double const scale = std::abs(p[0]) + std::abs(p[1]) + std::abs(p[2]) + std::abs(p[3]);
      REQUIRE(std::abs(got[i] - (p[0] + p[1] + p[2] + p[3])) <= 4 * std::numeric_limits<T>::epsilon() * scale);
    }
  }
}

TEMPLATE_TEST_CASE("a term of one row counts for every row", "", SDA_TEST_MAKERS) {
  auto const x = random<TestType>(6, 700, 1), row = random<TestType>(1, 700, 2), rest = random<TestType>(1, 700, 3);
  auto const c = scalars<TestType>({2, -3, 0.5, 1, 0, 7}), one = scalars<TestType>({-1.5});
  auto const at = indices<TestType>({6, 0, 2, 2, 1, 3, 5});
  auto out = zeros_like(x), long_way = zeros_like(x);
  lincomb(out, term{each{c}, row}, weighted{each{one}, row, x}, gathered{0.7, row, at, 100}, weighted{1.1, x, rest});
  auto const wide = tall(row, 6), wide_rest = tall(rest, 6);
  lincomb(long_way, term{each{c}, wide}, weighted{-1.5, wide, x}, gathered{0.7, wide, at, 100}, weighted{1.1, x, wide_rest});
  CHECK(numbers(out) == numbers(long_way));
  transform(out, blend{}, row, x, rest);
  transform(long_way, blend{}, wide, x, wide_rest);
  CHECK(numbers(out) == numbers(long_way));
  CHECK(doubles<TestType>(dot(row, x)) == doubles<TestType>(dot(wide, x)));
  CHECK(doubles<TestType>(dot(x, row)) == doubles<TestType>(dot(x, wide)));
}

TEMPLATE_TEST_CASE("a coefficient a row is that number in its row, with its sign", "", SDA_TEST_MAKERS) {
  std::vector<value_of<TestType>> const a{2, -3, 0.5, 0, 7};
  auto const x = random<TestType>(5, 600, 1), y = random<TestType>(5, 600, 2);
  auto const c = scalars<TestType>(a);
  auto const at = indices<TestType>({1, 0});
  auto out = zeros_like(x);
  lincomb(out, term{each{c}, x}, weighted{-each{c}, x, y}, gathered{each{c}, y, at, 300});
  for (index_t r = 0; r < 5; ++r) {
    double const b = a[std::size_t(r)];
    auto const xr = take_rows(x, r, r + 1), yr = take_rows(y, r, r + 1);
    auto row = zeros_like(xr);
    lincomb(row, term{b, xr}, weighted{-b, xr, yr}, gathered{b, yr, at, 300});
    CHECK(numbers(take_rows(out, r, r + 1)) == numbers(row));
  }
}

TEMPLATE_TEST_CASE("lincomb and transform may write into what they read", "", SDA_TEST_MAKERS) {
  for (auto [r, c] : shapes) {
    auto const x = random<TestType>(r, c, 1), y = random<TestType>(r, c, 2);
    auto apart = zeros_like(x), x_inside = clone(x), w_inside = clone(y), f_inside = clone(y);
    lincomb(apart, term{0.3, x}, noise{0.5, key{3}}, weighted{-2.0, y, x});
    lincomb(x_inside, term{0.3, x_inside}, noise{0.5, key{3}}, weighted{-2.0, y, x_inside});
    lincomb(w_inside, term{0.3, x}, noise{0.5, key{3}}, weighted{-2.0, w_inside, x});
    CHECK(numbers(x_inside) == numbers(apart));
    CHECK(numbers(w_inside) == numbers(apart));
    transform(apart, blend{}, x, y, y);
    transform(f_inside, blend{}, x, f_inside, f_inside);
    CHECK(numbers(f_inside) == numbers(apart));
  }
}

TEMPLATE_TEST_CASE("transform applies a function of one, two or three arguments to each element", "", SDA_TEST_MAKERS) {
  for (auto [r, c] : shapes) {
    auto const x = whole<TestType>(r, c, 1), y = whole<TestType>(r, c, 2), z = whole<TestType>(r, c, 3);
    auto out = zeros_like(x);
    auto const a = numbers(x), b = numbers(y), d = numbers(z);
    std::vector<value_of<TestType>> one(a.size()), two(a.size()), three(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) one[i] = a[i] * a[i] / 2, two[i] = a[i] * b[i], three[i] = a[i] * b[i] + d[i];
    transform(out, half_square{}, x);
    CHECK(numbers(out) == one);
    transform(out, product{}, x, y);
    CHECK(numbers(out) == two);
    transform(out, blend{}, x, y, z);
    CHECK(numbers(out) == three);
  }
}

TEMPLATE_TEST_CASE("gathered picks columns singly or in runs", "", SDA_TEST_MAKERS) {
  auto const x = random<TestType>(3, 6000, 1);
  auto const from = numbers(x);
  for (index_t block : {1, 2, 1000, 3000}) {
    std::vector<std::int64_t> i(std::size_t(9000 / block));
    for (std::size_t j = 0; j < i.size(); ++j) i[j] = std::int64_t(key{2}(0, std::uint32_t(j)).w[0] % std::uint64_t(6000 / block));
    auto out = zeros(x, 3, 9000);
    lincomb(out, gathered{-2.0, x, indices<TestType>(i), block});
    std::vector<value_of<TestType>> want;
    for (index_t r = 0; r < 3; ++r)
      for (index_t c = 0; c < 9000; ++c) want.push_back(-2 * from[std::size_t(r * 6000 + i[std::size_t(c / block)] * block + c % block)]);
    CHECK(numbers(out) == want);
  }
}

TEMPLATE_TEST_CASE("scatter_add is the transpose of gathered, repeated indices included", "", SDA_TEST_MAKERS) {
  for (auto [i, block] : {std::pair{std::vector<std::int64_t>{4, 0, 4, 4, 11}, index_t{1}}, {{2, 0, 2}, 3}, {{1, 1, 1, 1}, 4}, {{}, 2}}) {
    auto const x = whole<TestType>(5, 12, 1), y = whole<TestType>(5, index_t(i.size()) * block, 2);
    auto const at = indices<TestType>(i);
    auto picked = zeros_like(y), spread = whole<TestType>(5, 12, 3);
    auto const before = dot(spread, x);
    lincomb(picked, gathered{1.0, x, at, block});
    scatter_add(spread, y, at, block);
    auto difference = dot(spread, x);
    lincomb(difference, term{1.0, difference}, term{-1.0, before});
    CHECK(doubles<TestType>(difference) == doubles<TestType>(dot(picked, y)));
  }
}

TEMPLATE_TEST_CASE("noise is the number its key promises at every row and column", "", SDA_TEST_MAKERS) {
  using T = value_of<TestType>;
  for (auto [r, c] : shapes)
    for (key k : {key{7}, key{7}.fold(3), key{7}.from_row(5)}) {
      auto out = random<TestType>(r, c, 1);
      lincomb(out, noise{1.0, k});
      std::vector<T> want;
      for (index_t i = 0; i < r * c; ++i) want.push_back(normal<T>(k, i / c, i % c));
      CHECK(numbers(out) == want);
    }
}

TEMPLATE_TEST_CASE("dot sums row by row in double, and multiply is the matrix product", "", SDA_TEST_MAKERS) {
  for (auto [r, n] : shapes) {
    auto const x = whole<TestType>(r, n, 1), y = whole<TestType>(r, n, 2), m = whole<TestType>(n, 3, 3);
    auto out = random<TestType>(r, 3, 4);
    multiply(out, x, m);
    auto const a = numbers(x), b = numbers(y), w = numbers(m);
    std::vector<value_of<TestType>> product(std::size_t(r * 3), 0);
    std::vector<double> inner(std::size_t(r), 0);
    for (index_t i = 0; i < r * n; ++i) {
      inner[std::size_t(i / n)] += double(a[std::size_t(i)]) * double(b[std::size_t(i)]);
      for (index_t j = 0; j < 3; ++j) product[std::size_t(i / n * 3 + j)] += a[std::size_t(i)] * w[std::size_t(i % n * 3 + j)];
    }
    CHECK(doubles<TestType>(dot(x, y)) == inner);
    CHECK(numbers(out) == product);
  }
  value_of<TestType> const big = value_of<TestType>(1 << 12) + 1;  // its square needs 26 bits
  auto const x = from<TestType>(1, 2, {big, big});
  CHECK(doubles<TestType>(dot(x, x))[0] == 2 * double(big) * double(big));
}

TEMPLATE_TEST_CASE("a row comes out as if it were alone", "", SDA_TEST_MAKERS) {
  auto const x = random<TestType>(9, 5000, 1), y = random<TestType>(9, 5000, 2), m = random<TestType>(5000, 40, 3);
  auto const at = indices<TestType>({1, 0, 3, 3, 2});
  auto sum = zeros_like(x), f = zeros_like(x), product = zeros(x, 9, 40), spread = zeros_like(x);
  auto const run = [&](auto& s, auto& g, auto& p, auto& q, auto const& a, auto const& b, key k) {
    lincomb(s, term{0.3, a}, weighted{1.7, a, b}, noise{0.2, k}, gathered{-0.4, b, at, 1000});
    transform(g, blend{}, a, b, a);
    multiply(p, a, m);
    scatter_add(q, a, at, 1000);
    return dot(a, b);
  };
  auto const inner = doubles<TestType>(run(sum, f, product, spread, x, y, key{5}));
  for (index_t first : {0, 4, 8})
    for (index_t last : {first + 1, std::min<index_t>(first + 3, 9)}) {
      auto const a = take_rows(x, first, last), b = take_rows(y, first, last);
      auto s = zeros_like(a), g = zeros_like(a), p = zeros(a, last - first, 40), q = zeros_like(a);
      auto const part = doubles<TestType>(run(s, g, p, q, a, b, key{5}.from_row(first)));
      CHECK(numbers(s) == numbers(take_rows(sum, first, last)));
      CHECK(numbers(g) == numbers(take_rows(f, first, last)));
      CHECK(numbers(p) == numbers(take_rows(product, first, last)));
      CHECK(numbers(q) == numbers(take_rows(spread, first, last)));
      CHECK(part == std::vector<double>(inner.begin() + first, inner.begin() + last));
    }
}

TEMPLATE_TEST_CASE("results do not depend on the number of threads", "", SDA_TEST_MAKERS) {
  if constexpr (requires { TestType::threads(1); }) {
    index_t const n = parallel_threshold / 3 + 4001;   // past it, in several pieces a row
    auto const run = [n] {
      auto const x = random<TestType>(3, n, 1), y = random<TestType>(3, n, 2), m = random<TestType>(n, 7, 3);
      auto const at = indices<TestType>(std::vector<std::int64_t>(std::size_t(n), 2));
      auto sum = zeros_like(x), f = zeros_like(x), product = zeros(x, 3, 7), spread = zeros_like(x);
      lincomb(sum, term{0.3, x}, weighted{1.7, x, y}, noise{0.2, key{5}});
      transform(f, blend{}, x, y, x);
      multiply(product, x, m);
      scatter_add(spread, x, at, 1);
      return std::tuple{numbers(sum), numbers(f), numbers(product), numbers(spread), doubles<TestType>(dot(x, y))};
    };
    TestType::threads(1);
    auto const alone = run();
    TestType::threads(4);
    CHECK(run() == alone);
  }
}

TEMPLATE_TEST_CASE("copy_block moves a rectangle, clone and take_rows copy", "", SDA_TEST_MAKERS) {
  auto const x = whole<TestType>(4, 7, 1);
  auto out = whole<TestType>(5, 6, 2), twin = clone(out);
  auto const from = numbers(x);
  auto want = numbers(out);
  for (index_t i = 0; i < 2; ++i)
    for (index_t j = 0; j < 3; ++j) want[std::size_t((3 + i) * 6 + 1 + j)] = from[std::size_t((1 + i) * 7 + 4 + j)];
  copy_block(out, 3, 1, x, 1, 4, 2, 3);
  CHECK(numbers(out) == want);
  CHECK(numbers(twin) == numbers(whole<TestType>(5, 6, 2)));
  copy_block(out, 5, 6, x, 4, 7, 0, 0);
  CHECK(numbers(out) == want);
  auto part = take_rows(x, 1, 3);
  CHECK(numbers(part) == std::vector(from.begin() + 7, from.begin() + 21));
  lincomb(part, term{2.0, part});
  CHECK(numbers(x) == from);
}

TEMPLATE_TEST_CASE("the scalars of a state are a state of one column", "", SDA_TEST_MAKERS) {
  auto const c = scalars<TestType>({3, -1, 4}), d = scalars<TestType>({2, 2, -2});
  static_assert(State<std::remove_cvref_t<decltype(c)>>);
  CHECK((rows(c) == 3 && columns(c) == 1));
  auto out = zeros_like(c);
  lincomb(out, term{2.0, c}, term{each{d}, d});
  CHECK(doubles<TestType>(out) == std::vector<double>{10, 2, 12});
  transform(out, product{}, c, d);
  CHECK(doubles<TestType>(out) == std::vector<double>{6, -2, -8});
}

TEMPLATE_TEST_CASE("shapes that do not fit throw sda::error", "", SDA_TEST_MAKERS) {
  using T = value_of<TestType>;
  auto const x = whole<TestType>(3, 4, 1), wide = whole<TestType>(3, 5, 1), low = whole<TestType>(2, 4, 1);
  auto const c = scalars<TestType>({1, 2});
  auto const at = indices<TestType>({0, 1, 2});
  auto out = zeros_like(x);
  for (auto const* bad : {&wide, &low}) {
    CHECK_THROWS_AS(lincomb(out, term{1.0, x}, term{1.0, *bad}), error);
    CHECK_THROWS_AS(lincomb(out, weighted{1.0, *bad, x}), error);
    CHECK_THROWS_AS(lincomb(out, weighted{1.0, x, *bad}), error);
    CHECK_THROWS_AS(transform(out, half_square{}, *bad), error);
    CHECK_THROWS_AS(transform(out, product{}, x, *bad), error);
    CHECK_THROWS_AS(dot(x, *bad), error);
    CHECK_THROWS_AS(multiply(out, x, *bad), error);
    CHECK_THROWS_AS(scatter_add(out, *bad, at, 1), error);
  }
  CHECK_THROWS_AS(lincomb(out, term{each{c}, x}), error);
  CHECK_THROWS_AS(lincomb(out, gathered{1.0, x, at, 1}), error);
  CHECK_THROWS_AS(copy_block(out, 0, 2, x, 0, 0, 3, 3), error);
  CHECK_THROWS_AS(copy_block(out, 0, 0, x, 1, 0, 3, 4), error);
  CHECK_THROWS_AS(copy_block(out, -1, 0, x, 0, 0, 1, 1), error);
  CHECK_THROWS_AS(reshape(clone(x), 5, 2), error);
  std::vector<T> few(11);
  CHECK_THROWS_AS(load(out, std::span<T const>(few)), error);
  CHECK_THROWS_AS(store(x, std::span(few)), error);
}

}  // namespace conformance
