// SPDX-License-Identifier: Apache-2.0
// says: sda: a Communicator needs rank(), from 0 to size() - 1, and size()
#include <archetype.hpp>
#include <sda/trajectory/communicator.hpp>

using S = sda_test::archetype<float>;
struct ranks {
  int size() const { return 1; }
  void all_gather(S&) const {}
};
static_assert(sda::check_communicator<ranks, S>());
