// SPDX-License-Identifier: Apache-2.0
// Guided denoisers of device states, held against the same ones of host states in double.
#include "device_test.hpp"

#include <sda/calculus/schedule.hpp>
#include <sda/calculus/solve.hpp>
#include <sda/cuda/graph.hpp>
#include <sda/guidance/diffpir.hpp>
#include <sda/guidance/dps.hpp>
#include <sda/guidance/jfps.hpp>
#include <sda/guidance/likelihood.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/guidance/pigdm.hpp>
#include <sda/guidance/tmpd.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>
#include <sda/prior/gaussian.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/ddim.hpp>
#include <sda/sampler/multistep.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/trajectory/window.hpp>

using namespace sda;
using sda_test::normals;
using sda_test::to_device;
using sda_test::to_host;

namespace sda_test {

inline constexpr index_t width = 24;
inline std::vector<std::int64_t> every_third() {
  std::vector<std::int64_t> at;
  for (std::int64_t c = 0; c < width; c += 3) at.push_back(c);
  return at;
}

/// A diagonal prior and an observation of every third column, for any kind of state.
template <class S, class Make> auto problem_of(Make const& make) {
  S const mean = make(normals(1, width, key{1})), variance = make(normals(1, width, key{2}).square() + 0.2);
  auto const at = every_third();
  return std::pair{gaussian{mean, variance},
                   observation{masked<S>(mean, at, width), make(normals(1, index_t(at.size()), key{3})), scalar_error{0.04}}};
}

/// How far guide(prior, observation) on the device is from the host's, at several levels.
template <class T, class Guide> double apart(Guide const& guide) {
  auto const [prior, seen] = problem_of<device_array<T>>([](host_array<double> const& x) { return to_device<T>(x); });
  auto const [twin, twin_seen] =
      problem_of<host_array<double>>([](host_array<double> const& x) { return host_array<double>(to_host(to_device<T>(x))); });
  auto const x = to_device<T>(normals(5, width, key{4}));
  double most = 0;
  for (level const l : {level{1, 0.1}, level{0.8, 0.6}, level{0.2, 1}})
    most = std::max(most, distance(to_host(guide(prior, seen)(x, l)), guide(twin, twin_seen)(to_host(x), l)));
  return most;
}

}  // namespace sda_test

TEMPLATE_TEST_CASE("every guidance gives on a device what it gives on the host", "[cuda]", float, double) {
  using sda_test::apart;
  double const near = std::same_as<TestType, double> ? 1e-10 : 1e-4;
  CHECK(apart<TestType>([](auto d, auto o) { return mmps{d, o, gmres{4}}; }) < near);
  CHECK(apart<TestType>([](auto d, auto o) { return mmps{d, o, cg{4}}; }) < near);
  CHECK(apart<TestType>([](auto d, auto o) { return mmps{d, o, gmres{3}, solve_in::states}; }) < near);
  CHECK(apart<TestType>([](auto d, auto o) { return gamma_likelihood{d, o, 0.05}; }) < near);
  CHECK(apart<TestType>([](auto d, auto o) { return gamma_likelihood{d, o, 0.05, flat_prior{}}; }) < near);
  CHECK(apart<TestType>([](auto d, auto o) { return pigdm{d, o, gmres{2}}; }) < near);
  CHECK(apart<TestType>([](auto d, auto o) { return tmpd{d, o, gmres{2}}; }) < near);
  CHECK(apart<TestType>([](auto d, auto o) { return jfps{d, o, unit_prior{}, gmres{2}}; }) < near);
  CHECK(apart<TestType>([](auto d, auto o) { return diffpir{d, o, 10, gmres{2}}; }) < near);
  CHECK(apart<TestType>([](auto d, auto o) { return dps{d, o, 0.5}; }) < near);
}

TEST_CASE("guided sampling on a device is the host's to rounding", "[cuda]") {
  auto const run = [](auto const& problem, auto const& like) {
    return sample(ddpm, mmps{problem.first, problem.second, gmres{3}}, vp_cosine{}, 10, like, key{5});
  };
  auto const ours = sda_test::problem_of<device_array<double>>([](host_array<double> const& x) { return to_device<double>(x); });
  auto const host = sda_test::problem_of<host_array<double>>([](host_array<double> const& x) { return x; });
  host_array<double> const like(4, sda_test::width);
  CHECK(sda_test::distance(to_host(run(ours, to_device<double>(host_array<double>::Zero(4, sda_test::width).eval()))), run(host, like)) < 1e-10);
}

TEST_CASE("a sampling run through guided windows waits for nothing: it is one graph", "[cuda]") {
  auto const [prior, seen] = sda_test::problem_of<device_array<float>>([](host_array<double> const& x) { return to_device<float>(x); });
  window_plan const plan{10, 4, sda_test::width / 4, 2};
  auto const posterior = windowed{plan, mmps{prior, seen, gmres{2}}};
  auto const levels = uniform_grid(vp_cosine{}, 6);
  auto const run = [&](device_array<float> const& start) {
    return sample_from(pc{adams_bashforth<2>{}, adaptive_langevin{.limit = 10}, 1}, posterior, std::span<level const>(levels), start, key{5});
  };
  auto const first = to_device<float>(normals(2, plan.columns(), key{6})), second = to_device<float>(normals(2, plan.columns(), key{7}));
  graphed replay(run, first);
  CHECK((to_host(replay(second)) == to_host(run(second))).all());
  CHECK((to_host(replay(first)) == to_host(run(first))).all());
}
