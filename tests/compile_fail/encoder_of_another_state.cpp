// SPDX-License-Identifier: Apache-2.0
// says: sda: an Encoder needs encode(x), the latent state of x
#include <archetype.hpp>
#include <sda/prior/encoder.hpp>

using S = sda_test::archetype<float>;
struct nothing {
  S operator()(S const& x) const { return sda::clone(x); }
  S adjoint(S const& u) const { return sda::clone(u); }
};
struct coder {
  double encode(S const&) const { return 0; }
  nothing decoder() const { return {}; }
};
static_assert(sda::check_encoder<coder, S>());
