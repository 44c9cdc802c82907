// SPDX-License-Identifier: Apache-2.0
#include "prior.hpp"
#include "train.hpp"

// What a build without LibTorch says.

namespace kolmogorov {

any_prior network_prior(std::string const&, index_t, index_t, index_t) {
  throw sda::error("--weights needs LibTorch, which was not found when this program was built; the Gaussian does not");
}
void train(train_options const&) { throw sda::error("training needs LibTorch, which was not found when this program was built"); }

}  // namespace kolmogorov
