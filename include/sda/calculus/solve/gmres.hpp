// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/solve/krylov.hpp>

#include <concepts>

namespace sda {

/// w -= (w·v) v; returns w·v. algebra<S> may offer it as one fused static member of this name.
inline constexpr auto project_out = []<State S>(S& w, S const& v) -> scalars_t<S> {
  if constexpr (requires { algebra<S>::project_out(w, v); }) {
    return algebra<S>::project_out(w, v);
  } else {
    auto h = dot(w, v);
    lincomb(w, term{1.0, w}, term{-each{h}, v});
    return h;
  }
};

namespace krylov {

/// min ‖beta e1 - H y‖ for a Hessenberg H that grows by columns, one problem a row, by Givens rotations. C holds scalars.
template <class C> class least_squares {
 public:
  explicit least_squares(C beta) { g_.push_back(std::move(beta)); }

  /// Adds the column h of H with `below` under it.
  void append(std::vector<C> h, C const& below) {
    for (std::size_t i = 0; i < cos_.size(); ++i) rotate(i, h[i], h[i + 1]);
    C radius = map(hypotenuse{}, h.back(), below);
    cos_.push_back(map(ratio{}, h.back(), radius));
    sin_.push_back(map(ratio{}, below, radius));
    h.back() = std::move(radius);
    r_.push_back(std::move(h));
    g_.push_back(zeros_like(below));
    rotate(cos_.size() - 1, g_[g_.size() - 2], g_.back());
  }
  /// ± the least ‖beta e1 - H y‖
  C const& residual() const { return g_.back(); }

  /// y, by back substitution; zero where the matrix is. Ends the life of this object.
  std::vector<C> solve() && {
    g_.pop_back();
    for (std::size_t i = r_.size(); i-- > 0;) {
      for (std::size_t j = i + 1; j < r_.size(); ++j) lincomb(g_[i], term{1.0, g_[i]}, weighted{-1.0, r_[j][i], g_[j]});
      transform(g_[i], ratio{}, g_[i], r_[i][i]);
    }
    return std::move(g_);
  }

 private:
  void rotate(std::size_t i, C& upper, C& lower) const {
    C const old = clone(upper);
    lincomb(upper, weighted{1.0, cos_[i], old}, weighted{1.0, sin_[i], lower});
    lincomb(lower, weighted{-1.0, sin_[i], old}, weighted{1.0, cos_[i], lower});
  }
  std::vector<std::vector<C>> r_;  // the rotated H, a triangle, by columns
  std::vector<C> cos_, sin_, g_;   // the rotations, and beta e1 under them
};

}  // namespace krylov

/// GMRES without restart (Saad & Schultz, 1986), for any invertible a, with modified Gram-Schmidt; keeps iterations + 1
/// states. The preconditioner stands on the right, so residuals are true: it stops early, with a tolerance, on ‖r‖ / ‖b‖.
struct gmres {
  int iterations = 4;
  double tolerance = 0;

  template <State S, LinearOperator<S> A, Preconditioner<S> M = identity>
  S operator()(A const& a, S const& b, M const& precondition = {}) const {
    using C = scalars_t<S>;
    if (iterations < 1) return zeros_like(b);
    C const beta = krylov::map(krylov::root{}, dot(b, b));
    krylov::least_squares<C> problem(clone(beta));
    std::vector<S> basis;
    basis.reserve(std::size_t(iterations));
    basis.push_back(zeros_like(b));
    lincomb(basis[0], term{each{krylov::map(krylov::inverse{}, beta)}, b});
    for (int j = 1;; ++j) {
      S w = a(precondition(basis.back()));
      std::vector<C> h;
      for (S const& v : basis) h.push_back(project_out(w, v));
      C const left = dot(w, w);
      C scale = scale_of<S>(left, h);
      problem.append(std::move(h), krylov::map(krylov::root{}, left));
      if (j == iterations) break;
      if (tolerance > 0) {
        transform(scale, krylov::where{}, scale, krylov::map(krylov::above{tolerance}, problem.residual(), beta));
        if (!krylov::any<S>(scale)) break;
      }
      lincomb(w, term{each{scale}, w});
      basis.push_back(std::move(w));
    }
    return combine(std::move(problem).solve(), std::move(basis), precondition);
  }

 private:
  /// What makes w, of square norm `left` after losing h, a unit vector; 0 where only rounding is left of it: there the
  /// solution is exact, and from here on the row's vectors are zero and add nothing.
  template <State S> static scalars_t<S> scale_of(scalars_t<S> const& left, std::vector<scalars_t<S>> const& h) {
    auto whole = clone(left);
    for (auto const& c : h) lincomb(whole, term{1.0, whole}, weighted{1.0, c, c});
    constexpr double least = 10 * krylov::rounding<S>;
    auto kept = krylov::map(krylov::above{least * least}, left, whole);
    return krylov::map(krylov::inverse{}, krylov::map(krylov::root{}, kept));
  }
  template <State S, class M> static S combine(std::vector<scalars_t<S>> const& y, std::vector<S> basis, M const& precondition) {
    S x = std::move(basis[0]);
    if (y.size() == 1) lincomb(x, term{each{y[0]}, x});
    else lincomb(x, term{each{y[0]}, x}, term{each{y[1]}, basis[1]});
    for (std::size_t j = 2; j < y.size(); ++j) lincomb(x, term{1.0, x}, term{each{y[j]}, basis[j]});
    if constexpr (std::same_as<M, identity>) return x;
    else return precondition(x);
  }
};

}  // namespace sda
