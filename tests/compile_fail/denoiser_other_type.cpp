// SPDX-License-Identifier: Apache-2.0
// says: sda: a Denoiser's d(x, level) must return a state of the type of x
#include <archetype.hpp>
#include <sda/prior/denoiser.hpp>

using S = sda_test::archetype<float>;
struct network {
  sda_test::archetype<double> operator()(S const&, sda::level) const { return {1, 1}; }
};
static_assert(sda::check_denoiser<network, S>());
