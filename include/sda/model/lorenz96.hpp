// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>
#include <sda/core/error.hpp>

namespace sda {

/// dx_i/dt = (x_(i+1) - x_(i-2)) x_(i-1) - x_i + F on a ring of any size (Lorenz, 1996): a VectorField with both products.
struct lorenz96 {
  double forcing = 8;

  /// algebra<S> may offer it in one pass, as a static member lorenz96(out, x, forcing).
  template <State S> S operator()(S const& x) const {
    require(columns(x) >= 4, "lorenz96: a ring of ", columns(x), " variables, needs at least 4");
    S out = zeros_like(x);
    if constexpr (requires { algebra<S>::lorenz96(out, x, forcing); }) algebra<S>::lorenz96(out, x, forcing);
    else transform(out, tendency{forcing}, difference(x), rotated(x, -1), x);
    return out;
  }

  template <class S> struct linearization {
    S y, d, p;  // the tendency, x_(i+1) - x_(i-2), x_(i-1)

    S const& value() const { return y; }
    S jvp(S const& v) const {
      S out = difference(v);
      lincomb(out, weighted{1.0, p, out}, weighted{1.0, d, rotated(v, -1)}, term{-1.0, v});
      return out;
    }
    S vjp(S const& u) const {
      S pu = zeros_like(u), du = zeros_like(u);
      lincomb(pu, weighted{1.0, p, u});
      lincomb(du, weighted{1.0, d, u});
      lincomb(pu, term{1.0, rotated(pu, -1)}, term{-1.0, rotated(pu, 2)}, term{1.0, rotated(du, 1)}, term{-1.0, u});
      return pu;
    }
  };
  template <State S> linearization<S> linearize(S const& x) const { return {(*this)(x), difference(x), rotated(x, -1)}; }

  struct tendency {
    double forcing;
    template <class T> SDA_HD T operator()(T const& d, T const& p, T const& x) const { return d * p - x + forcing; }
  };

 private:
  /// x_(i+shift)
  template <State S> static S rotated(S const& x, index_t shift) {
    index_t const n = columns(x), first = (shift + n) % n;
    S y = zeros_like(x);
    copy_block(y, 0, 0, x, 0, first, rows(x), n - first);
    copy_block(y, 0, n - first, x, 0, 0, rows(x), first);
    return y;
  }
  template <State S> static S difference(S const& x) {
    S d = rotated(x, 1);
    lincomb(d, term{1.0, d}, term{-1.0, rotated(x, -2)});
    return d;
  }
};

}  // namespace sda
