// SPDX-License-Identifier: Apache-2.0
#include "observe/observations.hpp"

#include <cmath>

namespace appa {

observations observations::of(fate f) const {
  std::vector<index_t> kept;
  observations out;
  float passed = 1;   // the product of correlations since the last that was kept
  for (std::size_t i = 0; i < fates.size(); ++i) {
    if (!correlations.empty()) passed *= correlations[i];
    if (fates[i] != f) continue;
    kept.push_back(index_t(i)), out.fates.push_back(f);
    if (!correlations.empty()) out.correlations.push_back(kept.size() > 1 ? passed : 0), passed = 1;
    if (!reports.empty()) out.reports.push_back(reports[i]);
  }
  out.seen = select(seen, kept);
  return out;
}

bool is_left_out(sda::key k, place const& p, double share) {
  if (share <= 0) return false;
  auto const north = std::uint64_t(std::llround((p.latitude + 90) * 1e4));
  double const east = p.longitude - 360 * std::floor(p.longitude / 360);
  auto const along = std::uint64_t(std::llround(east * 1e4)) % 3'600'000;
  return sda::uniform(k.fold(north * 3'600'000 + along), 0, 0) < share;
}

}  // namespace appa
