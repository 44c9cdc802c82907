// SPDX-License-Identifier: Apache-2.0
// Run by mpirun, as test_mpi_ranks CASE: every rank computes a case with the world and alone, and the bits must agree.
#include <sda/calculus/ode.hpp>
#include <sda/calculus/schedule.hpp>
#include <sda/filter/cycle.hpp>
#include <sda/filter/eakf.hpp>
#include <sda/filter/ensf.hpp>
#include <sda/filter/letkf.hpp>
#include <sda/filter/spread_members.hpp>
#include <sda/model/lorenz96.hpp>
#include <sda/eigen.hpp>
#include <sda/mpi.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/prior/gaussian.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/multistep.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/trajectory/window.hpp>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>

using namespace sda;

namespace {

static_assert(Communicator<mpi_communicator, host_array<float>> && Communicator<mpi_communicator, host_array<double>>);

template <class T> host_array<T> normals(index_t r, index_t c, key k) {
  host_array<T> x(r, c);
  lincomb(x, noise{1.0, k});
  return x;
}
template <class A> void require_same(A const& a, A const& b, char const* what) {
  require(a.rows() == b.rows() && a.cols() == b.cols() && std::memcmp(a.data(), b.data(), sizeof(*a.data()) * std::size_t(a.size())) == 0, what,
          ": the bits differ from one rank's");
}

/// Windows of trajectories over the ranks, in batches, through a predictor-corrector.
template <class T> void windowed_sampling(mpi_communicator const& world) {
  for (auto const mode : {window_mode::symmetric, window_mode::average}) {
    window_plan const plan{13, 3, 5, 2, mode, 3};
    gaussian const prior{normals<T>(1, plan.window_columns(), key{1}), host_array<T>(normals<T>(1, plan.window_columns(), key{2}).square() + T(0.1))};
    auto const run = [&](auto const& denoiser) {
      return sample(pc{adams_bashforth<2>{}, langevin{}, 1}, denoiser, vp_cosine{}, 6, host_array<T>(2, plan.columns()), key{3});
    };
    require_same(run(windowed{plan, prior, world, 2}), run(windowed{plan, prior}), "windowed sampling");
    auto const each = [&](index_t w) { return gaussian{host_array<T>(prior.mean + T(w)), prior.variance}; };
    require_same(run(windowed{plan, each, world}), run(windowed{plan, each}), "windows with denoisers of their own");
  }
}

/// Ensembles whose members are forecast by the ranks in shares, with noise in the model, through some analyses.
void filters(mpi_communicator const& world) {
  index_t const n = 12, count = 7;
  perturbed const model{flow{lorenz96{}, 0.05}, 0.1};
  std::vector<std::int64_t> const at{0, 3, 4, 7, 10};
  auto const seen = [&](index_t i) {
    return observation{masked<host_array<double>>(host_array<double>(1, n), at, n), normals<double>(1, 5, key{6}.fold(std::uint64_t(i))), scalar_error{0.5}};
  };
  auto const near = localise_ring(n, at, 4);
  std::vector<double> const places(at.begin(), at.end());
  auto const between = localise(std::span<double const>(places), std::span<double const>(places), 4, ring_distance{double(n)});
  auto const check = [&](auto const& filter, char const* what) {
    auto const run = [&](auto const& communicator) {
      host_array<double> e = normals<double>(count, n, key{7});
      cycle(filter, e, 4, spread_members{model, communicator}, 2, seen, key{8}, [](index_t, auto const&) {});
      return e;
    };
    require_same(run(world), run(solo{}), what);
  };
  check(letkf{near, {.factor = 1.04}, true}, "letkf");
  check(eakf{near, between, {.factor = 1.04}, true}, "eakf");
  check(ensf{.steps = 10}, "ensf");
}

void collectives(mpi_communicator const& world) {
  int const p = world.size(), me = world.rank();
  for (index_t const n : {0, 1, 4, 17}) {  // fewer rows than ranks, and unequal shares
    auto const whole = normals<double>(n, 5, key{4});
    host_array<double> mine = host_array<double>::Constant(n, 5, -1);
    auto const [first, last] = share(n, me, p);
    mine.middleRows(first, last - first) = whole.middleRows(first, last - first);
    world.all_gather(mine);
    require_same(mine, whole, "all_gather");

    host_array<float> sum = normals<float>(n, 7, key{5}.fold(std::uint64_t(me))), expected = normals<float>(n, 7, key{5}.fold(0));
    for (int r = 1; r < p; ++r) expected += normals<float>(n, 7, key{5}.fold(std::uint64_t(r)));
    world.all_reduce(sum);
    require_same(sum, expected, "all_reduce");

    host_array<double> told = me == p - 1 ? whole : host_array<double>::Zero(n, 5);
    world.broadcast(told, p - 1);
    require_same(told, whole, "broadcast");
  }
  world.barrier();
}

/// Each of these must end every rank with a message, never hang.
void one_rank_throws(mpi_communicator const& world) {
  require(world.rank() != world.size() - 1, "this rank was told to fail");
  host_array<double> x(4, 4);
  world.all_gather(x);
}
void shapes_differ(mpi_communicator const& world) {
  host_array<double> x = host_array<double>::Zero(4, world.rank() == 0 ? 4 : 5);
  world.all_gather(x);
}
void one_rank_dies(mpi_communicator const& world) {
  if (world.rank() == 0) std::_Exit(3);
  host_array<double> x(4, 4);
  world.all_gather(x);
}
void one_rank_stays_away(mpi_communicator world) {
  world.patience = 1;
  host_array<double> x(4, 4);
  if (world.rank() == 0)
    for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
  world.all_gather(x);
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::function<void(mpi_communicator const&)>> const cases{{"windowed_float", windowed_sampling<float>},
                                                                                  {"windowed_double", windowed_sampling<double>},
                                                                                  {"filters", filters}, {"collectives", collectives},
                                                                                  {"one_rank_throws", one_rank_throws},
                                                                                  {"shapes_differ", shapes_differ},
                                                                                  {"one_rank_dies", one_rank_dies},
                                                                                  {"one_rank_stays_away", one_rank_stays_away}};
  if (argc < 2 || !cases.contains(argv[1])) return 2;
  std::string const name = argv[1];
  return on_mpi(argc, argv, cases.at(name));
}
