// SPDX-License-Identifier: Apache-2.0
#include <sda/calculus/check.hpp>
#include <sda/calculus/ode.hpp>
#include <sda_test.hpp>

using namespace sda;
using sda_test::distance;
using sda_test::normals;
using state = host_array<double>;

namespace {

/// dx/dt = a x
struct growth {
  double a;
  state operator()(state const& x) const { return a * x; }
  state adjoint(state const& u) const { return a * u; }
};
/// A pendulum, x = (angle, speed): nonlinear, and its Jacobian is not symmetric.
struct pendulum {
  state operator()(state const& x) const { return linearize(x).value(); }
  struct linearization {
    state y, angle;
    state const& value() const { return y; }
    state jvp(state const& v) const { return pair(v.col(1), -angle.cos() * v.col(0)); }
    state vjp(state const& u) const { return pair(-angle.cos() * u.col(1), u.col(0)); }
  };
  linearization linearize(state const& x) const { return {pair(x.col(1), -x.col(0).sin()), x.col(0)}; }
  static state pair(state const& a, state const& b) {
    state x(a.rows(), 2);
    x << a, b;
    return x;
  }
};

}  // namespace

TEST_CASE("on dx/dt = a x a step is the Taylor polynomial of exp(a dt) of its order") {
  state const x = normals(3, 4, key{1});
  double const z = -0.7 * 0.9;
  CHECK(distance(flow{growth{-0.7}, 0.9, 1, rk2}(x), state(x * (1 + z + z * z / 2))) < 1e-15);
  CHECK(distance(flow{growth{-0.7}, 0.9}(x), state(x * (1 + z + z * z / 2 + z * z * z / 6 + z * z * z * z / 24))) < 1e-15);
}

TEST_CASE("rk2 converges with the second power of dt, rk4 with the fourth") {
  state const x = state{{1.0, 0.3}, {-2.0, 1.0}};
  state const exact = flow{pendulum{}, 2e-4, 10000}(x);
  auto const error = [&](int n, auto const& method) { return distance(flow{pendulum{}, 2.0 / n, n, method}(x), exact); };
  CHECK(std::log2(error(100, rk2) / error(200, rk2)) == Approx(2).margin(0.05));
  CHECK(std::log2(error(50, rk4) / error(100, rk4)) == Approx(4).margin(0.1));
}

TEST_CASE("a flow of several steps is the composition of its steps, and of none the identity") {
  state const x = normals(3, 2, key{1});
  flow const one{pendulum{}, 0.1};
  CHECK((flow{pendulum{}, 0.1, 3}(x) == one(one(one(x)))).all());
  CHECK((flow{pendulum{}, 0.1, 0}(x) == x).all());
}

TEST_CASE("a flow's linearisation is that of the numbers it computes, and its vjp the transpose of its jvp") {
  state const x = normals(5, 2, key{1});
  auto const check = [&](auto const& f) {
    CHECK((linearize(f, x).value() == f(x)).all());
    CHECK(check_adjoint(f, x, key{2}) < 1e-14);
    CHECK(check_derivative(f, x, key{2}) < 1e-8);
  };
  check(flow{pendulum{}, 0.3});
  check(flow{pendulum{}, 0.3, 20});
  check(flow{pendulum{}, 0.3, 7, rk2});
  check(flow{growth{0.5}, 0.1, 2});
  check(flow{pendulum{}, 0.3, 0});
}
