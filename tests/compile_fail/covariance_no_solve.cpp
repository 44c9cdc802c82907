// SPDX-License-Identifier: Apache-2.0
// says: sda: an ErrorCovariance needs solve(v), the w with R w = v
#include <archetype.hpp>
#include <sda/observation/operator.hpp>

using S = sda_test::archetype<float>;
struct errors {
  S apply(S const& v) const { return sda::clone(v); }
  S draw(sda::key, S const& like) const { return sda::zeros_like(like); }
};
static_assert(sda::check_error_covariance<errors, S>());
