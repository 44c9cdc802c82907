// SPDX-License-Identifier: Apache-2.0
// A sample x of the posterior is to the observations what the truth is: over all y, y - A(x) is distributed as their errors are, so
//
//   χ²(x) = (y - A x)ᵀ R⁻¹ (y - A x)   has mean m and variance 2 m for m observations.
//
// Guidance that chose a wrong mode while there was much noise ends far above that. Such samples are drawn anew from those that the
// observations bear out, taken back to a level of noise: a move that leaves the posterior as it is, as far as guidance is exact.
#pragma once
#include <sda/guidance/gain.hpp>
#include <sda/sampler/sampler.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace sda {

/// (y - A x)ᵀ R⁻¹ (y - A x) of every row, on the host.
template <class O, State S> std::vector<double> chi_squared(O const& seen, S const& x) {
  auto const d = detail::innovation(seen.y, seen.op(x));
  std::vector<double> out(std::size_t(rows(x)));
  using Y = std::remove_cvref_t<decltype(d)>;
  algebra<Y>::store(dot(d, seen.error.solve(d)), std::span<double>(out));
  return out;
}

/// Rounds in which the samples that the observations contradict are replaced. redraw(from, key) draws one from each row of `from`:
/// these noised, then sampled by the guided denoiser from there. What is drawn is kept if it fits better. Where no sample is borne out
/// yet the best `kept` are begun with: a search, not a move that leaves the posterior as it is. Rows that are borne out stay bit for bit; rows
/// that are not finite are contradicted, and stay where no row is finite.
struct redrawing {
  index_t rounds = 8;    // at most
  double tolerance = 3;  // a sample is contradicted where χ² > m + tolerance √(2 m)
  index_t kept = 4;

  double most(index_t observations) const { return double(observations) + tolerance * std::sqrt(2.0 * double(observations)); }

  template <class O, State S, class Redraw> S operator()(O const& seen, S x, Redraw const& redraw, key k) const {
    require(rounds >= 0 && kept > 0, "redrawing: ", rounds, " rounds from ", kept, " samples");
    auto const misfit = [&](S const& of) {
      std::vector<double> chi = chi_squared(seen, of);
      for (double& c : chi)
        if (!std::isfinite(c)) c = std::numeric_limits<double>::infinity();
      return chi;
    };
    std::vector<double> chi = misfit(x);
    for (index_t round = 0; round < rounds; ++round) {
      auto const [from, wrong] = divided(chi, most(columns(seen.y)));
      if (wrong.empty() || from.empty()) break;
      key const here = k.fold(std::uint64_t(round));
      S start = zeros(x, std::ssize(wrong), columns(x));
      index_t const n = std::ssize(from), first = std::min(n - 1, index_t(uniform(here, 0, 0) * double(n)));
      for (index_t i = 0; i < std::ssize(wrong); ++i) copy_block(start, i, 0, x, from[std::size_t((first + i) % n)], 0, 1, columns(x));
      S const drawn = redraw(std::as_const(start), here.fold(0));
      require(rows(drawn) == rows(start) && columns(drawn) == columns(x), "redrawing: drew ", rows(drawn), " x ", columns(drawn), " from ",
              rows(start), " x ", columns(x));
      std::vector<double> const fits = misfit(drawn);
      for (index_t i = 0; i < std::ssize(wrong); ++i) {
        auto const r = std::size_t(wrong[std::size_t(i)]);
        if (fits[std::size_t(i)] >= chi[r]) continue;
        chi[r] = fits[std::size_t(i)];
        copy_block(x, index_t(r), 0, drawn, i, 0, 1, columns(x));
      }
    }
    return x;
  }

 private:
  struct division {
    std::vector<index_t> from, wrong;
  };
  division divided(std::vector<double> const& chi, double limit) const {
    std::vector<index_t> right(chi.size());
    std::iota(right.begin(), right.end(), index_t{0});
    auto const middle = std::stable_partition(right.begin(), right.end(), [&](index_t r) { return chi[std::size_t(r)] <= limit; });
    std::vector<index_t> wrong(middle, right.end());
    if (middle != right.begin()) {
      right.erase(middle, right.end());
    } else {
      std::stable_sort(right.begin(), right.end(), [&](index_t a, index_t b) { return chi[std::size_t(a)] < chi[std::size_t(b)]; });
      auto const finite = std::find_if(right.begin(), right.end(), [&](index_t r) { return !std::isfinite(chi[std::size_t(r)]); }) - right.begin();
      right.resize(std::min(std::size_t(finite), std::size_t(kept)));
    }
    return {std::move(right), std::move(wrong)};
  }
};

}  // namespace sda
