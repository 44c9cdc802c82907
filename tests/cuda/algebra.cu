// SPDX-License-Identifier: Apache-2.0
#include "device_test.hpp"

#include <vector>

using namespace sda;
using sda_test::few_ulps;
using sda_test::normals;
using sda_test::to_device;
using sda_test::to_host;

static_assert(check_state<device_array<float>>());
static_assert(check_state<device_array<double>>());
static_assert(check_state<device_array<__half>>());
static_assert(check_state<device_array<__nv_bfloat16>>());

namespace sda_test {
struct product_plus {
  template <class T> SDA_HD T operator()(T const& a, T const& b, T const& c) const { return a * b + c; }
};
// Odd and even widths, one row and many, below and above a block, a warp's dot and a block's.
inline std::vector<std::pair<index_t, index_t>> const shapes{{1, 1},   {1, 7},   {5, 1},    {3, 4},    {7, 40},
                                                             {2, 333}, {300, 6}, {3, 1024}, {2, 5000}, {1, 9001}};

/// Everything a key gives: words, folds, uniform numbers and a mask of them, and those of a batch that starts at row 2 of a whole.
__global__ void draw(std::uint32_t* words, double* uniforms, key k, index_t height, index_t width) {
  for (index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x; i < height * width; i += index_t(gridDim.x) * blockDim.x) {
    index_t const r = i / width, c = i % width;
    uniforms[i] = uniform(k.fold(std::uint64_t(c)).from_row(2), r, c);
    words[i] = k.fold(3)(std::uint32_t(r), std::uint32_t(c)).w[c % 4] ^ (uniforms[i] < 0.3 ? 1u : 0u);
  }
}
}  // namespace sda_test

TEST_CASE("a key gives the host's bits on a device, in any launch", "[cuda]") {
  key const k = key{21}.fold(4);
  index_t const height = 5, width = 37;
  device_array<std::uint32_t> words(height, width, sda_test::device_stream());
  device_array<double> uniforms(height, width, sda_test::device_stream());
  std::vector<std::uint32_t> ours(std::size_t(height * width));
  std::vector<double> numbers(ours.size());
  for (auto const& launch : {kernels::shape{1, 1}, kernels::shape{1, 256}, kernels::shape{7, 33}, kernels::shape{40, 96}}) {
    kernels::launch(sda_test::draw, launch, words.stream(), words.data(), uniforms.data(), k, height, width);
    algebra<device_array<float>>::store(words, std::span<std::uint32_t>(ours));
    store(uniforms, std::span<double>(numbers));
    for (index_t r = 0; r < height; ++r)
      for (index_t c = 0; c < width; ++c) {
        std::size_t const i = std::size_t(r * width + c);
        REQUIRE(numbers[i] == uniform(k.fold(std::uint64_t(c)), r + 2, c));
        REQUIRE(ours[i] == (k.fold(3)(std::uint32_t(r), std::uint32_t(c)).w[c % 4] ^ (numbers[i] < 0.3 ? 1u : 0u)));
      }
  }
}

TEMPLATE_TEST_CASE("device noise does not depend on the launch", "[cuda]", float, double) {
  key const k{11};
  device_array<TestType> expected(6, 50, sda_test::device_stream()), out(6, 50, sda_test::device_stream());
  lincomb(expected, noise{1.0, k});
  using kernels::shape;
  for (auto const& launch : {shape{1, 1}, shape{1, 32}, shape{dim3(3, 2), dim3(2, 2)}, shape{dim3(1, 6), dim3(64, 4)}}) {
    lincomb(out, term{0.0, expected});
    kernels::launch(kernels::sum<4, false, TestType, kernels::random<TestType>>, launch, out.stream(), out.data(), kernels::extent{50, 6, 50},
                    kernels::random<TestType>{1, k});
    CHECK((to_host<TestType>(out) == to_host<TestType>(expected)).all());
  }
}

