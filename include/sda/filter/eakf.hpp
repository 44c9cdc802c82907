// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/filter/inflation.hpp>
#include <sda/filter/localisation.hpp>
#include <sda/observation/operator.hpp>

namespace sda {

/// Serial ensemble adjustment Kalman filter (Anderson, 2001, 2003), localised: observations are taken one after the other, each
/// moves the ensemble of its own number to the posterior mean and variance, and every column x, and every observation still to
/// come, follows by regression, tapered: x += τ cov(x, h) / var(h) Δh. R must be diagonal. On the host; one observation costs
/// O(N) per column that it reaches. `near` tells the observations of every column, `between` those of every observation.
/// Tapers make the result depend on the order; `shuffle` draws one for every analysis, so that none is favoured for long.
struct eakf {
  localisation near, between;
  inflation inflate{};
  bool shuffle = false;

  template <State X, class A, State Y, class R>
    requires ObservationOperator<A, X, Y>
  void analyse(X& e, observation<A, Y, R> const& o, key k) const {
    index_t const n = rows(e), m = columns(e);
    require(n >= 2, "eakf: needs 2 members at least, not ", n);
    Y const seen = o.op(e);
    index_t const p = columns(seen);
    require(near.columns_covered() == m && between.columns_covered() == p, "eakf: the localisations cover ", near.columns_covered(), " columns and ",
            between.columns_covered(), " observations, there are ", m, " and ", p);
    Y y = zeros(seen, 1, p);
    lincomb(y, term{1.0, o.y});
    auto const precision = on_host_of(precisions(o.error, seen)), value = on_host_of(y);
    auto const reached = by_observation(near, p), related = by_observation(between, p);
    auto x = by_column(e), h = by_column(seen);
    std::vector<double> move(static_cast<std::size_t>(n)), centred(move);
    std::vector<char> taken(static_cast<std::size_t>(p), 0);
    for (index_t const i : order(p, k)) {
      double const variance = adjustment(h.data() + i * n, n, value[std::size_t(i)], 1 / precision[std::size_t(i)], move, centred);
      if (variance == 0) continue;
      for (auto const& c : reached[std::size_t(i)]) regress(x.data() + c.at * n, n, c.taper / variance, move, centred);
      for (auto const& c : related[std::size_t(i)])
        if (!taken[std::size_t(c.at)]) regress(h.data() + c.at * n, n, c.taper / variance, move, centred);
      taken[std::size_t(i)] = 1;
    }
    finish(e, x);
  }

 private:
  struct reach {
    std::int64_t at;
    double taper;
  };
  std::vector<index_t> order(index_t p, key k) const {
    std::vector<index_t> out(static_cast<std::size_t>(p));
    std::iota(out.begin(), out.end(), index_t{0});
    if (shuffle) std::sort(out.begin(), out.end(), [&](index_t a, index_t b) { return std::pair(uniform(k, 0, a), a) < std::pair(uniform(k, 0, b), b); });
    return out;
  }
  static std::vector<std::vector<reach>> by_observation(localisation const& l, index_t p) {
    std::vector<std::vector<reach>> out(static_cast<std::size_t>(p));
    for (index_t c = 0; c < l.columns_covered(); ++c)
      for (auto k = std::size_t(l.first[std::size_t(c)]); k < std::size_t(l.first[std::size_t(c + 1)]); ++k) {
        require(l.observation[k] >= 0 && l.observation[k] < p, "eakf: the localisation names observation ", l.observation[k], " of ", p);
        out[std::size_t(l.observation[k])].push_back({c, l.taper[k]});
      }
    return out;
  }

  /// Σ (h - mean)²; `centred` and the increments `move` of a number's ensemble: the mean by the Kalman gain, the anomalies
  /// times √(r / (v + r)).
  static double adjustment(double const* h, index_t n, double y, double r, std::vector<double>& move, std::vector<double>& centred) {
    double const mean = std::accumulate(h, h + n, 0.0) / double(n);
    double squares = 0;
    for (index_t i = 0; i < n; ++i) {
      centred[std::size_t(i)] = h[i] - mean;
      squares += centred[std::size_t(i)] * centred[std::size_t(i)];
    }
    double const v = squares / double(n - 1), shift = v / (v + r) * (y - mean), shrink = std::sqrt(r / (v + r)) - 1;
    for (index_t i = 0; i < n; ++i) move[std::size_t(i)] = shift + shrink * centred[std::size_t(i)];
    return squares;
  }
  static void regress(double* x, index_t n, double weight, std::vector<double> const& move, std::vector<double> const& centred) {
    double const slope = weight * inner_product_of(centred.data(), x, n);
    SDA_ELEMENTWISE
    for (index_t i = 0; i < n; ++i) x[i] += slope * move[std::size_t(i)];
  }

  template <State S> static std::vector<double> on_host_of(S const& x) {
    std::vector<value_t<S>> raw(std::size_t(rows(x) * columns(x)));
    store(x, std::span<value_t<S>>(raw));
    return {raw.begin(), raw.end()};
  }
  template <State S> static std::vector<double> by_column(S const& x) {
    auto const raw = on_host_of(x);
    index_t const n = rows(x), m = columns(x);
    std::vector<double> out(raw.size());
    for (index_t i = 0; i < n; ++i)
      for (index_t c = 0; c < m; ++c) out[std::size_t(c * n + i)] = raw[std::size_t(i * m + c)];
    return out;
  }
  template <State X> void finish(X& e, std::vector<double> const& x) const {
    index_t const n = rows(e), m = columns(e);
    std::vector<value_t<X>> raw(x.size());
    for (index_t i = 0; i < n; ++i)
      for (index_t c = 0; c < m; ++c) raw[std::size_t(i * m + c)] = value_t<X>(x[std::size_t(c * n + i)]);
    X const prior = anomalies(e, ensemble_mean(e));
    load(e, std::span<value_t<X> const>(raw));
    X const mean = ensemble_mean(e);
    X analysed = anomalies(e, mean);
    inflate(analysed, prior);
    lincomb(e, term{1.0, mean}, term{1.0, analysed});
  }
};

}  // namespace sda
