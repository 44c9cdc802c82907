// SPDX-License-Identifier: Apache-2.0
// says: sda: algebra<S> needs scalars, lincomb(out, terms...) and transform(out, f, x...)
#include <archetype.hpp>

template <> struct sda::algebra<sda_test::archetype<float>> : sda_test::archetype_algebra<float> {
  static void transform() = delete;
};
static_assert(sda::check_state<sda_test::archetype<float>>());
