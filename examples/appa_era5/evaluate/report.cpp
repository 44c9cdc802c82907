// SPDX-License-Identifier: Apache-2.0
#include "evaluate/report.hpp"

#include <sda/core/pending_file.hpp>
#include <sda/netcdf.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace appa {

using nlohmann::json;
using Eigen::MatrixXd;

namespace {

// t2m, z500
std::string short_label(channel const& c) { return variable_of(c.name).short_name + (c.level ? std::to_string(c.level) : ""); }

json numbers_of(summary const& s) {
  json out;
  auto const x = numbers(s);
  for (std::size_t i = 0; i < x.size(); ++i) out[summary_names[i]] = x[i];
  out["cases"] = s.cases;
  return out;
}

// By region and channel: a list over leads for each score, and the means over leads.
json scores_of(evaluation const& e, channel_set const& channels, std::vector<double> const& deviations) {
  json out;
  auto const list = channels.list();
  for (std::size_t r = 0; r < e.regions.size(); ++r)
    for (std::size_t c = 0; c < list.size(); ++c) {
      json& here = out[e.regions[r]][short_label(list[c])];
      for (index_t l = 0; l < e.scores.leads(); ++l) {
        auto const at = numbers_of(e.scores.at(l, index_t(c), index_t(r)));
        for (auto const& [name, value] : at.items()) here[name].push_back(value);
      }
      here["mean"] = numbers_of(e.scores.over_leads(index_t(c), index_t(r)));
      if (!deviations.empty()) {
        json squares = json::array();
        for (index_t l = 0; l < e.scores.leads(); ++l) squares.push_back(std::pow(e.scores.at(l, index_t(c), index_t(r)).rmse / deviations[c], 2));
        here["standardised_mse"] = squares;
      }
    }
  return out;
}

json spectra_of(appearance const& look, channel_set const& channels) {
  json out;
  if (!look.power || look.power->states() == 0) return out;
  auto const put = [&](char const* name, MatrixXd const& values) {
    auto const list = channels.list();
    for (std::size_t c = 0; c < list.size(); ++c)
      if (!std::isnan(values(0, index_t(c)))) out[short_label(list[c])][name] = std::vector<double>(values.col(index_t(c)).begin(), values.col(index_t(c)).end());
  };
  put("mean", look.power->mean());
  put("q05", look.power->quantile(0.05)), put("q50", look.power->quantile(0.5)), put("q95", look.power->quantile(0.95));
  return out;
}

json shape_of(histogram const& h) {
  return {{"low", h.low()}, {"high", h.high()}, {"counts", h.counts()}, {"mean", h.mean()}, {"rms", h.root_mean_square()},
          {"q05", h.quantile(0.05)}, {"q50", h.quantile(0.5)}, {"q95", h.quantile(0.95)}};
}

json balances_of(appearance const& look) {
  json out = json::array();
  if (!look.checks) return out;
  for (auto const& l : look.checks->levels()) {
    json one{{"level", l.level}};
    if (!l.height.empty()) one["height"] = shape_of(l.height);   // km
    if (l.weight > 0)
      one["wind"] = {{"correlation", l.correlation()}, {"departure", l.departure()}, {"cosine", shape_of(l.cosine)}, {"sine", shape_of(l.sine)}};
    out.push_back(one);
  }
  return out;
}

json describe(evaluation const& e, channel_set const& channels, std::vector<double> const& deviations) {
  json out{{"name", e.name}, {"folders", e.folders}, {"members", e.members}, {"mirrored", e.mirrored}, {"assimilated", e.assimilated}, {"leads", e.leads}, {"regions", e.regions},
           {"task", e.about.value("task", "")}, {"hours_without_truth", e.passed_over}, {"left_out", e.left_out}};
  for (hours const t : e.starts) out["starts"].push_back(text(t));
  out["scores"] = scores_of(e, channels, deviations);
  out["spectra"] = spectra_of(e.own, channels), out["balances"] = balances_of(e.own);
  out["spectra_of_truth"] = spectra_of(e.of_truth, channels), out["balances_of_truth"] = balances_of(e.of_truth);
  auto const list = channels.list();
  for (std::size_t c = 0; c < list.size(); ++c) {
    out["errors"][short_label(list[c])] = shape_of(e.errors[c]);
    out["ranks"][short_label(list[c])] = e.scores.ranks(-1, index_t(c));
  }
  return out;
}

void write_text(std::filesystem::path const& path, std::string const& words) {
  sda::pending_file file(path);
  file.write(std::as_bytes(std::span(words)));
  file.commit();
}

}  // namespace

