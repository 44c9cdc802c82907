// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

namespace appa {

inline std::string lower(std::string s) {
  std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return s;
}

/// Fields between commas; quotes may hold commas, two quotes are one.
inline std::vector<std::string> fields_of(std::string const& line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    char const c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') out.back().push_back('"'), ++i;
    else if (c == '"') quoted = !quoted;
    else if (c == ',' && !quoted) out.emplace_back();
    else if (c != '\r') out.back().push_back(c);
  }
  return out;
}

/// The number that a field is, blanks aside; NaN if it is none.
inline double number(std::string const& field) {
  char* end = nullptr;
  double const x = std::strtod(field.c_str(), &end);
  if (end == field.c_str()) return std::nan("");
  while (std::isspace(static_cast<unsigned char>(*end))) ++end;
  return *end == '\0' ? x : std::nan("");
}

}  // namespace appa
