// SPDX-License-Identifier: Apache-2.0
#include "../../interrupt.hpp"
#include "assimilate/session.hpp"
#include "observe/observation_file.hpp"
#include "training/run.hpp"

#include <sda/torch/tensors.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <list>
#include <thread>

// What a run leaves behind: members, what is made of all of them, and what they show in the place of observations.

namespace appa {

using nlohmann::json;
using sda::require;
namespace fs = std::filesystem;

// What a member's states are beside its decoded latents: a draw of what the autoencoder leaves, the same whichever run writes an hour, and
// opposite within a mirrored pair. A state that persists keeps its own; one that is certain has none.
session::field_at session::residual_of(plan const& p, index_t member) const {
  if (!system_.residual || !how_.residual.members || p.certain) return {};
  auto const k = seed().fold(2).fold(pair(member));
  double const sign = opposite(member) ? -1 : 1;
  hours const last = p.task == "persistence" ? p.first : std::numeric_limits<hours>::max();
  return [=, this](hours t) { return system_.residual->drawn(k, std::min(t, last), system_.step, sign); };
}

void session::write(std::string const& path, state_contents const& as, stretch const& states, field_at const& more) const {
  state_writer file(path, as);
  for (index_t s = 0; s < states.size(); ++s) {
    hours const t = states.first + s * system_.step;
    auto x = system_.decode(states.states.narrow(0, s, 1), t)[0].to(at::kCPU, at::kFloat);
    if (more) x = x + more(t);
    x = x.t().contiguous();
    std::span<float> const values(x.data_ptr<float>(), std::size_t(x.numel()));
    system_.standard.restore(values, system_.where.points());
    file.append(t, values);
  }
  file.commit();
}

void session::keep(result_folder const& to, plan const& p, index_t member, stretch const& made) const {
  auto const known = last(made, std::min(made.size(), std::max(p.states, system_.length())), system_.step);  // enough to go on from
  sda::write_tensors(to.latents(member), {{"latents", known.states.contiguous()}},
                     {{"first", std::to_string(known.first)}, {"weights", weights_.dump()}});
  auto as = contents(p, sda::detail::text(p.task, " of the atmosphere, member ", member + 1));
  as.about.push_back({"realization", int(member + 1)});
  write(to.member(member), as, last(made, p.states, system_.step), residual_of(p, member));
}

// What is made of all members, once they are there.
void session::finish(result_folder const& to, plan const& p, observing const& look) const {
  auto const members = to.members();
  for (auto const& file : members)
    while (!fs::exists(file)) {  // other ranks are at it
      examples::heed_interrupts();
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  auto as = contents(p, p.task + " of the atmosphere");
  as.about.push_back({"members", int(members.size())});
  auto const mean = to.file("mean.nc");
  if (fs::exists(mean) && to.missing().empty() && sda::netcdf::reader(mean).number("", "members") == double(members.size()) &&
      (p.background.empty() || fs::exists(to.file("increments.nc"))))
    return;
  if (p.task == "prior" && data_) {  // what the autoencoder makes of the true states, to compare
    as.title = "the truth, encoded and decoded";
    write(to.file("reconstruction.nc"), as, encoded(data_, p.first, p.states));
  }
  if (look.all) compare(to, p, look);
  as.title = p.task + " of the atmosphere";
  write_mean_and_spread(members, mean, to.file("spread.nc"), as);
  if (!p.background.empty()) write_difference(mean, (p.background / "mean.nc").string(), to.file("increments.nc"), as);
}

// Observations beside what members show in their place.
void session::compare(result_folder const& to, plan const& p, observing const& look) const {
  index_t const most = 20'000'000, channels = system_.channels.size(), points = system_.where.points();
  std::list<archive> members;
  for (auto const& file : to.members()) members.emplace_back(std::vector{file}, system_.channels);
  std::vector<observed_hour> all;
  std::vector<float> state(std::size_t(channels * points));
  index_t count = 0;
  for (hours t = p.looked.first; t <= p.looked.last; t += system_.step) {
    observed_hour hour{t, look.all(t), {}, {}, {}, {}};
    if ((count += hour.what.seen.count()) > most) {
      std::fprintf(stderr, "%s is not written: more than %td observations\n", to.file("observations.nc").c_str(), most);
      return;
    }
    if (members.front().has(t)) {
      std::vector<double> mean(std::size_t(hour.what.seen.count())), squares(mean.size());
      double n = 0;
      for (auto const& member : members) {
        member.read(t, 1, 1, state.data());
        system_.standard.standardise(state, points);
        for (float& x : state) x = std::isnan(x) ? 0 : x;
        auto const shown = shown_by(hour.what.seen, state, channels);
        ++n;
        for (std::size_t i = 0; i < shown.size(); ++i) {
          double const off = shown[i] - mean[i];
          mean[i] += off / n, squares[i] += off * (shown[i] - mean[i]);
        }
      }
      hour.after.assign(mean.begin(), mean.end());
      for (double const s : squares) hour.after_spread.push_back(n > 1 ? float(std::sqrt(s / (n - 1))) : 0);
    }
    all.push_back(std::move(hour));
  }
  write_observations(to.file("observations.nc"), all, "observations and what the " + p.task + " shows in their place", o_.line,
                     contents(p, "").about);
}

state_contents session::contents(plan const& p, std::string const& title) const {
  state_contents as{system_.where, system_.channels, title, "appa " + provenance({}, 0, 0).at("revision"), o_.line};
  as.sea = scene_.sea;
  as.about = {{"task", p.task}, {"seed", std::to_string(o_.seed)}, {"configuration", configuration().dump()}, {"weights", weights_.dump()}};
  return as;
}

}  // namespace appa
