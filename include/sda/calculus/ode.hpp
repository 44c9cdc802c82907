// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>

#include <array>
#include <utility>
#include <vector>

namespace sda {

/// The right-hand side of dx/dt = f(x), row by row.
template <class F, class S> concept VectorField = State<S> && requires(F const& f, S const& x) {
  { f(x) } -> std::same_as<S>;
};

/// An explicit Runge-Kutta method of N stages, each of which leans on the one before alone:
///   k_i = f(x + reach_i dt k_(i-1)),  x + dt Σ weight_i k_i.
template <std::size_t N> struct runge_kutta {
  std::array<double, N> reach, weight;

  /// One step from x; slope(i, x) is the derivative at stage i.
  template <State S, class F> S step(S const& x, double dt, F const& slope) const {
    std::vector<S> k;
    k.reserve(N);
    k.push_back(slope(0, x));
    S at = zeros_like(x);
    for (std::size_t i = 1; i < N; ++i) {
      lincomb(at, term{1.0, x}, term{reach[i] * dt, k[i - 1]});
      k.push_back(slope(i, at));
    }
    [&]<std::size_t... i>(std::index_sequence<i...>) { lincomb(at, term{1.0, x}, term{weight[i] * dt, k[i]}...); }(std::make_index_sequence<N>());
    return at;
  }
};
/// Heun's method, of second order.
inline constexpr runge_kutta<2> rk2{{0, 1}, {1. / 2, 1. / 2}};
/// The classical method, of fourth order.
inline constexpr runge_kutta<4> rk4{{0, 1. / 2, 1. / 2, 1}, {1. / 6, 1. / 3, 1. / 3, 1. / 6}};

/// The linearisation of `flow` along one run: of the numbers computed, not of the equation, so that vjp is the transpose
/// of jvp to rounding. Keeps what every stage keeps.
template <class S, class L, std::size_t N> class flow_at {
 public:
  flow_at(S x, double dt, runge_kutta<N> const& method) : value_(std::move(x)), dt_(dt), method_(method) {}

  template <class F> void advance(F const& f) {
    std::vector<L> stages;
    stages.reserve(N);
    value_ = method_.step(value_, dt_, [&](std::size_t, S const& x) {
      stages.push_back(sda::linearize(f, x));
      return clone(stages.back().value());
    });
    steps_.push_back(std::move(stages));
  }
  S const& value() const { return value_; }

  S jvp(S const& v) const
    requires requires(L const& stage) { stage.jvp(v); }
  {
    S out = clone(v);
    for (auto const& stages : steps_) out = method_.step(out, dt_, [&](std::size_t i, S const& x) { return stages[i].jvp(x); });
    return out;
  }
  S vjp(S const& u) const {
    S out = clone(u), slope = zeros_like(u);
    for (std::size_t s = steps_.size(); s-- > 0;) {
      S const after = clone(out);
      lincomb(slope, term{dt_ * method_.weight[N - 1], after});
      for (std::size_t i = N; i-- > 0;) {
        S const pulled = steps_[s][i].vjp(slope);
        lincomb(out, term{1.0, out}, term{1.0, pulled});
        if (i > 0) lincomb(slope, term{dt_ * method_.weight[i - 1], after}, term{dt_ * method_.reach[i], pulled});
      }
    }
    return out;
  }

 private:
  S value_;
  double dt_;
  runge_kutta<N> method_;
  std::vector<std::vector<L>> steps_;
};

/// The flow of dx/dt = f(x): x now to x after `steps` steps of dt: flow{lorenz96(x), 0.05}.
template <class F, std::size_t N = 4> struct flow {
  F f;
  double dt = 0;
  int steps = 1;
  runge_kutta<N> method = rk4;

  template <State S>
    requires VectorField<F, S>
  S operator()(S const& x) const {
    S y = clone(x);
    for (int i = 0; i < steps; ++i) y = method.step(y, dt, [&](std::size_t, S const& at) { return f(at); });
    return y;
  }
  template <State S>
    requires requires(F const& field, S const& x) { sda::linearize(field, x); }
  auto linearize(S const& x) const {
    flow_at<S, decltype(sda::linearize(f, x)), N> at(clone(x), dt, method);
    for (int i = 0; i < steps; ++i) at.advance(f);
    return at;
  }
};
template <class F> flow(F, double) -> flow<F>;
template <class F> flow(F, double, int) -> flow<F>;
template <class F, std::size_t N> flow(F, double, int, runge_kutta<N>) -> flow<F, N>;

}  // namespace sda
