// SPDX-License-Identifier: Apache-2.0
// What passes between nvcc, which may not see LibTorch, and the host's compiler, which compiles it: states, functions of states, and how
// these are recorded.
#pragma once
#include <sda/calculus/level.hpp>
#include <sda/cuda/graph.hpp>

#include <functional>
#include <vector>

namespace sda_test {

/// A denoiser of device states that another compiler has compiled.
struct foreign_denoiser {
  using state = sda::device_array<float>;
  struct tangent {
    state at;
    std::function<state(state const&)> pull;
    state const& value() const { return at; }
    state vjp(state const& u) const { return pull(u); }
  };
  std::function<state(state const&, sda::level)> denoise;
  std::function<tangent(state const&, sda::level)> tangent_at;

  state operator()(state const& x, sda::level l) const { return denoise(x, l); }
  tangent linearize(state const& x, sda::level l) const { return tangent_at(x, l); }
};

/// Draws from the denoiser guided by every second column, with noise in every step: step by step and, recorded from another start, as a graph
/// that is replayed twice, `between` being called before the last replay. Three runs that must agree.
std::vector<std::vector<float>> sampled(foreign_denoiser const& d, std::function<sda::graph_recorder()> const& recorder,
                                        std::function<void()> const& between);

}  // namespace sda_test
