// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/filter/ensemble_kalman.hpp>

namespace sda {

/// Iterative ensemble Kalman smoother, transform variant (Bocquet & Sakov, 2014): Gauss-Newton in ensemble space on
/// J(w) = ½ |y - H(M(x̄ + w X))|²_R + ½ (N-1) |w|², the ensemble run through the window at every iteration with its current
/// transform. It moves the ensemble at the start of the window; nonlinear models and operators are taken at the solution.
struct ienks {
  int iterations = 10;      // at most
  double tolerance = 1e-3;  // on |Δw| √(N-1): how far a mean still moves, in spreads
  inflation inflate{};
  bool rotate = false;

  /// `forecast(e)` gives the ensemble at the time of the observation for an ensemble e at the start of the window, which is
  /// replaced by its analysis. Returns the number of ensemble forecasts made.
  template <State X, class Forecast, class A, State Y, class R>
    requires ObservationOperator<A, X, Y>
  int analyse(X& e, Forecast const& forecast, observation<A, Y, R> const& o, key k) const {
    index_t const n = rows(e);
    require(n >= 2, "ienks: needs 2 members at least, not ", n);
    double const dof = double(n - 1);
    X const mean = ensemble_mean(e), prior = anomalies(e, mean);
    small_matrix w(1, n), turn = identity_matrix(n), inverse = identity_matrix(n);
    int runs = 0;
    for (; runs < iterations; ++runs) {
      X trial = place(mean, prior, w, turn);
      Y const all = o.op(forecast(trial)), centre = ensemble_mean(all), seen = mix(inverse, anomalies(all, centre)),
              weighted_seen = o.error.solve(seen);
      // gradient g - (N-1) w, Hessian S + (N-1) 1
      auto const s = detail::information_spectrum(gram(weighted_seen, seen));
      std::vector<double> gradient = gram(weighted_seen, anomalies(o.y, centre)).elements;
      for (index_t i = 0; i < n; ++i) gradient[std::size_t(i)] -= dof * w[0][i];
      auto const step = detail::spectral_step(s, gradient, [&](double value) { return 1 / (dof + value); });
      turn = s.apply([&](double value) { return std::sqrt(dof / (dof + value)); });
      inverse = s.apply([&](double value) { return std::sqrt((dof + value) / dof); });
      double moved = 0;
      for (index_t i = 0; i < n; ++i) {
        w[0][i] += step[std::size_t(i)];
        moved += step[std::size_t(i)] * step[std::size_t(i)];
      }
      if (std::sqrt(moved * dof) < tolerance) {
        ++runs;
        break;
      }
    }
    if (rotate) turn = product(random_rotation(n, k), turn);
    X analysed = mix(turn, prior);
    inflate(analysed, prior);
    X const shift = mix(w, prior);
    lincomb(e, term{1.0, mean}, term{1.0, shift}, term{1.0, analysed});
    return runs;
  }

 private:
  template <State X> static X place(X const& mean, X const& prior, small_matrix const& w, small_matrix const& turn) {
    X e = mix(turn, prior);
    X const shift = mix(w, prior);
    lincomb(e, term{1.0, e}, term{1.0, mean}, term{1.0, shift});
    return e;
  }
};

}  // namespace sda
