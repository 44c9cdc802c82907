// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include "data/isolated.hpp"
#include "data/latent_dump.hpp"
#include "torch_zip.hpp"
#include "weights/state_dict.hpp"

#include <sda/core/random.hpp>
#include <sda/netcdf.hpp>
#include <temporary.hpp>

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>

using namespace appa;
using namespace appa_test;

namespace {

std::string bytes_in(std::filesystem::path const& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Reads the file cut off everywhere, and with bits flipped: each attempt ends, in a result or in an sda::error.
void damage(std::filesystem::path const& file, int flips, std::function<void()> const& read) {
  auto const whole = bytes_in(file);
  REQUIRE_NOTHROW(read());
  int failed = 0, tried = 0;
  auto const attempt = [&](std::string const& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
    ++tried;
    try {
      read();
    } catch (sda::error const&) { ++failed; }
  };
  for (std::size_t n = 0; n < whole.size(); n += std::max<std::size_t>(1, whole.size() / 300)) attempt(whole.substr(0, n));
  CHECK(failed == tried);
  sda::key const k{whole.size()};
  for (int i = 0; i < flips; ++i) {
    auto bytes = whole;
    for (int bit = 0; bit < 1 + i % 4; ++bit)
      bytes[std::size_t(sda::uniform(k, i, 2 * bit) * double(bytes.size()))] ^= char(1 << int(sda::uniform(k, i, 2 * bit + 1) * 8));
    attempt(bytes);
  }
  CHECK(failed < tried);  // most of the bytes are numbers, which may be any
}

std::vector<float> some_numbers(std::size_t n) {
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = float(i);
  return x;
}

// A latent dump of five hours, two tokens and two channels, of dates from 2019-01-01 on.
struct small_dump {
  std::vector<int> dates;
  std::vector<float> states = some_numbers(20);

  small_dump() {
    for (int hour = 0; hour < 5; ++hour)
      for (int const n : {2019, 1, 1, hour}) dates.push_back(n);
  }
  void write(std::string const& path, sda::index_t fields = 4, sda::index_t tokens = 2) const {
    sda::netcdf::writer to(path);
    to.dimension("time", 5), to.dimension("token", tokens), to.dimension("channel", 2), to.dimension("field", fields);
    to.variable<float>("latents", {"time", "token", "channel"}, {});
    to.variable<int>("dates", {"time", "field"}, {});
    if (tokens == 2) to.put("latents", states);
    if (fields == 4) to.put("dates", dates);
    to.commit();
  }
};

void read_all(std::filesystem::path const& file) {
  auto const all = read_tensors(file);
  for (auto const& [name, t] : all.tensors) (void)t.as<double>();
}

}  // namespace

TEST_CASE("a damaged PyTorch file gives an error or numbers, never anything worse") {
  sda_test::temporary_folder const folder;
  pickled p;
  p.global("collections", "OrderedDict").op(")R(");
  p.text("in.weight").tensor("FloatStorage", "0", 30, 0, {5, 6}, {1, 5}).text("in.bias").tensor("FloatStorage", "0", 30, 3, {6}, {1});
  p.op("u.");
  write_zip(folder / "f", {{"m/data.pkl", p.bytes}, {"m/data/0", bytes_of(some_numbers(30))}, {"m/version", "3\n"}});
  damage(folder / "f", 1000, [&] { read_all(folder / "f"); });
}

TEST_CASE("a damaged pickle in a sound archive gives an error or numbers") {
  sda_test::temporary_folder const folder;
  pickled p;
  p.op("}(")
      .text("a")
      .tensor("FloatStorage", "0", 30, 0, {5, 6}, {6, 1})
      .text("b")
      .op("](")
      .integer(3)
      .integer(70000)
      .op("e")
      .text("c")
      .tuple({1, 2, 3})
      .op("u.");
  sda::key const k{5};
  int failed = 0;
  for (int i = 0; i < 1000; ++i) {
    auto bytes = p.bytes;
    for (int bit = 0; bit < 1 + i % 3; ++bit)
      bytes[std::size_t(sda::uniform(k, i, 2 * bit) * double(bytes.size()))] = char(sda::uniform(k, i, 2 * bit + 1) * 256);
    write_zip(folder / "f", {{"m/data.pkl", bytes}, {"m/data/0", bytes_of(some_numbers(30))}});
    try {
      read_all(folder / "f");
    } catch (sda::error const&) { ++failed; }
  }
  CHECK(failed > 300);
  CHECK(failed < 1000);
}

TEST_CASE("a damaged safetensors file gives an error or numbers") {
  sda_test::temporary_folder const folder;
  auto const x = some_numbers(30);
  sda::safetensors::write(
      folder / "f",
      {{"a", sda::safetensors::view(std::span<float const>(x), {5, 6})}, {"b", sda::safetensors::view(std::span<float const>(x), {30})}},
      {{"config", "{}"}});
  damage(folder / "f", 1000, [&] { read_all(folder / "f"); });
}

TEST_CASE("a NetCDF file that is cut off gives an error, a damaged one an error or numbers") {
  sda_test::temporary_folder const folder;
  auto const path = (folder / "f").string();
  {
    int file, d[2], v;
    REQUIRE(nc_create(path.c_str(), NC_CLOBBER, &file) == NC_NOERR);  // netCDF-3
    nc_def_dim(file, "time", NC_UNLIMITED, &d[0]), nc_def_dim(file, "x", 6, &d[1]);
    nc_def_var(file, "t", NC_SHORT, 2, d, &v);
    double const scale = 0.5;
    nc_put_att_double(file, v, "scale_factor", NC_DOUBLE, 1, &scale), nc_put_att_text(file, v, "units", 1, "K");
    nc_enddef(file);
    std::size_t const start[] = {0, 0}, count[] = {5, 6};
    nc_put_vara_float(file, v, start, count, some_numbers(30).data());
    REQUIRE(nc_close(file) == NC_NOERR);
  }
  auto const read = [&] {
    sda::netcdf::reader const in(path);
    for (auto const& name : in.variables()) {
      for (auto const& a : in.attribute_names(name)) (void)in.text(name, a), (void)in.numbers(name, a);
      std::size_t n = 1;
      for (auto const& d : in.dimensions(name)) n = n > 1000000 ? n : n * std::size_t(d.size);
      if (n <= 1000000) (void)in.read(name);
    }
  };
  auto const whole = bytes_in(path);
  sda::key const k{9};
  int cut = 0, failed = 0;
  std::size_t const header = whole.size() - 5 * 12;  // five records of six short numbers
  for (int i = 0; i < 1300; ++i) {
    auto bytes = i < 300 ? whole.substr(0, header * std::size_t(i) / 300) : whole;
    for (int bit = 0; i >= 300 && bit < 1 + i % 4; ++bit)
      bytes[std::size_t(sda::uniform(k, i, 2 * bit) * double(bytes.size()))] ^= char(1 << int(sda::uniform(k, i, 2 * bit + 1) * 8));
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      read();
    } catch (sda::error const&) { (i < 300 ? cut : failed) += 1; }
  }
  CHECK(cut == 300);
  CHECK((failed > 100 && failed < 1000));
}

