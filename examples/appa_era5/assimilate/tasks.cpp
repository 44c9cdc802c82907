// SPDX-License-Identifier: Apache-2.0
#include "assimilate/tasks.hpp"

#include "../../interrupt.hpp"
#include "assimilate/chain.hpp"
#include "assimilate/results.hpp"
#include "data/dataset.hpp"
#include "data/state_file.hpp"
#include "observe/observation_file.hpp"
#include "observe/observing.hpp"
#include "training/run.hpp"
#include "weights/state_dict.hpp"

#include <sda/torch/tensors.hpp>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <future>
#include <limits>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace appa {

using nlohmann::json;
using sda::require;
namespace fs = std::filesystem;

namespace {

/// What members of one folder are.
struct plan {
  std::string task;
  hours first = 0;                                                      // of the states that are written,
  index_t states = 0;                                                   // so many of them,
  index_t assimilated = 0;                                              // to whose first ones something contributed
  period looked;                                                        // when observations were assimilated
  long draws = 1;                                                       // joint draws of a member
  std::function<stretch(chain const&, index_t member, sda::key)> draw;  // its last states are those that are written
  fs::path background = {};                                             // a folder whose mean was the best guess before
  std::function<stretch(index_t member)> given = {};                    // what a member departs from, if it does
  bool certain = false;                                                 // nothing is drawn: one member is all
};

/// What all tasks of a run share.
class session {
 public:
  session(config const& whole, task_options const& o, job const& ranks);

  plan planned(hours date) const;
  void run(plan const& p, fs::path const& folder) const;
  void cycle(hours date, fs::path const& folder) const;

 private:
  config chosen_;
  json observations_;
  task_options const& o_;
  job const& ranks_;
  trained_system const system_;
  std::optional<trained_system> departing_;  // that draws analyses, if another does
  std::shared_ptr<archive const> data_;
  scene scene_;
  drawing how_;
  index_t predictions_;
  json weights_;

  sda::key seed() const { return sda::key{o_.seed}; }
  // With mirrored members, 2p and 2p + 1 are a pair of one key, and the latter begins at the opposite noise.
  std::uint64_t pair(index_t member) const { return std::uint64_t(how_.mirrored ? member / 2 : member); }
  bool opposite(index_t member) const { return how_.mirrored && member % 2 == 1; }
  index_t members() const { return chosen_.get("members", index_t{10}); }
  index_t states_in(char const* key, hours otherwise) const;
  period before(hours date, index_t states) const { return {date - states * system_.step, date - system_.step}; }

  trained_system const& analysing() const { return departing_ ? *departing_ : system_; }
  std::vector<float> truth(hours t) const;
  stretch encoded(std::shared_ptr<archive const> const& data, hours first, index_t states) const;
  stretch stored(fs::path const& folder, index_t member) const;
  stretch kept(fs::path const& folder, index_t member, hours date) const;
  std::function<stretch(index_t)> background(hours first, index_t states) const;
  observing instruments(plan const& p) const;
  plan forecast(hours date) const;
  plan persistence(hours date) const;
  std::function<stretch(chain const&, index_t, sda::key)> beginning(hours date, index_t states, std::string const& start) const;

