// SPDX-License-Identifier: Apache-2.0
// says: sda: a DifferentiableDenoiser's linearize(x, level) must return an object with value() and vjp(u), both of the type of x
#include <archetype.hpp>
#include <sda/prior/denoiser.hpp>

using S = sda_test::archetype<float>;
struct at_point {
  S const& value() const;
};
struct network {
  S operator()(S const& x, sda::level) const { return sda::clone(x); }
  at_point linearize(S const&, sda::level) const { return {}; }
};
static_assert(sda::check_differentiable_denoiser<network, S>());
