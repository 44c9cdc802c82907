// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/guidance/gain.hpp>

namespace sda {

namespace detail {

// (R + diag(added)) as a covariance that solves: the error covariance's own way if it has one, else conjugate gradients.
template <class R, class Y> struct inflated_by_iteration {
  R const& error;
  Y added;
  Y solve(Y const& d) const {
    auto const apply = [this](Y const& v) {
      Y out = error.apply(v);
      lincomb(out, term{1.0, out}, weighted{1.0, added, v});
      return out;
    };
    return cg{100, 1e-10}(apply, d);
  }
};
template <class R, State Y> auto inflated(R const& error, Y added) {
  if constexpr (requires { error.inflated(added); }) return error.inflated(added);
  else return inflated_by_iteration<R, Y>{error, std::move(added)};
}

// Not a member of gamma_likelihood: a kernel could not be named after a lambda among its parameters.
struct constant {
  double c;
  template <class T> SDA_HD T operator()(T const& x) const { return x * 0.0 + c; }
};

}  // namespace detail

/// SDA's likelihood (Rozet & Louppe, 2023, arXiv:2306.10574):
///
///   p(y | x_t) ≈ N(y | A(x̂), R + γ v),   x̂ + (σ²/α) ∇_{x_t} log p(y | x_t) = x̂ + C Aᵀ (R + γ v)⁻¹ (y - A(x̂)),
///
/// with v = σ²/α² and C the Tweedie covariance: the gradient goes through the network, one evaluation and one vjp. gamma is one
/// number, or one for each observation (a state of one row). Other choices of C and v:
///   gamma_likelihood{d, o, γ, flat_prior{}}                 SDA without the network's Jacobian: no vjp
///   gamma_likelihood{d, o, γ, tweedie{}, unit_prior{}}      SDA as Appa writes it, v = σ²/(α² + σ²)
///   gamma_likelihood{d, o, γ, unit_prior{}, unit_prior{}}   Appa's W2C: no vjp
/// Biased even for Gaussian priors, by an amount that depends on γ (docs/guidance.md).
template <class D, class O, class G = double, class Spread = tweedie, class Inflation = flat_prior> struct gamma_likelihood {
  static constexpr bool needs_jacobian = Spread::needs_jacobian;

  D denoiser;
  O seen;
  G gamma = 1e-2;
  Spread spread{};
  Inflation inflation{};

  template <State S>
    requires Guidable<gamma_likelihood, S>
  S operator()(S const& x, level l) const {
    return guided(*this, x, l);
  }
  template <State S>
    requires DifferentiableGuidable<gamma_likelihood, S>
  auto linearize(S const& x, level l) const {
    return linear_guidance<gamma_likelihood, S>(*this, x, l);
  }

  auto gain(auto const& prior, auto const& sight, level l) const {
    return kalman_gain{sight, spread.at(prior, l), [error = detail::inflated(seen.error, added(l))](auto const& d) { return error.solve(d); }};
  }

 private:
  using Y = decltype(O::y);
  Y added(level l) const {  // γ v, one for each observation
    Y v = zeros(seen.y, 1, columns(seen.y));
    if constexpr (std::convertible_to<G, double>) {
      require(gamma >= 0, "gamma_likelihood: gamma = ", gamma);
      transform(v, detail::constant{gamma * inflation.variance(l)}, v);
    } else lincomb(v, term{inflation.variance(l), gamma});
    return v;
  }
};
template <class D, class O> gamma_likelihood(D, O) -> gamma_likelihood<D, O>;
template <class D, class O, class G> gamma_likelihood(D, O, G) -> gamma_likelihood<D, O, G>;
template <class D, class O, class G, class C> gamma_likelihood(D, O, G, C) -> gamma_likelihood<D, O, G, C>;
template <class D, class O, class G, class C, class V> gamma_likelihood(D, O, G, C, V) -> gamma_likelihood<D, O, G, C, V>;

}  // namespace sda
