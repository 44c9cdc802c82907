// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <nlohmann/json.hpp>

#include <string>

namespace appa {

/// Reads an option if it is there and not null.
template <class T> void option(nlohmann::json const& j, char const* name, T& value) {
  auto const found = j.find(name);
  if (found == j.end() || found->is_null()) return;
  try {
    found->get_to(value);
  } catch (nlohmann::json::exception const& e) { throw sda::error(std::string("option ") + name + ": " + e.what()); }
}

}  // namespace appa
