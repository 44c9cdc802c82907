// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>
#include <sda/core/error.hpp>

#include <vector>

// 4D-Var is variational_problem with G = what is seen of the trajectory that the unknowns make. Strong constraint: the
// unknowns are the state at the start. Weak constraint: the state at the start and what the model misses at every step.

namespace sda {

/// (x_0, η_1, ..., η_(T-1)) to (x_0, ..., x_(T-1)) with x_i = M(x_(i-1)) + η_i, all as rows of T n numbers; with strong = true
/// the input is x_0 alone, all η = 0. Differentiable where M is: one tangent or adjoint run of the model per product.
template <class M> struct trajectory_from {
  M model;
  index_t length = 1;
  bool strong = true;

  template <State S> S operator()(S const& unknowns) const {
    return run(unknowns, [&](S const& x) { return model(x); });
  }

  template <class S, class L> struct linearization {
    S whole;
    std::vector<L> steps;
    bool strong;

    S const& value() const { return whole; }
    S jvp(S const& v) const {
      index_t const n = width(), t = index_t(steps.size()) + 1;
      S out = zeros(v, rows(v), t * n), x = block(v, 0, n);
      copy_block(out, 0, 0, x, 0, 0, rows(v), n);
      for (index_t i = 1; i < t; ++i) {
        x = steps[std::size_t(i - 1)].jvp(x);
        if (!strong) lincomb(x, term{1.0, x}, term{1.0, block(v, i * n, n)});
        copy_block(out, 0, i * n, x, 0, 0, rows(v), n);
      }
      return out;
    }
    S vjp(S const& u) const {
      index_t const n = width(), t = index_t(steps.size()) + 1;
      S out = zeros(u, rows(u), strong ? n : t * n), pulled = block(u, (t - 1) * n, n);
      for (index_t i = t; i-- > 1;) {
        if (!strong) copy_block(out, 0, i * n, pulled, 0, 0, rows(u), n);
        pulled = steps[std::size_t(i - 1)].vjp(pulled);
        lincomb(pulled, term{1.0, pulled}, term{1.0, block(u, (i - 1) * n, n)});
      }
      copy_block(out, 0, 0, pulled, 0, 0, rows(u), n);
      return out;
    }

   private:
    index_t width() const { return columns(whole) / (index_t(steps.size()) + 1); }
  };
  template <State S> auto linearize(S const& unknowns) const {
    using L = decltype(sda::linearize(model, unknowns));
    std::vector<L> steps;
    S whole = run(unknowns, [&](S const& x) {
      steps.push_back(sda::linearize(model, x));
      return clone(steps.back().value());
    });
    return linearization<S, L>{std::move(whole), std::move(steps), strong};
  }

  /// The unknowns of a given trajectory: its start, and what the model misses at every step.
  template <State S> S unknowns_of(S const& trajectory) const {
    index_t const n = columns(trajectory) / length;
    if (strong) return block(trajectory, 0, n);
    S out = clone(trajectory);
    for (index_t i = 1; i < length; ++i) {
      S missed = block(trajectory, i * n, n);
      lincomb(missed, term{1.0, missed}, term{-1.0, model(block(trajectory, (i - 1) * n, n))});
      copy_block(out, 0, i * n, missed, 0, 0, rows(out), n);
    }
    return out;
  }

 private:
  template <State S> static S block(S const& x, index_t first, index_t n) {
    S y = zeros(x, rows(x), n);
    copy_block(y, 0, 0, x, 0, first, rows(x), n);
    return y;
  }
  template <State S, class Step> S run(S const& unknowns, Step const& step) const {
    index_t const n = strong ? columns(unknowns) : columns(unknowns) / length;
    require(length >= 1 && (strong || columns(unknowns) == n * length), "trajectory_from: ", columns(unknowns), " unknowns for ", length, " states");
    S out = zeros(unknowns, rows(unknowns), length * n), x = block(unknowns, 0, n);
    copy_block(out, 0, 0, x, 0, 0, rows(x), n);
    for (index_t i = 1; i < length; ++i) {
      x = step(x);
      if (!strong) lincomb(x, term{1.0, x}, term{1.0, block(unknowns, i * n, n)});
      copy_block(out, 0, i * n, x, 0, 0, rows(x), n);
    }
    return out;
  }
};
template <class M> trajectory_from(M, index_t) -> trajectory_from<M>;
template <class M> trajectory_from(M, index_t, bool) -> trajectory_from<M>;

/// The covariance of (x_0, η_1, ..., η_(T-1)): `start` for the first state, `model` for every error of the model, independent.
template <class B, class Q> struct chain_error {
  B start;
  Q model;
  index_t length = 1;

  template <State X> X apply(X const& v) const {
    return each_block(v, [](auto const& error, X const& part) { return error.apply(part); });
  }
  template <State X> X solve(X const& v) const {
    return each_block(v, [](auto const& error, X const& part) { return error.solve(part); });
  }
  template <State X> X draw(key k, X const& like) const {
    std::uint64_t i = 0;
    return each_block(like, [&](auto const& error, X const& part) { return error.draw(k.fold(i++), part); });
  }

 private:
  template <State X, class F> X each_block(X const& v, F const& f) const {
    index_t const n = columns(v) / length;
    require(length >= 1 && columns(v) == n * length, "chain_error: ", columns(v), " columns for ", length, " states");
    X out = zeros_like(v), part = zeros(v, rows(v), n);
    for (index_t i = 0; i < length; ++i) {
      copy_block(part, 0, 0, v, 0, i * n, rows(v), n);
      copy_block(out, 0, i * n, i == 0 ? f(start, part) : f(model, part), 0, 0, rows(v), n);
    }
    return out;
  }
};
template <class B, class Q> chain_error(B, Q, index_t) -> chain_error<B, Q>;

}  // namespace sda
