// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/state/state.hpp>

namespace sda {

/// A function seen at one point: its value there, and products with the transpose of its Jacobian.
template <class L, class X, class Y> concept Pullback = requires(L const& l, Y const& u) {
  { l.value() } -> std::convertible_to<Y const&>;
  { l.vjp(u) } -> std::same_as<X>;
};
/// ... and products with the Jacobian itself.
template <class L, class X, class Y> concept Linearization = Pullback<L, X, Y> && requires(L const& l, X const& v) {
  { l.jvp(v) } -> std::same_as<Y>;
};

/// A linear map says so by carrying its transpose: f.adjoint(f(x)) has the type of x.
template <class F, class X> concept LinearMap = requires(F const& f, X const& x) {
  { f.adjoint(f(x)) } -> std::same_as<X>;
};

/// The linearisation of a linear map is the map itself.
template <class F, class Y> class linear_at {
 public:
  linear_at(F const& f, Y value) : f_(f), value_(std::move(value)) {}
  Y const& value() const { return value_; }
  auto jvp(auto const& v) const { return f_(v); }
  auto vjp(Y const& u) const { return f_.adjoint(u); }

 private:
  F f_;
  Y value_;
};

/// ... which borrows the map, for maps that are large: their `linearize` returns it.
template <class F, class Y> class linear_view {
 public:
  linear_view(F const& f, Y value) : f_(&f), value_(std::move(value)) {}
  Y const& value() const { return value_; }
  auto jvp(auto const& v) const { return (*f_)(v); }
  auto vjp(Y const& u) const { return f_->adjoint(u); }

 private:
  F const* f_;
  Y value_;
};

/// linearize(f, x, args...) evaluates f once and hands back value, vjp and, where f can, jvp, to be used as often as wanted:
/// f.linearize(x, args...) if f has it, else f itself if it is linear.
struct linearize_fn {
  template <class F, class X, class... A>
    requires requires(F const& f, X const& x, A const&... a) { f.linearize(x, a...); }
  auto operator()(F const& f, X const& x, A const&... a) const {
    return f.linearize(x, a...);
  }
  template <class F, class X>
    requires LinearMap<F, X> && (!requires(F const& f, X const& x) { f.linearize(x); })
  auto operator()(F const& f, X const& x) const {
    return linear_at<F, decltype(f(x))>(f, f(x));
  }
};
inline constexpr linearize_fn linearize{};

/// The linearisation of g after f: the chain rule.
template <class Lg, class Lf> struct chained {
  Lg g;
  Lf f;
  auto const& value() const { return g.value(); }
  auto jvp(auto const& v) const
    requires requires { g.jvp(f.jvp(v)); }
  {
    return g.jvp(f.jvp(v));
  }
  auto vjp(auto const& u) const { return f.vjp(g.vjp(u)); }
};

/// g after f: composed{mask, decoder} observes through a decoder.
template <class G, class F> struct composed {
  G g;
  F f;
  auto operator()(auto const& x) const { return g(f(x)); }
  template <class X> auto linearize(X const& x) const
    requires requires { sda::linearize(g, sda::linearize(f, x).value()); }
  {
    auto inner = sda::linearize(f, x);
    auto outer = sda::linearize(g, inner.value());
    return chained<decltype(outer), decltype(inner)>{std::move(outer), std::move(inner)};
  }
};
template <class G, class F> composed(G, F) -> composed<G, F>;

}  // namespace sda
