// SPDX-License-Identifier: Apache-2.0
// says: sda: an Encoder needs decoder(), the ObservationOperator from latents back
#include <archetype.hpp>
#include <sda/prior/encoder.hpp>

using S = sda_test::archetype<float>;
struct coder {
  S encode(S const& x) const { return sda::clone(x); }
};
static_assert(sda::check_encoder<coder, S>());
