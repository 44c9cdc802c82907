// SPDX-License-Identifier: Apache-2.0
#include "assimilate/session.hpp"
#include "data/dataset.hpp"
#include "weights/state_dict.hpp"

#include <sda/torch/tensors.hpp>

#include <mutex>

// What the members of each task are, and what they begin with.

namespace appa {

using nlohmann::json;
using sda::require;
namespace fs = std::filesystem;

namespace {

// What f makes, once, when a thread first wants it.
template <class F> auto when_wanted(F f) {
  struct later {
    F make;
    std::once_flag once;
    stretch made;
    explicit later(F how) : make(std::move(how)) {}
  };
  return [all = std::make_shared<later>(std::move(f))] {
    std::call_once(all->once, [&] { all->made = all->make(); });
    return all->made;
  };
}

}  // namespace

index_t session::states_in(char const* key, hours otherwise) const {
  auto const h = chosen_.get<hours>(key, otherwise);
  require(h > 0 && h % system_.step == 0, "assimilation.", key, " is ", h, " hours, and states are ", system_.step, " hours apart");
  return index_t(h / system_.step);
}

std::vector<float> session::truth(hours t) const { return dataset(data_, {t, t}, {}, system_.standard)[0].values; }

stretch session::encoded(std::shared_ptr<archive const> const& data, hours first, index_t states) const {
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
  return [known = when_wanted([=, this] { return encoded(files, first, all); })](index_t) { return known(); };
}

std::function<stretch(chain const&, index_t, sda::key)> session::beginning(hours date, index_t states, std::string const& start) const {
  if (!o_.from.empty()) return [=, this](chain const&, index_t m, sda::key) { return last(kept(o_.from, m, date), states, system_.step); };
  if (start == "full") {
    hours const first = date - states * system_.step;
    if (o_.dry)
      return [=, this](chain const&, index_t, sda::key) { return stretch{first, at::zeros({states, system_.tokens(), system_.latents()})}; };
    require(data_ != nullptr, "a start from full states needs files that hold them: --data");
    auto const lost = data_->report({first, date - system_.step}, system_.step);
    require(lost.empty(), "the states to start from are not all there: ", lost);
    return [known = when_wanted([=, this] { return encoded(data_, first, states); })](chain const&, index_t, sda::key) { return known(); };
  }
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
  p.background = run_before();
  return p;
}

fs::path session::run_before() const {
  bool const there = o_.background.size() == 1 && fs::exists(fs::path(o_.background[0]) / "mean.nc");
  return there ? fs::path(o_.background[0]) : fs::path();
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
    plan analysis{"analysis", looked.first, states, states, looked, 1, {}, c == 0 ? run_before() : place(c - 1) / "forecast"};
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

}  // namespace appa
