// SPDX-License-Identifier: Apache-2.0
#include "assimilate/posterior.hpp"

#include "assimilate/guidance.hpp"
#include "network/options.hpp"
#include "observe/observation_file.hpp"

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
    option(g, "warm", o.warm), option(g, "covariance", o.covariance);
    option(g, "gamma", o.gamma), option(g, "zeta", o.zeta), option(g, "lambda", o.lambda), option(g, "rate", o.rate), option(g, "around", o.around);
    option(g, "particles", o.particles), option(g, "resample", o.resample);
    auto& field = o.spread.kriging;
    option(g, "length", field.length), option(g, "neighbours", field.neighbours), option(g, "reach", field.reach), option(g, "nugget", field.nugget);
    option(g, "width", o.spread.width);
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
  auto const r = part("residual");
  option(r, "observations", d.residual.observations), option(r, "members", d.residual.members);
  option(j, "memory", d.memory);
}

namespace {

sda::window_mode mode_of(std::string const& join) {
  if (join == "symmetrical" || join == "alternating") return sda::window_mode::symmetric;
  if (join == "causal") return sda::window_mode::causal;
  require(join == "average", "windows.join is symmetrical, causal, average or alternating, not ", join);
  return sda::window_mode::average;
}

index_t stride_of(drawing const& d, index_t length) { return length - (d.windows.overlap < 0 ? length / 2 : d.windows.overlap); }

// A trajectory to draw, and what was seen of it, prepared once a state. Where there is a background, the numbers that are drawn are
// departures from it: latents are b + m + s x, standardised, and known ones and what is seen are told so.
class task {
 public:
  task(trained_system const& system, hours first, index_t states, conditions const& c, drawing const& d, std::shared_ptr<tally> spent)
      : system_(system), first_(first), states_(states), c_(c), d_(d), spent_(std::move(spent)), looks_(std::size_t(states)) {
    require(states > 0, "a trajectory of ", states, " states");
    require(std::ssize(c.seen) <= states, c.seen.size(), " states are seen of ", states);
    for (auto const& [s, z] : c.known)
      require(0 <= s && s < states && z.numel() == system.numbers(), "state ", s, " of ", states, " is known as ", c10::str(z.sizes()), " of ",
              system.tokens(), " x ", system.latents());
    require(c.background.defined() == system.takes_background(),
            system.takes_background()
                ? "this denoiser draws departures from a background (it was trained with denoiser.background), and there is none"
                : "a background is given, and this denoiser was trained without (denoiser.background)");
    index_t const all = reach(d, system.length(), states);
    require(!c.background.defined() || (c.background.size(0) == all && c.background.numel() == all * system.numbers()), "a background of ",
            c.background.defined() ? c10::str(c.background.sizes()) : "", " for ", all, " states of ", system.tokens(), " x ", system.latents());
    auto const variance = c.variance.defined() ? c.variance : system.variance_of_known();
    require(variance.numel() == system.latents() && variance.min().item<double>() > 0, "the variances of known latents are not ", system.latents(),
            " positive numbers");
    auto const by_cell = variance.to(system.device, at::kFloat).view({1, -1}).expand({system.tokens(), -1});
    variance_ = (c.background.defined() ? by_cell / system.departures.deviation.to(by_cell.options()).square() : by_cell).reshape({1, -1});
  }

  /// Numbers that were drawn, [states, tokens, channels], as standardised latents.
  at::Tensor latents(at::Tensor const& x) const {
    if (!c_.background.defined()) return x;
    return c_.background.narrow(0, 0, x.size(0)).to(x.options()) + system_.departures.restored(x);
  }

