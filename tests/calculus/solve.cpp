// SPDX-License-Identifier: Apache-2.0
#include <archetype.hpp>
#include <sda/calculus/solve.hpp>
#include <sda_test.hpp>

#include <Eigen/Dense>

using namespace sda;
using sda_test::distance;
using sda_test::normals;
using state = host_array<double>;

namespace {

/// x ↦ M x, a product with the same matrix for every row.
template <class T = double> struct matrix {
  host_array<T> transposed;
  mutable int products = 0;
  host_array<T> operator()(host_array<T> const& x) const {
    ++products;
    host_array<T> y = zeros(x, rows(x), columns(transposed));
    multiply(y, x, transposed);
    return y;
  }
};

/// A random symmetric positive definite matrix with eigenvalues of about 1 to 4 (n + 1).
state positive_definite(index_t n, key k) {
  state const g = normals(n, n, k);
  state a = (g.matrix() * g.matrix().transpose()).array();
  a.matrix().diagonal().array() += 1;
  return a;
}
/// The same with a skew part: not symmetric, but positive definite.
state nonsymmetric(index_t n, key k) {
  state const g = normals(n, n, k.fold(1));
  return positive_definite(n, k) + g - g.transpose();
}
matrix<> product_with(state const& m) { return {state(m.transpose())}; }

state numbers(std::initializer_list<double> list) {
  state x(1, index_t(list.size()));
  std::copy(list.begin(), list.end(), x.data());
  return x;
}

}  // namespace

TEST_CASE("gmres takes Appa's published iterates") {
  state const m = state{{4, 1, 0}, {1, 3, 1}, {.5, 1, 2}};
  state const b = numbers({1, 2, 3});
  auto const a = product_with(m);
  // published with six digits
  CHECK(distance(gmres{1}(a, b), numbers({.247299, .494598, .741897})) < 1e-6);
  CHECK(distance(gmres{2}(a, b), numbers({.090960, .370386, 1.168096})) < 1e-6);
  CHECK(distance(gmres{3}(a, b), numbers({.216216, .135135, 1.378378})) < 1e-6);
  CHECK(distance(a(gmres{3}(a, b)), b) < 1e-14);
}

TEST_CASE("every solver is exact after as many iterations as unknowns") {
  index_t const n = 8;
  state const b = normals(5, n, key{1});
  auto const spd = product_with(positive_definite(n, key{2})), general = product_with(nonsymmetric(n, key{3}));
  CHECK(distance(spd(cg{int(n)}(spd, b)), b) < 1e-10);  // cg loses digits with the condition number, here about 30
  CHECK(distance(general(gmres{int(n)}(general, b)), b) < 1e-13);
  CHECK(distance(general(bicgstab{int(n)}(general, b)), b) < 1e-10);
}

TEST_CASE("iterating on after convergence keeps the solution and makes no NaN") {
  index_t const n = 6;
  state const b = normals(4, n, key{1});
  auto const spd = product_with(positive_definite(n, key{2})), general = product_with(nonsymmetric(n, key{3}));
  CHECK(distance(spd(cg{60}(spd, b)), b) < 1e-13);
  CHECK(distance(general(gmres{60}(general, b)), b) < 1e-13);
  CHECK(distance(general(bicgstab{60}(general, b)), b) < 1e-13);
}

TEST_CASE("rows that converge at different iterations, or are zero, do not disturb each other") {
  // Eigenvectors of a diagonal matrix converge in one iteration, sums of two in two; zero needs none.
  state const m = state{{1, 0, 0, 0}, {0, 2, 0, 0}, {0, 0, 3, 0}, {0, 0, 0, 4}};
  auto const a = product_with(m);
  state const b = state{{1, 0, 0, 0}, {0, 0, 0, 0}, {0, 2, 6, 0}, {1, 1, 1, 1}, {0, 0, 0, 1e-200}, {0, 3e100, 0, 0}};
  state exact = b;
  for (index_t r = 0; r < b.rows(); ++r) exact.row(r) /= state{{1, 2, 3, 4}}.row(0);
  auto const check = [&](auto const& solve) {
    state const x = solve(a, b);
    for (index_t r = 0; r < b.rows(); ++r) {
      INFO("row " << r);
      // the square of 1e-200 underflows: that row is treated as zero
      if (r == 4) CHECK((x.row(r).abs().maxCoeff() == 0 || distance(state(x.row(r)), state(exact.row(r))) < 1e-13));
      else CHECK(distance(state(x.row(r)), state(exact.row(r))) < 1e-13);
      CHECK((x.row(r) == solve(a, state(b.row(r)))).all());  // bit for bit as if it were alone
    }
  };
  for (int const iterations : {4, 5, 20}) {
    check(cg{iterations});
    check(gmres{iterations});
    check(bicgstab{iterations});
  }
}

