// SPDX-License-Identifier: Apache-2.0
// The code of docs/samplers.md.
#include <sda_test.hpp>

#include <sda/eigen.hpp>
#include <sda/sda.hpp>

using namespace sda;

TEST_CASE("the runs of the page draw from the prior, watched or not") {
  using S = host_array<double>;
  S const like(400, 3);
  gaussian const posterior{S(S::Constant(1, 3, 2.0)), S(S::Constant(1, 3, 0.25))};
  auto const levels = uniform_grid(log_linear{}, 48);
  recorder<S> record{.every = 8};
  index_t last = 0;

  S const drawn = sample(adams_bashforth_v<3>{}, posterior, rectified{}, 64, like, key{42});   // as many samples as `like` has rows
  S const along = sample(lms<3>, posterior, levels, like, key{42});   // along levels of one's own
  S const moved = sample_from(ddim{}, posterior, levels, noised(drawn, levels[0], key{1}), key{2});   // from samples one has
  pc const sampler{ddim{}, langevin{.delta = 0.1}, 2};   // two corrections before every step of DDIM
  S const watched = sample(sampler, posterior, rectified{}, 32, like, key{42}, together(record, [&](index_t i, S const&, level) { last = i; }));

  CHECK(record.states.size() == 5);
  CHECK(last == 32);
  double const error = 4 * 0.5 / std::sqrt(3 * 400.);
  CHECK(std::abs(drawn.mean() - 2) <= error);
  CHECK(std::abs(along.mean() - 2) <= error);
  CHECK(std::abs(moved.mean() - 2) <= error);
  CHECK(std::abs(watched.mean() - 2) <= error);
}
