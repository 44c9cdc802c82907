// SPDX-License-Identifier: Apache-2.0
// says: sda: algebra<S> needs load(out, span) and store(x, span), the latter for scalars too
#include <archetype.hpp>

template <> struct sda::algebra<sda_test::archetype<float>> : sda_test::archetype_algebra<float> {
  static void store() = delete;
};
static_assert(sda::check_state<sda_test::archetype<float>>());
