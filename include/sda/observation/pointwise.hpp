// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>

#include <cmath>
#include <concepts>

namespace sda {

/// Functions of one number for `pointwise`: f(x) and its derivative f.slope(x), both templates over the element type.
struct arctan {
  template <class T> SDA_HD T operator()(T const& x) const {
    using std::atan;
    return atan(x);
  }
  template <class T> SDA_HD T slope(T const& x) const { return 1.0 / (1.0 + x * x); }
};
/// The arctangent by + * / alone, so that host loops vectorise: within 2e-7 of it. Of numbers only.
struct quick_arctan {
  template <std::floating_point T> SDA_HD T operator()(T x) const {
    // atan a = π/2 - atan 1/a; on [0, 1] an odd polynomial (Hastings; Abramowitz & Stegun, 4.4.49), within 2e-8. Only
    // constants are chosen between: arithmetic under a condition would keep loops from being vectorised.
    T const side = x < 0 ? T(-1) : T(1), a = side * x, inverse = T(1) / a, t = a < inverse ? a : inverse, q = t * t;
    T p = T(0.0028662257) * q + T(-0.0161657367);
    p = p * q + T(0.0429096138);
    p = p * q + T(-0.0752896400);
    p = p * q + T(0.1065626393);
    p = p * q + T(-0.1420889944);
    p = p * q + T(0.1999355085);
    p = p * q + T(-0.3333314528);
    p = p * q * t + t;
    T const from = a > 1 ? T(1.57079632679489661923) : T(0), sense = a > 1 ? T(-1) : T(1);
    return side * (from + sense * p);
  }
  template <std::floating_point T> SDA_HD T slope(T x) const { return T(1) / (T(1) + x * x); }
};
/// x / (1 + |x|)
struct saturation {
  template <class T> SDA_HD T operator()(T const& x) const {
    using std::abs;
    return x / (1.0 + abs(x));
  }
  template <class T> SDA_HD T slope(T const& x) const {
    using std::abs;
    T const scale = 1.0 + abs(x);
    return 1.0 / (scale * scale);
  }
};
namespace detail {
template <std::floating_point T> SDA_HD T sign(T x) { return T(x > 0) - T(x < 0); }
}  // namespace detail
/// |x|; the slope at 0 is 0.
struct absolute {
  template <class T> SDA_HD T operator()(T const& x) const {
    using std::abs;
    return abs(x);
  }
  template <class T> SDA_HD T slope(T const& x) const {
    using detail::sign;
    return sign(x);
  }
};
struct square {
  template <class T> SDA_HD T operator()(T const& x) const { return x * x; }
  template <class T> SDA_HD T slope(T const& x) const { return 2.0 * x; }
};
struct identity_function {
  template <class T> SDA_HD T operator()(T const& x) const { return x; }
  template <class T> SDA_HD T slope(T const& x) const { return x * 0.0 + 1.0; }
};
/// factor x: a change of units.
struct scale {
  double factor = 1;
  template <class T> SDA_HD T operator()(T const& x) const { return factor * x; }
  template <class T> SDA_HD T slope(T const& x) const { return x * 0.0 + factor; }
};

namespace detail {
template <class F> struct slope_of {
  F f;
  template <class T> SDA_HD T operator()(T const& x) const { return f.slope(x); }
};
}  // namespace detail

/// The linearisation of a function of single numbers: its Jacobian is diagonal.
template <State S> struct diagonal_at {
  S y, slope;
  S const& value() const { return y; }
  S jvp(S const& v) const {
    S out = zeros_like(v);
    lincomb(out, weighted{1.0, slope, v});
    return out;
  }
  S vjp(S const& u) const { return jvp(u); }
};

/// y = f(x), number by number: composed{pointwise{arctan{}}, mask} sees the arctangent of some columns.
template <class F> struct pointwise {
  F f;

  template <State S> S operator()(S const& x) const {
    S y = zeros_like(x);
    transform(y, f, x);
    return y;
  }
  template <State S> diagonal_at<S> linearize(S const& x) const {
    S slope = zeros_like(x);
    transform(slope, detail::slope_of<F>{f}, x);
    return {(*this)(x), std::move(slope)};
  }
};
template <class F> pointwise(F) -> pointwise<F>;

}  // namespace sda
