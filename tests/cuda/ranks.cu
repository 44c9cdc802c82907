// SPDX-License-Identifier: Apache-2.0
// Device ranks: threads that meet over TCP and then over NCCL. Real devices are one a rank; the emulated one serves any number.
#include "device_test.hpp"

#include <sda/calculus/schedule.hpp>
#include <sda/cuda/nccl.hpp>
#include <sda/prior/gaussian.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/multistep.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/trajectory/window.hpp>

#include <netinet/in.h>
#include <sys/wait.h>
#include <atomic>
#include <thread>

using namespace sda;
using sda_test::normals;
using sda_test::to_device;
using sda_test::to_host;

static_assert(Communicator<nccl_communicator, device_array<float>> && Communicator<nccl_communicator, device_array<double>>);

namespace sda_test {

inline std::vector<int> world_sizes() {
#if defined(SDA_CUDA_EMULATED)
  return {1, 2, 3, 5};
#else
  return {1};
#endif
}
// Cases run side by side as processes of neighbouring numbers: each has thirty ports of its own, below those the system hands out.
inline std::atomic<int> next_port = 20000 + int(::getpid()) % 400 * 30;

/// body(me) on one thread a rank; the messages of those that threw.
template <class Body> std::vector<std::string> on_ranks(int started, int size, Body const& body) {
  std::vector<std::string> failures(static_cast<std::size_t>(started));
  std::vector<std::thread> ranks;
  int const port = next_port++;
  for (int r = 0; r < started; ++r)
    ranks.emplace_back([&, r] {
      try {
        body(launched{.rank = r, .size = size, .local_rank = 0, .address = "127.0.0.1", .port = port});
      } catch (std::exception const& e) { failures[std::size_t(r)] = e.what(); }
    });
  for (auto& t : ranks) t.join();
  return failures;
}
template <class Body> void require_all(int size, Body const& body) {
  for (auto const& why : on_ranks(size, size, body)) CHECK(why == "");
}

}  // namespace sda_test

TEST_CASE("windowed sampling over device ranks gives the bits of one", "[cuda]") {
  window_plan const plan{13, 3, 5, 2, window_mode::average, 3};
  host_array<float> const mean = normals<float>(1, plan.window_columns(), key{1}),
                          variance = normals<float>(1, plan.window_columns(), key{2}).square() + 0.1f;
  auto const run = [&](auto const& comm) {
    gaussian const prior{to_device<float>(mean), to_device<float>(variance)};
    device_array<float> const like(2, plan.columns(), sda_test::device_stream());
    return to_host<float>(sample(pc{adams_bashforth<2>{}, langevin{}, 1}, windowed{plan, prior, comm}, vp_cosine{}, 5, like, key{3}));
  };
  auto const alone = run(solo{});
  for (int const size : sda_test::world_sizes())
    sda_test::require_all(size, [&](launched const& me) { require((run(nccl_world(me)) == alone).all(), "the bits differ"); });
}

TEST_CASE("device ranks gather unequal shares, sum and broadcast", "[cuda]") {
  for (int const size : sda_test::world_sizes())
    for (index_t const n : {1, 4, 15, 17})
      sda_test::require_all(size, [&](launched const& me) {
        auto const world = nccl_world(me);
        auto const whole = to_device<double>(normals(n, 6, key{4}));
        auto const [first, last] = share(n, me.rank, me.size);
        auto mine = zeros_like(whole);
        if (last > first) copy_block(mine, first, 0, whole, first, 0, last - first, 6);
        world.all_gather(mine);
        world.wait(mine.stream());
        require((to_host(mine) == to_host(whole)).all(), "all_gather");

        host_array<double> expected = host_array<double>::Zero(n, 3);
        for (int r = 0; r < me.size; ++r) expected += normals(n, 3, key{5}.fold(std::uint64_t(r)));
        auto sum = to_device<double>(normals(n, 3, key{5}.fold(std::uint64_t(me.rank))));
        world.all_reduce(sum);
        require(sda_test::distance(to_host(sum), expected) < 1e-14, "all_reduce");

        auto told = me.rank == me.size - 1 ? sda::clone(whole) : zeros_like(whole);
        world.broadcast(told, me.size - 1);
        require((to_host(told) == to_host(whole)).all(), "broadcast");

        nccl_communicator const borrowed(world.native());
        require(borrowed.rank() == me.rank && borrowed.size() == me.size, "a native communicator keeps its ranks");
      });
}