TEST_CASE("a damaged latent dump gives an error or numbers") {
  sda_test::temporary_folder const folder;
  auto const path = (folder / "f").string();
  small_dump().write(path);
  auto const found = appa::read_latent_dump(path);
  CHECK((found.tokens == 2 && found.channels == 2 && found.states == some_numbers(20)));
  CHECK((found.times.size() == 5 && text(found.times.back()) == "2019-01-01T04"));
  damage(path, 200, [&] { (void)appa::read_latent_dump(path, 1); });
}

TEST_CASE("a sound file is no latent dump if its numbers are none") {
  sda_test::temporary_folder const folder;
  auto const path = (folder / "f").string();
  auto const says = [&](char const* words) { CHECK_THROWS_WITH(appa::read_latent_dump(path), Catch::Contains(words) && Catch::Contains(path)); };
  small_dump dump;
  dump.write(path, 3), says("is no latent dump");
  dump.write(path, 4, 1 << 30), says("1073741824 x 2 latents, more than a file of its size can hold");
  dump.dates[5] = 257, dump.write(path), says("there is no date 2019-257-1");
  dump = {}, dump.dates[19] = 3, dump.write(path), says("2019-01-01T03 is not later than the date before");
  dump = {}, dump.states[9] = HUGE_VALF, dump.write(path), says("not all latents of 2019-01-01T02 are finite");
}

TEST_CASE("a file is rehearsed once, and again when it was written to") {
  sda_test::temporary_folder const folder;
  auto const file = folder / "f", marks = folder / "marks";
  std::ofstream(file) << "no netCDF-3";
  auto const rehearsals = [&] {
    appa::rehearse(file.string(), [&] { std::ofstream(marks, std::ios::app) << '.'; });
    return bytes_in(marks).size();
  };
  CHECK((rehearsals() == 1 && rehearsals() == 1));
  std::ofstream(file, std::ios::app) << " at all";
  CHECK((rehearsals() == 2 && rehearsals() == 2));
}

TEST_CASE("work in a process of its own gives its numbers, or is an error if it throws, crashes or never ends") {
  using out = appa::isolated::output;
  std::array<int, 2> x{};
  auto const run = [&](std::function<void(out const&)> const& work) {
    appa::isolated child("cannot read it", 1, work);
    for (int& number : x) child.get(&number, sizeof number);
  };
  int const two = 2, three = 3;
  run([&](out const& to) { to.put(&two, sizeof two), to.put(&three, sizeof three); });
  CHECK(x == std::array{2, 3});
  CHECK_THROWS_WITH(run([](out const&) { throw sda::error("a fault of its own"); }), "a fault of its own");
  CHECK_THROWS_WITH(run([&](out const& to) { to.put(&two, sizeof two), ::raise(SIGKILL); }),
                    Catch::Contains("cannot read it: ") && Catch::Contains("crashed"));
  CHECK_THROWS_WITH(run([&](out const& to) { to.put(&two, sizeof two); }), "cannot read it: it ends too early");
  CHECK_THROWS_WITH(run([](out const&) {
                      for (std::atomic<int> n = 0;;) ++n;
                    }),
                    "cannot read it: the library that reads it does not come to an end");
  CHECK_THROWS_WITH(run([&](out const& to) { to.put(&two, sizeof two), ::pause(); }), Catch::Contains("cannot read it: the process that reads it said nothing for 10 s"));
  run([&](out const& to) { to.put(&two, sizeof two), to.put(&three, sizeof three), to.put(&x, sizeof x); });  // more than is read
}
