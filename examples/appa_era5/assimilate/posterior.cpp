// SPDX-License-Identifier: Apache-2.0
#include "assimilate/posterior.hpp"

#include "assimilate/guidance.hpp"
#include "network/options.hpp"

#include <sda/trajectory/alternating.hpp>
#include <sda/trajectory/window.hpp>

#include <algorithm>

namespace appa {

using sda::require;

void from_json(nlohmann::json const& j, drawing& d) {
  auto const part = [&](char const* name) { return j.contains(name) && j.at(name).is_object() ? j.at(name) : nlohmann::json::object(); };
  if (auto const g = part("guidance"); true) {
    auto& o = d.guidance;
    option(g, "name", o.name), option(g, "solver", o.solver), option(g, "solve_in", o.solve_in), option(g, "optimiser", o.optimiser);
    option(g, "iterations", o.iterations), option(g, "tolerance", o.tolerance), option(g, "preconditioned", o.preconditioned);
    option(g, "gamma", o.gamma), option(g, "zeta", o.zeta), option(g, "lambda", o.lambda), option(g, "rate", o.rate), option(g, "around", o.around);
  }
  if (auto const s = part("sampler"); true) {
    auto& o = d.sampler;
    option(s, "name", o.name), option(s, "corrector", o.corrector), option(s, "steps", o.steps), option(s, "ahead", o.ahead);
    option(s, "jump", o.jump), option(s, "passes", o.passes), option(s, "corrections", o.corrections), option(s, "order", o.order);
    option(s, "delta", o.delta), option(s, "eta", o.eta);
  }
  auto const w = part("windows");
  option(w, "join", d.windows.join), option(w, "start", d.windows.start), option(w, "overlap", d.windows.overlap);
  option(w, "passes", d.windows.passes), option(w, "held", d.windows.held);
  option(j, "memory", d.memory);
}

namespace {

sda::window_mode mode_of(std::string const& join) {
  if (join == "symmetrical" || join == "alternating") return sda::window_mode::symmetric;
  if (join == "causal") return sda::window_mode::causal;
  require(join == "average", "windows.join is symmetrical, causal, average or alternating, not ", join);
  return sda::window_mode::average;
}

// A trajectory to draw, and what was seen of it, prepared once a state.
class task {
 public:
  task(trained_system const& system, hours first, index_t states, conditions const& c, drawing const& d, std::shared_ptr<tally> spent)
      : system_(system), first_(first), states_(states), c_(c), d_(d), spent_(std::move(spent)), looks_(std::size_t(states)) {
    require(states > 0, "a trajectory of ", states, " states");
    require(std::ssize(c.seen) <= states, c.seen.size(), " states are seen of ", states);
    for (auto const& [s, z] : c.known)
      require(0 <= s && s < states && z.numel() == system.numbers(), "state ", s, " of ", states, " is known as ", c10::str(z.sizes()), " of ",
              system.tokens(), " x ", system.latents());
    auto const variance = c.variance.defined() ? c.variance : system.variance_of_known();
    require(variance.numel() == system.latents() && variance.min().item<double>() > 0, "the variances of known latents are not ", system.latents(),
            " positive numbers");
    variance_ = variance.to(system.device, at::kFloat).view({1, -1}).expand({system.tokens(), -1}).reshape({1, -1});
  }

  at::Tensor like(index_t states) const { return at::zeros({1, states * system_.numbers()}, at::TensorOptions().device(system_.device)); }
  any_prior prior(index_t state) const { return erased(system_.prior(first_ + state * system_.step), spent_); }

