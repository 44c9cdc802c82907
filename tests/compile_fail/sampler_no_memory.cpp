// SPDX-License-Identifier: Apache-2.0
// says: sda: a Sampler needs memory(x), what it remembers during a run (sda::none if nothing), callable while const
#include <archetype.hpp>
#include <sda/sampler/sampler.hpp>

using S = sda_test::archetype<float>;
struct network {
  S operator()(S const& x, sda::level) const { return sda::clone(x); }
};
struct sampler {
  void step(network const&, S&, sda::none&, sda::transition, sda::key) const {}
};
static_assert(sda::check_sampler<sampler, network, S>());
