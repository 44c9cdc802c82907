// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <nlohmann/json.hpp>

#include <charconv>
#include <map>
#include <string>
#include <vector>

namespace lorenz96 {

/// "name" or "name:parameter=value,parameter=value": a task or a method as asked for on the command line.
struct request {
  std::string name;
  std::map<std::string, std::string> values;
};

/// Puts together what a comma tore apart: "etkf:members=40", "inflation=1.02", "letkf" are two requests.
inline std::vector<request> requests(std::vector<std::string> const& items) {
  std::vector<request> out;
  for (std::string const& item : items) {
    auto const equals = item.find('='), colon = item.find(':');
    std::string assignment = item;
    if (equals == item.npos || colon < equals) {
      out.push_back({item.substr(0, colon), {}});
      if (colon == item.npos) continue;
      assignment = item.substr(colon + 1);
    }
    auto const at = assignment.find('=');
    sda::require(!out.empty() && at != assignment.npos && at > 0, "\"", item, "\": name:parameter=value,parameter=value was expected");
    out.back().values[assignment.substr(0, at)] = assignment.substr(at + 1);
  }
  return out;
}

/// What a task or method was given. Every question comes with its default; the answers are what a record shows.
class parameters {
 public:
  explicit parameters(request asked) : asked_(std::move(asked)) {}

  template <class T> T get(std::string const& name, T usual) {
    auto const found = asked_.values.find(name);
    if (found != asked_.values.end()) {
      std::string const& text = found->second;
      if constexpr (std::is_same_v<T, std::string>) {
        usual = text;
      } else {
        auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), usual);
        sda::require(failure == std::errc{} && end == text.data() + text.size(), asked_.name, ":", name, "=", text, " is not a number");
      }
    }
    taken_[name] = usual;
    return usual;
  }
  nlohmann::ordered_json const& taken() const { return taken_; }

  /// "members=40, inflation=1.02"
  std::string text() const {
    std::string out;
    for (auto const& [name, value] : taken_.items()) {
      if (!out.empty()) out += ", ";
      out += sda::detail::text(name, '=');
      if (value.is_number()) out += sda::detail::text(value.get<double>());
      else out += value.get<std::string>();
    }
    return out;
  }
  /// sda::error for a parameter that nobody asked about.
  void all_taken() const {
    for (auto const& [name, value] : asked_.values)
      sda::require(taken_.contains(name), asked_.name, " has no parameter ", name, "; it has: ", taken_.empty() ? "none" : text());
  }
  bool untouched() const { return asked_.values.empty(); }

 private:
  request asked_;
  nlohmann::ordered_json taken_ = nlohmann::ordered_json::object();
};

}  // namespace lorenz96
