// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/observation/operator.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace sda {

/// Weights from their logarithms, summing to 1; log Σ exp is added to `log_sum`, if given. All -∞ is an error.
inline std::vector<double> normalised_weights(std::vector<double> logs, double* log_sum = nullptr) {
  double const top = logs.empty() ? 0 : *std::max_element(logs.begin(), logs.end());
  require(std::isfinite(top), "normalised_weights: the largest of ", logs.size(), " logarithms is ", top);
  double total = 0;
  for (double& l : logs) total += l = std::exp(l - top);
  for (double& l : logs) l /= total;
  if (log_sum) *log_sum += top + std::log(total);
  return logs;
}

/// 1 / Σ w²: how many equally weighted particles are worth as much.
inline double effective_size(std::vector<double> const& weights) {
  double squares = 0;
  for (double const w : weights) squares += w * w;
  return 1 / squares;
}

/// Systematic resampling (Kitagawa, 1996): `count` indices, ascending, particle i about count w_i times, by one uniform number.
inline std::vector<index_t> systematic_resampling(std::vector<double> const& weights, index_t count, double u) {
  std::vector<index_t> out(static_cast<std::size_t>(count));
  double reached = weights.empty() ? 0 : weights[0];
  std::size_t i = 0;
  for (index_t k = 0; k < count; ++k) {
    double const at = (double(k) + u) / double(count);
    while (at >= reached && i + 1 < weights.size()) reached += weights[++i];
    out[std::size_t(k)] = index_t(i);
  }
  return out;
}

/// The rows of x named by `from`, in that order.
template <State S> S pick_rows(S const& x, std::vector<index_t> const& from) {
  index_t const n = columns(x), height = rows(x);
  std::vector<std::int64_t> const at(from.begin(), from.end());
  S const flat = reshape(clone(x), 1, height * n);
  S out = zeros(x, 1, index_t(from.size()) * n);
  lincomb(out, gathered{1.0, flat, indices_like(x, std::span<std::int64_t const>(at)), n});
  return reshape(std::move(out), index_t(from.size()), n);
}

/// -½ |y - A(x)|²_R, row by row, on the host.
template <State X, class A, State Y, class R>
  requires ObservationOperator<A, X, Y>
std::vector<double> log_likelihoods(X const& x, observation<A, Y, R> const& o) {
  Y misfit = o.op(x);
  lincomb(misfit, term{1.0, o.y}, term{-1.0, misfit});
  std::vector<double> logs(static_cast<std::size_t>(rows(x)));
  algebra<Y>::store(dot(misfit, o.error.solve(misfit)), std::span<double>(logs));
  for (double& l : logs) l *= -0.5;
  return logs;
}

/// Particles with weights.
template <class X> struct particles {
  X x;
  std::vector<double> weights;
};

/// Bootstrap particle filter (Gordon et al., 1993): particles are carried by the model, weighed by the likelihood, and
/// resampled once their effective number falls below a share of them. `log_evidence`, if given, gains log p(y | before) but
/// for the constant of the likelihood.
struct particle_filter {
  double threshold = 0.5;  // of the number of particles; 1 resamples always

  /// Equal weights.
  template <State X> static particles<X> start(X x) {
    std::vector<double> weights(std::size_t(rows(x)), 1.0 / double(rows(x)));
    return {std::move(x), std::move(weights)};
  }
  template <State X, class O> void analyse(particles<X>& p, O const& seen, key k, double* log_evidence = nullptr) const {
    auto logs = log_likelihoods(p.x, seen);
    for (std::size_t i = 0; i < logs.size(); ++i) logs[i] += std::log(p.weights[i]);
    p.weights = normalised_weights(std::move(logs), log_evidence);
    if (effective_size(p.weights) < threshold * double(p.weights.size())) resample(p, k);
  }
  /// As an EnsembleFilter: always resampled, for rows carry no weights.
  template <State X, class O> void analyse(X& e, O const& seen, key k) const {
    auto p = start(std::move(e));
    p.weights = normalised_weights(log_likelihoods(p.x, seen));
    resample(p, k);
    e = std::move(p.x);
  }
  template <State X> static void resample(particles<X>& p, key k) {
    p.x = pick_rows(p.x, systematic_resampling(p.weights, index_t(p.weights.size()), uniform(k, 0, 0)));
    std::fill(p.weights.begin(), p.weights.end(), 1.0 / double(p.weights.size()));
  }
};

/// Trajectories of the smoothing distribution by backward simulation (Godsill et al., 2004), for transitions
/// x' = M(x) + N(0, Q): filtered[t] holds the particles at time t (as they were forecast from), Q is an ErrorCovariance.
/// Returns `count` rows of T n numbers, exact as the number N of particles grows; costs count N T products of length n.
template <State X, class M, ErrorCovariance<X> Q>
X backward_simulation(std::vector<particles<X>> const& filtered, M const& model, Q const& error, index_t count, key k) {
  require(!filtered.empty(), "backward_simulation: no times");
  index_t const t = index_t(filtered.size()), n = columns(filtered[0].x);
  X out = zeros(filtered[0].x, count, t * n);
  auto const last = systematic_resampling(filtered.back().weights, count, uniform(k.fold(0), 0, 0));
  X next = pick_rows(filtered.back().x, last);
  copy_block(out, 0, (t - 1) * n, next, 0, 0, count, n);
  for (index_t i = t - 1; i-- > 0;) {
    auto const& p = filtered[std::size_t(i)];
    X const ahead = model(p.x);
    std::vector<index_t> chosen(static_cast<std::size_t>(count));
    X away = zeros_like(ahead);
    std::vector<double> logs(p.weights.size());
    for (index_t r = 0; r < count; ++r) {
      lincomb(away, term{1.0, take_rows(next, r, r + 1)}, term{-1.0, ahead});
      algebra<X>::store(dot(away, error.solve(away)), std::span<double>(logs));
      for (std::size_t j = 0; j < logs.size(); ++j) logs[j] = std::log(p.weights[j]) - 0.5 * logs[j];
      chosen[std::size_t(r)] = systematic_resampling(normalised_weights(logs), 1, uniform(k.fold(std::uint64_t(i) + 1), r, 0))[0];
    }
    next = pick_rows(p.x, chosen);
    copy_block(out, 0, i * n, next, 0, 0, count, n);
  }
  return out;
}

}  // namespace sda
