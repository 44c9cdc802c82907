// SPDX-License-Identifier: Apache-2.0
// says: sda: algebra<S> needs dot(x, y), one number per row, and multiply(out, x, matrix)
#include <archetype.hpp>

template <> struct sda::algebra<sda_test::archetype<float>> : sda_test::archetype_algebra<float> {
  static void dot() = delete;
};
static_assert(sda::check_state<sda_test::archetype<float>>());
