// SPDX-License-Identifier: Apache-2.0
#include "observe/observing.hpp"

#include "config.hpp"
#include "observe/network.hpp"

#include <algorithm>
#include <fstream>
#include <memory>
#include <numeric>
#include <sstream>

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

  // What is told are places that cannot be used.
  network simulated(std::string& told) const {
    auto const kind = about_.get<std::string>("kind");
    network n;
    n.points = points_of(kind, told);
    n.channels = channels_of(kind);
    n.variances = variances_of(n.channels, kind == "stations" ? 0.01 : 0.1);
    n.noise = about_.get("noise", true), n.left_out = share_left_out(), n.from = number_;
    if (auto const every = about_.get("every", 1); every != 1) {
      require(every > 0, where(), " looks every ", every, " hours");
      n.points = [each = std::move(n.points), every](hours t) { return t % every == 0 ? each(t) : std::vector<index_t>(); };
    }
    return n;
  }
  point_network real() const {
    know({"kind", "file", "interpolation", "gross_error", "thinning", "correlation", "error", "units", "left_out"});
    auto const how = about_.get("interpolation", "bilinear");
    require(how == "bilinear" || how == "nearest", where(), ".interpolation is bilinear or nearest, not ", how);
    point_options o;
    o.how = how == "nearest" ? reading::nearest : reading::interpolated;
    o.gross_error = about_.get("gross_error", o.gross_error), o.thinning = about_.get("thinning", o.thinning), o.left_out = share_left_out();
    if (auto const correlation = about_.at("correlation"); about_.has("correlation")) {
      o.vertical = correlation.get("vertical", 0.0), o.track = correlation.get("track", 0.0);
      require((o.vertical > 0) != (o.track > 0), where(), ".correlation has the length of one kind, vertical or track: ", correlation.json().dump());
    }
    require(o.gross_error >= 0 && o.thinning >= 0, where(), ": a gross error of ", o.gross_error, " deviations, a thinning of ", o.thinning, " km");
    o.errors = errors_of(std::nan(""));
    return {read_points(about_.get<std::string>("file"), number_), scene_, o};
  }
  bool is_real() const { return about_.get<std::string>("kind") == "file"; }

 private:
  void know(std::vector<std::string> const& keys) const {
    for (auto const& [key, value] : about_.json().items())
      require(std::find(keys.begin(), keys.end(), key) != keys.end(), where(), " has no key ", key, "; there are ", joined(keys));
  }
  void know_simulated(std::vector<std::string> keys) const {
    keys.insert(keys.end(), {"kind", "channels", "error", "units", "noise", "left_out", "every"});
    know(keys);
  }
  double share_left_out() const {
    auto const share = about_.get("left_out", 0.0);
    require(share >= 0 && share <= 1, where(), " leaves out a share of ", share);
    return share;
  }

  config about_;
  scene const& scene_;
  sda::key key_;
  int number_;

  std::string where() const { return sda::detail::text("observations[", number_, "]"); }

  std::function<std::vector<index_t>(hours)> points_of(std::string const& kind, std::string& told) const {
    grid const& g = scene_.where;
    sda::key const own = key_.fold(2).fold(std::uint64_t(number_));
    if (kind == "stations") {
      know_simulated({"file", "count", "on"});
      require(about_.has("file") != about_.has("count"), where(), " needs a file of stations, or a count of them, and not both");
      auto points = about_.has("file") ? listed(about_.get<std::string>("file"), told) : drawn(own);
      require(!points.empty(), where(), " has no station on ", text(g));
      return [points = std::move(points)](hours) { return points; };
    }
    if (kind == "satellite") {
      know_simulated({"altitude", "inclination", "phase", "samples", "field_of_view", "delay"});
      orbit o;
      for (auto const& [key, value] : {std::pair{"altitude", &o.altitude}, {"inclination", &o.inclination}, {"phase", &o.phase},
                                       {"field_of_view", &o.field_of_view}, {"delay", &o.delay}})
        *value = about_.get(key, *value);
      o.samples = about_.get("samples", o.samples);
      return [o, g](hours t) { return o.swath(g, int(t)); };
    }
    if (kind == "random") {
      know_simulated({"share", "fixed"});
      return random_columns(g, about_.get<double>("share"), about_.get("fixed", false), own);
    }
    require(kind == "dense", where(), " is of kind ", kind, "; known are stations, satellite, random, dense, file");
    know_simulated({});
    std::vector<index_t> every_point(std::size_t(g.points()));
    std::iota(every_point.begin(), every_point.end(), index_t{0});
    return [every_point = std::move(every_point)](hours) { return every_point; };
  }
  std::vector<index_t> listed(std::string const& file, std::string& told) const {
    index_t skipped = 0;
    auto const stations = read_stations(file, &skipped);
    auto const off = std::count_if(stations.begin(), stations.end(), [&](station const& s) { return nearest_point(scene_.where, s.where) < 0; });
    auto points = station_points(scene_.where, stations);
    told = sda::detail::text(std::ssize(stations) + skipped, " stations at ", points.size(), " points; ", skipped, " lines without a place, ", off,
                             " places off the grid");
    return points;
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

  // Standardised deviations by channel; NaN where nothing is said.
  std::vector<double> errors_of(double usual) const {
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
    for (std::size_t c = 0; c < errors.size(); ++c) {
      require(std::isnan(errors[c]) || (errors[c] > 0 && std::isfinite(errors[c])), where(), ".error of ", label(scene_.channels.list()[c]), " is ", errors[c]);
      if (units == "physical") errors[c] /= scene_.standard.deviation[c];
    }
    return errors;
  }
  std::vector<double> variances_of(std::vector<index_t> const& channels, double usual) const {
    auto const errors = errors_of(usual);
    std::vector<double> variances;
    for (index_t const c : channels) {
      double const e = errors[std::size_t(c)];
      require(!std::isnan(e), where(), ".error says nothing of ", label(scene_.channels.list()[std::size_t(c)]));
      variances.push_back(e * e);
    }
    return variances;
  }
};

}  // namespace