TEMPLATE_TEST_CASE("a device lincomb is the host's", "[cuda]", float, double, __half, __nv_bfloat16) {
  using T = TestType;
  for (auto const& [r, c] : sda_test::shapes) {
    host_array<double> const x = normals(r, c, key{1}), y = normals(1, c, key{2}), w = normals(r, c, key{3}), s = normals(r, 1, key{4});
    auto const dx = to_device<T>(x), dy = to_device<T>(y), dw = to_device<T>(w);
    auto const ds = to_device<double>(s);
    auto const hx = to_host(dx), hy = to_host(dy), hw = to_host(dw);
    auto out = zeros_like(dx);
    host_array<double> expected = host_array<double>::Zero(r, c);
    lincomb(out, term{0.5, dx}, term{-each{ds}, dy}, weighted{2.0, dw, dx}, weighted{each{ds}, dy, dw});
    lincomb(expected, term{0.5, hx}, term{-each{s}, hy}, weighted{2.0, hw, hx}, weighted{each{s}, hy, hw});
    CAPTURE(r, c);
    CHECK(sda_test::distance(to_host(out), expected) < few_ulps<T>);
    lincomb(out, term{1.0, out}, term{-1.0, dx});
    lincomb(expected, term{1.0, expected}, term{-1.0, hx});
    CHECK(sda_test::distance(to_host(out), expected) < 2 * few_ulps<T>);
  }
}

TEMPLATE_TEST_CASE("device noise is the host's, bit for bit, in any batch", "[cuda]", float, double) {
  using T = TestType;
  key const k = key{11}.fold(2);
  for (auto const& [r, c] : sda_test::shapes) {
    device_array<T> out(r, c, sda_test::device_stream()), last(1, c, sda_test::device_stream());
    lincomb(out, noise{1.0, k});
    lincomb(last, noise{1.0, k.from_row(r - 1)});
    host_array<T> expected(r, c);
    lincomb(expected, noise{1.0, k});
    CAPTURE(r, c);
    CHECK((to_host<T>(out) == expected).all());
    CHECK((to_host<T>(last) == expected.bottomRows(1)).all());
  }
}

TEMPLATE_TEST_CASE("noise of a device state below float is the host's float, rounded once", "[cuda]", __half, __nv_bfloat16) {
  device_array<TestType> out(3, 41, sda_test::device_stream());
  lincomb(out, noise{1.0, key{5}});
  CHECK((to_host<float>(out) == to_host<float>(to_device<TestType>(normals<float>(3, 41, key{5})))).all());
}

TEMPLATE_TEST_CASE("a device gather picks columns, single or in runs, and scatter_add is its transpose", "[cuda]", float, double, __half) {
  using T = TestType;
  for (index_t const block : {1, 3, 8}) {
    std::vector<std::int64_t> const at{4, 0, 4, 6, 1, 4, 5, 2, 0, 3, 6};
    index_t const n = index_t(at.size()) * block;
    auto const dx = to_device<T>(normals(3, 7 * block, key{1})), du = to_device<T>(normals(3, n, key{2}));
    auto const hx = to_host<kernels::compute_t<T>>(dx), hu = to_host<kernels::compute_t<T>>(du);
    auto const there = indices_like(dx, at);
    auto picked = zeros(dx, 3, n), back = sda::clone(dx);
    lincomb(picked, term{0.5, du}, gathered{-2.0, dx, there, block});
    scatter_add(back, du, there, block);
    auto expected = hu;
    auto expected_back = hx;
    lincomb(expected, term{0.5, hu}, gathered{-2.0, hx, at, block});
    scatter_add(expected_back, hu, at, block);
    CHECK(sda_test::distance(to_host(picked), expected) < few_ulps<T>);
    if constexpr (std::same_as<T, kernels::compute_t<T>>) CHECK((to_host<T>(back) == expected_back).all());  // the same sums in the same order
    else CHECK(sda_test::distance(to_host(back), expected_back) < few_ulps<T>);
  }
}

TEMPLATE_TEST_CASE("a device transform is the host's and takes one row for all", "[cuda]", float, double, __nv_bfloat16) {
  for (auto const& [r, c] : sda_test::shapes) {
    auto const x = to_device<TestType>(normals(r, c, key{1})), y = to_device<TestType>(normals(1, c, key{2}));
    auto out = sda::clone(x);
    transform(out, sda_test::product_plus{}, x, y, out);
    host_array<double> expected = to_host(x);
    transform(expected, sda_test::product_plus{}, to_host(x), to_host(y), expected);
    CHECK(sda_test::distance(to_host(out), expected) < few_ulps<TestType>);
  }
}

