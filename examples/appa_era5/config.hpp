// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace appa {

/// A configuration, or a part of one: a tree of named values that remembers where in the whole it stands, so that errors say
/// `autoencoder.train.update_steps`. Networks and checkpoints read and keep the tree as JSON.
///
///     data:        files, channels, grid, periods
///     autoencoder: ae, train, loss, valid, optim    (the keys of the published configurations, as in their config.yaml)
///     denoiser:    backbone, train, loss, valid, optim
class config {
 public:
  config() = default;
  explicit config(nlohmann::json tree, std::string path = "") : tree_(std::move(tree)), path_(std::move(path)) {}

  /// A YAML file and `key=value` words that replace or add to it: autoencoder.optim.learning_rate=1e-4, data.levels=[500,850].
  /// Keys that nothing reads are an sda::error that names the nearest known ones.
  static config read(std::filesystem::path const& file, std::vector<std::string> const& overrides = {});
  /// The same of text; with `strict` false unknown keys pass: configurations that others stored beside their weights.
  static config parse(std::string const& yaml, std::vector<std::string> const& overrides = {}, bool strict = true);

  nlohmann::json const& json() const { return tree_; }
  /// The tree as YAML, readable by parse.
  std::string yaml() const;

  /// Whether there is a value, other than null, at a path such as `train.update_steps`.
  bool has(std::string const& path) const { return find(path) != nullptr; }
  /// The part at a path; empty if there is none.
  config at(std::string const& path) const {
    auto const* const found = find(path);
    return config(found ? *found : nlohmann::json::object(), join(path));
  }

  /// The value at a path, which must be there and of that kind.
  template <class T> T get(std::string const& path) const {
    auto const* const found = find(path);
    sda::require(found != nullptr, "the configuration says nothing of ", join(path));
    try {
      auto out = found->get<T>();
      if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
        sda::require(found->is_number_integer() || found->get<double>() == double(out), join(path), " is ", found->dump(), ", not a whole number");
      return out;
    } catch (nlohmann::json::exception const&) { throw sda::error(join(path) + " is " + found->dump() + ", not " + kind<T>()); }
  }
  /// ... or, when nothing or null is there, a value that stands for it.
  template <class T> T get(std::string const& path, T const& otherwise) const { return has(path) ? get<T>(path) : otherwise; }
  std::string get(std::string const& path, char const* otherwise) const { return get<std::string>(path, otherwise); }

 private:
  nlohmann::json const* find(std::string const& path) const;
  std::string join(std::string const& path) const { return path_.empty() || path.empty() ? path_ + path : path_ + "." + path; }
  template <class T> static std::string kind() {
    if constexpr (std::is_same_v<T, bool>) return "true or false";
    else if constexpr (std::is_arithmetic_v<T>) return "a number";
    else if constexpr (std::is_convertible_v<T, std::string>) return "text";
    else return "a list of its kind";
  }

  nlohmann::json tree_ = nlohmann::json::object();
  std::string path_;
};

}  // namespace appa
