// SPDX-License-Identifier: Apache-2.0
#include "posterior.hpp"

#include "instrument.hpp"

#include <sda/calculus/schedule.hpp>
#include <sda/calculus/solve.hpp>
#include <sda/guidance/dps.hpp>
#include <sda/guidance/likelihood.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/steps.hpp>
#include <sda/observation/values.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/heun.hpp>
#include <sda/sampler/multistep.hpp>
#include <sda/sampler/redrawing.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/sampler/stochastic.hpp>
#include <sda/trajectory/alternating.hpp>

// From names on a command line to the library's templates.

namespace lorenz96 {
namespace {

using S = members;
using any_denoiser = std::function<S(S const&, sda::level)>;

std::function<sda::level(double)> schedule_named(smoother_settings const& s) {
  if (s.schedule == "rectified") return sda::rectified{s.sigma_min, s.sigma_max};
  if (s.schedule == "log-linear") return sda::log_linear{s.sigma_min, s.sigma_max};
  if (s.schedule == "log-logit") return sda::log_logit{s.sigma_min, s.sigma_max};
  if (s.schedule == "vp-cosine") return sda::vp_cosine{.sigma_min = s.sigma_min};
  if (s.schedule == "vp-linear") return sda::vp_linear{.sigma_min = s.sigma_min};
  if (s.schedule == "vp-exponential") return sda::vp_exponential{.sigma_min = s.sigma_min};
  sda::require(s.schedule == "rectified-flow", "--schedule ", s.schedule, ": ", schedule_names());
  return sda::rectified_flow{.sigma_min = s.sigma_min};
}

/// Calls f with the sampler that is named, and its corrections.
template <class F> S with_sampler(smoother_settings const& s, F const& f) {
  auto const corrected = [&](auto const& predictor) {
    int const n = int(s.corrections);
    if (n == 0) return f(predictor);
    if (s.corrector == "langevin") return f(sda::pc{predictor, sda::langevin{s.tau}, n, sda::correcting::after});
    if (s.corrector == "adaptive") return f(sda::pc{predictor, sda::adaptive_langevin{s.tau, s.limit}, n, sda::correcting::after});
    sda::require(s.corrector == "renoising", "--corrector ", s.corrector, ": langevin, adaptive or renoising");
    return f(sda::pc{predictor, sda::renoising{s.tau}, n, sda::correcting::after});
  };
  if (s.sampler == "ddim") return corrected(sda::ddim{});
  if (s.sampler == "ddpm") return corrected(sda::ddpm);
  if (s.sampler == "heun") return corrected(sda::heun{});
  if (s.sampler == "ab2") return corrected(sda::adams_bashforth<2>{});
  if (s.sampler == "ab3") return corrected(sda::adams_bashforth<3>{});
  if (s.sampler == "exponential2") return corrected(sda::exponential_x<2>{});
  if (s.sampler == "exponential3") return corrected(sda::exponential_x<3>{});
  sda::require(s.sampler == "euler-maruyama", "--sampler ", s.sampler, ": ", sampler_names());
  return corrected(sda::euler_maruyama{});
}

/// The guidance that is named: a prior and what was seen become a posterior denoiser.
template <class O> any_denoiser guided_by(smoother_settings const& s, any_prior const& prior, O const& seen) {
  int const n = int(s.iterations);
  if (s.guidance == "mmps") {
    if (s.solver == "gmres") return sda::mmps{prior, seen, sda::gmres{n}};
    if (s.solver == "cg") return sda::mmps{prior, seen, sda::cg{n}};
    sda::require(s.solver == "bicgstab", "--solver ", s.solver, ": gmres, cg or bicgstab");
    return sda::mmps{prior, seen, sda::bicgstab{n}};
  }
  if (s.guidance == "gamma") return sda::gamma_likelihood{prior, seen, s.gamma};
  if (s.guidance == "gamma-free") return sda::gamma_likelihood{prior, seen, s.gamma, sda::flat_prior{}};
  if (s.guidance == "dps") return sda::dps{prior, seen, s.zeta};
  sda::require(s.guidance == "none", "--guidance ", s.guidance, ": mmps, gamma, gamma-free, dps or none");
  return prior;
}

/// A prior whose uses are counted.
struct counted {
  any_prior prior;
  effort* spent;
  struct at_point {
    any_prior::at_point at;
    effort* spent;
    S const& value() const { return at.value(); }
    S jvp(S const& v) const {
      spent->vjps += double(v.rows());
      return at.jvp(v);
    }
    S vjp(S const& u) const {
      spent->vjps += double(u.rows());
      return at.vjp(u);
    }
  };
  S operator()(S const& x, sda::level l) const {
    spent->network += double(x.rows());
    return prior(x, l);
  }
  at_point linearize(S const& x, sda::level l) const {
    spent->network += double(x.rows());
    return {prior.linearize(x, l), spent};
  }
};

/// What an instrument makes of a standardised value: f(mean + deviation x).
template <class F> struct of_standardised {
  F f;
  double mean, deviation;
  template <class T> T operator()(T const& x) const { return f(T(x * T(deviation) + T(mean))); }
  template <class T> T slope(T const& x) const { return f.slope(T(x * T(deviation) + T(mean))) * T(deviation); }
};

/// Readings of some values, given errors of these variances; a row for each member, or one for all.
struct reading {
  any_reading op;
  S y;
  std::vector<double> variances;
};

auto observed_by(reading const& r, S const& like) { return sda::observation{r.op, r.y, sda::diagonal_error<S>(like, r.variances)}; }

/// The levels of a schedule that are no noisier than `noise`, relative to the signal.
std::vector<sda::level> levels_below(std::vector<sda::level> all, double noise) {
  std::erase_if(all, [&](sda::level l) { return l.sigma > noise * l.alpha; });
  return all;
}

/// Samples of what is left of a prior, given readings: like `like` from noise alone, or from the trajectories `like` with `noise`.
S sampled(smoother_settings const& s, any_prior const& prior, S const& like, reading const& seen, window_task const& task,
          std::function<void(index_t)> const& told, sda::key k, double noise = 0) {
  any_denoiser const posterior = guided_by(s, task.spent ? any_prior(counted{prior, task.spent}) : prior, observed_by(seen, like));
  auto const levels = sda::uniform_grid(schedule_named(s), s.steps);
  auto const heard = [&](index_t step, S const&, sda::level) { told(step); };
  return with_sampler(s, [&](auto const& sampler) {
    if (noise == 0) return sda::sample(sampler, posterior, std::span<sda::level const>(levels), like, k, heard);
    auto const below = levels_below(levels, noise);
    sda::require(!below.empty(), "a draw from noise of ", noise, ", less than the schedule ends with");
    return sda::sample_from(sampler, posterior, std::span<sda::level const>(below), sda::noised(like, below[0], k.fold(0)), k, heard);
  });
}

/// What was read of consecutive steps.
reading read_of(trajectory const& seen, S const& like, standardised_prior const& prior, window_task const& task) {
  std::vector<std::int64_t> every(std::size_t(seen.size()));
  std::iota(every.begin(), every.end(), std::int64_t{0});
  std::vector<double> const variance(every.size(), task.error * task.error);
  auto const known = sda::observed(like, seen.size(), {every, {seen.data(), every.size()}, variance}, sda::missing::is_dropped);
  any_reading const op = with_instrument(task.through, [&]<class F>(F const& f) {
    return any_reading(sda::composed{sda::pointwise{of_standardised<F>{f, prior.mean, prior.deviation}}, known.op});
  });
  return {op, known.y, std::vector<double>(std::size_t(known.y.cols()), task.error * task.error)};
}

/// What a window is drawn from: readings of its steps, but of those that it holds themselves, with little error.
reading read_of(sda::held_window const& w, S const& x, index_t size, smoother_settings const& s, standardised_prior const& prior,
                window_task const& task) {
  index_t const ring = task.seen.cols();
  double const held = s.held_error / prior.deviation;
  std::vector<any_reading> ops;
  std::vector<S> parts;
  reading out{any_reading(sda::pointwise{sda::identity_function{}}), S(), {}};
  for (index_t t = 0; t < size; ++t) {
    bool const holds = w.holds(w.first + t);
    S const here = x.middleCols(t * ring, ring);
    reading const one = holds ? reading{out.op, here, std::vector<double>(std::size_t(ring), held * held)}
                              : read_of(trajectory(task.seen.row(w.first + t)), here, prior, task);
    ops.push_back(one.op), parts.push_back(holds ? one.y : S(one.y.replicate(x.rows(), 1)));
    out.variances.insert(out.variances.end(), one.variances.begin(), one.variances.end());
  }
  out.y = S(x.rows(), index_t(out.variances.size()));
  for (index_t t = 0, first = 0; t < size; first += parts[std::size_t(t++)].cols())
    out.y.middleCols(first, parts[std::size_t(t)].cols()) = parts[std::size_t(t)];
  out.op = any_reading(sda::steps(ops, ring));
  return out;
}

}  // namespace

members draw_posterior(smoother_settings const& s, standardised_prior const& prior, window_task const& task) {
  index_t const steps = task.seen.rows(), ring = task.seen.cols();
  sda::require(s.join == "together" || s.join == "forward", "--join ", s.join, ": together or forward");
  bool const together = s.join == "together", alternates = !together || s.passes > 0;
  sda::require(!alternates || s.guidance != "none", "--guidance none: windows that are drawn anew are held by guidance");
  sda::require(s.passes >= 0 && s.held_error > 0, "--passes ", s.passes, ", --held-error ", s.held_error);
  sda::require(s.redraws == 0 || (together && s.redraws > 0 && s.redraw_noise > 0), "--redraws ", s.redraws, ", --redraw-noise ", s.redraw_noise,
               ", --join ", s.join, ": redraws begin with noise, and draw all windows together");
  S const like = S::Zero(s.members, steps * ring);

  sda::alternating_plan const plan{steps, prior.size, s.held};
  double draws = together ? 1 : 0, done = 0;
  if (!together) draws += double(plan.forward().size());
  for (index_t p = 1; p <= s.passes; ++p) draws += double(plan.pass(p).size());
  auto const told = [&](index_t step) { task.told(index_t((done * double(s.steps) + double(step)) / draws)); };

  auto const redraw = [&](sda::held_window const& w, S const& x, sda::key k) {
    S const drawn = sampled(s, prior.window, S::Zero(x.rows(), x.cols()), read_of(w, x, plan.size, s, prior, task), task, told, k);
    ++done;
    return drawn;
  };
  sda::alternating const windows{plan, ring, redraw};
  S x;
  if (together) {
    reading const read = read_of(task.seen, like, prior, task);
    x = sampled(s, prior.composed, like, read, task, told, task.k);
    auto const anew = [&](S const& from, sda::key k) { return sampled(s, prior.composed, from, read, task, told, k, s.redraw_noise); };
    x = sda::redrawing{.rounds = s.redraws}(observed_by(read, like), std::move(x), anew, task.k.fold(3));
    ++done;
    for (index_t p = 1; p <= s.passes; ++p) windows.pass(x, p, task.k.fold(2));
  } else {
    x = windows(like, s.passes, task.k.fold(2));
  }
  return x * float(prior.deviation) + float(prior.mean);
}

}  // namespace lorenz96
