// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/level.hpp>
#include <sda/state/state.hpp>

#include <tuple>
#include <utility>
#include <vector>

namespace sda {

/// An observer that keeps a run: the start and every `every`-th state with its level.
template <State S> struct recorder {
  index_t every = 1;
  std::vector<S> states{};
  std::vector<level> levels{};

  void operator()(index_t step, S const& x, level l) {
    if (step % every != 0) return;
    states.push_back(clone(x));
    levels.push_back(l);
  }
};

/// Several observers as one, called in order; those given as variables are referred to, not copied.
template <class... O> auto together(O&&... observers) {
  return [held = std::tuple<O...>(std::forward<O>(observers)...)](index_t step, auto const& x, level l) mutable {
    std::apply([&](auto&... each_one) { (each_one(step, x, l), ...); }, held);
  };
}

}  // namespace sda
