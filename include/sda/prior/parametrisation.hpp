// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/prior/affine.hpp>

// What a network may be trained to predict from x_t = α x_0 + σ ε: a sum p x_0 + q ε. With x_t that makes two equations
// in x_0 and ε, so any prediction gives any other:
//   p' x_0 + q' ε = ((p' q - q' p) x_t + (q' α - p' σ) (p x_0 + q ε)) / (α q - σ p).
// Coefficients are worked out in double on the host; states are combined once.

namespace sda {

/// p x_0 + q ε
struct combination {
  double clean, noise;
};
/// The kinds of prediction: k(l) says which sum is meant at level l.
template <class K> concept Prediction = requires(K const& k, level l) {
  { k(l) } -> std::same_as<combination>;
};

/// x_0 itself.
struct predicts_x0 {
  constexpr combination operator()(level) const { return {1, 0}; }
};
/// The noise ε (Ho et al., 2020).
struct predicts_eps {
  constexpr combination operator()(level) const { return {0, 1}; }
};
/// v = α ε - σ x_0 (Salimans & Ho, 2022).
struct predicts_v {
  constexpr combination operator()(level l) const { return {-l.sigma, l.alpha}; }
};
/// ε - x_0, the velocity of a straight path (Liu et al., 2023; Lipman et al., 2023).
struct predicts_velocity {
  constexpr combination operator()(level) const { return {-1, 1}; }
};
/// The score ∇ ln p(x_t) = -ε / σ.
struct predicts_score {
  constexpr combination operator()(level l) const { return {0, -1 / l.sigma}; }
};

/// The coefficients of x_t and of the prediction `from` in the prediction `to`.
struct conversion {
  double state, output;
  constexpr conversion(combination from, combination to, level l) {
    double const determinant = l.alpha * from.noise - l.sigma * from.clean;
    state = (to.clean * from.noise - to.noise * from.clean) / determinant;
    output = (to.noise * l.alpha - to.clean * l.sigma) / determinant;
  }
};

/// One prediction at x_t as another: convert(predicts_eps{}, predicts_x0{}, eps, x, l) is (x - σ ε) / α.
template <State S, Prediction From, Prediction To> S convert(From const& from, To const& to, S const& output, S const& x, level l) {
  conversion const c(from(l), to(l), l);
  S out = zeros_like(x);
  lincomb(out, term{c.state, x}, term{c.output, output});
  return out;
}

/// The Denoiser in a network net(x, l) that predicts something else: predicting{net, predicts_eps{}}.
template <class N, Prediction K> struct predicting {
  N net;
  K kind;

  template <State S> S operator()(S const& x, level l) const { return convert(kind, predicts_x0{}, net(x, l), x, l); }
  template <State S> auto linearize(S const& x, level l) const
    requires requires { sda::linearize(net, x, l); }
  {
    conversion const c(kind(l), predicts_x0{}(l), l);
    auto inner = sda::linearize(net, x, l);
    return affine_at(convert(kind, predicts_x0{}, inner.value(), x, l), c.state, c.output, std::move(inner));
  }
};
template <class N, class K> predicting(N, K) -> predicting<N, K>;

/// How a network F makes a posterior mean at one level: x̂ = skip x_t + out F(in x_t, condition).
struct network_form {
  double skip, out, in, condition;
};

/// The form of Karras et al. (2022) at any alpha. With r = σ / α, d = sigma_data:
///   x̂ = d² / (r² + d²) x/α + r d / √(r² + d²) F( x/α / √(r² + d²), noise_scale ln r ).
/// EDM has noise_scale 1/4; Appa sigma_data 1 and noise_scale 10.
struct preconditioning {
  double sigma_data = 1, noise_scale = 0.25;

  network_form operator()(level l) const {
    double const r = noise_ratio(l), d = sigma_data, size = std::hypot(r, d);
    require(d > 0 && r > 0, "preconditioning: sigma_data = ", d, " and sigma / alpha = ", r, " must be positive");
    return {(d / size) * (d / size) / l.alpha, r * (d / size), 1 / (size * l.alpha), noise_scale * std::log(r)};
  }
};

/// The Denoiser in a network F that `preconditioning` gives its form; F is called as net(x, c) with a number c.
template <class N> struct preconditioned {
  N net;
  double sigma_data = 1, noise_scale = 0.25;

  template <State S> S operator()(S const& x, level l) const {
    network_form const f = form(l);
    return blend(f, x, net(scaled(f, x), f.condition));
  }
  template <State S> auto linearize(S const& x, level l) const
    requires requires { sda::linearize(net, x, double{}); }
  {
    network_form const f = form(l);
    auto inner = sda::linearize(net, scaled(f, x), f.condition);
    return affine_at(blend(f, x, inner.value()), f.skip, f.out * f.in, std::move(inner));
  }

 private:
  network_form form(level l) const { return preconditioning{sigma_data, noise_scale}(l); }
  template <State S> static S scaled(network_form const& f, S const& x) {
    S y = zeros_like(x);
    lincomb(y, term{f.in, x});
    return y;
  }
  template <State S> static S blend(network_form const& f, S const& x, S const& output) {
    S out = zeros_like(x);
    lincomb(out, term{f.skip, x}, term{f.out, output});
    return out;
  }
};
template <class N> preconditioned(N) -> preconditioned<N>;
template <class N> preconditioned(N, double) -> preconditioned<N>;
template <class N> preconditioned(N, double, double) -> preconditioned<N>;

}  // namespace sda
