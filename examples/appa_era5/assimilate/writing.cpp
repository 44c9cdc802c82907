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

namespace {

// What members show in the place of observations: the mean, and the spread over them. Nothing if they do not have the hour.
class shown_by_members {
 public:
  shown_by_members(std::vector<std::string> const& files, scene const& s) : scene_(s) {
    for (auto const& file : files) members_.emplace_back(std::vector{file}, s.channels);
  }

  void operator()(sight const& seen, hours t, std::vector<float>& mean, std::vector<float>& spread) const {
    if (members_.empty() || !members_.front().has(t)) return;
    index_t const channels = scene_.channels.size(), points = scene_.where.points();
    std::vector<float> state(std::size_t(channels * points));
    std::vector<double> center(std::size_t(seen.count())), squares(center.size());
    double n = 0;
    for (auto const& member : members_) {
      member.read(t, 1, 1, state.data());
      scene_.standard.standardise(state, points);
      for (float& x : state) x = std::isnan(x) ? 0 : x;
      auto const shown = shown_by(seen, state, channels);
      ++n;
      for (std::size_t i = 0; i < shown.size(); ++i) {
        double const off = shown[i] - center[i];
        center[i] += off / n, squares[i] += off * (shown[i] - center[i]);
      }
    }
    mean.assign(center.begin(), center.end());
    for (double const s : squares) spread.push_back(n > 1 ? float(std::sqrt(s / (n - 1))) : 0);
  }

 private:
  scene const& scene_;
  std::list<archive> members_;
};

}  // namespace

// Observations beside what members, and those of the run before, show in their place.
void session::compare(result_folder const& to, plan const& p, observing const& look) const {
  index_t const most = 20'000'000;
  bool const follows = !p.background.empty();
  shown_by_members const after(to.members(), scene_),
      before(follows ? expand({(p.background / "members" / "*.nc").string()}) : std::vector<std::string>(), scene_);
  std::vector<observed_hour> all;
  index_t count = 0;
  for (hours t = p.looked.first; t <= p.looked.last; t += system_.step) {
    observed_hour hour{t, look.all(t), {}, {}, {}, {}};
    if ((count += hour.what.seen.count()) > most) {
      std::fprintf(stderr, "%s is not written: more than %td observations\n", to.file("observations.nc").c_str(), most);
      return;
    }
    before(hour.what.seen, t, hour.before, hour.before_spread);
    after(hour.what.seen, t, hour.after, hour.after_spread);
    all.push_back(std::move(hour));
  }
  write_observations(to.file("observations.nc"), all, "observations and what the " + p.task + " shows in their place", o_.line,
                     contents(p, "").about);
}

state_contents session::contents(plan const& p, std::string const& title) const {
  state_contents as{system_.where, system_.channels, title, "appa " + provenance({}, 0, 0).at("revision"), o_.line};
  as.sea = scene_.sea;
  as.about = {{"task", p.task}, {"seed", std::to_string(o_.seed)}, {"configuration", configuration().dump()}, {"weights", weights_.dump()}};
  if (p.looked.size() > 0) as.about.push_back({"observations", p.seen.dump()});
  return as;
}

}  // namespace appa
