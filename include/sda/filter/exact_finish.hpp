// SPDX-License-Identifier: Apache-2.0
// J(x) = ½ |x_0 - b|²_B + ½ Σ |x_i - M(x_(i-1)) - η_i|²_Q + ½ |y - H(x)|²_R,   x = (x_0, ..., x_(T-1))
#pragma once
#include <sda/calculus/block_tridiagonal.hpp>
#include <sda/observation/operator.hpp>
#include <sda/prior/denoiser.hpp>

#include <cmath>

namespace sda {

/// What finishes a trajectory that a sampler found: a model of one step, the law N(b, B) of its start, the covariance Q of
/// the model's errors, and what was seen of whole trajectories (rows of T n numbers), each number of one time alone.
template <class M, State X, class B, class Q, class O> struct dynamics {
  M model;
  X background;  // b, one row
  B start_error;
  Q model_error;
  O seen;

  /// What x_0, x_1 - M(x_0), ... and the observations are to be: (b, 0, ...) and y, for every one of `members` rows; with
  /// draws of their errors if `perturbed`.
  struct aim {
    X steps;
    decltype(O::y) y;
  };
  aim aim_for(index_t members, index_t length, bool perturbed, key k) const {
    index_t const n = columns(background);
    X start = zeros(background, members, n), steps = zeros(background, members * length, n);
    auto y = zeros(seen.y, members, columns(seen.y));
    lincomb(start, term{1.0, background});
    lincomb(y, term{1.0, seen.y});
    if (perturbed) {
      lincomb(start, term{1.0, start}, term{1.0, start_error.draw(k.fold(0), start)});
      lincomb(y, term{1.0, y}, term{1.0, seen.error.draw(k.fold(1), y)});
      steps = model_error.draw(k.fold(2), steps);
    }
    steps = reshape(std::move(steps), members, length * n);
    copy_block(steps, 0, 0, start, 0, 0, members, n);
    return {std::move(steps), std::move(y)};
  }

  /// x_0 - b, x_1 - M(x_0) - η_1, ...
  X residual(aim const& to, X const& x) const {
    index_t const n = columns(background);
    X out = zeros_like(x), ahead = reshape(model(one_below_another(x)), rows(x), columns(x));
    copy_block(out, 0, n, ahead, 0, 0, rows(x), columns(x) - n);
    lincomb(out, term{1.0, x}, term{-1.0, out}, term{-1.0, to.steps});
    return out;
  }
  /// ... through B⁻¹ and (width Q)⁻¹
  X weighed(X const& r, double width) const {
    index_t const n = columns(background);
    X out = reshape(model_error.solve(one_below_another(r)), rows(r), columns(r)), start = zeros(r, rows(r), n);
    lincomb(out, term{1 / width, out});
    copy_block(start, 0, 0, r, 0, 0, rows(r), n);
    copy_block(out, 0, 0, start_error.solve(start), 0, 0, rows(r), n);
    return out;
  }
  scalars_t<X> cost(aim const& to, X const& x, double width) const {
    X const r = residual(to, x);
    auto misfit = seen.op(x);
    lincomb(misfit, term{1.0, misfit}, term{-1.0, to.y});
    auto sum = dot(r, weighed(r, width));
    lincomb(sum, term{0.5, sum}, term{0.5, dot(misfit, seen.error.solve(misfit))});
    return sum;
  }
  /// -∇J
  X descent(aim const& to, X const& x, double width) const {
    index_t const n = columns(background);
    X const pull = weighed(residual(to, x), width);
    auto const sight = linearize(seen.op, x);
    auto innovation = clone(to.y);
    lincomb(innovation, term{1.0, innovation}, term{-1.0, sight.value()});
    X ahead = zeros_like(x), back = sight.vjp(seen.error.solve(innovation));
    copy_block(ahead, 0, 0, pull, 0, n, rows(x), columns(x) - n);
    X const carried = reshape(linearize(model, one_below_another(x)).vjp(one_below_another(ahead)), rows(x), columns(x));
    lincomb(back, term{1.0, back}, term{-1.0, pull}, term{1.0, carried});
    return back;
  }
  /// The Hessian of Gauss and Newton at one trajectory x, on the host.
  block_tridiagonal hessian(X const& x, double width) const {
    index_t const n = columns(background), t = columns(x) / n;
    X const unit = identity_rows(x, n);
    X each_time = zeros(x, n, t * n), same = zeros_like(each_time), many = zeros(x, t * n, n), directions = zeros_like(many), tile = zeros(x, n, n);
    lincomb(same, term{1.0, x});
    for (index_t i = 0; i < t; ++i) {
      copy_block(each_time, 0, i * n, unit, 0, 0, n, n);
      copy_block(directions, i * n, 0, unit, 0, 0, n, n);
      copy_block(many, i * n, 0, same, 0, i * n, n, n);
    }
    // rows i n ... of `moved` are Mᵀ at time i; columns i n ... of `information` Hᵀ R⁻¹ H there
    small_matrix const moved = dense(linearize(model, many).jvp(directions)), start = dense(start_error.solve(unit));
    auto const sight = linearize(seen.op, same);
    small_matrix const information = dense(sight.vjp(seen.error.solve(sight.jvp(each_time))));
    small_matrix precision = dense(model_error.solve(unit));
    for (double& p : precision.elements) p /= width;
    block_tridiagonal out;
    for (index_t i = 0; i < t; ++i) {
      small_matrix d = i == 0 ? start : precision, transition(n, n);
      std::copy_n(moved[i * n], n * n, transition.elements.begin());
      small_matrix pulled = product(transition, precision);  // Mᵀ Q⁻¹
      if (i + 1 < t) add(d, product(pulled, transposed(transition)));
      for (index_t a = 0; a < n; ++a)
        for (index_t b = 0; b < n; ++b) d[a][b] += information[a][i * n + b];
      out.diagonal.push_back(std::move(d));
      for (double& e : pulled.elements) e = -e;
      if (i + 1 < t) out.upper.push_back(std::move(pulled));
    }
    return out;
  }

  static small_matrix dense(X const& x) {
    small_matrix m(rows(x), columns(x));
    std::vector<value_t<X>> raw(m.elements.size());
    store(x, std::span<value_t<X>>(raw));
    std::copy(raw.begin(), raw.end(), m.elements.begin());
    return m;
  }
  static X from_host(X const& like, index_t r, index_t c, std::vector<double> const& values) {
    X x = zeros(like, r, c);
    std::vector<value_t<X>> const numbers(values.begin(), values.end());
    load(x, std::span<value_t<X> const>(numbers));
    return x;
  }

 private:
  X one_below_another(X const& x) const { return reshape(clone(x), rows(x) * (columns(x) / columns(background)), columns(background)); }
  static X identity_rows(X const& like, index_t n) { return from_host(like, n, n, identity_matrix(n).elements); }
  static void add(small_matrix& a, small_matrix const& b) {
    for (std::size_t e = 0; e < a.elements.size(); ++e) a.elements[e] += b.elements[e];
  }
};
template <class M, class X, class B, class Q, class O> dynamics(M, X, B, Q, O) -> dynamics<M, X, B, Q, O>;

/// Weak-constraint Gauss-Newton from given trajectories themselves, not from their starts: the model is linearised at every
/// state, so nothing grows along a chaotic window. Every row has background, model errors and observations perturbed by draws
/// of its own (randomised maximum likelihood): where all is linear and Gaussian, one iteration turns any trajectories into
/// independent samples of the posterior. Solved on the host, row after row, O(T n³) each: for states of up to some hundreds.
struct exact_finish {
  int iterations = 6;
  double widen = 1;       // Q times this at first, falling in equal ratios to Q at the last iteration
  bool perturbed = true;  // false: every row seeks a maximum of the posterior
  int halvings = 4;       // of a step that would raise the cost of its row

