// SPDX-License-Identifier: Apache-2.0
// One analysis of Lorenz-96's 40 variables, all seen: what a cycle costs beside its forecast.
#include <benchmark/benchmark.h>

#include <sda/eigen.hpp>
#include <sda/filter/eakf.hpp>
#include <sda/filter/ensemble_kalman.hpp>
#include <sda/filter/ensf.hpp>
#include <sda/filter/letkf.hpp>
#include <sda/observation/error_covariance.hpp>

using namespace sda;

namespace {

template <class T = double> host_array<T> normals(index_t r, index_t c, std::uint64_t seed) {
  host_array<T> x(r, c);
  lincomb(x, noise{1.0, key{seed}});
  return x;
}
std::vector<std::int64_t> all_of(index_t n) {
  std::vector<std::int64_t> at(static_cast<std::size_t>(n));
  std::iota(at.begin(), at.end(), 0);
  return at;
}

/// As many threads as the second argument of a benchmark says, until it ends.
struct on_threads {
#if defined(_OPENMP)
  explicit on_threads(std::int64_t n) : before(omp_get_max_threads()) { omp_set_num_threads(int(n)); }
  on_threads(on_threads const&) = delete;
  ~on_threads() { omp_set_num_threads(before); }
  int before;
#else
  explicit on_threads(std::int64_t) {}
#endif
};

template <class F> void analyse(benchmark::State& state, F const& filter) {
  on_threads const some(state.range(1));
  index_t const n = 40;
  auto const forecast = normals(state.range(0), n, 1);
  observation const seen{masked<host_array<double>>(forecast, all_of(n), n), normals(1, n, 2), scalar_error{1}};
  std::uint64_t i = 0;
  for (auto _ : state) {
    auto e = forecast;
    filter.analyse(e, seen, key{3}.fold(i++));
    benchmark::DoNotOptimize(e.data());
  }
}
void letkf_analysis(benchmark::State& state) { analyse(state, letkf{localise_ring(40, all_of(40), from_loc_rad(4)), {.factor = 1.04}}); }
void eakf_analysis(benchmark::State& state) {
  auto const near = localise_ring(40, all_of(40), from_loc_rad(6));
  analyse(state, eakf{near, near, {.factor = 1.07}});
}
void etkf_analysis(benchmark::State& state) { analyse(state, etkf{{.factor = 1.01}}); }
void etkf_rotated(benchmark::State& state) { analyse(state, etkf{{.factor = 1.01}, true}); }
void enkf_analysis(benchmark::State& state) { analyse(state, enkf{{.factor = 1.06}}); }

void eigen_of(benchmark::State& state) {
  index_t const n = state.range(0);
  auto const x = normals(n, n, 4);
  small_matrix const a(Eigen::MatrixXd(x.matrix() * x.matrix().transpose()));
  for (auto _ : state) benchmark::DoNotOptimize(eigen_symmetric(a).values.data());
}

/// What the same machine does in plain arithmetic at that moment: items are additions and multiplications.
void product_of(benchmark::State& state) {
  index_t const n = state.range(0);
  auto const x = normals(n, n, 4);
  small_matrix const a(x.matrix());
  for (auto _ : state) benchmark::DoNotOptimize(product(a, a).elements.data());
  state.SetItemsProcessed(state.iterations() * 2 * n * n * n);
}

/// Items are scalars and steps: columns x 20 members x steps.
void ensf_walk(benchmark::State& state) {
  index_t const n = state.range(0), members = 20;
  int const steps = int(state.range(1));
  auto const forecast = normals<float>(members, n, 5);
  observation const seen{pointwise{quick_arctan{}}, host_array<float>(normals<float>(1, n, 6)), scalar_error{0.0025}};
  for (auto _ : state) {
    auto e = forecast;
    ensf{.steps = steps}.analyse(e, seen, key{7});
    benchmark::DoNotOptimize(e.data());
  }
  state.SetItemsProcessed(state.iterations() * n * members * steps);
}

}  // namespace

// Members, and threads: more are never to be slower.
#define ANALYSIS(name, ...) BENCHMARK(name)->ArgsProduct({{__VA_ARGS__}, {1, 4}})->Unit(benchmark::kMillisecond)->UseRealTime()
ANALYSIS(letkf_analysis, 7, 20, 40);
ANALYSIS(eakf_analysis, 7);
ANALYSIS(etkf_analysis, 24, 40);
ANALYSIS(etkf_rotated, 40);
ANALYSIS(enkf_analysis, 40);
BENCHMARK(product_of)->Arg(40)->Unit(benchmark::kMicrosecond);
BENCHMARK(eigen_of)->Arg(7)->Arg(40)->Unit(benchmark::kMicrosecond);
BENCHMARK(ensf_walk)
    ->Args({1000, 100})
    ->Args({100'000, 100})
    ->Args({1'000'000, 500})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK_MAIN();
