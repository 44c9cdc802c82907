// SPDX-License-Identifier: Apache-2.0
#include "../../interrupt.hpp"
#include "assimilate/session.hpp"
#include "observe/earlier_run.hpp"
#include "training/run.hpp"

#include <sda/core/progress.hpp>

#include <atomic>
#include <cstdio>
#include <future>
#include <mutex>

// What is seen, and members drawn given that.

namespace appa {

using nlohmann::json;
using sda::require;
namespace fs = std::filesystem;

namespace {

/// f of each number on so many threads, each number once. The first failure ends it.
void share_out(std::vector<index_t> const& numbers, int threads, std::function<void(index_t)> const& f) {
  std::atomic<std::size_t> next{0};
  auto const work = [&] {
    try {
      for (std::size_t i; (i = next++) < numbers.size();) f(numbers[i]);
    } catch (...) {
      next = numbers.size();
      throw;
    }
  };
  std::vector<std::future<void>> others;
  for (int t = 1; t < threads; ++t)
    others.push_back(std::async(std::launch::async, [&] {
      torch::NoGradGuard const off;
      work();
    }));
  work();
  for (auto& each : others) each.get();
}

index_t number_of(std::map<hours, sight> const& seen) {
  index_t out = 0;
  for (auto const& [t, s] : seen) out += s.count();
  return out;
}
std::string digest_of(std::map<hours, sight> const& seen) {
  fingerprint out;
  for (auto const& [t, s] : seen) add(out, s);
  return out.words();
}

}  // namespace

// What looks, if anything does.
observing session::instruments(plan const& p) const {
  if (p.looked.size() == 0) return {};
  if (auto const lost = data_ ? data_->report(p.looked, system_.step) : ""; !lost.empty())
    throw sda::error("what instruments look at is not there: " + lost);
  state_at looked_at;
  if (o_.dry) looked_at = [n = system_.channels.size() * system_.where.points()](hours) { return std::vector<float>(std::size_t(n)); };
  else if (data_) looked_at = [this](hours t) { return truth(t); };
  return observe_by(observations_, scene_, looked_at, seed().fold(0), believed_by(p.background, scene_));
}

/// Draws every member of a folder that is not there yet.
void session::run(plan p, fs::path const& folder) const {
  auto const look = instruments(p);
  if (!look.summary.empty() && ranks_.first()) std::fprintf(stderr, "%s\n", look.summary.c_str());
  std::map<hours, sight> seen;
  for (hours t = p.looked.first; t <= p.looked.last; t += system_.step) seen[t] = look.assimilated(t);
  if (p.looked.size() > 0 && !observations_.empty() && number_of(seen) == 0 && ranks_.first())
    std::fprintf(stderr, "%s: of all observations 0 are assimilated in the %zu states of %s, which are drawn as the prior has them\n", p.task.c_str(),
                 seen.size(), text(p.looked).c_str());
  auto const count = p.certain ? 1 : members();
  auto const& system = p.given ? analysing() : system_;
  auto const seen_at = [&](hours t) { return seen.count(t) ? seen.at(t) : sight{}; };
  job const alone;
  if (o_.dry) {
    estimate all;
    crew const who{count, ranks_.size(), o_.workers};
    p.draw({system, how_, seen_at, who.shares_windows() ? ranks_ : alone, predictions_, {}, &all}, 0, seed());
    for (auto const& [t, s] : seen) all.read += 8 * double(s.columns.size()) + 4 * double(s.weights.size() + s.values.size() + s.variances.size());
    if (system_.residual) all.residuals = 4 * double(system_.residual->fields.numel());
    if (ranks_.first())
      std::printf("%s, %s of %td states from %s, %td observations of %td states:\n%s", folder.c_str(), p.task.c_str(), p.states,
                  text(p.first).c_str(), number_of(seen), index_t(seen.size()), text(all, product_rate(system.device, who.at_once()), who).c_str());
    return;
  }
  p.seen = {{"first", text(p.looked.first)}, {"hours", p.looked.size()}, {"assimilated", number_of(seen)}, {"digest", digest_of(seen)}};
  if (!p.background.empty() && p.looked.size() > 0) p.seen["prior"] = fs::relative(p.background, folder).string();
  json more = {{"command", o_.line}, {"revision", provenance({}, 0, 0).at("revision")}};
  if (!look.summary.empty()) more["reading"] = look.summary;
  result_folder const to(folder, count, described(p), more, o_.resume, ranks_);

  bool const shared = crew{std::ssize(to.missing()), ranks_.size()}.shares_windows();
  std::vector<index_t> mine;
  for (std::size_t i = 0; i < to.missing().size(); ++i)
    if (shared || int(i) % ranks_.size() == ranks_.rank()) mine.push_back(to.missing()[i]);
  int const units = 1000;  // of a draw
  sda::progress bar(p.task, std::max(1L, p.draws) * units * long(mine.size()));
  std::mutex telling;
  std::map<index_t, long> done;
  share_out(mine, shared ? 1 : o_.workers, [&](index_t m) {
    long draws = 0, before = 0;
    auto const watch = [&](headway const& h) {
      examples::heed_interrupts();
      std::lock_guard const one(telling);
      if (h.done < before) ++draws;
      before = h.done, done[m] = (std::min(draws, p.draws - 1) * h.of + h.done) * units / h.of;
      long total = 0;
      for (auto const& [member, part] : done) total += part;
      if (!ranks_.first()) return;
      auto const window = h.window > 0 ? sda::detail::text(", window ", h.window, " of ", h.windows) : "";
      bar.at(total, sda::detail::text("member ", m + 1, ", draw ", draws + 1, " of ", p.draws, ", step ", h.done, " of ", h.of, window));
    };
    drawing how = how_;
    how.mirrored = opposite(m);
    chain const c{system, how, seen_at, shared ? ranks_ : alone, predictions_, watch, nullptr, p.given ? p.given(m) : stretch{}};
    auto const made = p.draw(c, m, seed().fold(1).fold(std::uint64_t(p.looked.size() > 0 ? p.looked.first : p.first)).fold(pair(m)));
    if (!shared || ranks_.first()) keep(to, p, m, made);
  });
  if (ranks_.first()) finish(to, p, look);
}

json session::described(plan const& p) const {
  json out = {{"task", p.task},
              {"configuration", configuration()},
              {"seed", o_.seed},
              {"from", o_.from},
              {"weights", weights_},
              {"first", text(p.first)},
              {"step", system_.step},
              {"states", p.states},
              {"assimilated", p.assimilated},
              {"lead", (p.states - p.assimilated) * system_.step},
              {"observations", p.seen}};
  if (!o_.background.empty()) out["background"] = o_.background;
  return out;
}

}  // namespace appa