TEMPLATE_TEST_CASE("device dots accumulate in double and do not depend on what stands beside a row", "[cuda]", float, double, __half) {
  for (auto const& [r, c] : sda_test::shapes) {
    auto const x = to_device<TestType>(normals(r, c, key{1})), y = to_device<TestType>(normals(r, c, key{2})), one = take_rows(y, r - 1, r);
    auto const all = to_host(dot(x, y)), alone = to_host(dot(take_rows(x, r - 1, r), one)), broadcast = to_host(dot(x, one));
    CHECK(sda_test::distance(all, dot(to_host(x), to_host(y))) < 1e-13);
    CHECK(sda_test::distance(broadcast, dot(to_host(x), to_host(one))) < 1e-13);
    CHECK(all(r - 1, 0) == alone(0, 0));
    CHECK(all(r - 1, 0) == broadcast(r - 1, 0));
  }
}

TEMPLATE_TEST_CASE("a device product is the host's and treats every row as if it were alone", "[cuda]", float, double, __half) {
  for (auto const& [r, n, c] : {std::array<index_t, 3>{1, 1, 1}, {3, 40, 5}, {9, 17, 130}, {70, 33, 65}, {5, 5000, 3}, {11, 2500, 9}}) {
    auto const x = to_device<TestType>(normals(r, n, key{1})), m = to_device<TestType>(normals(n, c, key{2}));
    auto out = zeros(x, r, c), alone = zeros(x, 1, c);
    multiply(out, x, m);
    multiply(alone, take_rows(x, r - 1, r), m);
    host_array<double> expected(r, c);
    multiply(expected, to_host(x), to_host(m));
    CAPTURE(r, n, c);
    CHECK(sda_test::distance(to_host(out), expected) < few_ulps<TestType>);
    CHECK((to_host(out).bottomRows(1) == to_host(alone)).all());
  }
}

TEST_CASE("a device block is copied wherever it lies", "[cuda]") {
  host_array<double> const x = normals(6, 20, key{1});
  host_array<double> expected = normals(5, 23, key{2});
  auto const dx = to_device<double>(x);
  auto out = to_device<double>(expected);
  copy_block(out, 1, 2, dx, 3, 5, 3, 11);
  copy_block(out, 0, 0, dx, 0, 0, 1, 20);
  copy_block(expected, 1, 2, x, 3, 5, 3, 11);
  copy_block(expected, 0, 0, x, 0, 0, 1, 20);
  CHECK((to_host(out) == expected).all());
}

TEST_CASE("device shapes that do not fit are refused with their numbers", "[cuda]") {
  device_array<float> x(2, 3, sda_test::device_stream()), y(2, 4, sda_test::device_stream());
  CHECK_THROWS_AS(lincomb(x, term{1.0, y}), error);
  CHECK_THROWS_AS(dot(x, y), error);
  CHECK_THROWS_AS(multiply(x, y, y), error);
  CHECK_THROWS_AS(copy_block(x, 0, 0, y, 0, 0, 2, 4), error);
  CHECK_THROWS_AS(reshape(std::move(x), 5, 5), error);
  std::vector<std::int64_t> const far{0, 7};
  auto const at = indices_like(y, far);
  auto z = zeros(y, 2, 2);
  CHECK_THROWS_AS(lincomb(z, gathered{1.0, y, at}), error);
  std::vector<std::int64_t> const negative{-1};
  CHECK_THROWS_AS(indices_like(y, negative), error);
}

TEST_CASE("memory of another owner is used in place and handed back", "[cuda]") {
  int released = 0;
  auto lender = to_device<float>(normals<float>(2, 5, key{1}));
  {
    auto lent = device_array<float>(lender.data(), 2, 5, lender.stream(), std::shared_ptr<void>(&released, [](void* n) { ++*static_cast<int*>(n); }));
    lincomb(lent, term{2.0, lent});
    multiply(lent, lent, to_device<float>(host_array<float>(2 * normals<float>(5, 5, key{2}))));
    auto moved = std::move(lent);
    CHECK(moved.data() == lender.data());
    CHECK(released == 0);
  }
  CHECK(released == 1);
  host_array<double> expected(2, 5);
  multiply(expected, to_host(to_device<float>(host_array<float>(4 * normals<float>(2, 5, key{1})))),
           to_host(to_device<float>(normals<float>(5, 5, key{2}))));
  CHECK(sda_test::distance(to_host(lender), expected) < few_ulps<float>);
}