  /// What is known of `length` states from `state`, with others that are held as `also` says.
  window_observation observe(index_t state, index_t length, std::map<index_t, at::Tensor> const& also = {}) const {
    std::vector<seen_part> parts;
    std::vector<at::Tensor> values, variances;
    for (index_t s = 0; s < length; ++s) {
      auto const known = held(state + s, also);
      if (known.defined()) {
        parts.push_back({s, {}});
        values.push_back(known.to(system_.device, at::kFloat).reshape({1, -1})), variances.push_back(variance_);
      }
      if (auto const look = also.count(state + s) ? nullptr : look_at(state + s)) {
        parts.push_back({s, look});
        values.push_back(look->values), variances.push_back(look->variances);
      }
    }
    auto const joined = [&](std::vector<at::Tensor> const& all) { return all.empty() ? like(0) : at::cat(all, 1); };
    return {window_sight(std::move(parts), length, system_.numbers(), d_.memory * 1e9, spent_), joined(values),
            sda::diagonal_error(joined(variances))};
  }

  at::Tensor together(sda::key k, any_communicator const& ranks, watcher const& watch) const;
  at::Tensor alternating(sda::key k, any_communicator const& ranks, watcher const& watch) const;

 private:
  std::shared_ptr<seen_state const> look_at(index_t state) const {
    if (state >= std::ssize(c_.seen) || c_.seen[std::size_t(state)].count() == 0) return {};
    auto& look = looks_[std::size_t(state)];
    if (!look) look = std::make_shared<seen_state const>(system_, c_.seen[std::size_t(state)], first_ + state * system_.step);
    return look;
  }
  // The latents of a state, if they are held or known; repaint puts known ones in place itself.
  at::Tensor held(index_t state, std::map<index_t, at::Tensor> const& also) const {
    if (auto const found = also.find(state); found != also.end()) return found->second;
    auto const found = c_.known.find(state);
    return found == c_.known.end() || d_.sampler.name == "repaint" ? at::Tensor() : found->second;
  }
  // Known latents as repaint takes them: a mask and values, one row.
  std::array<at::Tensor, 2> painted(index_t states) const {
    auto mask = like(states), known = like(states);
    for (auto const& [s, z] : c_.known) {
      mask.narrow(1, s * system_.numbers(), system_.numbers()).fill_(1);
      known.narrow(1, s * system_.numbers(), system_.numbers()).copy_(z.reshape({1, -1}));
    }
    return {mask, known};
  }

