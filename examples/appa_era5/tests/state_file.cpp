// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>
#include <temporary.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/archive.hpp"
#include "data/state_file.hpp"

#include <cmath>
#include <csignal>
#include <fstream>
#include <iterator>

using namespace appa;
using sda_test::temporary_folder;

namespace {

state_contents const small{parse_grid("8x5"), select_channels({"t2m", "sst", "t", "z"}, {500, 850}), "states", "a test", "appa test", {{"seed", 3}}};
hours const start = hours_of({2019, 3, 1, 0});

float value(hours t, index_t i, int member = 0) { return float(250 + 3 * double(t - start) + std::sin(double(i)) + (member % 2 ? -1 : 1) * member); }
std::vector<float> state(hours t, int member = 0) {
  std::vector<float> x(std::size_t(small.channels.size() * small.where.points()));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = value(t, index_t(i), member);
  return x;
}
std::string written(std::filesystem::path const& path, index_t states, state_contents const& as = small, int member = 0) {
  state_writer out(path.string(), as);
  for (hours t = start; t < start + states; ++t) out.append(t, state(t, member));
  out.commit();
  return path.string();
}
std::vector<float> read(std::string const& path, hours t) {
  std::vector<float> x(std::size_t(small.channels.size() * small.where.points()));
  archive({path}, small.channels).read(t, 1, 1, x.data());
  return x;
}
std::string bytes(std::string const& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a state comes back as it was written, surface and levels from one file") {
  temporary_folder const tmp;
  auto const path = written(tmp / "a.nc", 3);
  CHECK(archive({path}, small.channels).times() == std::vector<hours>{start, start + 1, start + 2});
  for (hours t = start; t < start + 3; ++t) CHECK(read(path, t) == state(t));
  sda::netcdf::reader const file(path);
  CHECK(file.text("", "Conventions") == "CF-1.8");
  CHECK(file.text("", "history") == "appa test");
  CHECK(file.number("", "seed") == 3);
  CHECK(file.text("t2m", "standard_name") == "air_temperature");
}

TEST_CASE("a file of states holds no clock: writing it again gives the same bytes") {
  temporary_folder const tmp;
  CHECK(bytes(written(tmp / "a.nc", 2)) == bytes(written(tmp / "b.nc", 2)));
}

TEST_CASE("the sea has no temperature on land") {
  temporary_folder const tmp;
  auto as = small;
  as.sea.assign(40, 1), as.sea[7] = 0;
  auto const x = read(written(tmp / "a.nc", 1, as), start);
  for (std::size_t p = 0; p < 40; ++p) CHECK(std::isnan(x[40 + p]) == (p == 7));
}

TEST_CASE("mean, spread and increments are those of the members, however many states fit the memory") {
  temporary_folder const tmp;
  std::vector<std::string> members;
  for (int m = 0; m < 4; ++m) members.push_back(written(tmp / ("m" + std::to_string(m) + ".nc"), 3, small, m));
  auto const mean = (tmp / "mean.nc").string(), spread = (tmp / "spread.nc").string();
  for (double const memory : {1e9, 1.0}) {
    write_mean_and_spread(members, mean, spread, small, memory);
    for (hours t = start; t < start + 3; ++t) {  // offsets 0, -1, 2, -3: mean -0.5, variance 13/3
      auto const m = read(mean, t), s = read(spread, t);
      for (std::size_t i = 0; i < m.size(); ++i) {
        CHECK(m[i] == Approx(value(t, index_t(i)) - 0.5).epsilon(1e-6));
        CHECK(s[i] == Approx(std::sqrt(13.0 / 3)).epsilon(1e-4));
      }
    }
  }
  CHECK(sda::netcdf::reader(spread).text("t", "cell_methods") == "realization: standard_deviation");
  auto const increments = (tmp / "increments.nc").string();
  REQUIRE(write_difference(members[2], members[0], increments, small));
  for (float const x : read(increments, start + 1)) CHECK(x == Approx(2).epsilon(1e-4));
  members.push_back(written(tmp / "short.nc", 2));
  CHECK_THROWS_WITH(write_mean_and_spread(members, mean, spread, small), Catch::Contains("short.nc has other times"));
}

TEST_CASE("a writer that does not finish leaves what stood there, and no file of its own") {
  temporary_folder const tmp;
  auto const path = written(tmp / "a.nc", 2);
  auto const before = bytes(path);
  {
    state_writer out(path, small);
    out.append(start, state(start));
    CHECK_THROWS_WITH(out.append(start + 1, {}), Catch::Contains("0 numbers"));
  }
  CHECK(bytes(path) == before);
  CHECK(std::distance(std::filesystem::directory_iterator(tmp.path), {}) == 1);
  CHECK_THROWS_WITH(state_writer((tmp / "none" / "a.nc").string(), small), Catch::Contains("there is no folder"));
}

TEST_CASE("a disk that is full is named, and nothing half-written stays") {
  temporary_folder const tmp;
  auto const words = tmp / "words";
  pid_t const child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit const limit{20000, 20000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    std::string found = "no complaint";
    try {
      auto as = small;
      as.deflate = 0;
      written(tmp / "a.nc", 200, as);
    } catch (sda::error const& e) { found = e.what(); }
    std::ofstream(words) << found << std::flush;
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  auto const found = bytes(words.string());
  CHECK_THAT(found, Catch::Contains("a.nc"));
  CHECK_THAT(found, Catch::Contains("File too large"));
  std::filesystem::remove(words);
  CHECK(std::filesystem::is_empty(tmp.path));
}
