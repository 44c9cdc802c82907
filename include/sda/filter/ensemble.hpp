// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/small_matrix.hpp>
#include <sda/observation/operator.hpp>

namespace sda {

/// Σ_c x(r, c) y(s, c) for every pair of rows, on the host: a small matrix however long the rows are.
template <State S> small_matrix gram(S const& x, S const& y) {
  if constexpr (requires { algebra<S>::gram(x, y); }) {  // fused where the state offers it: row-major numbers
    small_matrix out(rows(x), rows(y));
    out.elements = algebra<S>::gram(x, y);
    return out;
  } else {
    small_matrix out(rows(y), rows(x));
    for (index_t s = 0; s < rows(y); ++s) algebra<S>::store(dot(x, take_rows(y, s, s + 1)), std::span<double>(out[s], std::size_t(rows(x))));
    return transposed(out);
  }
}

/// w e: every row of the result mixes the rows of e with the weights of one row of w.
template <State S> S mix(small_matrix const& w, S const& e) {
  require(w.width == rows(e), "mix: weights for ", w.width, " rows, not ", rows(e));
  S const weights = to_state(e, w);
  S out = zeros(e, w.height, columns(e));
  multiply(out, weights, e);
  return out;
}

/// The mean of the rows, one row.
template <State S> S ensemble_mean(S const& e) {
  small_matrix w(1, rows(e));
  std::fill(w.elements.begin(), w.elements.end(), 1.0 / double(rows(e)));
  return mix(w, e);
}

/// e - mean
template <State S> S anomalies(S const& e, S const& mean) {
  S out = zeros_like(e);
  lincomb(out, term{1.0, e}, term{-1.0, mean});
  return out;
}

/// What an ensemble-space filter needs of a forecast ensemble (N rows) and of what was seen: mean and anomalies X of the
/// states, anomalies Y of their observations, S = Y R⁻¹ Yᵀ (N x N) and g = Y R⁻¹ (y - ȳ) (N numbers).
template <State X, State Y> struct ensemble_view {
  X mean, anomalies;
  Y seen, weighted_seen;  // Y and Y R⁻¹
  small_matrix information;
  std::vector<double> pull;
  index_t members() const { return information.height; }
};

template <State X, class A, State Y, class R>
  requires ObservationOperator<A, X, Y>
ensemble_view<X, Y> view_ensemble(X const& e, observation<A, Y, R> const& o) {
  require(rows(e) >= 2, "an ensemble filter needs 2 members at least, not ", rows(e));
  X mean = ensemble_mean(e);
  X spread = anomalies(e, mean);
  Y const all = o.op(e), centre = ensemble_mean(all), innovation = anomalies(o.y, centre);
  Y seen = anomalies(all, centre), weighted_seen = o.error.solve(seen);
  small_matrix information = gram(weighted_seen, seen), pull = gram(weighted_seen, innovation);
  return {std::move(mean), std::move(spread), std::move(seen), std::move(weighted_seen), std::move(information), std::move(pull.elements)};
}

namespace detail {
struct unity {
  template <class T> SDA_HD T operator()(T const& x) const { return x * 0 + 1; }
};
}  // namespace detail

/// 1 / r for every observation of a diagonal R, one row: R⁻¹ of ones.
template <State Y, ErrorCovariance<Y> R> Y precisions(R const& error, Y const& like) {
  Y ones = zeros(like, 1, columns(like));
  transform(ones, detail::unity{}, ones);
  return error.solve(ones);
}

/// A filter turns a forecast ensemble into an analysis ensemble, in place.
template <class F, class S, class O> concept EnsembleFilter = State<S> && requires(F const& f, S& e, O const& seen, key k) { f.analyse(e, seen, k); };

}  // namespace sda
