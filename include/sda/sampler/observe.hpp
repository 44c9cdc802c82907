// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/level.hpp>
#include <sda/state/state.hpp>

#include <chrono>
#include <iomanip>
#include <ostream>
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

/// An observer that rewrites one line: step, noise level, seconds so far and to go.
struct progress {
  std::ostream& out;
  index_t steps;
  std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();

  void operator()(index_t step, auto const&, level l) const {
    double const spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    auto const old = out.flags();
    out << "\rstep " << step << '/' << steps << "  sigma/alpha " << std::scientific << std::setprecision(2) << l.sigma / l.alpha << std::fixed
        << std::setprecision(1) << "  " << spent << " s";
    if (step > 0) out << ", " << spent / double(step) * double(steps - step) << " s to go  ";
    if (step == steps) out << '\n';
    out.flags(old);
    out.flush();
  }
};

/// Several observers as one, called in order; those given as variables are referred to, not copied.
template <class... O> auto together(O&&... observers) {
  return [held = std::tuple<O...>(std::forward<O>(observers)...)](index_t step, auto const& x, level l) mutable {
    std::apply([&](auto&... each_one) { (each_one(step, x, l), ...); }, held);
  };
}

}  // namespace sda
