// SPDX-License-Identifier: Apache-2.0
// z' = Σ_j w_j ((ṡ/s) (z - M_j) + Ṁ_j) + λ ∇ log p(y | x̂₁),   w = softmax_j(-|z - M_j|² / 2 s²),   x̂₁ = z + (1 - t) z'
#pragma once
#include <sda/filter/inflation.hpp>
#include <sda/prior/ensemble.hpp>

namespace sda {

/// Ensemble flow filter (2025, arXiv:2508.13313): a flow from t = 0 to the forecast members at t = 1, whose velocity is known
/// in closed form, guided by the likelihood at the end it points to. No training, no Jacobian of the flow.
struct enff {
  enum class path {
    previous_to_forecast,  // F2P: M_j = t x_j + (1 - t) x⁻_j, s = σ_min, from the previous analysis x⁻ of every member
    noise_to_forecast      // OT: M_j = t x_j, s = 1 - (1 - σ_min) t, from N(0, 1)
  };
  path along = path::previous_to_forecast;
  int steps = 10;
  double guidance = 0.05, sigma_min = 0.1;  // λ and σ_min
  inflation inflate{};

  /// `previous` is the analysis from which `e` was forecast, member by member; the path from noise does not look at it.
  template <State X, class O> void analyse(X& e, X const& previous, O const& seen, key k) const {
    require(steps >= 1 && 0 < sigma_min && sigma_min <= 1, "enff: ", steps, " steps, sigma_min ", sigma_min);
    bool const from_noise = along == path::noise_to_forecast;
    X z = zeros_like(e);
    if (from_noise) lincomb(z, noise{1.0, k});
    else lincomb(z, term{1.0, previous}, noise{sigma_min, k});
    double const dt = 1.0 / steps;
    for (int i = 0; i < steps; ++i) {
      double const t = i * dt;
      X velocity = from_noise ? velocity_from_noise(e, z, t) : velocity_from_previous(e, previous, z, t);
      X ahead = zeros_like(z);
      lincomb(ahead, term{1.0, z}, term{1 - t, velocity});
      auto const sight = linearize(seen.op, ahead);
      auto innovation = clone(sight.value());
      lincomb(innovation, term{1.0, seen.y}, term{-1.0, sight.value()});
      lincomb(z, term{1.0, z}, term{dt, velocity}, term{dt * guidance, sight.vjp(seen.error.solve(innovation))});
    }
    if (rows(e) > 1) {
      X const mean = ensemble_mean(z), prior = anomalies(e, ensemble_mean(e));
      X analysed = anomalies(z, mean);
      inflate(analysed, prior);
      lincomb(z, term{1.0, mean}, term{1.0, analysed});
    }
    e = std::move(z);
  }
  /// From noise, as an EnsembleFilter.
  template <State X, class O> void analyse(X& e, O const& seen, key k) const {
    require(along == path::noise_to_forecast, "enff: the path from the previous analysis needs it");
    X const unused = zeros(e, 1, columns(e));
    analyse(e, unused, seen, k);
  }

  /// (ṡ/s) (z - t x̂) + x̂, x̂ the ensemble's denoiser at α = t, σ = s.
  template <State X> X velocity_from_noise(X const& members, X const& z, double t) const {
    double const s = 1 - (1 - sigma_min) * t, rate = -(1 - sigma_min) / s;
    X out = ensemble_denoiser<X>(members)(z, {t, s});
    lincomb(out, term{rate, z}, term{1 - rate * t, out});
    return out;
  }
  /// Σ_j w_j (x_j - x⁻_j)
  template <State X> X velocity_from_previous(X const& members, X const& previous, X const& z, double t) const {
    X centres = zeros_like(members), moves = zeros_like(members);
    lincomb(centres, term{t, members}, term{1 - t, previous});
    lincomb(moves, term{1.0, members}, term{-1.0, previous});
    ensemble_denoiser<X> const between(centres);
    return product(linearize(between, z, level{1, sigma_min}).weights(), moves);
  }
};

}  // namespace sda
