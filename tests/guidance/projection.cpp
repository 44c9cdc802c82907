// SPDX-License-Identifier: Apache-2.0
#include <sda/guidance/mmps.hpp>
#include <sda/guidance/projection.hpp>

#include <dense.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

namespace {

struct problem {
  matrix h = to_matrix(normals(3, 9, key{1}));
  array y = normals(1, 3, key{2}), x = normals(4, 9, key{3});
  dense_gaussian prior = centred(ar1(9, .8));
  level l{.7, .7};
};

}  // namespace

TEST_CASE("the projected mean keeps the constraint and moves no further than it must") {
  problem const p;
  onto const constraint{dense_operator{p.h}, p.y, cg{3}};
  array const mean = p.prior(p.x, p.l), got = projected{p.prior, constraint}(p.x, p.l);
  CHECK(distance(dense_operator{p.h}(got), p.y.replicate(4, 1)) <= 1e-12);
  matrix const kernel = matrix::Identity(9, 9) - p.h.transpose() * (p.h * p.h.transpose()).inverse() * p.h;
  CHECK(((got - mean).matrix() * kernel).norm() <= 1e-12 * mean.matrix().norm());
  CHECK(distance(projected{p.prior, constraint}(p.x, p.l), constraint(got)) <= 1e-12);
}

TEST_CASE("it differentiates, so that guidance goes on top") {
  problem const p;
  projected const d{p.prior, onto{dense_operator{p.h}, p.y, cg{3}}};
  matrix const m = probe(d, 9, p.l).m;
  auto const at = linearize(d, p.x, p.l);
  CHECK((at.value() == d(p.x, p.l)).all());
  CHECK(distance(at.jvp(p.x), (p.x.matrix() * m.transpose()).array()) <= 1e-12);
  CHECK(distance(at.vjp(p.x), (p.x.matrix() * m).array()) <= 1e-12);
  mmps const both{d, observation{dense_operator{every(4, 9)}, normals(1, 3, key{4}), isotropic_error(3, .1)}};
  CHECK(both(p.x, p.l).isFinite().all());
}