  json configuration() const;
  json described(plan const& p, std::map<hours, sight> const& seen) const;
  state_contents contents(plan const& p, std::string const& title) const;
  using field_at = std::function<at::Tensor(hours)>;
  field_at residual_of(plan const& p, index_t member) const;
  void write(std::string const& path, state_contents const& as, stretch const& states, field_at const& more = {}) const;
  void keep(result_folder const& to, plan const& p, index_t member, stretch const& made) const;
  void finish(result_folder const& to, plan const& p, observing const& look) const;
  void compare(result_folder const& to, plan const& p, observing const& look) const;
};

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

channel const sea_temperature{"sea_surface_temperature", 0};

session::session(config const& whole, task_options const& o, job const& ranks)
    : chosen_(whole.at("assimilation")), observations_(whole.json().value("observations", json::array())), o_(o), ranks_(ranks),
      system_(load_system(o.model)), departing_(o.analysis.empty() ? std::optional<trained_system>()
                                                                   : load_system({o.model.latents, o.analysis, o.model.device, o.model.statistics})) {
  bool const may_depart = o.task == "reanalyse" || o.task == "filter" || o.task == "prior";
  require(may_depart || !system_.takes_background(), "this denoiser draws departures from a background (denoiser.background), with which a ", o.task,
          " cannot begin: give --denoiser one without, and this to cycle's --analysis-denoiser");
  require(!departing_ || departing_->takes_background(), o.analysis,
          " was trained without a background (denoiser.background): analyses need no denoiser of their own");
  require(!departing_ || departing_->step == system_.step, "states are ", system_.step, " hours apart, and ", departing_ ? departing_->step : 0,
          " in ", o.analysis);
  if (departing_) departing_->residual = system_.residual;  // in memory once
  require(o.background.empty() || analysing().takes_background(), "--background is given, and no denoiser takes one (denoiser.background)");
  if (!o.data.empty()) data_ = std::make_shared<archive>(o.data, system_.channels);
  require(!data_ || same(data_->where(), system_.where), "the files have ", text(data_ ? data_->where() : system_.where), ", the model ",
          text(system_.where));
  scene_ = {system_.where, system_.channels, system_.standard, {}};
  if (auto const c = system_.channels.index_of(sea_temperature); c >= 0 && data_ && !data_->times().empty()) {
    std::vector<float> raw(std::size_t(system_.channels.size() * system_.where.points()));
    data_->read(data_->times().front(), 1, 1, raw.data());
    auto const* const sst = raw.data() + c * system_.where.points();
    for (index_t p = 0; p < system_.where.points(); ++p) scene_.sea.push_back(!std::isnan(sst[p]));
  }
  chosen_.json().get_to(how_);
  how_.mirrored = chosen_.get("mirrored", false);
  if (chosen_.get("all_at_once", false)) how_.windows.join = "causal";
  check(how_, system_.length()), check(how_, analysing().length());
  predictions_ = chosen_.get("predictions", system_.length() / 2);
  require(predictions_ > 0 && predictions_ < system_.length(), "assimilation.predictions is ", predictions_, " in windows of ", system_.length(),
          " states");
  for (auto const& [name, file] :
       {std::pair<char const*, std::string>{"autoencoder", autoencoder_file(o.model.latents)}, {"denoiser", model_file(o.model.model)}})
    weights_[name] = digest(file);
  if (departing_) weights_["analysis"] = digest(model_file(o.analysis));
  if (system_.residual && (how_.residual.observations || how_.residual.members))
    weights_["residuals"] = digest(fs::path(o.model.latents) / "residuals.safetensors");
}

index_t session::states_in(char const* key, hours otherwise) const {
  auto const h = chosen_.get<hours>(key, otherwise);
  require(h > 0 && h % system_.step == 0, "assimilation.", key, " is ", h, " hours, and states are ", system_.step, " hours apart");
  return index_t(h / system_.step);
}

std::vector<float> session::truth(hours t) const { return dataset(data_, {t, t}, {}, system_.standard)[0].values; }

stretch session::encoded(std::shared_ptr<archive const> const& data, hours first, index_t states) const {
  require(data != nullptr, "a start from full states needs files that hold them: --data");
  stretch out{first, {}};
  std::vector<at::Tensor> each;
  for (index_t s = 0; s < states; ++s) {
    hours const t = first + s * system_.step;
    auto values = dataset(data, {t, t}, {}, system_.standard)[0].values;
    auto const x = at::from_blob(values.data(), {1, system_.channels.size(), system_.where.points()}, at::kFloat);
    each.push_back(system_.encode(x.transpose(1, 2).contiguous(), first + s * system_.step));
  }
  out.states = at::cat(each);
  return out;
}

// What an earlier run drew of a member,
stretch session::stored(fs::path const& folder, index_t member) const {
  fs::path const file = latents_of(folder, member);
  require(fs::exists(file), folder.string(), " has no member ", member + 1, " (", file.string(), ")");
  auto const stored = read_tensors(file);
  stretch const all{std::stoll(stored.words.at("first")), sda::to_torch(stored["latents"])};
  require(json::parse(stored.words.at("weights")).at("autoencoder") == weights_.at("autoencoder"), file.string(), " belongs to another autoencoder");
  return all;
}
// ... up to a date.
stretch session::kept(fs::path const& folder, index_t member, hours date) const {
  if (o_.dry) return {date - system_.length() * system_.step, at::zeros({system_.length(), system_.tokens(), system_.latents()})};
  auto const all = stored(folder, member);
  auto const n = (date - all.first) / system_.step;
  require(n > 0 && n <= all.size(), latents_of(folder, member), " ends at ", text(all.first + (all.size() - 1) * system_.step), ", and ", text(date),
          " is to follow");
  return {all.first, all.states.narrow(0, 0, n)};
}

// What members depart from: those of an earlier run, of which there may be one for all, or files of states.
std::function<stretch(index_t)> session::background(hours first, index_t states) const {
  if (!analysing().takes_background()) return {};
  require(!o_.background.empty(),
          "this denoiser draws departures from a background (denoiser.background), and there is none: --background, the folder of an earlier "
          "run or files of states");
  if (o_.dry) return [](index_t) { return stretch{}; };
  fs::path const folder = o_.background.front();
  if (fs::is_directory(folder / "latents"))
    return [=, this](index_t m) { return stored(folder, fs::exists(latents_of(folder, m)) || fs::exists(latents_of(folder, 1)) ? m : 0); };
  auto const files = std::make_shared<archive const>(o_.background, system_.channels);
  require(same(files->where(), system_.where), "the background has ", text(files->where()), ", the model ", text(system_.where));
  auto const all = reach(how_, analysing().length(), states);
  auto const lost = files->report({first, first + (all - 1) * system_.step}, system_.step);
  require(lost.empty(), "the background does not cover the windows that are drawn: ", lost);
  return [known = encoded(files, first, all)](index_t) { return known; };
}

std::function<stretch(chain const&, index_t, sda::key)> session::beginning(hours date, index_t states, std::string const& start) const {
  if (!o_.from.empty()) return [=, this](chain const&, index_t m, sda::key) { return last(kept(o_.from, m, date), states, system_.step); };
  if (start == "full") return [known = encoded(data_, date - states * system_.step, states)](chain const&, index_t, sda::key) { return known; };
  require(start == "observations" || start == "reanalysis", "assimilation.start is ", start, "; full, observations or reanalysis");
  auto const spin_up = start == "reanalysis" ? states_in("spin_up", system_.length() * system_.step) : states,
             span = std::max(spin_up, system_.length());
  return [=, this](chain const& c, index_t, sda::key k) {
    return last(c.joint(date - span * system_.step, span, before(date, spin_up), k.fold(1)), states, system_.step);
  };
}

plan session::forecast(hours date) const {
  auto const ahead = states_in("lead", 72), seen = states_in("hours", (system_.length() - predictions_) * system_.step);
  auto const start = chosen_.get("start", "observations");
  bool const at_once = chosen_.get("all_at_once", false), direct = o_.from.empty() && start == "observations",
             observes = o_.from.empty() && start != "full";
  plan p{"forecast", date - seen * system_.step, seen + ahead, seen, {}, 1, {}, {}};
  if (observes) p.looked = before(date, direct ? seen : states_in("spin_up", system_.length() * system_.step));
  if (direct && at_once) {
    p.draw = [=, this](chain const& c, index_t, sda::key k) { return c.joint(p.first, p.states, p.looked, k); };
  } else if (direct) {  // what is seen and the first predictions belong together
    p.draws = 1 + (ahead - 1) / predictions_;
    p.draw = [=, this](chain const& c, index_t, sda::key k) {
      auto const head = std::max(seen, c.past()), first = std::min(predictions_, ahead);
      auto const begun = last(c.joint(date - head * system_.step, head + first, before(date, seen), k.fold(1)), seen + first, system_.step);
      return ahead == first ? begun : begun + c.forecast(begun, ahead - first, k.fold(2));
    };
  } else {
    auto const begin = beginning(date, seen, start);
    p.draws = (at_once ? 1 : (ahead + predictions_ - 1) / predictions_) + (observes ? 1 : 0);
    p.draw = [=](chain const& c, index_t m, sda::key k) {
      auto const known = begin(c, m, k);
      return known + (at_once ? c.after(known, ahead, 0, k.fold(2)) : c.forecast(known, ahead, k.fold(2)));
    };
  }
  return p;
}

plan session::persistence(hours date) const {
  auto const ahead = states_in("lead", 72);
  auto const start = chosen_.get("start", "full");
  auto const begin = beginning(date, 1, start);
  plan p{"persistence", date - system_.step, 1 + ahead, 1, {}, start == "full" || !o_.from.empty() ? 0 : 1, {}, {}};
  p.certain = start == "full" && o_.from.empty();
  if (p.draws > 0) p.looked = before(date, states_in(start == "reanalysis" ? "spin_up" : "hours", system_.length() * system_.step));
  p.draw = [=](chain const& c, index_t m, sda::key k) {
    auto out = begin(c, m, k);
    out.states = out.states.expand({1 + ahead, -1, -1}).contiguous();
    return out;
  };
  return p;
}

plan session::planned(hours date) const {
  if (o_.task == "forecast") return forecast(date);
  if (o_.task == "persistence") return persistence(date);
  auto const states = states_in("hours", system_.length() * system_.step);
  plan p{o_.task, date, states, states, {date, date + (states - 1) * system_.step}, 1, {}, {}};
  if (o_.task == "prior") p.assimilated = 0, p.looked = {};
  if (o_.task == "filter") p.states = p.assimilated = 1, p.looked = before(date + system_.step, states);
  auto const first = o_.task == "filter" ? p.looked.first : date;
  p.draw = [=](chain const& c, index_t, sda::key k) { return c.joint(first, states, p.looked, k); };
  p.given = background(first, states);
  if (o_.background.size() == 1 && fs::exists(fs::path(o_.background[0]) / "mean.nc")) p.background = o_.background[0];
  return p;
}

// What looks, if anything does.
observing session::instruments(plan const& p) const {
  if (p.looked.size() == 0) return {};
  if (auto const lost = data_ ? data_->report(p.looked, system_.step) : ""; !lost.empty())
    throw sda::error("what instruments look at is not there: " + lost);
  return observe_by(observations_, scene_, data_ ? state_at([this](hours t) { return truth(t); }) : state_at(), seed().fold(0));
}

/// Draws every member of a folder that is not there yet.
void session::run(plan const& p, fs::path const& folder) const {
  auto const look = instruments(p);
  if (!look.summary.empty() && ranks_.first()) std::fprintf(stderr, "%s\n", look.summary.c_str());
  std::map<hours, sight> seen;
  for (hours t = p.looked.first; t <= p.looked.last; t += system_.step) seen[t] = look.assimilated(t);
  auto const count = p.certain ? 1 : members();
  auto const& system = p.given ? analysing() : system_;
  auto const seen_at = [&](hours t) { return seen.count(t) ? seen.at(t) : sight{}; };
  if (o_.dry) {
    estimate all;
    p.draw({system, how_, seen_at, ranks_, predictions_, {}, &all}, 0, seed());
    if (system_.residual) all.residuals = 4 * double(system_.residual->fields.numel());
    if (ranks_.first())
      std::printf("%s, %td members of %td states from %s:\n%s", folder.c_str(), count, p.states, text(p.first).c_str(),
                  text(all, product_rate(), count, ranks_.size()).c_str());
    return;
  }
  result_folder const to(folder, count, described(p, seen), {{"command", o_.line}, {"revision", provenance({}, 0, 0).at("revision")}}, o_.resume,
                         ranks_);

  bool const shared = ranks_.size() > 1 && index_t(to.missing().size()) < ranks_.size();  // ranks share windows, else members
  std::vector<index_t> mine;
  for (std::size_t i = 0; i < to.missing().size(); ++i)
    if (shared || int(i) % ranks_.size() == ranks_.rank()) mine.push_back(to.missing()[i]);
  int const units = 1000;  // of a draw
  sda::progress bar(p.task, std::max(1L, p.draws) * units * long(mine.size()));
  std::mutex telling;
  std::map<index_t, long> done;
  job const alone;
  share_out(mine, shared ? 1 : o_.workers, [&](index_t m) {
    long draws = 0, before = 0;
    auto const watch = [&](index_t at, index_t all) {
      examples::heed_interrupts();
      std::lock_guard const one(telling);
      if (at < before) ++draws;
      before = at, done[m] = (std::min(draws, p.draws - 1) * all + at) * units / all;
      long total = 0;
      for (auto const& [member, part] : done) total += part;
      if (ranks_.first()) bar.at(total, sda::detail::text("member ", m + 1, ", draw ", draws + 1, " of ", p.draws, ", step ", at, " of ", all));
    };
    drawing how = how_;
    how.mirrored = opposite(m);
    chain const c{system, how, seen_at, shared ? ranks_ : alone, predictions_, watch, nullptr, p.given ? p.given(m) : stretch{}};
    auto const made = p.draw(c, m, seed().fold(1).fold(std::uint64_t(p.looked.size() > 0 ? p.looked.first : p.first)).fold(pair(m)));
    if (!shared || ranks_.first()) keep(to, p, m, made);
  });
  if (ranks_.first()) finish(to, p, look);
}

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

// What decides a member's numbers.
json session::configuration() const {
  auto assimilation = chosen_.json();
  assimilation.erase("members"), assimilation.erase("cycles");
  return {{"assimilation", assimilation}, {"observations", observations_}};
}

json session::described(plan const& p, std::map<hours, sight> const& seen) const {
  index_t count = 0;
  fingerprint of_values;
  for (auto const& [t, s] : seen) {
    count += s.count();
    of_values.add(std::as_bytes(std::span(s.columns))), of_values.add(std::as_bytes(std::span(s.values))),
        of_values.add(std::as_bytes(std::span(s.variances)));
  }
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
              {"observations", {{"first", text(p.looked.first)}, {"hours", p.looked.size()}, {"assimilated", count}, {"digest", of_values.words()}}}};
  if (!o_.background.empty()) out["background"] = o_.background;
  return out;
}

