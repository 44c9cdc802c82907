// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/state/state.hpp>

#include <cmath>
#include <cstdlib>

namespace sda {

/// x' = φ x + deviation √(1 - φ²) ξ, every column alone: the stationary linear-Gaussian chain on which all is known.
struct ar1 {
  double phi = 0.9, deviation = 1;

  template <State S> S operator()(S const& x, key k) const {
    check();
    S y = zeros_like(x);
    lincomb(y, term{phi, x}, noise{deviation * std::sqrt((1 - phi) * (1 + phi)), k});
    return y;
  }
  /// A state of the stationary distribution, in the shape of `like`.
  template <State S> S draw(key k, S const& like) const {
    S x = zeros_like(like);
    lincomb(x, noise{deviation, k});
    return x;
  }
  /// The covariance of two states so many steps apart.
  double covariance(index_t lag) const {
    check();
    return deviation * deviation * std::pow(phi, double(std::abs(lag)));
  }

 private:
  void check() const { require(-1 < phi && phi < 1, "ar1: phi = ", phi, " is not in (-1, 1)"); }
};

}  // namespace sda
