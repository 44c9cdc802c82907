// SPDX-License-Identifier: Apache-2.0
#include "observe/sight.hpp"

#include <sda/core/error.hpp>

#include <algorithm>
#include <cmath>

namespace appa {

namespace {

// Rows of more corners: the first column again, with weight 0.
void widen(sight& s, int corners) {
  if (s.weights.empty() && (corners > 1 || s.corners > 1)) s.weights.assign(s.columns.size(), 1);
  if (s.corners == corners) return;
  std::size_t const n = std::size_t(s.count()), before = std::size_t(s.corners), after = std::size_t(corners);
  std::vector<index_t> columns(n * after);
  std::vector<float> weights(n * after);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < after; ++k) {
      columns[i * after + k] = s.columns[i * before + (k < before ? k : 0)];
      weights[i * after + k] = k < before ? s.weights[i * before + k] : 0;
    }
  s.columns = std::move(columns), s.weights = std::move(weights), s.corners = corners;
}

}  // namespace

void append(sight& to, sight const& more) {
  if (more.count() == 0) return;
  if (to.count() == 0) {
    to = more;
    return;
  }
  auto const put = [](auto& at_end_of, auto const& these) { at_end_of.insert(at_end_of.end(), these.begin(), these.end()); };
  sight const* behind = &more;
  sight wide;
  if (more.corners != to.corners || more.weights.empty() != to.weights.empty()) {
    int const corners = std::max(more.corners, to.corners);
    wide = more;
    widen(wide, corners), widen(to, corners);
    for (sight* const s : {&wide, &to})
      if (s->weights.empty()) s->weights.assign(s->columns.size(), 1);
    behind = &wide;
  }
  put(to.columns, behind->columns), put(to.weights, behind->weights), put(to.values, behind->values), put(to.variances, behind->variances);
}

sight select(sight const& from, std::span<index_t const> kept) {
  sight out;
  out.corners = from.corners;
  std::size_t const corners = std::size_t(from.corners);
  for (index_t const k : kept) {
    auto const i = std::size_t(k);
    sda::require(k >= 0 && k < from.count(), "observation ", k, " of ", from.count());
    out.values.push_back(from.values[i]), out.variances.push_back(from.variances[i]);
    for (std::size_t c = i * corners; c < (i + 1) * corners; ++c) {
      out.columns.push_back(from.columns[c]);
      if (!from.weights.empty()) out.weights.push_back(from.weights[c]);
    }
  }
  return out;
}

sight independent(sight const& chained, std::span<float const> correlations) {
  if (std::all_of(correlations.begin(), correlations.end(), [](float rho) { return rho == 0; })) return chained;
  sda::require(index_t(correlations.size()) == chained.count() && correlations[0] == 0, correlations.size(), " correlations of ", chained.count(),
               " errors, the first ", correlations[0]);
  sight out = chained;
  std::size_t const before = std::size_t(chained.corners);
  widen(out, 2 * chained.corners);
  for (std::size_t i = 1; i < correlations.size(); ++i) {
    double const rho = correlations[i];
    if (rho == 0) continue;
    sda::require(std::abs(rho) < 1, "errors with a correlation of ", rho);
    double const a = rho * std::sqrt(double(chained.variances[i]) / chained.variances[i - 1]);
    for (std::size_t k = 0; k < before; ++k) {
      out.columns[(2 * i + 1) * before + k] = chained.columns[(i - 1) * before + k];
      out.weights[(2 * i + 1) * before + k] = float(-a * (chained.weights.empty() ? 1 : chained.weights[(i - 1) * before + k]));
    }
    out.values[i] = float(chained.values[i] - a * chained.values[i - 1]);
    out.variances[i] = float((1 - rho * rho) * chained.variances[i]);
  }
  return out;
}

void add(fingerprint& all, sight const& s) {
  all.add(std::as_bytes(std::span(s.columns))), all.add(std::as_bytes(std::span(s.values))), all.add(std::as_bytes(std::span(s.variances)));
}

}  // namespace appa
