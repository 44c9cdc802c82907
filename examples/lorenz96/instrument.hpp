// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/observation/pointwise.hpp>

#include <string>

namespace lorenz96 {

/// What can be read of a site's value, by name.
inline std::string instrument_names() { return "identity, arctan, saturation, absolute or square"; }

/// Calls f with the function that a name stands for: identity x, arctan x, saturation x/(1+|x|), absolute |x|, square x².
template <class F> auto with_instrument(std::string const& name, F const& f) {
  if (name == "identity") return f(sda::identity_function{});
  if (name == "arctan") return f(sda::arctan{});
  if (name == "saturation") return f(sda::saturation{});
  if (name == "absolute") return f(sda::absolute{});
  sda::require(name == "square", "--operator ", name, ": ", instrument_names());
  return f(sda::square{});
}

}  // namespace lorenz96
