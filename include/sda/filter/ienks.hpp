// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/filter/ensemble_kalman.hpp>

namespace sda {

/// Iterative ensemble Kalman smoother, transform variant (Bocquet & Sakov, 2014): Gauss-Newton in ensemble space on
/// J(w) = ½ |y - H(M(x̄ + w X))|²_R + ½ (N-1) |w|², the ensemble run through the window at every iteration with its current
/// transform. It moves the ensemble at the start of the window; nonlinear models and operators are taken at the solution.
/// With a `certainty` the prior is the finite-size filter's (Bocquet & Sakov, 2012): N-1 becomes (N-1)/l², l from the data, anew
/// in every iteration. An ensemble that is surer than its innovations allow then widens before it loses the truth. A step to where
/// the model overflows is taken back by halves.
struct ienks {
  int iterations = 10;      // at most
  double tolerance = 1e-3;  // on |Δw| √(N-1): how far a mean still moves, in spreads
  inflation inflate{};
  bool rotate = false;
  double certainty = 0;  // as enkf_n's; 0: l = 1
  double most = 1.2;     // l is at most this: a model may not bear members of any width

  /// `forecast(e)` gives the ensemble at the time of the observation for an ensemble e at the start of the window, which is
  /// replaced by its analysis. Returns the number of ensemble forecasts made.
  template <State X, class Forecast, class A, State Y, class R>
    requires ObservationOperator<A, X, Y>
  int analyse(X& e, Forecast const& forecast, observation<A, Y, R> const& o, key k) const {
    index_t const n = rows(e);
    require(n >= 2, "ienks: needs 2 members at least, not ", n);
    double const dof = double(n - 1);
    X const mean = ensemble_mean(e), prior = anomalies(e, mean);
    small_matrix w(1, n), turn = identity_matrix(n), inverse = identity_matrix(n), borne = w, borne_turn = turn, borne_inverse = inverse;
    require(certainty >= 0 && most >= 1, "ienks: certainty ", certainty, ", scale of at most ", most);
    int runs = 0;
    for (; runs < iterations; ++runs) {
      X trial = place(mean, prior, w, turn);
      Y const all = o.op(forecast(trial)), centre = ensemble_mean(all), seen = mix(inverse, anomalies(all, centre)),
              weighted_seen = o.error.solve(seen);
      // gradient g - ζ w, Hessian S + ζ 1
      small_matrix const information = gram(weighted_seen, seen);
      if (!is_finite(information)) {
        require(runs > 0, "ienks: the forecast of the prior is not finite");
        for (index_t i = 0; i < n; ++i) w[0][i] = (w[0][i] + borne[0][i]) / 2;
        turn = borne_turn, inverse = borne_inverse;
        continue;
      }
      borne = w, borne_turn = turn, borne_inverse = inverse;
      auto const s = detail::information_spectrum(information);
      std::vector<double> gradient = gram(weighted_seen, anomalies(o.y, centre)).elements;
      double const stiff = certainty > 0 ? stiffness(s, gradient, w) : dof;
      for (index_t i = 0; i < n; ++i) gradient[std::size_t(i)] -= stiff * w[0][i];
      auto const step = detail::spectral_step(s, gradient, [&](double value) { return 1 / (stiff + value); });
      turn = s.apply([&](double value) { return std::sqrt(dof / (stiff + value)); });
      inverse = s.apply([&](double value) { return std::sqrt((stiff + value) / dof); });
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
  /// ζ = (N-1)/l². The finite-size cost wants innovations as the prior's mean, w = 0, would have them: u·(g + S w) = u·g + λ u·w.
  double stiffness(symmetric_eigen const& s, std::vector<double> const& g, small_matrix const& w) const {
    std::vector<double> along(s.values.size());
    for (std::size_t k = 0; k < along.size(); ++k) {
      double const* const u = s.vectors[index_t(k)];
      along[k] = std::inner_product(g.begin(), g.end(), u, 0.0) + s.values[k] * std::inner_product(w.elements.begin(), w.elements.end(), u, 0.0);
    }
    double const l = std::min(finite_size_scale(s.values, along, certainty, 0), most);
    return double(along.size() - 1) / (l * l);
  }

  static bool is_finite(small_matrix const& m) {
    return std::all_of(m.elements.begin(), m.elements.end(), [](double x) { return std::isfinite(x); });
  }
  template <State X> static X place(X const& mean, X const& prior, small_matrix const& w, small_matrix const& turn) {
    X e = mix(turn, prior);
    X const shift = mix(w, prior);
    lincomb(e, term{1.0, e}, term{1.0, mean}, term{1.0, shift});
    return e;
  }
};

}  // namespace sda
