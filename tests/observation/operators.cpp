// SPDX-License-Identifier: Apache-2.0
#include <sda/calculus/check.hpp>
#include <sda/observation/interpolating.hpp>
#include <sda/observation/linear.hpp>
#include <sda/observation/masked.hpp>
#include <sda/observation/operator.hpp>
#include <sda/observation/pointwise.hpp>
#include <sda/observation/steps.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;
using S = host_array<double>;
using F = host_array<float>;
using list = std::vector<std::int64_t>;

static_assert(ObservationOperator<masked<S>, S> && ObservationOperator<masked<F>, F>);
static_assert(ObservationOperator<linear<S>, S> && ObservationOperator<interpolating<S>, S>);
static_assert(ObservationOperator<pointwise<arctan>, S> && ObservationOperator<pointwise<saturation>, F>);
static_assert(ObservationOperator<steps<masked<S>>, S> && ObservationOperator<steps<composed<pointwise<square>, linear<S>>>, S>);
static_assert(ObservationOperator<every_step<composed<pointwise<absolute>, masked<S>>>, S>);

namespace {

S const like(1, 1);
double const rounding = 1e-12;   // sums of at most a few dozen products
double const difference = 1e-6;  // of central differences, whose own error is about 1e-9

template <class A> void check_operator(A const& a, S const& x) {
  CHECK(check_adjoint(a, x, key{11}) <= rounding);
  CHECK(check_derivative(a, x, key{12}) <= difference);
  CHECK((linearize(a, x).value() == a(x)).all());
}

}  // namespace

TEST_CASE("masked reads its columns in order") {
  S const x = normals(3, 6, key{1});
  masked const a(like, list{4, 0, 5}, 6);
  CHECK((a(x) == x(Eigen::all, list{4, 0, 5})).all());
  CHECK((a.seen() == 3 && a.width() == 6));
  check_operator(a, x);
}

TEST_CASE("linear multiplies by its matrix") {
  S const m = normals(4, 7, key{1}), x = normals(3, 7, key{2});
  linear const a(m);
  CHECK(distance(a(x), (x.matrix() * m.matrix().transpose()).array()) <= rounding);
  CHECK((a.seen() == 4 && a.width() == 7));
  check_operator(a, x);
}

TEST_CASE("pointwise applies a function and multiplies by its slope") {
  S const x = normals(3, 50, key{1});
  check_operator(pointwise{arctan{}}, x);
  check_operator(pointwise{saturation{}}, x);
  check_operator(pointwise{square{}}, x);
  check_operator(pointwise{identity_function{}}, x);
  check_operator(pointwise{scale{-2.5}}, x);
  CHECK((pointwise{arctan{}}(x) == x.atan()).all());
  CHECK((pointwise{saturation{}}(x) == x / (1 + x.abs())).all());
  CHECK((pointwise{square{}}(x) == x * x).all());
  CHECK((pointwise{scale{-2.5}}(x) == -2.5 * x).all());
}

TEST_CASE("the slope of the absolute value is the sign, 0 at 0") {
  S const x = (S(1, 4) << -2, -0.0, 0, 3).finished(), one = S::Ones(1, 4);
  auto const at = linearize(pointwise{absolute{}}, x);
  CHECK((at.value() == x.abs()).all());
  CHECK((at.jvp(one) == (S(1, 4) << -1, 0, 0, 1).finished()).all());
  CHECK(check_adjoint(pointwise{absolute{}}, normals(2, 30, key{1}), key{2}) <= rounding);
}

TEST_CASE("linear interpolation is exact for linear functions, on the nodes and between") {
  std::vector<double> const positions{0, 0.25, 3, 6.5, 8};
  S const nodes = Eigen::RowVectorXd::LinSpaced(9, -4, 12).array();
  interpolating const a(like, line_stencil(positions, 9, false), 9);
  S const expected = (S(1, 5) << -4, -3.5, 2, 9, 12).finished();
  CHECK(distance(a(nodes), expected) <= rounding);
  check_operator(a, normals(3, 9, key{1}));
}

TEST_CASE("interpolation on a ring goes on from the last node to the first") {
  S const x = (S(1, 4) << 1, 2, 4, 8).finished();
  std::vector<double> const positions{3.5, -0.5, 7.5, 4, -1, -1e-20};
  interpolating const a(like, line_stencil(positions, 4, true), 4);
  CHECK(distance(a(x), (S(1, 6) << 4.5, 4.5, 4.5, 1, 8, 1).finished()) <= rounding);
  check_operator(a, normals(2, 4, key{1}));
}

TEST_CASE("bilinear interpolation is exact for y, x and x y") {
  index_t const ny = 4, nx = 5, first = 3, width = 30;
  S x = normals(1, width, key{3});
  for (index_t i = 0; i < ny; ++i)
    for (index_t j = 0; j < nx; ++j) x(0, first + i * nx + j) = 1 + 2 * double(i) - double(j) + 0.5 * double(i * j);
  std::vector<grid_point> const points{{0, 0}, {0.5, 0.25}, {2.75, 3.5}, {3, 4}, {1, 2}};
  interpolating const a(like, grid_stencil(points, ny, nx, false), width, first);
  S const y = a(x);
  for (std::size_t i = 0; i < points.size(); ++i)
    CHECK(y(0, index_t(i)) == Approx(1 + 2 * points[i].y - points[i].x + 0.5 * points[i].x * points[i].y).epsilon(1e-14));
  check_operator(a, normals(2, width, key{1}));
}

