// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/solve.hpp>
#include <sda/guidance/spread.hpp>
#include <sda/observation/operator.hpp>
#include <sda/prior/denoiser.hpp>

namespace sda {

// Nearly all guidance is Kalman's update with a gain of its own, at every noise level:
//
//   E[x_0 | x_t, y] ≈ x̂ + K (y - A(x̂)),   K = C Aᵀ W,   W ≈ (R + A C Aᵀ)⁻¹
//
// with A linearised at x̂ = E[x_0 | x_t] and C a covariance of x_0 given x_t. A guidance method is a struct with the members
// `denoiser` and `seen` (an observation) and gain(prior, sight, l), which makes K of the two linearisations, as a linear map
// with an adjoint. The functions below make a Denoiser of it.

/// K d = C Aᵀ W d, for covariances given as functions; C and W are symmetric.
template <class A, class C, class W> struct kalman_gain {
  A const& sight;
  C spread;
  W weight;

  auto operator()(auto const& d) const { return spread(sight.vjp(weight(d))); }
  auto adjoint(auto const& u) const { return weight(sight.jvp(spread(u))); }
};
template <class A, class C, class W> kalman_gain(A const&, C, W) -> kalman_gain<A, C, W>;

/// W = (R + A C Aᵀ)⁻¹ by a solver.
template <class Solve, class R, class A, class C, class M = identity> struct innovation_weight {
  Solve const& solve;
  R const& error;
  A const& sight;
  C spread;
  M precondition{};

  template <State Y> Y operator()(Y const& d) const {
    auto const covariance = [this](Y const& v) {
      Y out = sight.jvp(spread(sight.vjp(v)));
      if constexpr (requires { error.add_to(out, v); }) error.add_to(out, v);
      else lincomb(out, term{1.0, error.apply(v)}, term{1.0, out});
      return out;
    };
    return solve(covariance, d, precondition);
  }
};
template <class Solve, class R, class A, class C> innovation_weight(Solve const&, R const&, A const&, C) -> innovation_weight<Solve, R, A, C>;
template <class Solve, class R, class A, class C, class M>
innovation_weight(Solve const&, R const&, A const&, C, M) -> innovation_weight<Solve, R, A, C, M>;

/// Where the vectors of a solver live: as many numbers as there are observations, or as a state has.
enum class solve_in { observations, states };

/// K = C Aᵀ (R + A C Aᵀ)⁻¹ by a solver, or what is the same, (I + C Aᵀ R⁻¹ A)⁻¹ C Aᵀ R⁻¹: the push-through form, whose
/// vectors stay small where there are many more observations than unknowns. Each product costs one C, one A and one Aᵀ.
template <class Solve, class R, class A, class C, class M = identity> struct solved_gain {
  Solve const& solve;
  R const& error;
  A const& sight;
  C spread;
  solve_in space;
  M precondition{};

  auto operator()(auto const& d) const { return space == solve_in::observations ? spread(sight.vjp(weighed(d))) : pushed(sight.vjp(error.solve(d))); }
  auto adjoint(auto const& u) const { return space == solve_in::observations ? weighed(sight.jvp(spread(u))) : error.solve(sight.jvp(pushed(u))); }

 private:
  auto weighed(auto const& d) const { return innovation_weight{solve, error, sight, spread, precondition}(d); }
  auto pushed(auto const& g) const {
    return push_through(solve, spread, [this](auto const& u) { return sight.vjp(error.solve(sight.jvp(u))); }, g);
  }
};
template <class Solve, class R, class A, class C>
solved_gain(Solve const&, R const&, A const&, C, solve_in) -> solved_gain<Solve, R, A, C>;
template <class Solve, class R, class A, class C, class M>
solved_gain(Solve const&, R const&, A const&, C, solve_in, M) -> solved_gain<Solve, R, A, C, M>;

namespace detail {

// A denoiser's value where nobody asks for its Jacobian.
template <class S> struct undifferentiated {
  S at;
  S const& value() const { return at; }
};

// Methods without `needs_jacobian = false` need the denoiser's vjp.
template <class G> constexpr bool needs_jacobian() {
  if constexpr (requires { G::needs_jacobian; }) return G::needs_jacobian;
  else return true;
}

template <class G, class S> auto believe(G const& g, S const& x, level l) {
  if constexpr (needs_jacobian<G>()) return linearize(g.denoiser, x, l);
  else return undifferentiated<S>{g.denoiser(x, l)};
}

/// y - A(x̂); y of one row serves every row.
template <class Y> Y innovation(Y const& y, Y const& predicted) {
  require(columns(y) == columns(predicted) && (rows(y) == 1 || rows(y) == rows(predicted)), "guidance: ", rows(y), " x ", columns(y),
          " observations, but the operator gives ", rows(predicted), " x ", columns(predicted));
  Y d = zeros_like(predicted);
  lincomb(d, term{1.0, y}, term{-1.0, predicted});
  return d;
}

template <class G, class P, class A> auto update(G const& g, P const& prior, A const& sight, level l) {
  auto out = g.gain(prior, sight, l)(innovation(g.seen.y, sight.value()));
  lincomb(out, term{1.0, prior.value()}, term{1.0, out});
  return out;
}

}  // namespace detail

/// That a method's parts fit: a denoiser of S (differentiable if the method asks for it) and an observation of S.
template <class G, class S> concept Guidable = Denoiser<decltype(G::denoiser), S> &&
                                               ObservationOperator<decltype(G::seen.op), S, decltype(G::seen.y)> &&
                                               (!detail::needs_jacobian<G>() || DifferentiableDenoiser<decltype(G::denoiser), S>);
/// ... and that the guided denoiser can be differentiated.
template <class G, class S> concept DifferentiableGuidable = Guidable<G, S> && DifferentiableDenoiser<decltype(G::denoiser), S>;

/// x̂ + K (y - A(x̂)); the denoiser alone where nothing was seen (y without columns).
template <class G, State S> S guided(G const& g, S const& x, level l) {
  if (columns(g.seen.y) == 0) return g.denoiser(x, l);
  auto const prior = detail::believe(g, x, l);
  auto const sight = linearize(g.seen.op, prior.value());
  return detail::update(g, prior, sight, l);
}

/// The linearisation of guided, with the gain held fixed: J - K A J. That is exact where the gain does not depend on x_t, as for a
/// Gaussian prior, a linear operator and a solve to the end; elsewhere the derivative of K (which takes second derivatives of
/// the network) is missing, as in Gauss-Newton. K and K's adjoint take the covariances for symmetric.
template <class G, class S> class linear_guidance {
 public:
  linear_guidance(G const& g, S const& x, level l)
      : g_(&g), prior_(linearize(g.denoiser, x, l)), sight_(linearize(g.seen.op, prior_.value())), level_(l), value_(evaluate()) {}
  S const& value() const { return value_; }

  S vjp(S const& u) const {
    if (!sees()) return prior_.vjp(u);
    S out = sight_.vjp(g_->gain(prior_, sight_, level_).adjoint(u));
    lincomb(out, term{1.0, u}, term{-1.0, out});
    return prior_.vjp(out);
  }
  S jvp(S const& v) const
    requires requires(decltype(linearize(std::declval<G const&>().denoiser, std::declval<S const&>(), level{})) const& p) { p.jvp(v); }
  {
    S out = prior_.jvp(v);
    if (!sees()) return out;
    S const taken = g_->gain(prior_, sight_, level_)(sight_.jvp(out));
    lincomb(out, term{1.0, out}, term{-1.0, taken});
    return out;
  }

 private:
  bool sees() const { return columns(g_->seen.y) > 0; }
  S evaluate() const { return sees() ? detail::update(*g_, prior_, sight_, level_) : clone(prior_.value()); }

  G const* g_;
  decltype(linearize(std::declval<G const&>().denoiser, std::declval<S const&>(), level{})) prior_;
  decltype(linearize(std::declval<G const&>().seen.op, std::declval<S const&>())) sight_;
  level level_;
  S value_;
};

}  // namespace sda
