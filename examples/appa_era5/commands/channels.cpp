// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "data/channels.hpp"

#include <cstdio>
#include <memory>

namespace {

using namespace appa;

struct settings {
  std::vector<std::string> variables;
  std::vector<int> levels = levels_13();
};

void print(settings const& s) {
  auto const chosen = s.variables.empty() ? published_channels(s.levels) : select_channels(s.variables, s.levels);
  auto const weights = level_weights(chosen);
  std::printf("%5s  %-28s %5s  %-6s %-12s %s\n", "index", "variable", "hPa", "short", "units", "weight");
  index_t i = 0;
  for (auto const& c : chosen.list()) {
    auto const& v = variable_of(c.name);
    std::printf("%5td  %-28s %5s  %-6s %-12s %.6g\n", i, c.name.c_str(), c.level ? std::to_string(c.level).c_str() : "", v.short_name.c_str(),
                v.units.c_str(), weights[std::size_t(i)]);
    ++i;
  }
}

command const channels("channels", "lists the channels of a state: their order, names, units and weights in the loss", [](CLI::App& app, run_options const&) {
  auto s = std::make_shared<settings>();
  app.add_option("--variables", s->variables, "names, short or long; none: those of the published system")->delimiter(',');
  app.add_option("--levels", s->levels, "pressure levels, hPa")->delimiter(',');
  app.callback([s] { print(*s); });
});

}  // namespace
