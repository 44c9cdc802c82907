// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "train.hpp"

// What a build without LibTorch says.

namespace lorenz96 {

smoother network_smoother(smoother_settings const&, index_t, index_t) {
  throw sda::error("--prior network needs LibTorch, which was not found when this program was built; --prior gaussian does not");
}
int train(train_options const&) { throw sda::error("training needs LibTorch, which was not found when this program was built"); }

}  // namespace lorenz96
