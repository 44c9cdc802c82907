// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

// How tests ask whether a linearisation is right. They wait for the device.

namespace sda {

namespace detail {

template <State S> S random_like(S const& x, key k) {
  S v = zeros_like(x);
  lincomb(v, noise{1.0, k});
  return v;
}
/// The inner product over all rows.
template <State S> double inner(S const& x, S const& y) {
  std::vector<double> each_row(static_cast<std::size_t>(std::max(rows(x), rows(y))));
  algebra<S>::store(dot(x, y), std::span<double>(each_row));
  double total = 0;
  for (double const d : each_row) total += d;
  return total;
}
template <State S> double length(S const& x) { return std::sqrt(inner(x, x)); }

}  // namespace detail

/// |⟨J v, u⟩ - ⟨v, Jᵀ u⟩| / (‖J v‖ ‖u‖) for random u and v, J the Jacobian of f at (x, args...): rounding, when vjp is the
/// transpose of jvp.
template <class F, State X, class... A> double check_adjoint(F const& f, X const& x, key k, A const&... args) {
  auto const at = linearize(f, x, args...);
  X const v = detail::random_like(x, k.fold(0));
  auto const u = detail::random_like(at.value(), k.fold(1));
  auto const jv = at.jvp(v);
  double const scale = detail::length(jv) * detail::length(u);
  return std::abs(detail::inner(jv, u) - detail::inner(v, at.vjp(u))) / (scale > 0 ? scale : 1);
}

/// The largest of |value - f(x)| / |f(x)|, |⟨D v, u⟩ - ⟨v, Jᵀ u⟩| / (‖D v‖ ‖u‖) and, where there is a jvp, |J v - D v| / |D v|
/// for random u and v, D the central difference of f along v: about 1e-9 in double when all is right.
template <class F, State X, class... A> double check_derivative(F const& f, X const& x, key k, A const&... args) {
  auto const at = linearize(f, x, args...);
  X const v = detail::random_like(x, k.fold(0));
  auto const u = detail::random_like(at.value(), k.fold(1));

  double const size = detail::length(x) / std::max(1.0, detail::length(v));
  double const h = std::cbrt(double(std::numeric_limits<value_t<X>>::epsilon())) * std::max(1.0, size);
  X shifted = zeros_like(x);
  lincomb(shifted, term{1.0, x}, term{h, v});
  auto slope = f(shifted, args...);
  lincomb(shifted, term{1.0, x}, term{-h, v});
  lincomb(slope, term{0.5 / h, slope}, term{-0.5 / h, f(shifted, args...)});

  auto const relative = [](auto const& a, auto const& b) {
    auto difference = clone(b);
    lincomb(difference, term{1.0, a}, term{-1.0, b});
    double const scale = detail::length(b);
    return detail::length(difference) / (scale > 0 ? scale : 1);
  };
  double const scale = detail::length(slope) * detail::length(u);
  double worst = std::abs(detail::inner(slope, u) - detail::inner(v, at.vjp(u))) / (scale > 0 ? scale : 1);
  worst = std::max(worst, relative(at.value(), f(x, args...)));
  if constexpr (requires { at.jvp(v); }) worst = std::max(worst, relative(at.jvp(v), slope));
  return worst;
}

}  // namespace sda
