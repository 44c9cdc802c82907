// SPDX-License-Identifier: Apache-2.0
// Fused steps against the generic text that defines them. Each that is offered must be seen: detection fails silently.
#include "device_test.hpp"

#include <sda/calculus/solve.hpp>
#include <sda/filter/ensemble_kalman.hpp>
#include <sda/filter/letkf.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>
#include <sda/observation/pointwise.hpp>

using namespace sda;
using sda_test::normals;
using sda_test::to_device;
using sda_test::to_host;

template <class T> constexpr bool offers_all = requires(device_array<T>& x, device_array<double> const& c) {
  algebra<device_array<T>>::cg_step(x, x, x, x, c);
  { algebra<device_array<T>>::gram(x, x) } -> std::same_as<std::vector<double>>;
  { algebra<device_array<T>>::analyse_columns(x, x, localisation{}, x, x, x) } -> std::same_as<bool>;
  algebra<device_array<T>>::ensf_walk(x, x, x, x, identity_function{}, std::span<ensf_step<double> const>{});
};
static_assert(offers_all<float> && offers_all<double> && offers_all<__half> && offers_all<__nv_bfloat16>);

TEMPLATE_TEST_CASE("the fused step of conjugate gradients is the step", "[cuda]", float, double) {
  using T = TestType;
  for (index_t const n : {1, 7, 40, 1024, 5001, 8192}) {
    host_array<T> x = normals<T>(3, n, key{1}), r = normals<T>(3, n, key{2}), p = normals<T>(3, n, key{3});
    host_array<T> const q = normals<T>(3, n, key{4});
    auto dx = to_device<T>(x), dr = to_device<T>(r), dp = to_device<T>(p);
    auto const dq = to_device<T>(q);
    host_array<double> rr = dot(r, r);
    rr(1, 0) = 0;  // a row that has converged keeps still
    auto const next = cg_step(dx, dr, dp, dq, to_device<double>(rr));
    auto const expected = cg_step(x, r, p, q, rr);
    double const near = sda_test::few_ulps<T> * 10;
    CHECK(sda_test::distance(to_host(next), expected) < near);
    CHECK(sda_test::distance(to_host(dx), x) < near);
    CHECK(sda_test::distance(to_host(dr), r) < near);
    CHECK(sda_test::distance(to_host(dp), p) < near);
  }
}

TEMPLATE_TEST_CASE("inner products of all pairs of rows are the host's", "[cuda]", float, double) {
  for (index_t const n : {3, 40, 1030, 5000}) {
    auto const x = to_device<TestType>(normals(5, n, key{1})), y = to_device<TestType>(normals(3, n, key{2}));
    small_matrix const ours = gram(x, y), host = gram(to_host(x), to_host(y));
    REQUIRE((ours.height == 5 && ours.width == 3));
    for (std::size_t i = 0; i < host.elements.size(); ++i) CHECK(std::abs(ours.elements[i] - host.elements[i]) < 1e-13 * double(n));
  }
}

TEMPLATE_TEST_CASE("ensemble filters give on a device what they give on the host", "[cuda]", float, double) {
  using T = TestType;
  std::vector<std::int64_t> const at{0, 3, 5, 11};
  host_array<T> const forecast = normals<T>(8, 12, key{1}), y = normals<T>(1, 4, key{2});
  auto const run = [&](auto const& filter, auto e, auto const& seen) {
    filter.analyse(e, observation{masked(e, std::span<std::int64_t const>(at), 12), seen, scalar_error{0.3}}, key{3});
    return e;
  };
  auto const check = [&](auto const& filter) {
    auto const ours = run(filter, to_device<T>(forecast), to_device<T>(y));
    CHECK(sda_test::distance(to_host(ours), run(filter, host_array<T>(forecast), host_array<T>(y))) < (std::same_as<T, float> ? 1e-4 : 1e-10));
  };
  check(etkf{});
  check(enkf{});
}

TEMPLATE_TEST_CASE("EnSF's walk in registers is the walk of every scalar", "[cuda]", float, double) {
  using T = TestType;
  auto const steps = ensf_steps(30, key{9});
  for (index_t const n : {1, 6, 40}) {
    host_array<T> const x = 3 * normals<T>(4, n, key{1}), y = normals<T>(1, n, key{2}), precision = normals<T>(1, n, key{3}).square() * 100;
    host_array<T> z = normals<T>(4, n, key{4});
    auto dz = to_device<T>(z);
    algebra<device_array<T>>::ensf_walk(dz, to_device<T>(x), to_device<T>(y), to_device<T>(precision), arctan{}, steps);
    for (index_t r = 0; r < 4; ++r)
      for (index_t c = 0; c < n; ++c)
        for (auto const& s : steps) {
          ensf_step<T> const rounded{T(s.alpha), T(s.precision), T(s.trust), T(s.keep), T(s.push), T(s.kick), s.draw};
          z(r, c) = ensf_move(z(r, c), x(r, c), y(0, c), precision(0, c), sda::detail::value_and_slope(arctan{}, z(r, c)), rounded,
                              normal<T>(s.draw, r, c));
        }
    CHECK(sda_test::distance(to_host(dz), z) < (std::same_as<T, float> ? 1e-4 : 1e-10));
  }
}

TEMPLATE_TEST_CASE("the LETKF analyses columns on a device as on the host", "[cuda]", float, double) {
  using T = TestType;
  for (index_t const members : {2, 5, 16, 21}) {  // pairs, an odd number of players, a full block, the next size
    index_t const n = 24;
    std::vector<std::int64_t> at;
    for (std::int64_t c = 0; c < n; c += 2) at.push_back(c);
    auto const near = localise_ring(n, at, 3);
    host_array<T> const forecast = normals<T>(members, n, key{1}), y = normals<T>(1, 12, key{2});
    auto const analyse = [&](auto e, auto const& seen) {
      letkf{.near = near, .inflate = {.factor = 1.05}}.analyse(
          e, observation{masked(e, std::span<std::int64_t const>(at), n), seen, scalar_error{0.3}}, key{3});
      return e;
    };
    auto const ours = analyse(to_device<T>(forecast), to_device<T>(y));
    auto const expected = analyse(host_array<double>(forecast.template cast<double>()), host_array<double>(y.template cast<double>()));
    CHECK(sda_test::distance(to_host(ours), expected) < (std::same_as<T, float> ? 1e-4 : 1e-10));
  }
}
