// SPDX-License-Identifier: Apache-2.0
// says: sda: algebra<S> is not specialised
#include <sda/state/state.hpp>

struct unknown {};
static_assert(sda::check_state<unknown>());