  trained_system const& system_;
  hours first_;
  index_t states_;
  conditions const& c_;
  drawing const& d_;
  std::shared_ptr<tally> spent_;
  mutable std::vector<std::shared_ptr<seen_state const>> looks_;  // by state
  at::Tensor variance_;
};

at::Tensor task::together(sda::key k, any_communicator const& ranks, watcher const& watch) const {
  index_t const size = system_.length(), overlap = d_.windows.overlap < 0 ? size / 2 : d_.windows.overlap, stride = size - overlap;
  sda::window_plan const plan{sda::window_plan::tiling_steps(states_, size, stride), system_.numbers(), size, stride, mode_of(d_.windows.join)};
  plan.check();
  auto const begin = [&](index_t w) { return w * stride; };
  any_denoiser whole;
  if (d_.guidance.around == "windows") {
    std::vector<any_denoiser> of(static_cast<std::size_t>(plan.count()));
    auto const mine = sda::share(plan.count(), ranks.rank(), ranks.size());
    for (index_t w = mine.first; w < mine.last; ++w)
      of[std::size_t(w)] = guided(prior(begin(w)), observe(begin(w), size), d_.guidance, k.fold(~std::uint64_t(w)));
    whole = sda::windowed{plan, [of](index_t w) -> any_denoiser const& { return of[std::size_t(w)]; }, ranks, 1};
  } else {
    require(d_.guidance.around == "trajectory", "guidance.around is windows or trajectory, not ", d_.guidance.around);
    sda::windowed const joined{plan, [this, begin](index_t w) { return prior(begin(w)); }, ranks, 1};
    whole = guided(erased(joined), observe(0, plan.steps), d_.guidance, k.fold(~std::uint64_t{0}));
  }
  auto const [mask, known] = painted(plan.steps);
  return run(d_.sampler, system_.schedule, whole, like(plan.steps), k, mask, known, watch);
}

at::Tensor task::alternating(sda::key k, any_communicator const& ranks, watcher const& watch) const {
  index_t const size = system_.length(), held = d_.windows.held < 0 ? std::max<index_t>(1, size / 4) : d_.windows.held;
  sda::alternating_plan const plan{std::max(states_, size), size, held};
  bool const forward = d_.windows.start == "forward";
  index_t const draws = (forward ? std::ssize(plan.forward()) : 1) + d_.windows.passes;  // what one rank does, if there is one for each window
  index_t done = 0;
  auto const step = [&](index_t i, index_t n) {
    if (watch) watch(std::min(done, draws - 1) * n + i, draws * n);
    done += i == n;
  };
  auto const redraw = [&](sda::held_window const& w, at::Tensor const& x, sda::key at) {
    std::map<index_t, at::Tensor> also;
    for (index_t s = 0; s < size; ++s)
      if (w.holds(w.first + s)) also[w.first + s] = x.narrow(1, s * system_.numbers(), system_.numbers());
    auto const d = guided(prior(w.first), observe(w.first, size, also), d_.guidance, at.fold(1));
    return run(d_.sampler, system_.schedule, d, like(size), at.fold(0), {}, {}, step);
  };
  sda::alternating const scheme{plan, system_.numbers(), redraw, ranks};
  if (forward) return scheme(like(size), d_.windows.passes, k);
  auto x = together(k.fold(0), ranks, step).narrow(1, 0, plan.steps * system_.numbers()).contiguous();
  for (index_t p = 1; p <= d_.windows.passes; ++p) scheme.pass(x, p, k);
  return x;
}

}  // namespace

void check(drawing const& d, index_t length) {
  bool const alternates = d.windows.join == "alternating";
  (void)mode_of(d.windows.join);
  require(d.windows.start == "forward" || d.windows.start == "together", "windows.start is forward or together, not ", d.windows.start);
  require(d.windows.overlap < length, "windows of ", length, " states cannot share ", d.windows.overlap);
  require(d.windows.passes >= 0 && d.windows.held != 0 && 3 * d.windows.held <= length, "alternating windows of ", length,
          " states: ", d.windows.passes, " passes, ", d.windows.held, " states held");
  require(d.guidance.around == "windows" || d.guidance.around == "trajectory", "guidance.around is windows or trajectory, not ", d.guidance.around);
  require(!alternates || d.guidance.around == "windows", "alternating windows are guided one by one: guidance.around is windows");
  require(!alternates || d.guidance.name != "none", "alternating windows are held by guidance: it cannot be none");
  require(!alternates || d.sampler.name != "repaint", "repaint does not go with alternating windows");
  require((d.guidance.name == "daps") == (d.sampler.name == "annealing"), "guidance daps and the sampler annealing go together, not ",
          d.guidance.name, " and ", d.sampler.name);
  require(d.sampler.steps > 0 && d.sampler.corrections >= 0 && d.guidance.iterations >= 0 && d.memory >= 0, "a drawing of ", d.sampler.steps,
          " steps, ", d.sampler.corrections, " corrections, ", d.guidance.iterations, " iterations and ", d.memory, " GB");
}

at::Tensor draw(trained_system const& system, hours first, index_t states, conditions const& c, drawing const& d, sda::key k,
                any_communicator const& ranks, watcher const& watch, std::shared_ptr<tally> spent) {
  torch::NoGradGuard const off;
  check(d, system.length());
  task const t(system, first, states, c, d, std::move(spent));
  auto const x = d.windows.join == "alternating" ? t.alternating(k, ranks, watch) : t.together(k, ranks, watch);
  return x.view({-1, system.tokens(), system.latents()}).narrow(0, 0, states);
}

}  // namespace appa
