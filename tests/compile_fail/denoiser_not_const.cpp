// SPDX-License-Identifier: Apache-2.0
// says: sda: a Denoiser needs d(x, level), the mean of x_0 given x_t = x, callable while const
#include <archetype.hpp>
#include <sda/prior/denoiser.hpp>

using S = sda_test::archetype<float>;
struct network {
  S operator()(S const& x, sda::level) { return sda::clone(x); }
};
static_assert(sda::check_denoiser<network, S>());
