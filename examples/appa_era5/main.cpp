// SPDX-License-Identifier: Apache-2.0
// appa: score-based data assimilation of the global atmosphere.
#include "commands.hpp"

#include <sda/core/error.hpp>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include <csignal>
#include <exception>
#include <iostream>

namespace {

void use_threads([[maybe_unused]] int n) {
#if defined(_OPENMP)
  if (n > 0) omp_set_num_threads(n);
#endif
}

int run(int argc, char** argv) {
  CLI::App app{"Score-based data assimilation of the global atmosphere: data, networks, training, reanalysis, forecasts.", "appa"};
  app.option_defaults()->always_capture_default();
  app.require_subcommand(1);
  appa::run_options options;
  options.line = "appa";
  for (int i = 1; i < argc; ++i) options.line += std::string(" ") + argv[i];
  for (auto const& [name, command] : appa::command::all()) {
    auto& sub = *app.add_subcommand(name, command->about);
    sub.option_defaults()->always_capture_default();
    sub.add_option("--seed", options.seed, "of everything that is drawn");
    sub.add_option("--threads", options.threads, "processor threads; 0: all");
    sub.parse_complete_callback([&options] { use_threads(options.threads); });
    command->add(sub, options);
  }
  CLI11_PARSE(app, argc, argv);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);   // a file that may not grow is an error with its name
  try {
    return run(argc, argv);
  } catch (std::exception const& e) {
    std::cerr << "appa: " << e.what() << '\n';
    return 1;
  }
}
