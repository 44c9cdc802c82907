// SPDX-License-Identifier: Apache-2.0
// The probability-flow ODE is dx = x̂ dα + ẑ dσ. Divided by a scale ρ it reads dy = w(n) q dn: y = x/ρ moves along a node n
// with a weight w and a slope q made of x̂ and ẑ. An N-step method passes a polynomial in n through the last N slopes:
//   x_s = ρ_s (x_t/ρ_t + Σ_i c_i q_i),   c_i = ∫ w(n) Π_{j≠i} (n - n_j)/(n_i - n_j) dn   from n_t to n_s.
// Crowson's k-diffusion (LMS); Zhang & Chen (2023), DEIS; Lu et al. (2022), DPM-Solver and DPM-Solver++.
#pragma once
#include <sda/sampler/ddim.hpp>

#include <array>
#include <concepts>
#include <limits>
#include <utility>
#include <vector>

namespace sda {

/// A slope as a combination of the state and its denoised mean: x·x + clean·x̂.
struct slope_weights {
  double x, clean;
};

/// One way to write the ODE. `panel` is the length of node over which the weight times a cubic is integrated to rounding
/// error by eight Gauss points.
template <class F> concept FlowForm = requires(level l, double n) {
  { F::scale(l) } -> std::same_as<double>;
  { F::node(l) } -> std::same_as<double>;
  { F::weight(n) } -> std::same_as<double>;
  { F::slope(l) } -> std::same_as<slope_weights>;
  { F::panel } -> std::convertible_to<double>;
};

/// d(x/α) = ẑ d(σ/α)
struct noise_form {
  static constexpr double panel = std::numeric_limits<double>::infinity();
  static double scale(level l) { return l.alpha; }
  static double node(level l) { return l.sigma / l.alpha; }
  static double weight(double) { return 1; }
  static slope_weights slope(level l) { return {1 / l.sigma, -l.alpha / l.sigma}; }
};

/// d(x/(α+σ)) = (ẑ - x̂) d(σ/(α+σ))
struct velocity_form {
  static constexpr double panel = std::numeric_limits<double>::infinity();
  static double scale(level l) { return l.alpha + l.sigma; }
  static double node(level l) { return l.sigma / (l.alpha + l.sigma); }
  static double weight(double) { return 1; }
  static slope_weights slope(level l) { return {1 / l.sigma, -(l.alpha + l.sigma) / l.sigma}; }
};

/// d(x/α) = e^λ ẑ dλ,  λ = ln(σ/α)
struct exponential_noise_form {
  static constexpr double panel = 0.5;
  static double scale(level l) { return l.alpha; }
  static double node(level l) { return std::log(l.sigma / l.alpha); }
  static double weight(double n) { return std::exp(n); }
  static slope_weights slope(level l) { return {1 / l.sigma, -l.alpha / l.sigma}; }
};

/// d(x/σ) = -e^{-λ} x̂ dλ
struct exponential_clean_form {
  static constexpr double panel = 0.5;
  static double scale(level l) { return l.sigma; }
  static double node(level l) { return std::log(l.sigma / l.alpha); }
  static double weight(double n) { return -std::exp(-n); }
  static slope_weights slope(level) { return {0, 1}; }
};

/// d(x/ρ) = e^λ/(1 + e^{2λ}) (α ẑ - σ x̂)/ρ dλ,  ρ = √(α² + σ²): a rotation of (x̂, ẑ)
struct rotation_form {
  static constexpr double panel = 0.5;
  static double scale(level l) { return std::hypot(l.alpha, l.sigma); }
  static double node(level l) { return std::log(l.sigma / l.alpha); }
  static double weight(double n) { return 0.5 / std::cosh(n); }
  static slope_weights slope(level l) { return {l.alpha / (l.sigma * scale(l)), -scale(l) / l.sigma}; }
};

/// The c_i of the formula above for the given nodes, in their order.
template <FlowForm F> std::vector<double> multistep_weights(std::vector<double> const& nodes, double from, double to) {
  constexpr double point[] = {0.1834346424956498049, 0.5255324099163289858, 0.7966664774136267396, 0.9602898564975362317};
  constexpr double mass[] = {0.3626837833783619830, 0.3137066458778872873, 0.2223810344533744705, 0.1012285362903762591};
  std::vector<double> c(nodes.size());
  int const panels = std::max(1, int(std::ceil(std::abs(to - from) / F::panel)));
  double const half = (to - from) / (2 * panels);
  for (int p = 0; p < panels; ++p)
    for (int q = 0; q < 8; ++q) {
      double const n = from + half * (2 * p + 1 + (q % 2 ? point[q / 2] : -point[q / 2]));
      for (std::size_t i = 0; i < nodes.size(); ++i) {
        double basis = half * mass[q / 2] * F::weight(n);
        for (std::size_t j = 0; j < nodes.size(); ++j)
          if (j != i) basis *= (n - nodes[j]) / (nodes[i] - nodes[j]);
        c[i] += basis;
      }
    }
  return c;
}

/// How a multistep method takes its first N - 1 steps. `accurate` corrects each by the slope at its end (for N = 4 the first
/// by one in the middle too): the order of the whole run is N, for N - 1 more evaluations (5 for N = 4). `plain` uses what
/// slopes there are, as Appa and azula do: no more evaluations, but the order of the whole run is 2 at most.
enum class startup { accurate, plain };

/// The last slopes of a run and where they were taken, newest first.
template <State S> struct slopes {
  std::vector<S> q;
  std::vector<double> node;

  void push(S slope, double at) {
    q.insert(q.begin(), std::move(slope));
    node.insert(node.begin(), at);
  }
  void pop_newest() { q.erase(q.begin()), node.erase(node.begin()); }
  void keep(std::size_t n) {
    while (q.size() > n) q.pop_back(), node.pop_back();
  }
};

namespace detail {

/// x ← keep x + scale Σ c_i q_i, for one to four slopes: one pass.
template <State S> void accumulate(S& x, double keep, double scale, std::vector<double> const& c, std::vector<S> const& q) {
  auto const sum = [&]<std::size_t... i>(std::index_sequence<i...>) { lincomb(x, term{keep, x}, term{scale * c[i], q[i]}...); };
  switch (q.size()) {
    case 1: return sum(std::make_index_sequence<1>());
    case 2: return sum(std::make_index_sequence<2>());
    case 3: return sum(std::make_index_sequence<3>());
    default: return sum(std::make_index_sequence<4>());
  }
}

}  // namespace detail

/// An explicit N-step method, N = 1 to 4, one evaluation a step.
template <FlowForm Form, int N> struct multistep {
  static_assert(1 <= N && N <= 4, "sda: multistep methods have order 1 to 4");
  startup start = startup::accurate;

  template <State S> slopes<S> memory(S const&) const { return {}; }

  template <State S, Denoiser<S> D> void step(D const& d, S& x, slopes<S>& past, transition t, key k) const {
    none stateless;
    if (!std::isfinite(Form::node(t.from)) || !std::isfinite(Form::node(t.to))) return ddim{}.step(d, x, stateless, t, k);
    past.push(slope(d, x, t.from), Form::node(t.from));
    past.keep(N);
    if (start == startup::plain || past.q.size() == N || t.from.alpha * t.to.sigma == 0) return advance(x, past, t);
    if (N == 4 && past.q.size() == 1) {
      level const middle{std::sqrt(t.from.alpha * t.to.alpha), std::sqrt(t.from.sigma * t.to.sigma)};
      S half = clone(x);
      corrected(d, half, past, {t.from, middle});
      past.push(slope(d, half, middle), Form::node(middle));
      corrected(d, x, past, t);
      past.pop_newest();
    } else {
      corrected(d, x, past, t);
    }
  }

 private:
  template <State S, Denoiser<S> D> static S slope(D const& d, S const& x, level l) {
    slope_weights const w = Form::slope(l);
    S q = d(x, l);
    if (w.x != 0) lincomb(q, term{w.x, x}, term{w.clean, q});
    return q;
  }

  template <State S> static void advance(S& x, slopes<S> const& past, transition t) {
    auto const c = multistep_weights<Form>(past.node, Form::node(t.from), Form::node(t.to));
    double const scale = Form::scale(t.to), keep = scale / Form::scale(t.from);
    detail::accumulate(x, keep, scale, c, past.q);
  }

  /// A step whose polynomial also passes through the slope at its own end, predicted (Adams-Moulton).
  template <State S, Denoiser<S> D> static void corrected(D const& d, S& x, slopes<S>& past, transition t) {
    S ahead = clone(x);
    advance(ahead, past, t);
    past.push(slope(d, ahead, t.to), Form::node(t.to));
    advance(x, past, t);
    past.pop_newest();
  }
};

/// In ẑ over σ/α (azula's zAB); with startup::plain the linear multistep method of k-diffusion and Appa.
template <int N> using adams_bashforth = multistep<noise_form, N>;
/// In ẑ - x̂ over σ/(α+σ) (azula's vAB): the slope of flow matching.
template <int N> using adams_bashforth_v = multistep<velocity_form, N>;
/// In ẑ over ln(σ/α) (azula's zEAB, the DPM-Solver family): exact where ẑ is constant.
template <int N> using exponential_eps = multistep<exponential_noise_form, N>;
/// In x̂ over ln(σ/α) (azula's xEAB, the DPM-Solver++ family): exact where x̂ is constant.
template <int N> using exponential_x = multistep<exponential_clean_form, N>;
/// In the rotated slope over ln(σ/α) (azula's REAB with its prefactor √(α_s² + σ_s²) put right).
template <int N> using exponential_rotation = multistep<rotation_form, N>;

/// Euler's method in σ/α: the same map as ddim{}.
using euler = adams_bashforth<1>;
/// Appa's LMS sampler of order N.
template <int N> inline constexpr adams_bashforth<N> lms{startup::plain};

}  // namespace sda
