// SPDX-License-Identifier: Apache-2.0
#include "evaluate/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>
#include <sstream>

namespace appa {

using nlohmann::json;

namespace {

std::string number(json const& x, double scale = 1) {
  if (!x.is_number() || std::isnan(x.get<double>())) return "";
  if (x.is_number_integer()) return std::to_string(x.get<std::int64_t>());
  char text[32];
  double const value = x.get<double>() * scale;
  std::snprintf(text, sizeof text, std::abs(value) >= 100 ? "%.0f" : std::abs(value) >= 10 ? "%.1f" : std::abs(value) >= 0.1 ? "%.2f" : "%.2g", value);
  return text;
}

// What is read first of a state, as far as it is there, and no more than fits on a page.
std::vector<json> main_channels(json const& report) {
  std::vector<json> some;
  auto const take = [&](auto const& wanted) {
    for (auto const& c : report.at("channels"))
      if (some.size() < 9 && wanted(c) && std::find(some.begin(), some.end(), c) == some.end()) some.push_back(c);
  };
  for (std::string const key : {"t2m", "u10", "v10", "msl", "sst", "tp", "t850", "z500", "q700"}) take([&](json const& c) { return c.at("key") == key; });
  take([](json const&) { return true; });
  return some;
}

struct column {
  std::string head;
  std::function<json(json const& method)> value;
  double scale = 1;
};

std::string table(json const& methods, std::string const& corner, std::vector<column> const& columns) {
  std::ostringstream out;
  out << "| " << corner << " |";
  for (auto const& c : columns) out << ' ' << c.head << " |";
  out << "\n|---|";
  for (std::size_t c = 0; c < columns.size(); ++c) out << "---:|";
  for (auto const& m : methods) {
    out << "\n| " << m.at("name").get<std::string>() << " |";
    for (auto const& c : columns) out << ' ' << number(c.value(m), c.scale) << " |";
  }
  out << "\n\n";
  return out.str();
}

bool has_units(std::string const& score) { return score == "rmse" || score == "spread" || score == "crps" || score == "bias"; }

std::vector<column> channel_columns(json const& report, std::string const& score, std::function<json(json const& method, std::string const& key)> const& value) {
  std::vector<column> out;
  for (auto const& c : main_channels(report)) {
    auto const key = c.at("key").get<std::string>();
    bool const scaled = has_units(score);
    out.push_back({key + (scaled ? " (" + c.at("shown_units").get<std::string>() + ")" : ""), [=](json const& m) { return value(m, key); },
                   scaled ? c.at("shown").get<double>() : 1});
  }
  return out;
}

json found(json const& tree, std::initializer_list<std::string> path) {
  json const* here = &tree;
  for (auto const& step : path) {
    if (!here->is_object() || !here->contains(step)) return nullptr;
    here = &here->at(step);
  }
  return *here;
}

// The number of a lead in a list over leads.
json at_lead(json const& method, json const& list, hours lead) {
  auto const& leads = method.at("leads");
  auto const at = std::find(leads.begin(), leads.end(), lead);
  return at == leads.end() || !list.is_array() ? json() : list.at(std::size_t(at - leads.begin()));
}

std::string methods_table(json const& report) {
  return table(report.at("methods"), "method",
               {{"starts", [](json const& m) { return json(m.at("starts").size()); }}, {"members", [](json const& m) { return m.at("members"); }},
                {"states", [](json const& m) { return json(m.at("leads").size()); }}, {"assimilated", [](json const& m) { return m.at("assimilated"); }}});
}

std::string means(json const& report, std::string const& region) {
  std::string out;
  for (auto const& [score, words] : {std::pair<std::string, std::string>{"rmse", "RMSE of the mean"}, {"crps", "CRPS"}, {"spread_skill_ratio", "Spread / skill"},
                                     {"anomaly_correlation", "Anomaly correlation"}, {"bias", "Bias"}}) {
    auto const value = [&, s = score](json const& m, std::string const& key) { return found(m, {"scores", region, key, "mean", s}); };
    bool any = false;
    for (auto const& m : report.at("methods"))
      for (auto const& c : main_channels(report)) any = any || !number(value(m, c.at("key").get<std::string>())).empty();
    if (any) out += table(report.at("methods"), words, channel_columns(report, score, value));
  }
  return out;
}

// The mean of what is known of a list over leads.
json mean_of(json const& list) {
  double sum = 0;
  int n = 0;
  for (auto const& x : list)
    if (x.is_number() && !std::isnan(x.get<double>())) sum += x.get<double>(), ++n;
  return n > 0 ? json(sum / n) : json();
}

// Variables down, levels across, a table a method.
std::string by_level(json const& report) {
  json variables = json::array();
  std::set<int> levels;
  for (auto const& c : report.at("channels")) {
    if (variables.empty() || variables.back().at("variable") != c.at("variable"))
      variables.push_back({{"variable", c.at("variable")}, {"name", c.at("short_name")}, {"units", c.at("shown_units")}, {"scale", c.at("shown")}});
    variables.back()["keys"][std::to_string(c.at("level").get<int>())] = c.at("key");
    levels.insert(c.at("level").get<int>());
  }
  if (*levels.rbegin() == 0) return "";   // nothing aloft
  auto const value = [](json const& m, std::string const& score, json const& variable, int level) -> json {
    auto const known = found(variable, {"keys", std::to_string(level)});
    if (known.is_null()) return nullptr;
    auto const key = known.get<std::string>();
    if (score == "standardised_mse") return mean_of(found(m, {"scores", "global", key, score}));
    auto const x = found(m, {"scores", "global", key, "mean", score});
    return x.is_number() ? json(x.get<double>() * variable.at("scale").get<double>()) : json();
  };
  bool const standardised = !found(report.at("methods").at(0), {"scores", "global", report.at("channels").at(0).at("key").get<std::string>(), "standardised_mse"}).is_null();
  std::string out = "## By variable and level\n\nOver the whole globe, means over all hours" +
                    std::string(standardised ? "; then squared errors over the variance of the field.\n\n" : ".\n\n");
  for (auto const& m : report.at("methods"))
    for (std::string const score : {"rmse", "standardised_mse"}) {
      if (score == "standardised_mse" && !standardised) continue;
      json rows = variables;
      if (score == "rmse")
        for (auto& row : rows) row["name"] = row.at("name").get<std::string>() + " (" + row.at("units").get<std::string>() + ")";
      std::vector<column> columns;
      for (int const level : levels)
        columns.push_back({level == 0 ? "surface" : std::to_string(level) + " hPa", [&, level](json const& variable) { return value(m, score, variable, level); }});
      out += table(rows, m.at("name").get<std::string>() + (score == "rmse" ? ", RMSE of the mean" : ", standardised MSE"), columns);
    }
  return out;
}

std::string last_analysed(json const& report) {
  json some = json::array();
  for (auto const& m : report.at("methods"))
    if (m.at("assimilated").get<index_t>() > 0 && std::count(m.at("leads").begin(), m.at("leads").end(), 0)) some.push_back(m);
  if (some.empty()) return "";
  auto const value = [](json const& m, std::string const& key) { return at_lead(m, found(m, {"scores", "global", key, "rmse"}), 0); };
  auto columns = channel_columns(report, "rmse", value);
  columns.insert(columns.begin(), {"assimilated", [](json const& m) { return m.at("assimilated"); }});
  return "## The last analysed state\n\nWhat a filter has: RMSE of the mean.\n\n" + table(some, "RMSE", columns);
}

std::string balances(json const& report) {
  std::vector<column> columns;
  json rows = json::array();
  for (auto const& m : report.at("methods")) {
    if (rows.empty()) rows.push_back({{"name", "truth"}, {"balances", m.at("balances_of_truth")}});
    rows.push_back(m);
  }
  auto const entry = [](int level, std::string a, std::string b) {
    return [=](json const& m) {
      for (auto const& l : m.at("balances"))
        if (l.at("level") == level) return found(l, {a, b});
      return json();
    };
  };
  for (auto const& l : rows.at(0).at("balances")) {
    int const level = l.at("level");
    if (level != 500 && level != 1000 && rows.at(0).at("balances").size() > 3) continue;   // as published
    auto const at = sda::detail::text(" at ", level);
    if (l.contains("height")) columns.push_back({"height, mean" + at + " (m)", entry(level, "height", "mean"), 1000}), columns.push_back({"rms" + at + " (m)", entry(level, "height", "rms"), 1000});
    if (l.contains("wind"))
      columns.push_back({"wind, correlation" + at, entry(level, "wind", "correlation")}), columns.push_back({"departure" + at, entry(level, "wind", "departure")});
  }
  if (columns.empty()) return "";
  return "## Balances\n\nHypsometric less geopotential height; outside the tropics, the correlation of the speeds of wind and geostrophic wind, and their "
         "difference over the wind.\n\n" + table(rows, "method", columns);
}

std::string left_out(json const& report) {
  json rows = json::array();
  for (auto const& m : report.at("methods"))
    for (auto const& one : m.at("left_out")) {
      json row = one;
      row["name"] = m.at("name").get<std::string>() + ", " + one.at("variable").get<std::string>();
      row["scale"] = variable_of(one.at("variable")).shown;
      rows.push_back(row);
    }
  if (rows.empty()) return "";
  auto const part = [](std::string name) { return [=](json const& m) { return m.at(name); }; };
  auto const shown = [](std::string name) { return [=](json const& m) { return m.at(name).is_number() ? json(m.at(name).get<double>() * m.at("scale").get<double>()) : json(); }; };
  return "## Observations that were left out\n\n`expected` is √(spread² + error²), what RMSE would be if both were right.\n\n" +
         table(rows, "method, variable", {{"number", part("count")}, {"RMSE", shown("rmse")}, {"expected", shown("expected")}, {"bias", shown("bias")}, {"CRPS", shown("crps")}});
}

}  // namespace

std::string tables(json const& report) {
  std::string out = sda::detail::text("# Evaluation\n\nTruth: ", report.at("truth").get<std::string>(), ". `", report.at("command").get<std::string>(), "`\n\n");
  out += methods_table(report);
  out += "Scores are means over all hours of their area means; squares are averaged over starts, then rooted.\n\n";
  std::vector<std::string> regions{"global"};
  for (auto const& r : report.at("methods").at(0).at("regions"))
    if (r == "unobserved") regions.push_back(r);
  for (auto const& r : regions) out += (r == "global" ? "## The whole globe\n\n" : "## Where nothing was observed\n\n") + means(report, r);
  return out + by_level(report) + last_analysed(report) + left_out(report) + balances(report);
}

}  // namespace appa
