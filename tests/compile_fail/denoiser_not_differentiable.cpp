// SPDX-License-Identifier: Apache-2.0
// says: sda: a DifferentiableDenoiser needs a const member linearize(x, level)
#include <archetype.hpp>
#include <sda/prior/denoiser.hpp>

using S = sda_test::archetype<float>;
struct network {
  S operator()(S const& x, sda::level) const { return sda::clone(x); }
};
static_assert(sda::check_differentiable_denoiser<network, S>());
