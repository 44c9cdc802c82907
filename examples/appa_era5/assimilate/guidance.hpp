// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "assimilate/posterior.hpp"
#include "network/on_gaussian.hpp"

// Denoisers of tensors behind one type each, so that guidances and samplers are compiled once and add up instead of multiplying.

namespace appa {

/// Any denoiser, as samplers see them.
using any_denoiser = std::function<at::Tensor(at::Tensor const&, sda::level)>;

/// Any denoiser with the products of its Jacobian.
struct any_prior {
  struct local {
    at::Tensor at;
    std::function<at::Tensor(at::Tensor const&)> back, ahead;
    at::Tensor const& value() const { return at; }
    at::Tensor vjp(at::Tensor const& u) const { return back(u); }
    at::Tensor jvp(at::Tensor const& v) const { return ahead(v); }
  };
  any_denoiser mean;
  std::function<local(at::Tensor const&, sda::level)> tangent;

  at::Tensor operator()(at::Tensor const& x, sda::level l) const { return mean(x, l); }
  local linearize(at::Tensor const& x, sda::level l) const { return tangent(x, l); }
};
template <class D> any_prior erased(D denoiser, std::shared_ptr<tally> spent = {}) {
  auto const kept = std::make_shared<D const>(std::move(denoiser));
  auto const count = [spent](std::atomic<index_t> tally::* what) {
    if (spent) ++(spent.get()->*what);
  };
  return {[=](at::Tensor const& x, sda::level l) {
            count(&tally::denoised);
            return (*kept)(x, l);
          },
          [=](at::Tensor const& x, sda::level l) -> any_prior::local {
            count(&tally::denoised);
            auto const at = std::make_shared<decltype(sda::linearize(*kept, x, l))>(sda::linearize(*kept, x, l));
            return {at->value(),
                    [=](at::Tensor const& u) {
                      count(&tally::denoiser_vjps);
                      return at->vjp(u);
                    },
                    [=](at::Tensor const& v) {
                      count(&tally::denoiser_jvps);
                      return at->jvp(v);
                    }};
          }};
}

/// The linearisation that has the value of `mean`, and for its Jacobian what makes (σ²/α) of it the covariance of a Gaussian.
inline auto with_spread_of(any_denoiser mean, on_gaussian const& g) {
  return [mean = std::move(mean), &g](at::Tensor const& x, sda::level l) -> any_prior::local {
    auto const product = [&g, l](at::Tensor const& u) { return (l.alpha / (l.sigma * l.sigma)) * g.spread(u, l); };
    return {mean(x, l), product, product};
  };
}

/// The prior given what was seen. Levels are those of the run; k is daps's.
any_denoiser guided(any_prior const& prior, window_observation const& seen, guidance_options const& o, sda::key k);

/// Runs a sampler from noise of the first level to the end of a schedule. `mask` and `known` are repaint's: one row.
at::Tensor run(sampler_options const& o, std::function<sda::level(double)> const& schedule, any_denoiser const& d, at::Tensor const& start,
               sda::key k, at::Tensor const& mask, at::Tensor const& known, watcher const& watch);
/// As many particles as `like` has rows, moved by `guide` and weighed by what was seen: one of them, drawn by its weight.
at::Tensor run_particles(guidance_options const& o, std::vector<sda::level> const& levels, any_denoiser const& prior, any_denoiser const& guide,
                         window_observation const& seen, at::Tensor const& like, sda::key k, watcher const& watch);
/// The levels that such a run passes.
std::vector<sda::level> levels_of(sampler_options const& o, std::function<sda::level(double)> const& schedule);

}  // namespace appa