TEST_CASE("gmres is exact at a breakdown even where the matrix is not definite") {
  state const shift = state{{0, 0, 1}, {1, 0, 0}, {0, 1, 0}};  // gmres stands still until the last iteration
  auto const a = product_with(shift);
  state const b = numbers({1, 0, 0});
  CHECK(gmres{2}(a, b).abs().maxCoeff() < 1e-15);
  CHECK(distance(gmres{3}(a, b), numbers({0, 0, 1})) < 1e-15);
  CHECK(distance(gmres{9}(a, b), numbers({0, 0, 1})) < 1e-15);
}

TEST_CASE("in float, too, iterating on makes nothing worse") {
  index_t const n = 6;
  host_array<float> const b = normals<float>(4, n, key{1});
  matrix<float> const spd{positive_definite(n, key{2}).cast<float>()};
  matrix<float> const general{nonsymmetric(n, key{3}).cast<float>()};
  CHECK(distance(spd(cg{50}(spd, b)), b) < 1e-5);
  CHECK(distance(general(gmres{50}(general, b)), b) < 1e-5);
  CHECK(distance(general(bicgstab{50}(general, b)), b) < 1e-5);
}

TEST_CASE("a tolerance ends the iteration once every row has reached it") {
  index_t const n = 40;
  state const b = normals(3, n, key{1});
  auto const relative = [&](auto const& a, state const& x) {
    state const r = b - a(x);
    return ((r * r).rowwise().sum() / (b * b).rowwise().sum()).sqrt().maxCoeff();
  };
  auto const check = [&](auto solve, matrix<> const& a, int products_each) {
    solve.iterations = 1000;
    solve.tolerance = 1e-6;
    a.products = 0;
    state const x = solve(a, b);
    int const used = a.products;
    CHECK(relative(a, x) < 1.01e-6);
    CHECK(used < 100 * products_each);
    solve.iterations = used / products_each - 1;  // one iteration fewer does not reach it
    CHECK(relative(a, solve(a, b)) > 1e-6);
  };
  check(cg{}, product_with(positive_definite(n, key{2})), 1);
  check(gmres{}, product_with(nonsymmetric(n, key{3})), 1);
  check(bicgstab{}, product_with(nonsymmetric(n, key{3})), 2);
}

TEST_CASE("a row that has reached the tolerance is frozen") {
  state const m = state{{1, 0, 0}, {0, 2, 0}, {0, 0, 30}};
  auto const a = product_with(m);
  state const b = state{{1, 1e-3, 0}, {1, 1, 1}};
  auto const first_row = [&](auto const& solve) { return state(solve(a, b).row(0)); };
  CHECK((first_row(cg{3, 1e-2}) == first_row(cg{1})).all());
  CHECK((first_row(gmres{3, 1e-2}) == first_row(gmres{1})).all());
  CHECK((first_row(bicgstab{3, 1e-2}) == first_row(bicgstab{1})).all());
}

TEST_CASE("an exact preconditioner solves in one iteration, a diagonal one keeps the solution") {
  index_t const n = 7;
  state const b = normals(3, n, key{1}), spd = positive_definite(n, key{2}), general = nonsymmetric(n, key{3});
  auto const inverse_of = [](state const& m) { return product_with(state(m.matrix().inverse().array())); };
  auto const check = [&](auto const& one, auto const& many, state const& m) {
    auto const a = product_with(m);
    CHECK(distance(a(one(a, b, inverse_of(m))), b) < 1e-12);
    auto const jacobi = [&](state const& r) {
      state z = zeros_like(r);
      lincomb(z, weighted{1.0, state(m.matrix().diagonal().array().inverse().transpose()), r});
      return z;
    };
    CHECK(distance(a(many(a, b, jacobi)), b) < 1e-10);
  };
  check(cg{1}, cg{7}, spd);
  check(gmres{1}, gmres{7}, general);
  check(bicgstab{1}, bicgstab{7}, general);
}

