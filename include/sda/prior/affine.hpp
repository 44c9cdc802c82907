// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/prior/denoiser.hpp>

namespace sda {

/// The linearisation of x ↦ skip x + gain f(c x), with slope = gain c: all that turning one network output into another does.
template <class S, class L> struct affine_at {
  S result;
  double skip, slope;
  L inner;  // f at c x

  S const& value() const { return result; }
  S vjp(S const& u) const { return along(u, inner.vjp(u)); }
  S jvp(S const& v) const
    requires requires { inner.jvp(v); }
  {
    return along(v, inner.jvp(v));
  }

 private:
  S along(S const& v, S through) const {
    lincomb(through, term{skip, v}, term{slope, through});
    return through;
  }
};
template <class S, class L> affine_at(S, double, double, L) -> affine_at<S, L>;

}  // namespace sda
