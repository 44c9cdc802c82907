// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

namespace sda {

/// Says on stderr how far a long loop is and when it will be done: one line rewritten on a terminal, a plain line every
/// ten seconds elsewhere.
class progress {
 public:
  /// `from`: where a resumed loop starts; its earlier part took no time.
  progress(std::string what, long total, long from = 0) : what_(std::move(what)), total_(total), from_(from) {}

  void at(long done, std::string const& detail = "") {
    auto const now = clock::now();
    bool const last = done >= total_;
    if (std::chrono::duration<double>(now - shown_).count() < (terminal_ ? 0.2 : 10) && !last) return;
    double const spent = std::chrono::duration<double>(now - begun_).count();
    double const left = done > from_ ? spent / double(done - from_) * double(total_ - done) : 0;
    std::fprintf(stderr, "%s%s %ld/%ld  %s%s%s", terminal_ ? "\r" : "", what_.c_str(), done, total_, detail.c_str(), detail.empty() ? "" : "  ",
                 duration(spent).c_str());
    if (!last) std::fprintf(stderr, ", %s to go", duration(left).c_str());
    std::fputs(terminal_ ? (last ? "\033[K\n" : "\033[K") : "\n", stderr);
    shown_ = now;
  }

  /// 59 s, 4 min 05 s, 2 h 30 min
  static std::string duration(double seconds) {
    char text[48];
    auto const s = long(seconds + 0.5);
    if (s < 60) std::snprintf(text, sizeof text, "%ld s", s);
    else if (s < 3600) std::snprintf(text, sizeof text, "%ld min %02ld s", s / 60, s % 60);
    else std::snprintf(text, sizeof text, "%ld h %02ld min", s / 3600, s / 60 % 60);
    return text;
  }

 private:
  using clock = std::chrono::steady_clock;
  std::string what_;
  long total_, from_;
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  clock::time_point begun_ = clock::now(), shown_ = begun_;
};

}  // namespace sda
