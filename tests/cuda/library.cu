// SPDX-License-Identifier: Apache-2.0
// What the library is made of, run with device states from the same text: the host's results are the oracle.
#include "device_test.hpp"

#include <sda/calculus/schedule.hpp>
#include <sda/calculus/solve.hpp>
#include <sda/cuda/graph.hpp>
#include <sda/prior/gaussian.hpp>
#include <sda/prior/parametrisation.hpp>
#include <sda/prior/reschedule.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/heun.hpp>
#include <sda/sampler/multistep.hpp>
#include <sda/sampler/rewind.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/sampler/stochastic.hpp>
#include <sda/trajectory/window.hpp>

using namespace sda;
using sda_test::normals;
using sda_test::to_device;
using sda_test::to_host;

namespace sda_test {

template <class T> inline constexpr double agreement = 1e-4;
template <> inline constexpr double agreement<double> = 1e-10;

struct spread {  // variances in [0.1, 1.1)
  template <class T> SDA_HD T operator()(T const& x) const { return 0.1 + x * x / (1 + x * x); }
};

/// A diagonal Gaussian prior of `columns` columns, on the device and, in double, on the host.
template <class T> auto prior_on_device(index_t c) {
  auto mean = to_device<T>(normals(1, c, key{1})), variance = to_device<T>(normals(1, c, key{2}));
  transform(variance, spread{}, variance);
  return gaussian{std::move(mean), std::move(variance)};
}
template <class P> auto on_host_of(P const& p) { return gaussian{to_host(p.mean), to_host(p.variance)}; }

template <class T, class A> double apart(A const& sampler) {
  auto const prior = prior_on_device<T>(37);
  auto const twin = on_host_of(prior);
  host_array<T> const host_like(5, 37);
  auto const ours = sample(sampler, prior, vp_cosine{}, 12, to_device<T>(host_like), key{3});
  host_array<double> start = normals<T>(5, 37, key{3}.fold(0)).template cast<double>() * vp_cosine{}(1).sigma;
  // The host draws float numbers where the device does, so only rounding differs.
  if constexpr (std::same_as<T, double>)
    return distance(to_host(ours), sample_from(sampler, twin, std::span<level const>(uniform_grid(vp_cosine{}, 12)), start, key{3}));
  else {
    gaussian const narrow{host_array<float>(twin.mean.template cast<float>()), host_array<float>(twin.variance.template cast<float>())};
    return distance(to_host(ours), sample(sampler, narrow, vp_cosine{}, 12, host_like, key{3}));
  }
}

}  // namespace sda_test

TEMPLATE_TEST_CASE("every sampler gives on a device what it gives on the host", "[cuda]", float, double) {
  using sda_test::apart;
  double const near = sda_test::agreement<TestType>;
  CHECK(apart<TestType>(ddim{}) < near);
  CHECK(apart<TestType>(ddpm) < near);
  CHECK(apart<TestType>(heun{}) < near);
  CHECK(apart<TestType>(adams_bashforth<3>{}) < near);
  CHECK(apart<TestType>(exponential_x<2>{}) < near);
  CHECK(apart<TestType>(exponential_rotation<4>{}) < near);
  CHECK(apart<TestType>(lms<3>) < near);
  CHECK(apart<TestType>(euler_maruyama{}) < near);
  CHECK(apart<TestType>(ito{}) < near);
  // Without a limit the last steps divide by x - α x̂, which near the data is rounding and nothing else.
  CHECK(apart<TestType>(pc{ddpm, adaptive_langevin{.limit = 10}, 2, correcting::after}) < near);
  CHECK(apart<TestType>(pc{ddim{}, renoising{}, 1}) < near);
}

namespace sda_test {
/// A network of a state and a number.
struct damping {
  template <State S> S operator()(S const& x, double c) const {
    S y = zeros_like(x);
    lincomb(y, term{1 / (1 + c * c), x});
    return y;
  }
};
}  // namespace sda_test

TEST_CASE("networks in every form give on a device what they give on the host", "[cuda]") {
  using sda_test::damping;
  auto const apart = [](auto const& denoiser) {
    host_array<double> const like = host_array<double>::Zero(3, 12);
    auto const draw = [&](auto const& x) { return sample(ddpm, denoiser, vp_cosine{}, 6, x, key{3}); };
    return sda_test::distance(to_host(draw(to_device<double>(like))), draw(like));
  };
  CHECK(apart(preconditioned{damping{}, 1.0}) < 1e-10);
  CHECK(apart(predicting{timed<damping, rectified>{}, predicts_v{}}) < 1e-10);
  CHECK(apart(rescaled{timed<damping, rectified>{}, to_exploding{}}) < 1e-10);
}

namespace sda_test {
/// Symmetric positive definite: c + a diagonal, times a coupling of neighbouring columns in both directions.
template <State S> struct coupled {
  S diagonal;
  indices_t<S> left, right;
  S operator()(S const& x) const {
    S y = zeros_like(x);
    lincomb(y, term{2.5, x}, weighted{1.0, diagonal, x}, gathered{-0.5, x, left}, gathered{-0.5, x, right});
    return y;
  }
};
template <State S> coupled<S> coupling(S squares) {
  std::vector<std::int64_t> left, right;
  index_t const n = columns(squares);
  for (index_t c = 0; c < n; ++c) left.push_back((c + n - 1) % n), right.push_back((c + 1) % n);
  transform(squares, spread{}, squares);
  auto l = indices_like(squares, std::span<std::int64_t const>(left)), r = indices_like(squares, std::span<std::int64_t const>(right));
  return {std::move(squares), std::move(l), std::move(r)};
}
}  // namespace sda_test

