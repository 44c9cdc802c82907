// SPDX-License-Identifier: Apache-2.0
// says: sda: algebra<S> needs value_type, rows(x), columns(x), zeros(like, rows, columns) and reshape(x, rows, columns)
#include <archetype.hpp>

template <> struct sda::algebra<sda_test::archetype<float>> : sda_test::archetype_algebra<float> {
  static void reshape() = delete;
};
static_assert(sda::check_state<sda_test::archetype<float>>());