  at::Tensor like(index_t states) const { return at::zeros({1, states * system_.numbers()}, at::TensorOptions().device(system_.device)); }
  // Noise of the first level, with its sign,
  at::Tensor start(index_t states, sda::key k) const {
    auto x = like(states);
    double const sigma = levels_of(d_.sampler, system_.schedule).front().sigma;
    sda::lincomb(x, sda::noise{d_.mirrored ? -sigma : sigma, k.fold(0)});
    return x;
  }
  // and the key of what is drawn after it, which mirrored draws do not share.
  sda::key later(sda::key k) const { return d_.mirrored ? k.fold(std::uint64_t{1} << 63) : k; }
  any_prior prior(index_t state) const {
    auto const b = c_.background.defined() ? c_.background.narrow(0, state, system_.length()).to(system_.device) : at::Tensor();
    auto out = erased(system_.prior(hour(state), b), spent_);
    if (d_.guidance.covariance == "gaussian") out.tangent = with_spread_of(out.mean, gaussian_beneath(*system_.net));
    return out;
  }

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
    if (!look)
      look = std::make_shared<seen_state const>(system_, c_.seen[std::size_t(state)], hour(state), scale_of(state), d_.residual.observations);
    return look;
  }
  // The latents of a state, if they are held or known; repaint puts known ones in place itself.
  at::Tensor held(index_t state, std::map<index_t, at::Tensor> const& also) const {
    if (auto const found = also.find(state); found != also.end()) return found->second;
    auto const found = c_.known.find(state);
    return found == c_.known.end() || d_.sampler.name == "repaint" ? at::Tensor() : drawn_of(state, found->second);
  }
  hours hour(index_t state) const { return first_ + state * system_.step; }
  at::Tensor background(index_t state) const { return c_.background[state].view({system_.tokens(), system_.latents()}); }
  // Latents of a state as numbers that are drawn,
  at::Tensor drawn_of(index_t state, at::Tensor const& z) const {
    return c_.background.defined() ? system_.departures.standardised(z.view({system_.tokens(), -1}) - background(state).to(z.options())) : z;
  }
  // and what the latter are of the autoencoder's own.
  latent_scale scale_of(index_t state) const {
    auto const &all = system_.scale, &d = system_.departures;
    if (!c_.background.defined()) return all;
    return {all.restored(background(state).to(all.mean.options()) + d.mean), all.deviation * d.deviation, all.noise};
  }
  // What repaint puts in place, a mask and values, one row: known latents and, with diffda, what was seen.
  std::array<at::Tensor, 2> painted(index_t states) const {
    auto mask = like(states), known = like(states);
    auto const put = [&](index_t s, at::Tensor const& z, at::Tensor const& share) {
      mask.narrow(1, s * system_.numbers(), system_.numbers()).copy_(share.expand({system_.tokens(), system_.latents()}).reshape({1, -1}));
      known.narrow(1, s * system_.numbers(), system_.numbers()).copy_(drawn_of(s, z).reshape({1, -1}));
    };
    for (index_t s = 0; d_.guidance.name == "diffda" && s < std::ssize(c_.seen); ++s)
      if (c_.seen[std::size_t(s)].count() > 0 && !c_.known.count(s)) std::apply([&](auto const&... of) { put(s, of...); }, spread(s));
    for (auto const& [s, z] : c_.known) put(s, z, at::ones({1, 1}));
    return {mask, known};
  }
  // A state's latents with what was seen of it spread out, and the share of each cell's channels that was seen, [tokens, 1].
  std::array<at::Tensor, 2> spread(index_t state) const {
    auto const& seen = c_.seen[std::size_t(state)];
    index_t const points = system_.where.points(), channels = system_.channels.size();
    bool const departs = c_.background.defined();
    auto const b = departs ? background(state).to(at::kCPU, at::kFloat).unsqueeze(0) : at::Tensor();
    auto const before = departs ? system_.decode(b, hour(state)) : at::zeros({1, points, channels});
    auto const by_channel = before[0].t().contiguous();
    auto shown = shown_by(seen, {by_channel.data_ptr<float>(), std::size_t(by_channel.numel())}, channels);
    for (std::size_t i = 0; i < shown.size(); ++i) shown[i] = seen.values[i] - shown[i];
    auto fields = spread_out(system_.where, channels, seen, shown, d_.guidance.spread);
    auto const field = [&](std::vector<float>& of) { return at::from_blob(of.data(), {1, points, channels}); };
    auto const z = system_.encode(before + field(fields.departures), hour(state));
    return {departs ? b + z - system_.encode(before, hour(state)) : z, system_.pooled(field(fields.mask)).mean(-1, true)[0]};
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

// A prior that tells when it is at work.
any_prior told(any_prior const& p, std::function<void()> const& tell) {
  auto const first = [tell](auto const& f) { return [=](at::Tensor const& x, sda::level l) { return tell(), f(x, l); }; };
  return {first(p.mean), first(p.tangent)};
}

at::Tensor task::together(sda::key k, any_communicator const& ranks, watcher const& watch) const {
  index_t const size = system_.length(), stride = stride_of(d_, size);
  sda::window_plan const plan{sda::window_plan::tiling_steps(states_, size, stride), system_.numbers(), size, stride, mode_of(d_.windows.join)};
  plan.check();
  auto const begin = [stride](index_t w) { return w * stride; };
  auto const now = std::make_shared<headway>(headway{0, 0, 0, plan.count()});
  watcher const steps = [&](headway const& h) {
    now->done = h.done, now->of = h.of;
    if (watch) watch(*now);
  };
  auto const window = [=, this, &watch](index_t w) {
    return told(prior(begin(w)), [=, &watch] {
      now->window = w + 1;
      if (watch && now->of > 0) watch(*now);
    });
  };
  any_denoiser whole;
  if (d_.guidance.around == "windows") {
    std::vector<any_denoiser> of(static_cast<std::size_t>(plan.count()));
    auto const mine = sda::share(plan.count(), ranks.rank(), ranks.size());
    for (index_t w = mine.first; w < mine.last; ++w)
      of[std::size_t(w)] = guided(window(w), observe(begin(w), size), d_.guidance, later(k).fold(~std::uint64_t(w)));
    whole = sda::windowed{plan, [of](index_t w) -> any_denoiser const& { return of[std::size_t(w)]; }, ranks, 1};
  } else {
    require(d_.guidance.around == "trajectory", "guidance.around is windows or trajectory, not ", d_.guidance.around);
    sda::windowed const joined{plan, window, ranks, 1};
    whole = guided(erased(joined), observe(0, plan.steps), d_.guidance, later(k).fold(~std::uint64_t{0}));
  }
  auto const anything = [](sight const& s) { return s.count() > 0; };
  if (index_t const n = d_.guidance.particles; n > 1 && std::any_of(c_.seen.begin(), c_.seen.end(), anything)) {
    any_denoiser const alone = sda::windowed{plan, window, ranks, 1};
    auto const levels = levels_of(d_.sampler, system_.schedule);
    return run_particles(d_.guidance, levels, alone, d_.guidance.name == "none" ? alone : whole, observe(0, plan.steps),
                         like(plan.steps).repeat({n, 1}), k, steps);
  }
  auto const [mask, known] = painted(plan.steps);
  return run(d_.sampler, system_.schedule, whole, start(plan.steps, k), later(k), mask, known, steps);
}

at::Tensor task::alternating(sda::key k, any_communicator const& ranks, watcher const& watch) const {
  index_t const size = system_.length(), held = d_.windows.held < 0 ? std::max<index_t>(1, size / 4) : d_.windows.held;
  sda::alternating_plan const plan{std::max(states_, size), size, held};
  bool const forward = d_.windows.start == "forward";
  index_t draws = forward ? std::ssize(plan.forward()) : 1, done = 0;  // what one rank does
  for (index_t p = 1; p <= d_.windows.passes; ++p) draws += (std::ssize(plan.pass(p)) + ranks.size() - 1) / ranks.size();
  auto const step = [&](headway const& h) {
    index_t const at = std::min(done, draws - 1);
    if (watch) watch({at * h.of + h.done, draws * h.of, at + 1, draws});
    done += h.done == h.of;
  };
  auto const redraw = [&](sda::held_window const& w, at::Tensor const& x, sda::key at) {
    std::map<index_t, at::Tensor> also;
    for (index_t s = 0; s < size; ++s)
      if (w.holds(w.first + s)) also[w.first + s] = x.narrow(1, s * system_.numbers(), system_.numbers());
    auto const d = guided(prior(w.first), observe(w.first, size, also), d_.guidance, later(at).fold(1));
    return run(d_.sampler, system_.schedule, d, start(size, at.fold(0)), later(at.fold(0)), {}, {}, step);
  };
  sda::alternating const scheme{plan, system_.numbers(), redraw, ranks};
  if (forward) return scheme(like(size), d_.windows.passes, k);
  auto x = together(k.fold(0), ranks, step).narrow(1, 0, plan.steps * system_.numbers()).contiguous();
  for (index_t p = 1; p <= d_.windows.passes; ++p) scheme.pass(x, p, k);
  return x;
}

}  // namespace

index_t reach(drawing const& d, index_t length, index_t states) {
  bool const alternates = d.windows.join == "alternating";
  index_t const tiled = sda::window_plan::tiling_steps(states, length, stride_of(d, length));
  return alternates && d.windows.start == "forward" ? std::max(states, length) : tiled;
}

void check(drawing const& d, index_t length) {
  bool const alternates = d.windows.join == "alternating";
  (void)mode_of(d.windows.join);
  require(d.windows.start == "forward" || d.windows.start == "together", "windows.start is forward or together, not ", d.windows.start);
  require(d.windows.overlap < length, "windows of ", length, " states cannot share ", d.windows.overlap);
  require(d.windows.passes >= 0 && d.windows.held != 0 && 3 * d.windows.held <= length, "alternating windows of ", length,
          " states: ", d.windows.passes, " passes, ", d.windows.held, " states held");
  require(d.guidance.around == "windows" || d.guidance.around == "trajectory", "guidance.around is windows or trajectory, not ", d.guidance.around);
  require(d.guidance.covariance == "network" || d.guidance.covariance == "gaussian", "guidance.covariance is network or gaussian, not ",
          d.guidance.covariance);
  require(!alternates || d.guidance.around == "windows", "alternating windows are guided one by one: guidance.around is windows");
  require(!alternates || d.guidance.name != "none", "alternating windows are held by guidance: it cannot be none");
  require(!alternates || d.sampler.name != "repaint", "repaint does not go with alternating windows");
  require((d.guidance.name == "daps") == (d.sampler.name == "annealing"), "guidance daps and the sampler annealing go together, not ",
          d.guidance.name, " and ", d.sampler.name);
  require(d.guidance.name != "diffda" || d.sampler.name == "repaint", "guidance diffda goes with the sampler repaint, not ", d.sampler.name);
  bool const weighed = d.guidance.particles > 1;
  require(d.guidance.particles > 0 && d.guidance.resample >= 0 && d.guidance.resample <= 1, "guidance: ", d.guidance.particles,
          " particles, drawn anew below ", d.guidance.resample, " of them");
  require(!weighed || (d.sampler.name == "ddpm" && !alternates),
          "guidance.particles go with the sampler ddpm and windows that are drawn together, not with ", d.sampler.name, " and ", d.windows.join);
  require(!weighed || !d.mirrored, "guidance.particles do not go with mirrored members: which particle is drawn has no opposite");
  require(d.sampler.steps > 0 && d.sampler.corrections >= 0 && d.guidance.iterations >= 0 && d.memory >= 0, "a drawing of ", d.sampler.steps,
          " steps, ", d.sampler.corrections, " corrections, ", d.guidance.iterations, " iterations and ", d.memory, " GB");
}

at::Tensor draw(trained_system const& system, hours first, index_t states, conditions const& c, drawing const& d, sda::key k,
                any_communicator const& ranks, watcher const& watch, std::shared_ptr<tally> spent) {
  torch::NoGradGuard const off;
  check(d, system.length());
  task const t(system, first, states, c, d, std::move(spent));
  auto const x = d.windows.join == "alternating" ? t.alternating(k, ranks, watch) : t.together(k, ranks, watch);
  return t.latents(x.view({-1, system.tokens(), system.latents()}).narrow(0, 0, states));
}

}  // namespace appa