TEST_CASE("no iterations give zero") {
  auto const a = product_with(positive_definite(3, key{2}));
  state const b = normals(2, 3, key{1});
  CHECK((cg{0}(a, b) == 0).all());
  CHECK((gmres{0}(a, b) == 0).all());
  CHECK((bicgstab{0}(a, b) == 0).all());
}

TEST_CASE("improve starts from a guess and keeps an exact one") {
  index_t const n = 5;
  auto const a = product_with(nonsymmetric(n, key{3}));
  state const x = normals(2, n, key{1}), b = a(x);
  CHECK(distance(improve(gmres{int(n)}, a, b, state(normals(2, n, key{4}))), x) < 1e-13);
  CHECK((improve(gmres{3}, a, b, x) == x).all());
}

TEST_CASE("a warm start solves the same system ever better, and a multiple of it at once") {
  index_t const n = 20;
  auto const a = product_with(positive_definite(n, key{1}));
  state const x = normals(2, n, key{2}), b = a(x);
  warm_start<state, gmres> const solve{gmres{3}};
  state found = solve(a, b);
  CHECK((found == gmres{3}(a, b)).all());
  for (int i = 0; i < 60; ++i) {
    auto const residual = [&] { return Eigen::VectorXd((a(found) - b).matrix().rowwise().norm()); };
    Eigen::VectorXd const before = residual();
    found = solve(a, b);
    CHECK((residual().array() <= before.array() + 1e-12).all());
  }
  CHECK(distance(found, x) < 1e-6);
  state scaled = b;
  scaled.row(0) *= 3, scaled.row(1) *= -0.5;
  auto fresh = solve;  // what the copy is asked does not reach the other
  found = fresh(a, scaled);
  CHECK(distance(state(found.row(0)), state(3 * x.row(0))) < 1e-6);
  CHECK(distance(state(found.row(1)), state(-0.5 * x.row(1))) < 1e-6);
  CHECK(distance(solve(a, b), x) < 1e-6);
  CHECK((solve(a, state(b.topRows(1))) == gmres{3}(a, state(b.topRows(1)))).all());  // another number of rows: from the beginning
  CHECK((warm_start<state, gmres>{gmres{3}}(a, state(state::Zero(2, n))) == 0).all());
}

TEST_CASE("push_through equals V Aᵀ (R + A V Aᵀ)⁻¹ d") {
  index_t const n = 4, observed = 9;
  state const v = positive_definite(n, key{1}), a = normals(observed, n, key{2}), d = normals(3, observed, key{3});
  double const error_variance = 0.25;
  auto const V = product_with(v);
  auto const N = product_with(state((a.matrix().transpose() * a.matrix()).array() / error_variance));
  state const g = (d.matrix() * a.matrix()).array() / error_variance;
  Eigen::MatrixXd const s = error_variance * Eigen::MatrixXd::Identity(observed, observed) + a.matrix() * v.matrix() * a.matrix().transpose();
  state const expected = (v.matrix() * a.matrix().transpose() * s.inverse() * d.matrix().transpose()).transpose().array();
  CHECK(distance(push_through(gmres{int(n)}, V, N, g), expected) < 1e-12);
  CHECK(distance(push_through(bicgstab{3 * int(n)}, V, N, g), expected) < 1e-12);
}

TEST_CASE("solvers ask no more of a state than the concept") {
  using least = sda_test::archetype<double>;
  index_t const n = 5;
  state const b = normals(3, n, key{1}), m = nonsymmetric(n, key{3}).transpose();
  auto const moved = [](state const& x) {
    least y(x.rows(), x.cols());
    load(y, std::span<double const>(x.data(), std::size_t(x.size())));
    return y;
  };
  least const columns_of = moved(m);
  auto const a = [&](least const& x) {
    least y = zeros_like(x);
    multiply(y, x, columns_of);
    return y;
  };
  auto const half = [](auto const& x) {
    auto y = sda::clone(x);
    lincomb(y, term{0.5, y});
    return y;
  };
  auto const check = [&](auto const& solve) {
    state found = zeros_like(b);
    store(solve(a, moved(b), half), std::span<double>(found.data(), std::size_t(found.size())));
    CHECK(distance(found, solve(matrix<>{m}, b, half)) < 1e-12);
  };
  check(cg{2});
  check(gmres{3, 1e-9});
  check(bicgstab{3, 1e-9});
}
