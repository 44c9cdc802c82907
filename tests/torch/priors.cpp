// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include <on_any_state.hpp>
#include <sda/torch.hpp>

using namespace sda_test;

TEST_CASE("priors, operators and error covariances on tensors are those on arrays") {
  auto const on_arrays = priors_and_operators(sda::host_array<float>(1, 1)), on_tensors = priors_and_operators(at::zeros({1, 1}));
  CHECK(distance(on_tensors, on_arrays) <= 1e-4);  // single precision, amplified by a solve
}