json describe(std::span<evaluation const> methods, channel_set const& channels, std::vector<double> const& deviations, report_words const& words) {
  json out{{"truth", words.truth}, {"climate", words.climate}, {"observations", words.observations}, {"command", words.command}};
  for (auto const& c : channels.list()) {
    auto const& v = variable_of(c.name);
    out["channels"].push_back({{"key", short_label(c)}, {"variable", v.name}, {"short_name", v.short_name}, {"level", c.level}, {"units", v.units},
                               {"shown_units", v.shown_units}, {"shown", v.shown}});
  }
  for (auto const& e : methods) out["methods"].push_back(describe(e, channels, deviations));
  return out;
}

void write_scores(std::filesystem::path const& path, evaluation const& e, channel_set const& channels, report_words const& words) {
  sda::netcdf::writer out(path.string());
  auto const& s = e.scores;
  std::string names, regions;
  for (auto const& c : channels.list()) names += sda::detail::text(names.empty() ? "" : " ", short_label(c));
  for (auto const& r : e.regions) regions += sda::detail::text(regions.empty() ? "" : " ", r);
  out.provenance("Scores of " + e.name, words.truth, words.command);
  std::pair<char const*, index_t> const sizes[]{{"start", s.cases()}, {"lead", s.leads()}, {"channel", s.channels()}, {"region", s.regions()}, {"rank", s.members() + 1}};
  for (auto const& [name, size] : sizes) out.dimension(name, size);
  auto const numbered = [&](char const* name, index_t n, std::string const& meanings) {
    std::vector<int> ids(static_cast<std::size_t>(n));
    std::iota(ids.begin(), ids.end(), 0);
    out.variable<int>(name, {name}, {{"long_name", meanings}});
    out.put<int>(name, ids);
  };
  numbered("channel", s.channels(), "one of: " + names), numbered("region", s.regions(), "one of: " + regions), numbered("rank", s.members() + 1, "members below the truth");
  out.variable<double>("start", {"start"}, {{"long_name", "first state"}, {"units", "hours since 1970-01-01"}, {"calendar", "proleptic_gregorian"}});
  out.put<double>("start", {e.starts.begin(), e.starts.end()});
  out.variable<double>("lead", {"lead"}, {{"long_name", "time since the last state of which something was assimilated"}, {"units", "hours"}});
  out.put<double>("lead", {e.leads.begin(), e.leads.end()});
  for (index_t m = 0; m < measures; ++m) {
    std::vector<double> values;
    for (index_t i = 0; i < s.cases() * s.leads() * s.channels() * s.regions(); ++i) {
      index_t const r = i % s.regions(), c = i / s.regions() % s.channels(), l = i / s.regions() / s.channels() % s.leads();
      values.push_back(s(i / s.regions() / s.channels() / s.leads(), l, c, r, measure(m)));
    }
    out.variable<double>(measure_names[std::size_t(m)], {"start", "lead", "channel", "region"}, {{"long_name", std::string("area mean of ") + measure_names[std::size_t(m)]}});
    out.put(measure_names[std::size_t(m)], values);
  }
  std::vector<double> counts;
  for (index_t l = 0; l < s.leads(); ++l)
    for (index_t c = 0; c < s.channels(); ++c)
      for (index_t const n : s.ranks(l, c)) counts.push_back(double(n));
  out.variable<double>("rank_count", {"lead", "channel", "rank"}, {{"long_name", "how often so many members were below the truth, of equal areas"}});
  out.put("rank_count", counts);
  for (auto const& [name, look] : {std::pair{"power", &e.own}, {"power_of_truth", &e.of_truth}}) {
    if (!look->power || look->power->states() == 0) continue;
    MatrixXd const mean = look->power->mean();   // column by column: channels, then degrees
    if (std::string(name) == "power") out.dimension("degree", mean.rows());
    out.variable<double>(name, {"channel", "degree"}, {{"long_name", "mean power by degree of orthonormal spherical harmonics, all orders"}});
    out.put(name, std::vector<double>(mean.data(), mean.data() + mean.size()));
  }
  out.commit();
}

void write_report(std::filesystem::path const& folder, std::span<evaluation const> methods, channel_set const& channels,
                  std::vector<double> const& deviations, report_words const& words) {
  std::filesystem::create_directories(folder);
  auto const report = describe(methods, channels, deviations, words);
  for (auto const& e : methods) write_scores(folder / ("scores_" + e.name + ".nc"), e, channels, words);
  write_text(folder / "report.md", tables(report));
  write_text(folder / "report.json", report.dump(1) + "\n");
}

}  // namespace appa
