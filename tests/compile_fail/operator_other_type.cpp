// SPDX-License-Identifier: Apache-2.0
// says: sda: an ObservationOperator's a(x) must return the type of y
#include <archetype.hpp>
#include <sda/observation/operator.hpp>

using S = sda_test::archetype<float>;
struct instrument {
  double operator()(S const&) const { return 0; }
};
static_assert(sda::check_operator<instrument, S>());
