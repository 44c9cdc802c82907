// SPDX-License-Identifier: Apache-2.0
// says: sda: a Sampler needs step(denoiser, x, memory, transition, key), which moves x on and is callable while const
#include <archetype.hpp>
#include <sda/sampler/sampler.hpp>

using S = sda_test::archetype<float>;
struct network {
  S operator()(S const& x, sda::level) const { return sda::clone(x); }
};
struct sampler {
  sda::none memory(S const&) const { return {}; }
  void step(network const&, S&, sda::none&, sda::transition, sda::key) {}
};
static_assert(sda::check_sampler<sampler, network, S>());
