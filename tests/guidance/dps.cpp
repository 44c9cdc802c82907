// SPDX-License-Identifier: Apache-2.0
#include <sda/calculus/schedule.hpp>
#include <sda/guidance/dps.hpp>
#include <sda/sampler/ddim.hpp>
#include <sda/sampler/sample.hpp>

#include <dense.hpp>
#include <scripted.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

namespace {

noise_source const drawn = [](array& xi, index_t n) { xi = normals(xi.rows(), xi.cols(), key{20}.fold(std::uint64_t(n))); };

}  // namespace

TEST_CASE("a DDIM or DDPM run of the guided denoiser is DPS to the letter") {
  auto const p = sparse_accurate();
  observation const o{dense_operator{p.h}, p.y_row(), dense_error{p.r()}};
  auto const levels = uniform_grid(vp_cosine{}, 8);
  double const zeta = .7;
  for (double const eta : {0.0, 1.0}) {
    scripted const start{normals(2, p.n, key{1}), drawn};
    array x = start.x;
    for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
      auto const prior = p.prior.linearize(x, levels[i]);
      array const d = p.y_row().replicate(2, 1) - o.op(prior.value()), norms = d.matrix().rowwise().norm().array().replicate(1, p.n);
      array const gradient = -prior.vjp(o.op.adjoint(d)) / norms;  // of |y - A(x̂)|
      scripted step{x, [&](array& xi, index_t) { drawn(xi, index_t(i)); }};
      none memory;
      ddim{eta}.step(through{p.prior}, step, memory, {levels[i], levels[i + 1]}, key{});
      x = step.x - zeta * gradient;
    }
    dps const guided_prior{p.prior, o, zeta, per_step{{levels, eta}}};
    auto const got = sample_from(ddim{eta}, through{guided_prior}, std::span<level const>(levels), start, key{});
    CHECK(distance(got.x, x) <= 1e-12);
  }
}

TEST_CASE("as a score, DPS adds the gradient of twice the norm at any level") {
  auto const p = sparse_accurate();
  level const l{.8, .6};
  array const x = normals(1, p.n, key{2});
  observation const o{dense_operator{p.h}, p.y_row(), dense_error{p.r()}};
  auto const misfit = [&](array const& at) { return (p.y_row() - o.op(p.prior(at, l))).matrix().norm(); };
  array const away = normals(1, p.n, key{3});
  double const h = 1e-5, slope = (misfit(x + h * away) - misfit(x - h * away)) / (2 * h);
  array const moved = dps{p.prior, o, .5}(x, l) - p.prior(x, l);
  CHECK((moved * away).sum() == Approx(-.5 * 2 * l.sigma * l.sigma / l.alpha * slope).epsilon(1e-7));
}

TEST_CASE("a level that no step of the run starts at is refused") {
  auto const p = sparse_accurate();
  observation const o{dense_operator{p.h}, p.y_row(), dense_error{p.r()}};
  dps const d{p.prior, o, 1, per_step{{uniform_grid(rectified{}, 4), 0}}};
  CHECK_THROWS_AS(d(normals(1, p.n, key{4}), level{1, .123}), error);
}