observing observe_by(json const& list, scene const& s, state_at const& truth, sda::key k, std::function<background(hours)> const& prior) {
  require(list.is_array(), "observations are a list of instruments");
  require(s.standard.channels.list() == s.channels.list(), "statistics of other channels than the states'");
  struct instruments {
    scene states;
    state_at truth;
    std::function<background(hours)> prior;
    sda::key key;
    std::vector<network> simulated;
    std::vector<point_network> real;
  };
  auto const all = std::make_shared<instruments>(instruments{s, truth, prior, k, {}, {}});
  std::string summary;
  auto const say = [&](std::string const& line) { summary += (summary.empty() ? "" : "\n") + line; };
  for (std::size_t i = 0; i < list.size(); ++i) {
    std::string const path = sda::detail::text("observations[", i, "]");
    require(list[i].is_object(), path, " is no map");
    entry const e(config(list[i], path), s, k, int(i));
    if (e.is_real()) {
      all->real.push_back(e.real());
      say(path + ": " + all->real.back().count().text() + (all->real.back().covers().size() > 0 ? ", " + text(all->real.back().covers()) : ""));
    } else {
      std::string told;
      all->simulated.push_back(e.simulated(told));
      if (!told.empty()) say(path + ": " + told);
    }
  }
  require(all->simulated.empty() || truth, "simulated instruments have nothing to look at");

  auto const at = [all](hours t, bool describe) {
    observations out;
    if (!all->simulated.empty()) {
      auto const state = all->truth(t);
      for (auto const& n : all->simulated) look(n, all->states, t, state, all->key, describe, out);
    }
    auto const believed = all->prior && !all->real.empty() ? std::optional(all->prior(t)) : std::nullopt;
    for (auto const& n : all->real) {
      n.look(t, believed ? &*believed : nullptr, all->key, describe, out);
      if (!out.correlations.empty()) out.correlations.resize(out.fates.size());
    }
    return out;
  };
  auto const of = [at](fate f) {
    return [at, f](hours t) {
      auto const some = at(t, false).of(f);
      return independent(some.seen, some.correlations);
    };
  };
  return {of(fate::assimilated), of(fate::left_out), [at](hours t) { return at(t, true); }, summary};
}

nlohmann::json observation_list(std::string const& file) {
  std::ifstream in(file);
  std::stringstream words;
  words << in.rdbuf();
  require(in.good(), "cannot read ", file);
  auto const tree = config::parse(words.str(), {}, false);
  require(tree.has("observations"), file, " lists no observations");
  return tree.at("observations").json();
}

}  // namespace appa
