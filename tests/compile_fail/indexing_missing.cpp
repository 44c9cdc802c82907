// SPDX-License-Identifier: Apache-2.0
// says: sda: algebra<S> needs indices, indices_like, gathered terms, scatter_add and copy_block
#include <archetype.hpp>

template <> struct sda::algebra<sda_test::archetype<float>> : sda_test::archetype_algebra<float> {
  static void scatter_add() = delete;
};
static_assert(sda::check_state<sda_test::archetype<float>>());