TEST_CASE("a grid periodic in x joins its last column to its first") {
  S const x = (S(1, 6) << 0, 1, 2, 10, 11, 12).finished();
  std::vector<grid_point> const points{{0.5, 2.5}, {0, -0.25}};
  interpolating const a(like, grid_stencil(points, 2, 3, true), 6);
  CHECK(distance(a(x), (S(1, 2) << 6, 0.5).finished()) <= rounding);
}

TEST_CASE("composed operators have the Jacobian of the composition") {
  S const x = normals(3, 8, key{1});
  masked const mask(like, list{1, 4, 7}, 8);
  linear const mix(normals(5, 8, key{2}));
  check_operator(composed{pointwise{arctan{}}, mask}, x);
  check_operator(composed{pointwise{square{}}, mix}, x);
  check_operator(composed{linear(normals(2, 5, key{3})), composed{pointwise{saturation{}}, mix}}, x);
  std::vector<double> const positions{0.5, 6.25};
  check_operator(composed{pointwise{square{}}, interpolating(like, line_stencil(positions, 8, true), 8)}, x);
}

TEST_CASE("operators that change with time see their own steps, one after the other") {
  S const x = normals(2, 12, key{1});
  std::vector<list> const seen{{2, 0}, {}, {1}, {0, 1, 2}};
  std::vector<masked<S>> each_step;
  for (auto const& at : seen) each_step.emplace_back(like, at, 3);
  steps const a(each_step, 3);
  S const expected = x(Eigen::all, list{2, 0, 7, 9, 10, 11});
  CHECK((a(x) == expected).all());
  check_operator(a, x);
  // one gather does the same
  masked const b(like, trajectory_columns(seen, 3), 12);
  CHECK((b(x) == expected).all());
  CHECK((linearize(a, x).vjp(expected) == b.adjoint(expected)).all());
}

TEST_CASE("nonlinear operators may change with time") {
  S const x = normals(2, 12, key{1});
  std::vector<composed<pointwise<square>, linear<S>>> each_step;
  for (index_t t = 0; t < 3; ++t) each_step.push_back({{}, linear(normals(t, 4, key{2}.fold(std::uint64_t(t))))});
  check_operator(steps(each_step, 4), x);
}

TEST_CASE("one operator for every step equals as many operators") {
  S const x = normals(3, 20, key{1});
  composed const op{pointwise{arctan{}}, linear(normals(2, 4, key{2}))};
  every_step const a{op, 4};
  steps const b(std::vector(5, op), 4);
  CHECK((a(x) == b(x)).all());
  CHECK((linearize(a, x).jvp(x) == linearize(b, x).jvp(x)).all());
  CHECK((linearize(a, x).vjp(a(x)) == linearize(b, x).vjp(a(x))).all());
  check_operator(a, x);
}

TEST_CASE("operators that see nothing are operators") {
  S const x = normals(3, 6, key{1}), none(3, 0);
  auto const check = [&](auto const& a) {
    auto const at = linearize(a, x);
    CHECK((at.value().rows() == 3 && at.value().cols() == 0));
    CHECK((at.jvp(x).rows() == 3 && at.jvp(x).cols() == 0));
    CHECK((at.vjp(none) == S::Zero(3, 6)).all());
  };
  masked const mask(like, list{}, 6);
  check(mask);
  check(linear(S(0, 6)));
  check(interpolating(like, line_stencil({}, 6, true), 6));
  check(composed{pointwise{arctan{}}, mask});
  check(steps(std::vector(2, masked(like, list{}, 3)), 3));
  check(every_step{masked(like, list{}, 3), 3});
}

TEST_CASE("operators refuse what does not fit, with the numbers") {
  CHECK_THROWS_WITH(masked(like, list{0, 6}, 6), Catch::Contains("entry 1 is column 6 of 6"));
  CHECK_THROWS_WITH(masked(like, list{-1}, 6), Catch::Contains("column -1"));
  CHECK_THROWS_WITH(masked(like, list{3, 1, 3}, 6), Catch::Contains("column 3 is listed twice, as entries 0 and 2"));
  masked const mask(like, list{1}, 6);
  CHECK_THROWS_WITH(mask(normals(2, 5, key{1})), Catch::Contains("5 columns where 6 are expected"));
  CHECK_THROWS_AS(mask.adjoint(normals(2, 6, key{1})), error);
  CHECK_THROWS_AS(linear(normals(2, 5, key{1}))(normals(1, 4, key{1})), error);

  double const nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(line_stencil(std::vector{1.0, 5.5}, 6, false), Catch::Contains("point 1 at 5.5 is outside an axis of 6 nodes"));
  CHECK_THROWS_AS(line_stencil(std::vector{nan}, 6, true), error);
  CHECK_THROWS_AS(grid_stencil(std::vector{grid_point{-0.1, 0}}, 3, 3, true), error);
  CHECK_THROWS_WITH(interpolating(like, line_stencil(std::vector{4.5}, 6, true), 6, 1), Catch::Contains("reads column 6 of 6"));
  CHECK_THROWS_AS(interpolating(like, stencil{{{0, 1}}, {{1.0}}}, 6), error);

  CHECK_THROWS_AS(steps(std::vector<masked<S>>{}, 6), error);
  CHECK_THROWS_WITH(steps(std::vector(2, mask), 6)(normals(1, 11, key{1})), Catch::Contains("11 columns where 2 steps of 6"));
  CHECK_THROWS_AS((every_step{mask, 6}(normals(1, 11, key{1}))), error);
  CHECK_THROWS_WITH(trajectory_columns({{0}, {3}}, 3), Catch::Contains("step 1 sees column 3 of 3"));
}
