// SPDX-License-Identifier: Apache-2.0
// says: sda: an SDE's p(t) must return sda::level
#include <archetype.hpp>
#include <sda/calculus/level.hpp>

using S = sda_test::archetype<float>;
struct schedule {
  double operator()(double t) const { return t; }
};
static_assert(sda::check_sde<schedule>());