TEMPLATE_TEST_CASE("every solver gives on a device what it gives on the host", "[cuda]", float, double) {
  using T = TestType;
  for (index_t const n : {5, 64, 1500}) {
    host_array<T> const b = normals<T>(4, n, key{1}), squares = normals<T>(1, n, key{2});
    auto const a = sda_test::coupling(to_device<T>(squares));
    auto const twin = sda_test::coupling(host_array<T>(squares));
    auto const db = to_device<T>(b);
    CHECK(sda_test::distance(to_host(cg{5}(a, db)), cg{5}(twin, b)) < sda_test::agreement<T>);
    CHECK(sda_test::distance(to_host(gmres{5}(a, db)), gmres{5}(twin, b)) < sda_test::agreement<T>);
    CHECK(sda_test::distance(to_host(bicgstab{4}(a, db)), bicgstab{4}(twin, b)) < sda_test::agreement<T>);
    CHECK(sda_test::distance(to_host(cg{200, 1e-6}(a, db)), cg{200, 1e-6}(twin, b)) < 1e-4);
  }
}

TEMPLATE_TEST_CASE("windows compose on a device as on the host, in any batches", "[cuda]", float, double) {
  using T = TestType;
  for (auto const mode : {window_mode::symmetric, window_mode::causal, window_mode::average}) {
    window_plan const plan{9, 4, 5, 2, mode, 2};
    auto const prior = sda_test::prior_on_device<T>(plan.window_columns());
    auto const twin = sda_test::on_host_of(prior);
    auto const x = to_device<T>(normals(3, plan.columns(), key{4}));
    level const l{0.8, 0.6};
    auto const inner = [&](device_array<T> const& w, level at) { return prior(w, at); };
    auto const all = windowed{plan, inner};
    auto const by_one = windowed{plan, inner, solo{}, 1};
    auto const host = windowed{plan, [&](host_array<double> const& w, level at) { return twin(w, at); }};
    CHECK(sda_test::distance(to_host(all(x, l)), host(to_host(x), l)) < sda_test::agreement<T>);
    CHECK((to_host(all(x, l)) == to_host(by_one(x, l))).all());
  }
}

TEMPLATE_TEST_CASE("a whole sampling run is one graph, and gives what its steps give", "[cuda]", float, double) {
  using T = TestType;
  window_plan const plan{9, 4, 5, 2};
  auto const prior = sda_test::prior_on_device<T>(plan.window_columns());
  auto const denoiser = windowed{plan, [&](device_array<T> const& w, level at) { return prior(w, at); }};
  auto const levels = uniform_grid(vp_cosine{}, 8);
  auto const run = [&](device_array<T> const& start) {
    return sample_from(pc{adams_bashforth<2>{}, langevin{}, 1}, denoiser, std::span<level const>(levels), start, key{5});
  };
  auto const first = to_device<T>(normals(3, plan.columns(), key{6})), second = to_device<T>(normals(3, plan.columns(), key{7}));
  graphed replay(run, first);
  CHECK((to_host(replay(first)) == to_host(run(first))).all());
  CHECK((to_host(replay(second)) == to_host(run(second))).all());
  CHECK((to_host(replay(first)) == to_host(run(first))).all());
}

TEST_CASE("a graph may be recorded and launched by somebody else, who is told of its end whatever comes", "[cuda]") {
  int begun = 0, ended = 0, launched = 0;
  auto const recorder = [&] {
    auto const own = cuda_recorder();
    return graph_recorder{[&, own](cudaStream_t s) { ++begun, own.begin(s); }, [&, own] { ++ended, own.end(); },
                          [&, own](cudaStream_t s) { ++launched, own.launch(s); }};
  };
  auto const x = to_device<float>(normals(2, 3, key{1}));
  auto const doubled = [](device_array<float> const& s) {
    auto y = sda::clone(s);
    lincomb(y, term{2.0, s});
    return y;
  };
  {
    graphed replay(doubled, x, recorder);
    CHECK((to_host(replay(x)) == 2 * to_host(x)).all());
  }
  CHECK((begun == 1 && ended == 1 && launched == 1));
  int calls = 0;
  auto const throws = [&](device_array<float> const& s) {
    require(++calls < 2, "told to fail");  // in the capture, after a call that warms up
    return sda::clone(s);
  };
  CHECK_THROWS_AS((graphed(throws, x, recorder)), error);
  CHECK((begun == 2 && ended == 2 && launched == 1));
}

TEST_CASE("a graph refuses what waits for the device, and the default stream", "[cuda]") {
  auto const x = to_device<float>(normals(2, 3, key{1}));
  auto const waits = [](device_array<float> const& s) {
    to_host(s);
    return sda::clone(s);
  };
  CHECK_THROWS_AS((graphed(waits, x)), error);
  auto y = sda::clone(x);  // the stream works as before
  CHECK((to_host(y) == to_host(x)).all());
  device_array<float> const on_default(2, 3);
  CHECK_THROWS_AS((graphed([](device_array<float> const& s) { return sda::clone(s); }, on_default)), error);
}
