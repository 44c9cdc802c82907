// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>
#include <cstdio>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sda {

/// Everything sda throws: what went wrong, with the numbers, and where it was noticed.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace detail {

// A part of a message as text: one type for all, and no <sstream>, which every source would pay for.
struct piece {
  char number[32];
  std::string_view text;

  piece(piece const&) = delete;  // text may lie in number
  piece(std::string_view t) : text(t) {}
  piece(char const* t) : text(t) {}
  piece(char c) : number{c}, text(number, 1) {}
  piece(std::floating_point auto x) { print("%g", double(x)); }
  piece(std::signed_integral auto n) { print("%lld", static_cast<long long>(n)); }
  piece(std::unsigned_integral auto n) { print("%llu", static_cast<unsigned long long>(n)); }

 private:
  void print(char const* format, auto x) { text = {number, std::size_t(std::snprintf(number, sizeof number, format, x))}; }
};
inline std::string joined(std::initializer_list<piece> pieces) {
  std::string out;
  for (piece const& p : pieces) out += p.text;
  return out;
}
[[noreturn]] inline void fail(std::initializer_list<piece> message) { throw error(joined(message)); }
template <class... T> std::string text(T const&... parts) { return joined({piece(parts)...}); }

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
    detail::fail({detail::piece(what)..., " [", c.file, ":", c.line, "]"});
}

}  // namespace sda
