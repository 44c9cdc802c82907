// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/state/state.hpp>

#include <vector>

// States taken as matrices.

namespace sda {

/// x m as a new state.
template <State S> S product(S const& x, S const& m) {
  S y = zeros(x, rows(x), columns(m));
  multiply(y, x, m);
  return y;
}

/// The transpose; made once, where an operator is built.
template <State S> S transpose(S const& m) {
  index_t const height = rows(m), width = columns(m);
  std::vector<std::int64_t> order;
  order.reserve(std::size_t(height * width));
  for (index_t j = 0; j < width; ++j)
    for (index_t i = 0; i < height; ++i) order.push_back(i * width + j);
  indices_t<S> const at = indices_like(m, std::span<std::int64_t const>(order));
  S const flat = reshape(clone(m), 1, height * width);
  S turned = zeros_like(flat);
  lincomb(turned, gathered{1.0, flat, at});
  return reshape(std::move(turned), width, height);
}

}  // namespace sda
