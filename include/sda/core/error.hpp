// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdio>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace sda {

/// Everything sda throws: what went wrong, with the numbers, and where it was noticed.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace detail {

// Without <sstream>, which costs every source half a second of compilation.
template <class T> void append(std::string& out, T const& part) {
  if constexpr (std::is_same_v<T, char>) {
    out += part;
  } else if constexpr (std::is_constructible_v<std::string, T const&>) {
    out += std::string(part);
  } else if constexpr (std::is_floating_point_v<T>) {
    char number[32];
    std::snprintf(number, sizeof number, "%g", double(part));
    out += number;
  } else {
    out += std::to_string(part);
  }
}
template <class... T> std::string text(T const&... parts) {
  std::string out;
  (append(out, parts), ...);
  return out;
}

// A bool that remembers where it was written (std::source_location is missing with clang 14).
struct condition {
  bool holds;
  char const* file;
  int line;
  constexpr condition(bool b, char const* f = __builtin_FILE(), int l = __builtin_LINE()) : holds(b), file(f), line(l) {}
};

}  // namespace detail

/// Throws sda::error unless the condition holds: require(n == m, "dot: ", n, " columns against ", m).
template <class... T> void require(detail::condition c, T const&... what) {
  if (!c.holds) [[unlikely]]
    throw error(detail::text(what..., " [", c.file, ":", c.line, "]"));
}

}  // namespace sda
