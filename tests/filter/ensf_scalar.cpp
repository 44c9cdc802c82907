// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include <sda/filter/ensf_scalar.hpp>
#include <sda/observation/pointwise.hpp>

using namespace sda;

TEST_CASE("a walk seen directly is affine, with the gains measured for the published filter") {
  // gain on y, weight of the own member and added variance for observation errors of .05, .3, 1, 3, to three digits
  struct row {
    double sigma, gain, weight, variance;
  };
  auto const steps = ensf_steps(4000, key{1});
  for (auto const& [sigma, gain, weight, variance] :
       {row{.05, .916, .085, .0012}, {.3, .349, .658, .0132}, {1, .066, .935, .0224}, {3, .008, .987, .0247}}) {
    // Values follow from zero noise; the variance obeys v ← a² v + kick², a the slope of a step, from v = 1.
    double own = 0, seen = 0, v = 1;
    for (auto const& s : steps) {
      auto const move = [&](double z, double x, double y, double xi) { return ensf_move(z, x, y, 1 / (sigma * sigma), {z, 1}, s, xi); };
      double const a = move(0.01, 0, 0, 0) / 0.01, kick = move(0, 0, 0, 1e-3) / 1e-3;
      own = move(own, 0.01, 0, 0), seen = move(seen, 0, 0.01, 0);
      v = a * a * v + kick * kick;
    }
    CAPTURE(sigma);
    CHECK(std::abs(seen / 0.01 - gain) < .005);
    CHECK(std::abs(own / 0.01 - weight) < .005);
    CHECK(std::abs(v - variance) < .02 * variance + 5e-5);  // the stored digits round by 5e-5
  }
}

TEST_CASE("four columns walk as each would alone") {
  auto const steps = ensf_steps(50, key{2});
  double z[4] = {.1, -.2, .3, 1}, alone[4] = {.1, -.2, .3, 1};
  double const x[4] = {1, 2, -1, 0}, y[4] = {.5, 1, -.7, .2}, r[4] = {400, 0, 100, 1};
  ensf_walk(z, x, y, r, arctan{}, steps.data(), int(steps.size()), 3, 5);
  for (int c = 0; c < 4; ++c) {
    for (auto const& s : steps)
      alone[c] = ensf_move(alone[c], x[c], y[c], r[c], {std::atan(alone[c]), arctan{}.slope(alone[c])}, s, normal<double>(s.draw, 3, 20 + c));
    CHECK(z[c] == alone[c]);
  }
}

TEST_CASE("an unseen component forgets nothing of its member, and the score is clipped") {
  auto const s = ensf_steps(10, key{3})[9];
  CHECK(ensf_move(.5, .7, 99., 0., {.5, 1}, s, 0.) == ensf_move(.5, .7, -99., 0., {.5, 1}, s, 0.));
  CHECK(ensf_move(0., 0., 1., 1e9, {0, 1}, s, 0.) == s.push * 1000);
}
