// SPDX-License-Identifier: Apache-2.0
// The code of docs/guidance.md.
#include <sda_test.hpp>

#include <sda/eigen.hpp>
#include <sda/sda.hpp>

using namespace sda;

TEST_CASE("the compositions of the page draw trajectories and agree where the windows are the whole") {
  using S = host_array<double>;
  S const like(4, 12), none = S::Zero(1, 12), y = S::Constant(1, 2, 0.5);
  auto const net = gaussian_ar1(none, 12, 1, 0.8);
  window_plan const plan{12, 1, 12, 12};
  masked<S> const op{none, std::vector<std::int64_t>{2, 7}, 12};
  scalar_error const error{0.1};
  observation const stations{op, y, error}, satellites{masked<S>{none, std::vector<std::int64_t>{5, 11}, 12}, y, error};
  std::vector const seen_by{stations};

  observation const seen{op, y, error};   // y = A(x) + N(0, R)
  S const members = sample(pc{ddim{}, langevin{}, 2}, mmps{net, seen}, rectified{}, 32, like, key{42});
  mmps const outside{windowed{plan, net}, seen};   // the likelihood sees the whole trajectory (SDA)
  windowed const inside{plan, [&](index_t w) { return mmps{net, seen_by[std::size_t(w)]}; }};   // a window sees its own observations (Appa)
  mmps const both{mmps{net, stations}, satellites};   // one set after the other

  CHECK(members.allFinite());
  level const l{0.7, 0.7};
  CHECK(sda_test::distance(outside(members, l), inside(members, l)) <= 1e-12);
  CHECK(both(members, l).allFinite());
}
