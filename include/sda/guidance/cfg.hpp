// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/prior/denoiser.hpp>

namespace sda {

namespace detail {

template <class U, class C, State S> class linear_cfg {
 public:
  linear_cfg(U without, C with, double weight)
      : without_(std::move(without)), with_(std::move(with)), weight_(weight), value_(mixed(without_.value(), with_.value())) {}
  S const& value() const { return value_; }
  S vjp(S const& u) const { return mixed(without_.vjp(u), with_.vjp(u)); }
  S jvp(S const& v) const
    requires requires(U const& a, C const& b) { a.jvp(v), b.jvp(v); }
  {
    return mixed(without_.jvp(v), with_.jvp(v));
  }

 private:
  S mixed(S const& a, S const& b) const {
    S out = zeros_like(a);
    lincomb(out, term{1 - weight_, a}, term{weight_, b});
    return out;
  }
  U without_;
  C with_;
  double weight_;
  S value_;
};

}  // namespace detail

/// Classifier-free guidance (Ho & Salimans, 2022, arXiv:2207.12598): x̂_u + ω (x̂_c - x̂_u) of a denoiser without and one with its
/// condition. ω = 1 is the conditional denoiser; above 1 the condition is overstated.
template <class U, class C> struct cfg {
  U without;
  C with;
  double weight = 1;

  template <State S>
    requires Denoiser<U, S> && Denoiser<C, S>
  S operator()(S const& x, level l) const {
    S out = with(x, l);
    lincomb(out, term{1 - weight, without(x, l)}, term{weight, out});
    return out;
  }
  template <State S>
    requires DifferentiableDenoiser<U, S> && DifferentiableDenoiser<C, S>
  auto linearize(S const& x, level l) const {
    auto a = sda::linearize(without, x, l);
    auto b = sda::linearize(with, x, l);
    return detail::linear_cfg<decltype(a), decltype(b), S>(std::move(a), std::move(b), weight);
  }
};
template <class U, class C> cfg(U, C) -> cfg<U, C>;
template <class U, class C> cfg(U, C, double) -> cfg<U, C>;

}  // namespace sda
