// SPDX-License-Identifier: Apache-2.0
#include <archetype.hpp>
#include <on_any_state.hpp>

using namespace sda_test;

TEST_CASE("priors, operators and error covariances ask of a state no more than the concept says") {
  auto const reference = priors_and_operators(host_array<double>(1, 1));
  REQUIRE(reference.numbers.size() > 500);
  for (double const x : reference.numbers) REQUIRE(std::isfinite(x));
  CHECK(distance(priors_and_operators(archetype<double>(1, 1)), reference) <= 1e-12);
  CHECK(distance(priors_and_operators(archetype<float>(1, 1)), reference) <= 1e-4);  // single precision, amplified by a solve
}
