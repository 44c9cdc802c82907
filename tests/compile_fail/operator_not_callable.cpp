// SPDX-License-Identifier: Apache-2.0
// says: sda: an ObservationOperator needs a(x), callable while const
#include <archetype.hpp>
#include <sda/observation/operator.hpp>

using S = sda_test::archetype<float>;
struct instrument {};
static_assert(sda::check_operator<instrument, S>());
