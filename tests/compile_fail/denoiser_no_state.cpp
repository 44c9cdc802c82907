// SPDX-License-Identifier: Apache-2.0
// says: sda: a Denoiser works on a State; check_state<S>() says what S lacks
#include <archetype.hpp>
#include <sda/prior/denoiser.hpp>

using S = sda_test::archetype<float>;
struct network {
  double operator()(double x, sda::level) const { return x; }
};
static_assert(sda::check_denoiser<network, double>());
