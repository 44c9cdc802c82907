// SPDX-License-Identifier: Apache-2.0
#include "observe/observing.hpp"

#include "config.hpp"
#include "observe/network.hpp"

#include <algorithm>
#include <memory>
#include <numeric>

namespace appa {

namespace {

using nlohmann::json;
using sda::require;

std::string joined(auto const& words) {
  std::string out;
  for (auto const& w : words) out += (out.empty() ? "" : ", ") + std::string(w);
  return out;
}

// The channels of a set that a name stands for.
std::vector<index_t> named(channel_set const& channels, std::string const& name) {
  auto const list = channels.list();
  std::string const of = name.substr(0, name.find('@')), level = name.size() == of.size() ? "" : name.substr(of.size() + 1);
  auto const* const known = find_variable(of);
  std::vector<index_t> out;
  for (std::size_t c = 0; c < list.size(); ++c) {
    bool const here = name == "all" || (name == "surface" && list[c].level == 0) || (name == "atmosphere" && list[c].level != 0) ||
                      (known && list[c].name == known->name && (level.empty() || level == std::to_string(list[c].level)));
    if (here) out.push_back(index_t(c));
  }
  return out;
}

// One instrument of the list.
class entry {
 public:
  entry(config about, scene const& s, sda::key k, int number) : about_(std::move(about)), scene_(s), key_(k), number_(number) {}

  network simulated() const {
    auto const kind = about_.get<std::string>("kind");
    network n;
    n.points = points_of(kind);
    n.channels = channels_of(kind);
    n.variances = variances_of(n.channels, kind == "stations" ? 0.01 : 0.1);
    n.noise = about_.get("noise", true), n.left_out = about_.get("left_out", 0.0), n.from = number_;
    require(n.left_out >= 0 && n.left_out <= 1, where(), " leaves out a share of ", n.left_out);
    if (auto const every = about_.get("every", 1); every != 1) {
      require(every > 0, where(), " looks every ", every, " hours");
      n.points = [each = std::move(n.points), every](hours t) { return t % every == 0 ? each(t) : std::vector<index_t>(); };
    }
    return n;
  }
  /// Every key must be one of these, and those of all kinds.
  void know(std::vector<std::string> keys) const {
    keys.insert(keys.end(), {"kind", "channels", "error", "units", "noise", "left_out", "every"});
    for (auto const& [key, value] : about_.json().items())
      require(std::find(keys.begin(), keys.end(), key) != keys.end(), where(), " has no key ", key, "; there are ", joined(keys));
  }

 private:
  config about_;
  scene const& scene_;
  sda::key key_;
  int number_;

  std::string where() const { return sda::detail::text("observations[", number_, "]"); }

  std::function<std::vector<index_t>(hours)> points_of(std::string const& kind) const {
    grid const& g = scene_.where;
    sda::key const own = key_.fold(2).fold(std::uint64_t(number_));
    if (kind == "stations") {
      know({"file", "count", "on"});
      require(about_.has("file") != about_.has("count"), where(), " needs a file of stations, or a count of them, and not both");
      auto points = about_.has("file") ? station_points(g, read_stations(about_.get<std::string>("file"))) : drawn(own);
      require(!points.empty(), where(), " has no station on ", text(g));
      return [points = std::move(points)](hours) { return points; };
    }
    if (kind == "satellite") {
      know({"altitude", "inclination", "phase", "samples", "field_of_view", "delay"});
      orbit o;
      for (auto const& [key, value] : {std::pair{"altitude", &o.altitude}, {"inclination", &o.inclination}, {"phase", &o.phase},
                                       {"field_of_view", &o.field_of_view}, {"delay", &o.delay}})
        *value = about_.get(key, *value);
      o.samples = about_.get("samples", o.samples);
      return [o, g](hours t) { return o.swath(g, int(t)); };
    }
    if (kind == "random") {
      know({"share", "fixed"});
      return random_columns(g, about_.get<double>("share"), about_.get("fixed", false), own);
    }
    require(kind == "dense", where(), " is of kind ", kind, "; known are stations, satellite, random, dense");
    know({});
    std::vector<index_t> every_point(std::size_t(g.points()));
    std::iota(every_point.begin(), every_point.end(), index_t{0});
    return [every_point = std::move(every_point)](hours) { return every_point; };
  }
  std::vector<index_t> drawn(sda::key own) const {
    auto const on = about_.get("on", "globe");
    require(on == "globe" || on == "land" || on == "sea", where(), " draws stations on ", on, "; known are globe, land, sea");
    std::vector<char> allowed;
    if (on != "globe") {
      require(index_t(scene_.sea.size()) == scene_.where.points(), where(), " draws stations on ", on, ", and nothing says where that is");
      for (char const s : scene_.sea) allowed.push_back((s != 0) == (on == "sea"));
    }
    return random_stations(scene_.where, about_.get<index_t>("count"), allowed, own);
  }

