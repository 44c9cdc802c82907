// SPDX-License-Identifier: Apache-2.0
// says: sda: an ObservationOperator needs adjoint(u) if it is linear, or else linearize(x)
#include <archetype.hpp>
#include <sda/observation/operator.hpp>

using S = sda_test::archetype<float>;
struct instrument {
  S operator()(S const& x) const { return sda::clone(x); }
};
static_assert(sda::check_operator<instrument, S>());
