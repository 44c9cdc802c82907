// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

namespace sda {

/// Everything sda throws: what went wrong, with the numbers, and where it was noticed.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace detail {

template <class... T> std::string text(T const&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
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
