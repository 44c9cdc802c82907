// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>
#include <sda/core/error.hpp>

namespace sda {

namespace detail {

/// The three columns of a state as states of one.
template <State S> struct three_columns {
  S a, b, c;
  explicit three_columns(S const& x) : a(column(x, 0)), b(column(x, 1)), c(column(x, 2)) {}

  static S column(S const& x, index_t i) {
    require(columns(x) == 3, "lorenz63: ", columns(x), " columns where 3 were expected");
    S y = zeros(x, rows(x), 1);
    copy_block(y, 0, 0, x, 0, i, rows(x), 1);
    return y;
  }
  static S joined(S const& a, S const& b, S const& c) {
    S x = zeros(a, rows(a), 3);
    copy_block(x, 0, 0, a, 0, 0, rows(a), 1);
    copy_block(x, 0, 1, b, 0, 0, rows(a), 1);
    copy_block(x, 0, 2, c, 0, 0, rows(a), 1);
    return x;
  }
};

}  // namespace detail

/// dx/dt = (σ (b - a), a (ρ - c) - b, a b - β c) for rows x = (a, b, c) (Lorenz, 1963): a VectorField with both products.
struct lorenz63 {
  double sigma = 10, rho = 28, beta = 8.0 / 3;

  template <State S> S operator()(S const& x) const {
    detail::three_columns const at(x);
    S da = zeros_like(at.a), db = zeros_like(at.a), dc = zeros_like(at.a);
    lincomb(da, term{sigma, at.b}, term{-sigma, at.a});
    lincomb(db, term{rho, at.a}, weighted{-1.0, at.a, at.c}, term{-1.0, at.b});
    lincomb(dc, weighted{1.0, at.a, at.b}, term{-beta, at.c});
    return at.joined(da, db, dc);
  }

  template <class S> struct linearization;
  template <State S> auto linearize(S const& x) const { return linearization<S>{*this, (*this)(x), detail::three_columns<S>(x)}; }
};

template <class S> struct lorenz63::linearization {
  lorenz63 f;
  S y;
  detail::three_columns<S> at;

  S const& value() const { return y; }
  S jvp(S const& direction) const {
    detail::three_columns const v(direction);
    S da = zeros_like(v.a), db = zeros_like(v.a), dc = zeros_like(v.a);
    lincomb(da, term{f.sigma, v.b}, term{-f.sigma, v.a});
    lincomb(db, term{f.rho, v.a}, weighted{-1.0, at.c, v.a}, weighted{-1.0, at.a, v.c}, term{-1.0, v.b});
    lincomb(dc, weighted{1.0, at.b, v.a}, weighted{1.0, at.a, v.b}, term{-f.beta, v.c});
    return at.joined(da, db, dc);
  }
  S vjp(S const& cotangent) const {
    detail::three_columns const u(cotangent);
    S da = zeros_like(u.a), db = zeros_like(u.a), dc = zeros_like(u.a);
    lincomb(da, term{-f.sigma, u.a}, term{f.rho, u.b}, weighted{-1.0, at.c, u.b}, weighted{1.0, at.b, u.c});
    lincomb(db, term{f.sigma, u.a}, term{-1.0, u.b}, weighted{1.0, at.a, u.c});
    lincomb(dc, weighted{-1.0, at.a, u.b}, term{-f.beta, u.c});
    return at.joined(da, db, dc);
  }
};

}  // namespace sda