state_contents session::contents(plan const& p, std::string const& title) const {
  state_contents as{system_.where, system_.channels, title, "appa " + provenance({}, 0, 0).at("revision"), o_.line};
  as.sea = scene_.sea;
  as.about = {{"task", p.task}, {"seed", std::to_string(o_.seed)}, {"configuration", configuration().dump()}, {"weights", weights_.dump()}};
  return as;
}

// Analysis and forecast in turn: each analysis continues the one before, member by member, given what was seen since; the forecast
// from it is what the next one improves: what it departs from, with a denoiser of departures.
void session::cycle(hours date, fs::path const& folder) const {
  auto const begun = states_in("hours", system_.length() * system_.step), each = states_in("every", predictions_ * system_.step),
             ahead = states_in("lead", 72);
  auto const cycles = chosen_.get("cycles", index_t{4});
  auto const place = [&](index_t c) { return folder / text(date + c * each * system_.step); };
  for (index_t c = 0; c < cycles; ++c) {
    hours const now = date + c * each * system_.step;
    auto const states = c == 0 ? begun : each;
    auto const looked = before(now, states);
    plan analysis{"analysis", looked.first, states, states, looked, 1, {}, c == 0 ? fs::path() : place(c - 1) / "forecast"};
    if (c == 0) {
      analysis.draw = [=](chain const& by, index_t, sda::key k) { return by.joint(looked.first, states, looked, k); };
      if (!o_.background.empty()) analysis.given = background(looked.first, states);
    } else {
      if (departing_) analysis.given = [=, this](index_t m) { return stored(place(c - 1) / "forecast", m); };
      analysis.draw = [=, this](chain const& by, index_t m, sda::key k) {
        auto const past = kept(place(c - 1) / "analysis", m, looked.first);
        if (departing_) return past + by.joint(looked.first, states, looked, k);
        return past + by.after(last(past, std::min(past.size(), by.past()), system_.step), states, states, k);
      };
    }
    run(analysis, place(c) / "analysis");
    plan ahead_of{"forecast", now, ahead, 0, {}, (ahead + predictions_ - 1) / predictions_, {}, {}};
    ahead_of.draw = [=, this](chain const& by, index_t m, sda::key k) { return by.forecast(kept(place(c) / "analysis", m, now), ahead, k); };
    run(ahead_of, place(c) / "forecast");
  }
}

}  // namespace

void run_task(config const& whole, task_options const& o, job const& ranks) {
  torch::NoGradGuard const off;
  require(!o.first.empty(), "no date: --first");
  session const all(whole, o, ranks);
  for (auto const& words : o.first) {
    auto const date = hours_of(parse_date(words));
    auto const folder = o.first.size() == 1 ? fs::path(o.out) : fs::path(o.out) / text(date);
    if (o.task == "cycle") all.cycle(date, folder);
    else all.run(all.planned(date), folder);
  }
}

}  // namespace appa
