// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/guidance/gain.hpp>

namespace sda {

namespace detail {

struct tmpd_unity {
  template <class T> SDA_HD T operator()(T const& x) const { return x * 0.0 + 1.0; }
};
template <State S> S ones_like(S const& x) {
  S out = zeros_like(x);
  transform(out, tmpd_unity{}, out);
  return out;
}
struct quotient_of {
  template <class T> SDA_HD T operator()(T const& x, T const& y) const { return x / y; }
};
template <class Y> struct divided_by {
  Y by;
  Y operator()(Y const& d) const {
    Y out = zeros_like(d);
    transform(out, quotient_of{}, d, by);
    return out;
  }
};

}  // namespace detail

/// Instead of a solver for tmpd: the row sums of the innovation's whole covariance, which leave nothing to solve.
struct innovation_sums {};

/// Tweedie moment projected diffusion (Boys et al., 2023, arXiv:2310.06721): row sums of a covariance stand for it,
///
///   x̂ + V Aᵀ (R + A diag(V 1) Aᵀ)⁻¹ (y - A(x̂)),   V = (σ²/α) ∂x̂/∂x_t,
///
/// or with innovation_sums{} diag((R + A V Aᵀ) 1)⁻¹ for the inverse. One evaluation and two vjps; a solve, if any, is free of the
/// network. Row sums are no variances: with strongly correlated coordinates the update is far too cautious.
template <class D, class O, class Solve = gmres> struct tmpd {
  D denoiser;
  O seen;
  Solve solve{};

  template <State S>
    requires Guidable<tmpd, S>
  S operator()(S const& x, level l) const {
    return guided(*this, x, l);
  }
  template <State S>
    requires DifferentiableGuidable<tmpd, S>
  auto linearize(S const& x, level l) const {
    return linear_guidance<tmpd, S>(*this, x, l);
  }

  auto gain(auto const& prior, auto const& sight, level l) const {
    auto const spread = tweedie{}.at(prior, l);
    if constexpr (std::same_as<Solve, innovation_sums>) {
      auto const ones = detail::ones_like(sight.value());
      auto sums = sight.jvp(spread(sight.vjp(ones)));
      lincomb(sums, term{1.0, seen.error.apply(ones)}, term{1.0, sums});
      return kalman_gain{sight, spread, detail::divided_by{std::move(sums)}};
    } else {
      auto sums = spread(detail::ones_like(prior.value()));
      return kalman_gain{sight, spread, innovation_weight{solve, seen.error, sight, detail::diagonal_map{std::move(sums)}}};
    }
  }
};
template <class D, class O> tmpd(D, O) -> tmpd<D, O>;
template <class D, class O, class Solve> tmpd(D, O, Solve) -> tmpd<D, O, Solve>;

}  // namespace sda