TEST_CASE("a world that is not complete, or not one, throws on every rank that came", "[cuda]") {
  auto const absent = sda_test::on_ranks(2, 3, [](launched const& me) { rendezvous(me, nullptr, 0, 1.5); });
  CHECK(absent[0].find("only 2 of 3 ranks came") != std::string::npos);
  char word[8] = "no";
  auto const mismatched = sda_test::on_ranks(2, 2, [&](launched me) {
    char mine[8] = "";
    if (me.rank == 1) me.size = 3;
    rendezvous(me, me.rank == 0 ? word : mine, sizeof word, 2);
  });
  CHECK(mismatched[0].find("rank 1 of 3 came to a world of 2") != std::string::npos);
  CHECK(mismatched[1].find("rank 0 went away") != std::string::npos);
}

TEST_CASE("a rank 0 that never answers is given up in time", "[cuda]") {
  // a door that nobody opens: once its queue is full, connections are left waiting as those to a machine that swallows packets
  launched const me{.rank = 1, .size = 2, .local_rank = 0, .address = "127.0.0.1", .port = sda_test::next_port++};
  on_device::connection const door(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET, at.sin_port = htons(std::uint16_t(me.port)), at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(door.handle(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
  REQUIRE(::listen(door.handle(), 0) == 0);
  std::vector<on_device::connection> queue;
  for (int i = 0; i < 4; ++i) {
    queue.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    ::connect(queue.back().handle(), reinterpret_cast<sockaddr*>(&at), sizeof at);
  }
  char word[8] = "";
  CHECK_THROWS_AS(rendezvous(me, word, sizeof word, 0.5), error);  // a test that takes minutes where this does not hold
}

#if defined(SDA_CUDA_EMULATED)
TEST_CASE("a communicator's watch goes when the work is done", "[cuda]") {
  std::atomic<bool> done = false;
  std::thread device;
  {
    on_device::watchdog watch(50, [] { return std::string(); }, [](std::string const&) {});
    emulator::events_pass = false;
    watch.during(sda_test::device_stream(), "work", [] {});
    device = std::thread([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      done = true, emulator::events_pass = true;
    });
  }
  CHECK(done);
  device.join();
}

TEST_CASE("a rank that is left alone in a call ends with a message", "[cuda]") {
  int said[2];
  REQUIRE(::pipe(said) == 0);
  pid_t const child = ::fork();
  if (child == 0) {
    ::dup2(said[1], 2);
    ncclUniqueId id{};
    ncclGetUniqueId(&id);
    sda_test::on_ranks(2, 2, [&](launched const& me) {
      auto const world = nccl_communicator(id, me.rank, me.size, 1.5);
      auto x = to_device<float>(normals<float>(4, 3, key{1}));
      world.all_gather(x);
      if (me.rank == 0) world.all_reduce(x);  // which the other does not call
    });
    std::_Exit(0);
  }
  ::close(said[1]);
  std::string words(1000, '\0');
  words.resize(std::size_t(std::max<ssize_t>(0, ::read(said[0], words.data(), words.size()))));
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 1));
  CHECK(words.find("rank 0 of 2: nccl: waited 1.5 s in all_reduce: another rank died") != std::string::npos);
}
#endif

TEST_CASE("a launcher's variables say who one is", "[cuda]") {
  for (auto const* name :
       {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_JOB_ID", "SLURM_STEP_NODELIST"})
    ::unsetenv(name);
  CHECK(launched_by_environment().size == 1);
  ::setenv("SLURM_PROCID", "2", 1), ::setenv("SLURM_NTASKS", "4", 1);
  CHECK((launched_by_environment().rank == 2 && launched_by_environment().size == 4));
  ::setenv("SLURM_STEP_NODELIST", "gpu[07-09,12],login", 1), ::setenv("SLURM_JOB_ID", "120034", 1);
  CHECK((launched_by_environment().address == "gpu07" && launched_by_environment().port == 20035));
  for (auto const& [list, first] : {std::pair{"a", "a"}, {"a,b", "a"}, {"n3,gpu[1-2]", "n3"}, {"r[12,14]-n1,x", "r12-n1"}, {"n[5]", "n5"}})
    CHECK(on_device::first_machine(list) == first);
  CHECK_THROWS_AS(on_device::first_machine("gpu[1-2"), error);
  ::unsetenv("SLURM_STEP_NODELIST"), ::unsetenv("SLURM_JOB_ID");
  CHECK(launched_by_environment().port == 29501);
  ::setenv("RANK", "1", 1), ::setenv("WORLD_SIZE", "2", 1), ::setenv("MASTER_ADDR", "node7", 1),
      ::setenv("MASTER_PORT", "1234", 1);  // torchrun inside srun
  auto const me = launched_by_environment();
  CHECK((me.rank == 1 && me.size == 2 && me.address == "node7" && me.port == 1235));
  ::setenv("RANK", "two", 1);
  CHECK_THROWS_AS(launched_by_environment(), error);
  ::setenv("RANK", "2", 1);
  CHECK_THROWS_AS(launched_by_environment(), error);
  for (auto const* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "SLURM_PROCID", "SLURM_NTASKS"}) ::unsetenv(name);
}
