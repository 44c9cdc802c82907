// SPDX-License-Identifier: Apache-2.0
#include "assimilate/guidance.hpp"

#include <sda/sampler/corrector.hpp>
#include <sda/sampler/daps.hpp>
#include <sda/sampler/heun.hpp>
#include <sda/sampler/multistep.hpp>
#include <sda/sampler/repaint.hpp>
#include <sda/sampler/rewind.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/sampler/smc.hpp>
#include <sda/sampler/stochastic.hpp>

namespace appa {

namespace {

// f(sampler) for the sampler of that name.
template <class F> at::Tensor with_multistep(sampler_options const& o, F const& f) {
  sda::require(1 <= o.order && o.order <= 4, "sampler.order is 1 to 4, not ", o.order);
  auto const of = [&]<class Form>(Form, sda::startup start = sda::startup::accurate) {
    if (o.order == 1) return f(sda::multistep<Form, 1>{start});
    if (o.order == 2) return f(sda::multistep<Form, 2>{start});
    if (o.order == 3) return f(sda::multistep<Form, 3>{start});
    return f(sda::multistep<Form, 4>{start});
  };
  if (o.name == "lms") return of(sda::noise_form{}, sda::startup::plain);
  if (o.name == "adams_bashforth") return of(sda::noise_form{});
  if (o.name == "velocity") return of(sda::velocity_form{});
  if (o.name == "exponential_eps") return of(sda::exponential_noise_form{});
  if (o.name == "exponential_x") return of(sda::exponential_clean_form{});
  sda::require(o.name == "rotation", "there is no sampler ", o.name,
               "; pc, ddim, ddpm, ito, euler_maruyama, heun, lms, adams_bashforth, velocity, exponential_eps, exponential_x, rotation, rewind, "
               "repaint or annealing");
  return of(sda::rotation_form{});
}
template <class F> at::Tensor with_corrector(sampler_options const& o, F const& f) {
  sda::ddim const predictor{o.eta};
  if (o.corrector == "langevin") return f(sda::pc{predictor, sda::langevin{o.delta}, o.corrections});
  if (o.corrector == "adaptive") return f(sda::pc{predictor, sda::adaptive_langevin{o.delta, 10}, o.corrections});
  sda::require(o.corrector == "renoising", "there is no corrector ", o.corrector, "; langevin, adaptive or renoising");
  return f(sda::pc{predictor, sda::renoising{o.delta}, o.corrections});
}
template <class F> at::Tensor with_sampler(sampler_options const& o, F const& f) {
  if (o.name == "pc") return with_corrector(o, f);
  if (o.name == "ddim" || o.name == "rewind") return f(sda::ddim{o.eta});
  if (o.name == "ddpm") return f(sda::ddpm);
  if (o.name == "annealing") return f(sda::annealing);
  if (o.name == "ito") return f(sda::ito{o.eta});
  if (o.name == "euler_maruyama") return f(sda::euler_maruyama{});
  if (o.name == "heun") return f(sda::heun{});
  return with_multistep(o, f);
}

// p̃(y | x_t) = N(y | A x̂, R + v), where what is seen has at most the variance v = σ²/(α² + σ²), and any guidance as the proposal. Particles
// are denoised and decoded one by one: memory is that of one.
struct guided_twist {
  any_denoiser const &prior, &guide;
  window_observation const& seen;
  std::function<void()> counted;

  struct evaluation {
    at::Tensor prior, mean, log_likelihood;
  };
  evaluation evaluate(at::Tensor const& x, sda::level l) const {
    auto const variance = seen.error.variance() + sda::unit_prior{}.variance(l);
    std::vector<at::Tensor> expected, mean, log_likelihood;
    for (auto const& particle : x.split(1)) {
      expected.push_back(prior(particle, l));
      mean.push_back(&guide == &prior ? expected.back() : guide(particle, l));
      auto const fit = (seen.y - seen.op(expected.back())).square() / variance + variance.log();
      log_likelihood.push_back(-0.5 * fit.to(at::kDouble).sum(1, true));
    }
    counted();
    return {at::cat(expected), at::cat(mean), at::cat(log_likelihood)};
  }
};

}  // namespace

at::Tensor run_particles(guidance_options const& o, std::vector<sda::level> const& levels, any_denoiser const& prior, any_denoiser const& guide,
                         window_observation const& seen, at::Tensor const& like, sda::key k, watcher const& watch) {
  index_t done = 0;
  guided_twist const twist{prior, guide, seen, [&] {
                             if (watch) watch({done, std::ssize(levels) - 1});
                             ++done;
                           }};
  auto const [x, weights, least, resamplings] = sda::sample_particles(twist, std::span<sda::level const>(levels), like, k.fold(0), o.resample);
  double left = sda::uniform(k.fold(1), 0, 0);
  std::size_t chosen = 0;
  while (chosen + 1 < weights.size() && left >= weights[chosen]) left -= weights[chosen++];
  return x.narrow(0, index_t(chosen), 1).clone();
}

std::vector<sda::level> levels_of(sampler_options const& o, std::function<sda::level(double)> const& schedule) {
  auto const grid = sda::uniform_grid(schedule, o.steps);
  if (o.name == "rewind") return sda::rewinding(grid, o.ahead, o.jump == 1 ? sda::leap::small_steps : sda::leap::one_jump);
  if (o.name == "repaint") return sda::repaint_levels(grid, o.jump, o.passes);
  return grid;
}

at::Tensor run(sampler_options const& o, std::function<sda::level(double)> const& schedule, any_denoiser const& d, at::Tensor const& start,
               sda::key k, at::Tensor const& mask, at::Tensor const& known, watcher const& watch) {
  auto const levels = levels_of(o, schedule);
  auto const observe = [&](index_t i, at::Tensor const&, sda::level) {
    if (watch) watch({i, std::ssize(levels) - 1});
  };
  auto const go = [&](auto const& sampler) { return sda::sample_from(sampler, d, std::span<sda::level const>(levels), start, k, observe); };
  if (o.name == "repaint") return go(sda::repaint{sda::ddim{o.eta}, mask, known});
  return with_sampler(o, go);
}

}  // namespace appa
