// SPDX-License-Identifier: Apache-2.0
#include <sda/guidance/cfg.hpp>

#include <dense.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

TEST_CASE("weight 0 is the denoiser without, 1 the one with the condition, and between and beyond a line") {
  auto const without = centred(ar1(7, .5)), with = conditioned(without, every(3, 7), vector::Ones(3), .1 * matrix::Identity(3, 3));
  level const l{.9, .4};
  array const x = normals(3, 7, key{1}), u = without(x, l), c = with(x, l);
  CHECK(distance(cfg{without, with, 0}(x, l), u) <= 1e-15);
  CHECK(distance(cfg{without, with}(x, l), c) <= 1e-15);
  CHECK(distance(cfg{without, with, 2.5}(x, l), u + 2.5 * (c - u)) <= 1e-14);
}

TEST_CASE("its vjp is the transpose of its jvp") {
  auto const without = centred(ar1(7, .5)), with = centred(ar1(7, .9));
  cfg const d{without, with, 1.7};
  array const x = normals(2, 7, key{2}), v = normals(2, 7, key{3});
  auto const at = linearize(d, x, level{.9, .4});
  CHECK((at.value() == d(x, level{.9, .4})).all());
  CHECK((at.vjp(v) * x).sum() == Approx((v * at.jvp(x)).sum()).epsilon(1e-13));
  CHECK(distance(at.jvp(v), array(d(array(x + v), level{.9, .4}) - at.value())) <= 1e-12);
}
