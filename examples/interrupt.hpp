// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <atomic>
#include <csignal>

namespace examples {

/// The signal that asked the program to stop, if one did.
inline std::atomic<int> interrupted{0};

/// From now on Ctrl-C and termination only leave word.
inline void catch_interrupts() {
  for (int const s : {SIGINT, SIGTERM}) std::signal(s, [](int which) { interrupted = which; });
}
/// Long loops call this: an interrupt ends them by an error, so that nothing half-written stays behind.
inline void heed_interrupts() { sda::require(interrupted == 0, "interrupted by signal ", interrupted.load()); }

}  // namespace examples
