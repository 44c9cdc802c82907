// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/level.hpp>
#include <sda/state/state.hpp>

// What guidance may take for the covariance C of x_0 given x_t. A spread is a value; at(prior, l) gives the linear map
// u -> C u at level l, where `prior` is the denoiser linearised there. Spreads that never ask it for a vjp say so.

namespace sda {

namespace detail {

template <class P> struct tweedie_at {
  P const& prior;
  double factor;
  template <State S> S operator()(S const& u) const {
    S out = prior.vjp(u);
    lincomb(out, term{factor, out});
    return out;
  }
};
struct scaled {
  double variance;
  template <State S> S operator()(S const& u) const {
    S out = zeros_like(u);
    lincomb(out, term{variance, u});
    return out;
  }
};
template <class S> struct diagonal_map {
  S variances;
  S operator()(S const& u) const {
    S out = zeros_like(u);
    lincomb(out, weighted{1.0, variances, u});
    return out;
  }
};

}  // namespace detail

/// The true one, (σ²/α) ∂x̂/∂x_t (Tweedie's second formula), as a vjp of the denoiser.
struct tweedie {
  static constexpr bool needs_jacobian = true;
  template <class P> auto at(P const& prior, level l) const { return detail::tweedie_at<P>{prior, l.sigma * l.sigma / l.alpha}; }
};

/// σ²/α²: all that x_t says alone, as if nothing were known of x_0.
struct flat_prior {
  static constexpr bool needs_jacobian = false;
  double variance(level l) const { return l.sigma * l.sigma / (l.alpha * l.alpha); }
  auto at(auto const&, level l) const { return detail::scaled{variance(l)}; }
};

/// σ²/(α² + σ²): for independent coordinates of unit variance.
struct unit_prior {
  static constexpr bool needs_jacobian = false;
  double variance(level l) const { return l.sigma * l.sigma / (l.alpha * l.alpha + l.sigma * l.sigma); }
  auto at(auto const&, level l) const { return detail::scaled{variance(l)}; }
};

/// σ² v / (σ² + α² v): for independent coordinates whose variances v stand in a state of one row.
template <State S> struct independent_prior {
  static constexpr bool needs_jacobian = false;
  S variances;
  auto at(auto const&, level l) const {
    S out = zeros_like(variances);
    transform(out, posterior{l.alpha * l.alpha, l.sigma * l.sigma}, variances);
    return detail::diagonal_map<S>{std::move(out)};
  }

  struct posterior {
    double alpha2, sigma2;
    template <class T> SDA_HD T operator()(T const& v) const { return sigma2 * v / (sigma2 + alpha2 * v); }
  };
};
template <class S> independent_prior(S) -> independent_prior<S>;

}  // namespace sda
