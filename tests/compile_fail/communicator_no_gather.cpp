// SPDX-License-Identifier: Apache-2.0
// says: sda: a Communicator needs all_gather(whole), which makes the rows of every rank common, callable while const
#include <archetype.hpp>
#include <sda/trajectory/communicator.hpp>

using S = sda_test::archetype<float>;
struct ranks {
  int rank() const { return 0; }
  int size() const { return 1; }
};
static_assert(sda::check_communicator<ranks, S>());
