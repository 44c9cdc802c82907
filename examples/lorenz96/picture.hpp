// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <cstdlib>
#include <string>
#include <vector>

namespace lorenz96 {

/// Runs one of this program's Python scripts, with the Python that was found when it was built or that SDA_PYTHON names.
inline void draw_picture(std::string const& script, std::vector<std::string> const& arguments) {
  auto const quoted = [](std::string const& text) {
    std::string out = "'";
    for (char const ch : text) out += ch == '\'' ? std::string("'\\''") : std::string(1, ch);
    return out + "'";
  };
  char const* const chosen = std::getenv("SDA_PYTHON");
  std::string command = quoted(chosen ? chosen : LORENZ96_PYTHON).append(" ").append(quoted(script));
  for (std::string const& a : arguments) command.append(" ").append(quoted(a));
  int const status = std::system(command.c_str());
  sda::require(status == 0, "the pictures of ", arguments.empty() ? script : arguments[0], " could not be drawn (status ", status, "): ", command);
}

}  // namespace lorenz96
