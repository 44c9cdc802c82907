// SPDX-License-Identifier: Apache-2.0
#include "assimilate/chain.hpp"

namespace appa {

using sda::require;

stretch operator+(stretch const& a, stretch const& b) {
  return a.size() == 0 ? b : b.size() == 0 ? a : stretch{a.first, at::cat({a.states, b.states})};
}

stretch last(stretch const& s, index_t n, hours step) {
  require(n <= s.size(), n, " states are needed, and there are ", s.size());
  return {s.first + (s.size() - n) * step, s.states.narrow(0, s.size() - n, n)};
}

stretch part(stretch const& s, hours first, index_t states, hours step) {
  auto const from = (first - s.first) / step;
  require(s.size() > 0 && from >= 0 && (first - s.first) % step == 0 && from + states <= s.size(), "states from ", text(first), " to ",
          text(first + (states - 1) * step), " are needed, and there are those from ", text(s.first), " to ", text(s.first + (s.size() - 1) * step),
          ", ", step, " h apart");
  return {first, s.states.narrow(0, from, states)};
}

namespace {

// One draw after another.
void add(estimate& all, estimate const& e) {
  all.windows = std::max(all.windows, e.windows);
  all.denoised += e.denoised, all.denoiser_vjps += e.denoiser_vjps;
  all.decoded += e.decoded, all.decoder_vjps += e.decoder_vjps, all.decoder_jvps += e.decoder_jvps;
  all.operations += e.operations, all.whole_states = all.whole_states || e.whole_states;
  all.weights = std::max(all.weights, e.weights), all.denoiser = std::max(all.denoiser, e.denoiser);
  all.decoder = std::max(all.decoder, e.decoder), all.vectors = std::max(all.vectors, e.vectors);
}

// Of a whole decoder's operations, those that it takes to see a state.
double share_of(trained_system const& system, sight const& s) {
  auto const whole = system.space->decoding();
  return s.count() == 0 ? 0 : decoder_part(system.space, s.columns).operations() / (whole.maps + whole.attention);
}

}  // namespace

at::Tensor chain::drawn(hours first, index_t states, conditions given, sda::key k) const {
  if (instead) {
    planned_run run;
    run.space = system.space, run.net = system.net, run.how = how, run.states = states, run.ranks = ranks.size();
    for (auto const& s : given.seen) run.observations.push_back(s.count()), run.shares.push_back(share_of(system, s));
    for (auto const& [s, z] : given.known) run.known.push_back(s);
    add(*instead, estimate_of(run));
    return at::zeros({states, system.tokens(), system.latents()});
  }
  if (system.takes_background()) try {
      given.background = part(background, first, reach(how, system.length(), states), step()).states;
    } catch (sda::error const& e) { throw sda::error(std::string("the background does not cover the windows that are drawn: ") + e.what()); }
  any_communicator const shared{ranks.rank(), ranks.size(), [this](at::Tensor& whole) {  // the sum of what each has, and zeros
                                  auto const mine = sda::share(whole.size(0), ranks.rank(), ranks.size());
                                  auto out = at::zeros_like(whole);
                                  out.slice(0, mine.first, mine.last).copy_(whole.slice(0, mine.first, mine.last));
                                  if (ranks.size() > 1) ranks.all_reduce(out);
                                  whole.copy_(out);
                                }};
  return draw(system, first, states, given, how, k, shared, watch);
}

stretch chain::joint(hours first, index_t states, period const& observed, sda::key k) const {
  conditions c;
  for (index_t s = 0; s < states; ++s) c.seen.push_back(observed.contains(first + s * step()) ? seen(first + s * step()) : sight{});
  return {first, drawn(first, states, std::move(c), k)};
}

stretch chain::after(stretch const& known, index_t states, index_t observed, sda::key k) const {
  require(known.size() > 0, "nothing is known to begin with");
  auto const before = std::max(known.size(), past());
  auto const next = known.first + known.size() * step(), first = next - before * step();
  conditions c;
  c.seen.resize(std::size_t(before + states));
  for (index_t s = 0; s < observed; ++s) c.seen[std::size_t(before + s)] = seen(next + s * step());
  for (index_t s = 0; s < known.size(); ++s) c.known[before - known.size() + s] = known.states[s];
  auto const all = drawn(first, before + states, std::move(c), k);
  return {next, all.narrow(0, before, states)};
}

stretch chain::forecast(stretch const& known, index_t states, sda::key k) const {
  stretch now = known, out;
  for (index_t leg = 0; out.size() < states; ++leg) {
    auto const next =
        after(last(now, std::min(now.size(), past()), step()), std::min(predictions, states - out.size()), 0, k.fold(std::uint64_t(leg)));
    out = out + next, now = now + next;
  }
  return out;
}

}  // namespace appa
