// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>
#include <sda/core/random.hpp>

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
/// A function's value and derivative at one number.
template <class T> struct with_slope {
  T value, slope;
};

namespace detail {
/// yes where a mask has all bits, no where it has none
template <class T> SDA_HD T chosen(typename bits_of<T>::word mask, T yes, T no) { return from_bits<T>((bits(yes) & mask) | (bits(no) & ~mask)); }
}  // namespace detail

/// The arctangent by + * / alone, so that host loops vectorise: within 2e-7 of it, its slope too up to 1e9. Of numbers only; the same
/// bits from every compiler and processor.
struct quick_arctan {
  template <std::floating_point T> SDA_HD T operator()(T x) const { return both(x).value; }
  template <std::floating_point T> SDA_HD T slope(T x) const { return both(x).slope; }

  /// With t = a or 1/a, whichever is less, atan a = t p(t²) or π/2 - t p(t²), p a polynomial (Hastings; Abramowitz & Stegun, 4.4.49),
  /// within 2e-8. One division serves 1/a and 1/(1 + a²).
  template <std::floating_point T> SDA_HD with_slope<T> both(T x) const {
    // chosen by masks: compilers make branches of conditions that they see twice, and arithmetic in branches is done for both
    using word = typename detail::bits_of<T>::word;
    using detail::bits, detail::chosen, detail::from_bits, detail::fma_exact;
    constexpr word sign = word{1} << (sizeof(word) * 8 - 1);
    T const size = from_bits<T>(bits(x) & ~sign);
    word const far = word(0) - word(size > 1), farthest = word(0) - word(size > T(1e9));
    T const a = chosen(farthest, T(1e9), size);
    T const squared = fma_exact(a, a, T(1)), above = chosen(far, a, T(1)), shared = T(1) / (above * squared);
    T const t = chosen(far, T(1), a) * squared * shared, q = t * t;
    T const p = detail::horner(q, T(-0.3333314528), T(0.1999355085), T(-0.1420889944), T(0.1065626393), T(-0.0752896400), T(0.0429096138),
                               T(-0.0161657367), T(0.0028662257));
    T const angle = fma_exact(p * q, t, t), from = from_bits<T>(bits(T(1.57079632679489661923)) & far);
    T const added = from_bits<T>(bits(angle) ^ (far & sign));
    return {from_bits<T>(bits(from + added) | (bits(x) & sign)), above * shared};
  }
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
/// f(x) and f.slope(x), or f.both(x) of a function that has them from one piece of work.
template <class F, class T> SDA_HD with_slope<T> value_and_slope(F const& f, T const& x) {
  if constexpr (requires { f.both(x); }) return f.both(x);
  else return {T(f(x)), T(f.slope(x))};
}
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
