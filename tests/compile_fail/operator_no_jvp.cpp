// SPDX-License-Identifier: Apache-2.0
// says: sda: an ObservationOperator's linearize(x) must return an object with value(), jvp(v) of the type of y and vjp(u) of the type of x
#include <archetype.hpp>
#include <sda/observation/operator.hpp>

using S = sda_test::archetype<float>;
struct at_point {
  S const& value() const;
  S vjp(S const&) const;
};
struct instrument {
  S operator()(S const& x) const { return sda::clone(x); }
  at_point linearize(S const&) const { return {}; }
};
static_assert(sda::check_operator<instrument, S>());
