// SPDX-License-Identifier: Apache-2.0
#include "data/sea.hpp"

#include <cmath>

namespace appa {

std::vector<char> sea_of(archive const& data) {
  index_t const c = data.channels().index_of({"sea_surface_temperature", 0}), points = data.where().points();
  std::vector<char> sea;
  if (c < 0 || data.times().empty()) return sea;
  std::vector<float> state(std::size_t(data.channels().size() * points));
  data.read(data.times().front(), 1, 1, state.data());
  for (index_t p = 0; p < points; ++p) sea.push_back(!std::isnan(state[std::size_t(c * points + p)]));
  return sea;
}

}  // namespace appa
