// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include <sda/eigen.hpp>
#include <sda/sda.hpp>

TEST_CASE("the program on the first page draws trajectories that agree with what was seen") {
  using state = sda::host_array<double>;
  state const none = state::Zero(1, 32);                             // a row is a trajectory: here 32 steps of one number
  auto prior = sda::gaussian_ar1(none, 32, 1, 0.9);                  // or a trained network: any E[x_0 | x_t] will do
  std::vector<std::int64_t> seen{3, 11, 19, 27};                     // an instrument looks at every eighth step,
  auto instrument = sda::composed{sda::pointwise{sda::arctan{}}, sda::masked<state>{none, seen, 32}};   // and saturates
  state y(1, 4);
  y << 0.8, -0.3, 0.1, 1.0;
  auto posterior = sda::mmps{prior, sda::observation{instrument, y, sda::scalar_error{0.01}}};
  state members = sda::sample(sda::adams_bashforth<3>{}, posterior, sda::rectified{}, 32, state(100, 32), sda::key{42});

  CHECK((instrument(members).colwise().mean() - y.row(0)).abs().maxCoeff() < 0.1);   // one standard deviation of the instrument
  CHECK(members.square().mean() < 2);                                                // the prior has variance 1
}
