// SPDX-License-Identifier: Apache-2.0
#include <archetype.hpp>
#include <sda/calculus/check.hpp>
#include <sda/calculus/ode.hpp>
#include <sda/model/lorenz63.hpp>
#include <sda/model/lorenz96.hpp>
#include <sda_test.hpp>

using namespace sda;
using sda_test::distance;
using sda_test::normals;
using state = host_array<double>;

TEST_CASE("Lorenz-96 takes the values of its formula") {
  lorenz96 const f{3};
  state const x = state{{1, 2, 4, 7, 11}};
  state expected(1, 5);
  for (int i = 0; i < 5; ++i) expected(0, i) = (x(0, (i + 1) % 5) - x(0, (i + 3) % 5)) * x(0, (i + 4) % 5) - x(0, i) + 3;
  CHECK((f(x) == expected).all());
}

TEST_CASE("models ask no more of a state than the concept, and a fused tendency equals the generic text") {
  auto const check = [](auto const& f, state const& x) {
    sda_test::archetype<double> least(x.rows(), x.cols());
    load(least, std::span<double const>(x.data(), std::size_t(x.size())));
    state generic = zeros_like(x);
    store(f(least), std::span<double>(generic.data(), std::size_t(x.size())));
    CHECK(distance(f(x), generic) < 1e-14);
    auto const at = linearize(f, least);
    store(at.vjp(at.jvp(least)), std::span<double>(generic.data(), std::size_t(x.size())));
    auto const same = linearize(f, x);
    CHECK(distance(same.vjp(same.jvp(x)), generic) < 1e-14);
  };
  for (index_t const n : {4, 5, 40, 5000}) check(lorenz96{}, normals(3, n, key{1}));
  check(flow{lorenz96{}, 0.01, 2}, normals(3, 40, key{1}));
  check(flow{lorenz63{}, 0.01, 2}, normals(3, 3, key{1}));
}

TEST_CASE("the advection of Lorenz-96 conserves energy") {
  state const x = normals(4, 40, key{1});
  state const gain = (x * lorenz96{8}(x)).rowwise().sum(), expected = 8 * x.rowwise().sum() - x.square().rowwise().sum();
  CHECK(distance(gain, expected) < 1e-13);
}

TEST_CASE("Lorenz-96 rests where every variable equals the forcing, and does not know where the ring begins") {
  CHECK((lorenz96{8}(state(state::Constant(2, 7, 8))) == 0).all());
  state const x = normals(2, 9, key{1});
  auto const turned = [](state const& y) {
    state z(y.rows(), y.cols());
    z << y.rightCols(4), y.leftCols(5);
    return z;
  };
  CHECK((lorenz96{}(turned(x)) == turned(lorenz96{}(x))).all());
}

TEST_CASE("Lorenz-96 differentiates, and so does its flow") {
  state const x = 3 * normals(4, 12, key{1});
  CHECK(check_adjoint(lorenz96{}, x, key{2}) < 1e-14);
  CHECK(check_derivative(lorenz96{}, x, key{2}) < 1e-8);
  flow const model{lorenz96{}, 0.05, 6};
  CHECK(check_adjoint(model, x, key{2}) < 1e-13);
  CHECK(check_derivative(model, x, key{2}) < 1e-7);
}

TEST_CASE("Lorenz-96 has its known climate") {
  // mean 2.34 and standard deviation 3.64 for F = 8 (Lorenz & Emanuel, 1998); their sampling errors here are below 0.01
  state x = normals(64, 40, key{1});
  flow const model{lorenz96{}, 0.05, 20};
  for (int i = 0; i < 20; ++i) x = model(x);
  double sum = 0, squares = 0;
  int const times = 100;
  for (int i = 0; i < times; ++i) {
    x = model(x);
    sum += x.mean() / times;
    squares += x.square().mean() / times;
  }
  CHECK(sum == Approx(2.34).margin(0.05));
  CHECK(std::sqrt(squares - sum * sum) == Approx(3.64).margin(0.05));
}

TEST_CASE("Lorenz-63 rests at its three fixed points") {
  double const r = std::sqrt(8.0 / 3 * 27);
  state const x = state{{0, 0, 0}, {r, r, 27}, {-r, -r, 27}};
  CHECK(lorenz63{}(x).abs().maxCoeff() < 1e-13);
}

TEST_CASE("Lorenz-63 differentiates, and volumes shrink at the rate σ + 1 + β") {
  state const x = 10 * normals(5, 3, key{1});
  CHECK(check_adjoint(lorenz63{}, x, key{2}) < 1e-14);
  CHECK(check_derivative(lorenz63{}, x, key{2}) < 1e-8);
  CHECK(check_adjoint(flow{lorenz63{}, 0.025, 4}, x, key{2}) < 1e-13);
  auto const at = linearize(lorenz63{}, x);
  double trace = 0;
  for (int i = 0; i < 3; ++i) {
    state e = state::Zero(5, 3);
    e.col(i) = 1;
    trace += at.jvp(e)(2, i);
  }
  CHECK(trace == Approx(-10 - 1 - 8.0 / 3).epsilon(1e-14));
}

TEST_CASE("models refuse states that are not theirs") {
  CHECK_THROWS_AS(lorenz96{}(state(state::Zero(2, 3))), error);
  CHECK_THROWS_AS(lorenz63{}(state(state::Zero(2, 4))), error);
}