  template <class D, State X> X operator()(D const& d, X x, key k) const {
    index_t const n = columns(d.background), t = n > 0 ? columns(x) / n : 0;
    require(t >= 1 && t * n == columns(x), "exact_finish: trajectories of ", columns(x), " numbers for states of ", n);
    auto const aim = d.aim_for(rows(x), t, perturbed, k);
    for (int i = 0; i < iterations; ++i) {
      double const width = iterations > 1 ? std::pow(widen, 1 - double(i) / double(iterations - 1)) : 1;
      X const downhill = d.descent(aim, x, width);
      X step = zeros_like(x);
      for (index_t r = 0; r < rows(x); ++r) {
        auto const solved = d.hessian(take_rows(x, r, r + 1), width).solve(D::dense(take_rows(downhill, r, r + 1)).elements);
        copy_block(step, r, 0, D::from_host(x, 1, columns(x), solved), 0, 0, 1, columns(x));
      }
      x = advanced(d, aim, x, step, width);
    }
    return x;
  }

  /// J of every row, unperturbed: what tells samples in a wrong basin from the others.
  template <class D, State X> static scalars_t<X> cost(D const& d, X const& x) {
    return d.cost(d.aim_for(rows(x), columns(x) / columns(d.background), false, key{}), x, 1);
  }

  struct whole {
    template <class T> SDA_HD T operator()(T const& x) const { return x * 0 + 1; }
  };

  struct halved_unless_lower {  // rounding is no rise
    template <class T> SDA_HD T operator()(T const& reach, T const& before, T const& after) const {
      return reach * 0.5 * (1 + (after <= before * (1 + 1e-12)));
    }
  };

 private:
  template <class D, State X> X advanced(D const& d, auto const& aim, X const& x, X const& step, double width) const {
    auto const before = d.cost(aim, x, width);
    auto reach = zeros_like(before);
    transform(reach, whole{}, reach);
    X trial = zeros_like(x);
    for (int i = 0;; ++i) {
      lincomb(trial, term{1.0, x}, term{each{reach}, step});
      if (i == halvings) return trial;
      transform(reach, halved_unless_lower{}, reach, before, d.cost(aim, trial, width));
    }
  }
};

/// The same as a corrector (sampler/corrector.hpp) of the last levels, those with σ/α up to `below`: x ← α x* + σ ξ, x* the denoised
/// trajectory finished. Where all is linear and Gaussian that is a sample of x_t given the observations, whatever x was.
template <class D> struct finishing {
  D dynamics;  // sda::dynamics
  exact_finish finish{.iterations = 1};
  double below = 0.1;

  template <State X, Denoiser<X> N> void correct(N const& denoiser, X& x, level l, key k) const {
    if (l.sigma > below * l.alpha) return;
    lincomb(x, term{l.alpha, finish(dynamics, denoiser(x, l), k.fold(0))}, noise{l.sigma, k.fold(1)});
  }
};
template <class D> finishing(D) -> finishing<D>;
template <class D> finishing(D, exact_finish) -> finishing<D>;
template <class D> finishing(D, exact_finish, double) -> finishing<D>;

}  // namespace sda
