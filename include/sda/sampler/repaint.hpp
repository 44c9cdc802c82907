// SPDX-License-Identifier: Apache-2.0
// After every reverse step the known part of the state is replaced by the truth at that noise level,
//   x_s ← m ⊙ (α_s known + σ_s ξ) + (1 - m) ⊙ x_s,
// and the two parts are brought into harmony by going back up and down again, several times.
// Lugmayr et al. (2022), RePaint, arXiv:2201.09865; with soft masks: Huang et al. (2024), DiffDA.
#pragma once
#include <sda/sampler/sample.hpp>

namespace sda {

/// Levels that go down `jump` steps at a time and pass every such stretch `passes` times, diffusing back up in between:
/// give them to sample_from.
inline std::vector<level> repaint_levels(std::span<level const> levels, index_t jump = 10, index_t passes = 10) {
  require(levels.size() > 1 && jump > 0 && passes > 0, "repaint_levels: ", levels.size(), " levels, jumps of ", jump, ", ", passes, " passes");
  std::vector<level> path{levels[0]};
  for (std::size_t i = 0; i + 1 < levels.size(); i += std::size_t(jump)) {
    auto const stretch = levels.subspan(i, std::min(std::size_t(jump) + 1, levels.size() - i));
    for (index_t pass = 0; pass < passes; ++pass) {
      if (pass > 0) path.push_back(stretch.front());
      path.insert(path.end(), stretch.begin() + 1, stretch.end());
    }
  }
  return path;
}

/// A sampler that replaces what is known after every step. mask (in [0, 1]; 1: known) and known have one row for all
/// samples or one a sample. Exact only as passes grow; a few leave the free part too wide (docs/guidance.md).
template <class Inner, State S> struct repaint {
  Inner inner;
  S mask, known;

  auto memory(S const& x) const { return inner.memory(x); }

  template <Denoiser<S> D> void step(D const& d, S& x, memory_t<Inner, S>& m, transition t, key k) const {
    require(columns(mask) == columns(x) && columns(known) == columns(x), "repaint: a mask of ", columns(mask), " and known values of ",
            columns(known), " columns for a state of ", columns(x));
    inner.step(d, x, m, t, k.fold(0));
    S truth = zeros_like(x);
    lincomb(truth, term{t.to.alpha, known}, noise{t.to.sigma, k.fold(1)});
    lincomb(x, term{1.0, x}, weighted{-1.0, mask, x}, weighted{1.0, mask, truth});
  }
};
template <class Inner, class S> repaint(Inner, S, S) -> repaint<Inner, S>;

}  // namespace sda
