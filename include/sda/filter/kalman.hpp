// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>
#include <sda/calculus/small_matrix.hpp>

// The Kalman filter (1960) and the smoother of Rauch, Tung & Striebel (1965) on small dense matrices: what everything else
// is held against where the world is linear and Gaussian, and the extended Kalman filter where it is nearly so.

namespace sda {

/// N(mean, covariance).
struct normal_law {
  std::vector<double> mean;
  small_matrix covariance;
};
/// x' = transition x + offset + N(0, noise); an empty offset is 0.
struct linear_transition {
  small_matrix transition, noise;
  std::vector<double> offset{};
};
/// y = op x + N(0, error); no rows where nothing was seen.
struct linear_sight {
  small_matrix op;
  std::vector<double> y;
  small_matrix error;
};

namespace detail {

inline std::vector<double> times(small_matrix const& a, std::vector<double> const& x) {
  require(a.width == index_t(x.size()), "kalman: a matrix of ", a.width, " columns for ", x.size(), " numbers");
  std::vector<double> y(static_cast<std::size_t>(a.height));
  for (index_t i = 0; i < a.height; ++i) y[std::size_t(i)] = std::inner_product(x.begin(), x.end(), a[i], 0.0);
  return y;
}
inline std::vector<double> along(std::vector<double> x, std::vector<double> const& y, double sign) {  // x + sign y
  require(x.size() == y.size(), "kalman: ", x.size(), " numbers and ", y.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += sign * y[i];
  return x;
}
inline small_matrix along(small_matrix a, small_matrix const& b, double sign) {
  require(a.height == b.height && a.width == b.width, "kalman: ", a.height, " x ", a.width, " and ", b.height, " x ", b.width);
  a.elements = along(std::move(a.elements), b.elements, sign);
  return a;
}
/// a c aᵀ, symmetric to the last bit
inline small_matrix congruent(small_matrix const& a, small_matrix const& c) {
  small_matrix out = product(product(a, c), transposed(a));
  for (index_t i = 0; i < out.height; ++i)
    for (index_t j = 0; j < i; ++j) out[i][j] = out[j][i] = (out[i][j] + out[j][i]) / 2;
  return out;
}

}  // namespace detail

/// The law one step on.
inline normal_law kalman_forecast(normal_law const& law, linear_transition const& m) {
  auto mean = detail::times(m.transition, law.mean);
  if (!m.offset.empty()) mean = detail::along(std::move(mean), m.offset, 1);
  return {std::move(mean), detail::along(detail::congruent(m.transition, law.covariance), m.noise, 1)};
}

/// The law given what was seen, in Joseph's form: the covariance stays positive whatever the rounding.
inline normal_law kalman_analysis(normal_law const& law, linear_sight const& seen) {
  if (seen.op.height == 0) return law;
  small_matrix const ph = product(law.covariance, transposed(seen.op));
  small_matrix gain = ph;  // K = P Hᵀ (H P Hᵀ + R)⁻¹
  cholesky_solve(cholesky(detail::along(product(seen.op, ph), seen.error, 1)), gain);
  auto const innovation = detail::along(seen.y, detail::times(seen.op, law.mean), -1);
  small_matrix const kept = detail::along(identity_matrix(ph.height), product(gain, seen.op), -1);
  return {detail::along(law.mean, detail::times(gain, innovation), 1),
          detail::along(detail::congruent(kept, law.covariance), detail::congruent(gain, seen.error), 1)};
}

/// The law of the state at every time given what was seen up to it; `start` is the law at the first before anything was
/// seen, transitions[i] leads from time i to time i + 1.
inline std::vector<normal_law> kalman_filter(normal_law const& start, std::span<linear_transition const> transitions,
                                             std::span<linear_sight const> seen) {
  require(transitions.size() + 1 == seen.size(), "kalman_filter: ", transitions.size(), " transitions between ", seen.size(), " times");
  std::vector<normal_law> laws{kalman_analysis(start, seen[0])};
  for (std::size_t i = 1; i < seen.size(); ++i) laws.push_back(kalman_analysis(kalman_forecast(laws.back(), transitions[i - 1]), seen[i]));
  return laws;
}

/// ... given all that was seen, and with it Cov(x_i, x_(i+1)).
struct smoothed_chain {
  std::vector<normal_law> laws;
  std::vector<small_matrix> covariance_with_next;
};
inline smoothed_chain rts_smoother(normal_law const& start, std::span<linear_transition const> transitions, std::span<linear_sight const> seen) {
  smoothed_chain out{kalman_filter(start, transitions, seen), std::vector<small_matrix>(transitions.size())};
  for (std::size_t i = transitions.size(); i-- > 0;) {
    normal_law& law = out.laws[i];
    normal_law const &after = out.laws[i + 1], ahead = kalman_forecast(law, transitions[i]);
    small_matrix gain = product(law.covariance, transposed(transitions[i].transition));  // G = P Mᵀ (M P Mᵀ + Q)⁻¹
    cholesky_solve(cholesky(ahead.covariance), gain);
    law.mean = detail::along(std::move(law.mean), detail::times(gain, detail::along(after.mean, ahead.mean, -1)), 1);
    small_matrix const less = detail::along(after.covariance, ahead.covariance, -1);
    law.covariance = detail::along(std::move(law.covariance), detail::congruent(gain, less), 1);
    out.covariance_with_next[i] = product(gain, after.covariance);
  }
  return out;
}

/// f at a state of one row, and its Jacobian there (outputs x inputs), by one vjp of as many rows as f has outputs.
struct dense_linearization {
  std::vector<double> value;
  small_matrix jacobian;
};
template <class F, State S> dense_linearization linearize_densely(F const& f, S const& x) {
  index_t const p = columns(f(x));
  S many = zeros(x, p, columns(x));
  lincomb(many, term{1.0, x});
  auto const at = linearize(f, many);
  auto unit = zeros(at.value(), p, p);
  using number = value_t<std::remove_cvref_t<decltype(at.value())>>;
  auto const ones = identity_matrix(p);
  std::vector<number> const numbers(ones.elements.begin(), ones.elements.end());
  load(unit, std::span<number const>(numbers));
  auto const read = [](auto const& state) {
    std::vector<value_t<std::remove_cvref_t<decltype(state)>>> raw(std::size_t(rows(state) * columns(state)));
    store(state, std::span(raw));
    return std::vector<double>(raw.begin(), raw.end());
  };
  dense_linearization out{read(take_rows(at.value(), 0, 1)), small_matrix(p, columns(x))};
  out.jacobian.elements = read(at.vjp(unit));
  return out;
}

/// The extended Kalman filter's forecast: the law of f(x) + N(0, noise), f taken as linear about the mean.
template <State S, class F> normal_law extended_forecast(F const& f, S const& like, normal_law const& law, small_matrix const& noise) {
  S x = zeros(like, 1, index_t(law.mean.size()));
  std::vector<value_t<S>> const numbers(law.mean.begin(), law.mean.end());
  load(x, std::span<value_t<S> const>(numbers));
  auto at = linearize_densely(f, x);
  return {std::move(at.value), detail::along(detail::congruent(at.jacobian, law.covariance), noise, 1)};
}

}  // namespace sda