  std::vector<index_t> channels_of(std::string const& kind) const {
    std::string const usual = kind == "stations" ? "surface" : kind == "satellite" ? "atmosphere" : "all";
    std::vector<index_t> out;
    for (auto const& name : about_.get("channels", std::vector{usual})) {
      auto const some = named(scene_.channels, name);
      require(!some.empty(), where(), ".channels: no channel of the states is ", name);
      out.insert(out.end(), some.begin(), some.end());
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  std::vector<double> variances_of(std::vector<index_t> const& channels, double usual) const {
    auto const units = about_.get("units", "standardised");
    require(units == "standardised" || units == "physical", where(), ".units are standardised or physical, not ", units);
    require(units == "standardised" || about_.has("error"), where(), " has errors in physical units, and no error");
    std::vector<double> errors(std::size_t(scene_.channels.size()), std::nan(""));
    if (auto const by_name = about_.at("error"); by_name.json().is_object() && !by_name.json().empty()) {
      for (bool const precise : {false, true})   // t@850 counts more than t
        for (auto const& [name, value] : by_name.json().items()) {
          auto const some = named(scene_.channels, name);
          require(!some.empty(), where(), ".error: no channel of the states is ", name);
          if ((name.find('@') != std::string::npos) == precise)
            for (index_t const c : some) errors[std::size_t(c)] = about_.get<double>("error." + name);
        }
    } else {
      std::fill(errors.begin(), errors.end(), about_.get("error", usual));
    }
    std::vector<double> variances;
    for (index_t const c : channels) {
      double const e = errors[std::size_t(c)];
      auto const name = label(scene_.channels.list()[std::size_t(c)]);
      require(!std::isnan(e), where(), ".error says nothing of ", name);
      require(e > 0 && std::isfinite(e), where(), ".error of ", name, " is ", e);
      double const standardised = units == "physical" ? e / scene_.standard.deviation[std::size_t(c)] : e;
      variances.push_back(standardised * standardised);
    }
    return variances;
  }
};

}  // namespace

observing observe_by(json const& list, scene const& s, state_at const& truth, sda::key k) {
  require(list.is_array(), "observations are a list of instruments");
  require(s.standard.channels.list() == s.channels.list(), "statistics of other channels than the states'");
  struct instruments {
    scene states;
    state_at truth;
    sda::key key;
    std::vector<network> simulated;
  };
  auto const all = std::make_shared<instruments>(instruments{s, truth, k, {}});
  for (std::size_t i = 0; i < list.size(); ++i) {
    std::string const path = sda::detail::text("observations[", i, "]");
    require(list[i].is_object(), path, " is no map");
    all->simulated.push_back(entry(config(list[i], path), s, k, int(i)).simulated());
  }
  require(all->simulated.empty() || truth, "simulated instruments have nothing to look at");

  auto const at = [all](hours t, bool describe) {
    observations out;
    if (all->simulated.empty()) return out;
    auto const state = all->truth(t);
    for (auto const& n : all->simulated) look(n, all->states, t, state, all->key, describe, out);
    return out;
  };
  auto const of = [at](fate f) {
    return [at, f](hours t) {
      auto const some = at(t, false).of(f);
      return independent(some.seen, some.correlations);
    };
  };
  return {of(fate::assimilated), of(fate::left_out), [at](hours t) { return at(t, true); }, ""};
}

}  // namespace appa
