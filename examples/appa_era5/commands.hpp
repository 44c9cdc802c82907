// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <CLI/CLI.hpp>

#include <cstdint>
#include <map>
#include <string>

namespace appa {

/// What every command is told.
struct run_options {
  std::uint64_t seed = 0;
  int threads = 0;        // 0: all
  std::string line;       // the command line, for the history of what is written
};

/// A subcommand of the program. A source of commands/ defines one at namespace scope:
///
///     command const stats("stats", "means and deviations of the training years", [](CLI::App& app, run_options const& run) {
///       auto options = std::make_shared<stats_options>();
///       app.add_option("--out", options->out, "file to write")->required();
///       app.callback([options, &run] { ... });
///     });
struct command {
  using adder = void (*)(CLI::App& app, run_options const& run);
  std::string about;
  adder add;

  command(std::string const& name, std::string text, adder how) : about(std::move(text)), add(how) { all()[name] = this; }
  command(command const&) = delete;

  /// The commands that this binary has, by name.
  static std::map<std::string, command const*>& all() {
    static std::map<std::string, command const*> known;
    return known;
  }
};

}  // namespace appa
