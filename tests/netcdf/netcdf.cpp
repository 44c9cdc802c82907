// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include <sda/netcdf.hpp>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace sda;
namespace nc = sda::netcdf;
namespace fs = std::filesystem;

namespace {

/// A folder of this process's own, gone with its contents at the end of the case.
struct folder {
  fs::path path = fs::temp_directory_path() / ("sda_netcdf_" + std::to_string(::getpid()));
  folder() { fs::create_directories(path); }
  ~folder() { fs::remove_all(path); }
  std::string operator/(char const* name) const { return (path / name).string(); }
  std::size_t files() const { return std::size_t(std::distance(fs::directory_iterator(path), fs::directory_iterator())); }
};

/// What an expression complains of.
template <class F> std::string complaint(F const& f) {
  try {
    f();
  } catch (sda::error const& e) { return e.what(); }
  return "no complaint";
}
bool contains(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

void define_fields(nc::writer& out) {
  out.dimension("time", nc::unlimited);
  out.dimension("site", 3);
  out.variable<double>("time", {"time"}, {{"units", "hours since 2000-01-01 00:00:00"}, {"axis", "T"}});
  out.variable<int>("site", {"site"}, {{"units", "1"}});
  out.variable<float>("mean", {"time", "site"}, {{"long_name", "posterior mean"}, {"seed", 7}, {"sigma", 0.25}}, {.chunk = {1, 3}});
  out.variable<double>("forcing", {}, {});
}

}  // namespace

TEST_CASE("what a NetCDF file is given it gives back") {
  folder const tmp;
  double const nan = std::nan("");
  {
    nc::writer out(tmp / "a.nc");
    define_fields(out);
    out.provenance("a title", "a source", "a command");
    out.put<double>("time", {0, 6});
    out.put<int>("site", {0, 1, 2});
    out.put<float>("mean", {1, 2, 3, 4, float(nan), 6});
    out.put<double>("forcing", {8});
    out.commit();
  }
  nc::reader const in(tmp / "a.nc");
  CHECK(in.variables() == std::vector<std::string>{"time", "site", "mean", "forcing"});
  CHECK(in.read("time") == std::vector<double>{0, 6});
  CHECK(in.read("site") == std::vector<double>{0, 1, 2});
  CHECK(in.read("forcing") == std::vector<double>{8});
  auto const mean = in.read<float>("mean");
  REQUIRE(mean.size() == 6);
  CHECK(std::isnan(mean[4]));
  CHECK(mean[5] == 6);
  auto const shape = in.dimensions("mean");
  REQUIRE(shape.size() == 2);
  CHECK((shape[0].name == "time" && shape[0].size == 2 && shape[1].name == "site" && shape[1].size == 3));
  CHECK(in.text("mean", "long_name") == "posterior mean");
  CHECK(in.number("mean", "seed") == 7.0);
  CHECK(in.number("mean", "sigma") == 0.25);
  CHECK(!in.text("mean", "seed"));
  CHECK(!in.number("mean", "absent"));
  CHECK(std::isnan(in.number("mean", "_FillValue").value_or(0)));
  CHECK(!in.number("time", "_FillValue"));  // CF: coordinates have no missing values
  CHECK(in.text("", "Conventions") == "CF-1.8");
  CHECK(contains(in.text("", "history").value_or(""), "Z a command"));
}

TEST_CASE("records appended one by one are the records put at once, and a block is a part of the whole") {
  folder const tmp;
  {
    nc::writer out(tmp / "a.nc");
    define_fields(out);
    for (int r = 0; r < 5; ++r) {
      out.append<double>("time", std::vector{6.0 * r});
      out.append<float>("mean", std::vector{1.f * float(r), 2.f, 3.f});
      out.flush();
    }
    out.commit();
  }
  nc::reader const in(tmp / "a.nc");
  CHECK(in.read("time") == std::vector<double>{0, 6, 12, 18, 24});
  CHECK(in.read<float>("mean").size() == 15);
  CHECK(in.read<float>("mean", std::vector<index_t>{2, 0}, std::vector<index_t>{2, 2}) == std::vector<float>{2, 2, 3, 2});
}

TEST_CASE("threads write and read side by side, each its own files") {
  folder const tmp;
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      auto const path = tmp / std::to_string(t).c_str();
      for (int turn = 0; turn < 30; ++turn) {
        nc::writer out(path);
        define_fields(out);
        for (int r = 0; r < 5; ++r) out.append<float>("mean", std::vector{float(t), float(turn), float(r)});
        out.commit();
        nc::reader const in(path);
        std::vector<float> const last{float(t), float(turn), 4};
        right += in.read<float>("mean", std::vector<index_t>{4, 0}, std::vector<index_t>{1, 3}) == last && !in.has("nothing");
      }
    });
  for (auto& t : threads) t.join();
  CHECK(right == 120);
}

TEST_CASE("a file has its final name only when it is complete") {
  folder const tmp;
  std::ofstream(tmp / "a.nc") << "what stood here before";
  {
    nc::writer out(tmp / "a.nc");
    define_fields(out);
    out.append<double>("time", std::vector{0.0});
    out.flush();
    CHECK(fs::file_size(tmp / "a.nc") == 22);
  }
  CHECK(fs::file_size(tmp / "a.nc") == 22);
  CHECK(tmp.files() == 1);  // nor is a temporary file left
  nc::writer out(tmp / "a.nc");
  out.commit();
  CHECK(nc::reader(tmp / "a.nc").variables().empty());
  CHECK(tmp.files() == 1);
}

TEST_CASE("packed netCDF-3 numbers are unpacked, and missing or invalid ones are NaN") {
  folder const tmp;
  std::string const path = tmp / "packed.nc";
  int id, d, packed, valid;
  short const fill = -32767, range[2] = {0, 100}, values[4] = {0, 10, -32767, 1000};
  double const scale = 0.5, offset = 200;
  nc_create(path.c_str(), NC_64BIT_OFFSET, &id);
  nc_def_dim(id, "x", 4, &d);
  nc_def_var(id, "packed", NC_SHORT, 1, &d, &packed);
  nc_put_att_short(id, packed, "_FillValue", NC_SHORT, 1, &fill);
  nc_put_att_double(id, packed, "scale_factor", NC_DOUBLE, 1, &scale);
  nc_put_att_double(id, packed, "add_offset", NC_DOUBLE, 1, &offset);
  nc_def_var(id, "valid", NC_SHORT, 1, &d, &valid);
  nc_put_att_short(id, valid, "valid_range", NC_SHORT, 2, range);
  nc_enddef(id);
  nc_put_var_short(id, packed, values);
  nc_put_var_short(id, valid, values);
  REQUIRE(nc_close(id) == NC_NOERR);

  nc::reader const in(path);
  auto const x = in.read<float>("packed");
  CHECK((x[0] == 200 && x[1] == 205 && std::isnan(x[2]) && x[3] == 700));
  auto const y = in.read("valid");
  CHECK((y[0] == 0 && y[1] == 10 && std::isnan(y[2]) && std::isnan(y[3])));
}

TEST_CASE("what was never written reads as missing") {
  folder const tmp;
  std::string const path = tmp / "gap.nc";
  int id, d, v;
  nc_create(path.c_str(), NC_NETCDF4, &id);
  nc_def_dim(id, "x", 2, &d);
  nc_def_var(id, "gap", NC_FLOAT, 1, &d, &v);
  REQUIRE(nc_close(id) == NC_NOERR);
  auto const x = nc::reader(path).read<float>("gap");
  CHECK((std::isnan(x[0]) && std::isnan(x[1])));
}

TEST_CASE("reading complains of file, variable and numbers") {
  folder const tmp;
  std::string const path = tmp / "a.nc";
  {
    nc::writer out(path);
    define_fields(out);
    out.put<float>("mean", {1, 2, 3});
    out.commit();
  }
  nc::reader const in(path);
  std::string const absent = complaint([&] { in.read("spread"); });
  CHECK(contains(absent, path));
  CHECK(contains(absent, "no variable spread; there are: time site mean forcing"));
  std::string const beyond = complaint([&] { in.read("mean", std::vector<index_t>{0, 2}, std::vector<index_t>{1, 2}); });
  CHECK(contains(beyond, path + ": variable mean: [2, 2 + 2) of dimension site of 3"));
  CHECK(contains(complaint([&] { in.read("mean", std::vector<index_t>{0}, std::vector<index_t>{1}); }), "for 2 dimensions"));

  CHECK(contains(complaint([&] { nc::reader(tmp / "absent.nc"); }), "absent.nc: No such file"));
  std::ofstream(tmp / "zip.nc") << "PK\3\4 and so on";
  CHECK(contains(complaint([&] { nc::reader(tmp / "zip.nc"); }), "it is a ZIP archive"));
  std::ofstream(tmp / "text.nc") << "not NetCDF at all";
  CHECK(contains(complaint([&] { nc::reader(tmp / "text.nc"); }), "text.nc"));
  fs::resize_file(path, fs::file_size(path) / 2);
  CHECK(contains(complaint([&] { nc::reader(path).read("mean"); }), path));
}

TEST_CASE("writing complains of file, variable and numbers, and leaves nothing") {
  folder const tmp;
  CHECK(contains(complaint([&] { nc::writer(tmp / "absent/a.nc"); }), "there is no folder " + (tmp / "absent")));
  CHECK(contains(complaint([&] { nc::writer(tmp.path.string()); }), "it is a folder"));
  {
    nc::writer out(tmp / "a.nc");
    define_fields(out);
    CHECK(contains(complaint([&] { out.put<float>("mean", {1, 2, 3, 4}); }), "variable mean: 4 values for 3 a record"));
    CHECK(contains(complaint([&] { out.put<int>("site", {1, 2}); }), "variable site: 2 values for 3"));
    CHECK(contains(complaint([&] { out.append<int>("site", std::vector{1}); }), "variable site has no unlimited dimension"));
    CHECK(contains(complaint([&] { out.append<float>("mean", std::vector{1.f}); }), "a record of 1 values, not 3"));
    CHECK(contains(complaint([&] { out.put<float>("spread", {}); }), "variable spread is not defined"));
    CHECK(contains(complaint([&] { out.variable<float>("x", {"level"}, {}); }), "over dimension level, which is not defined"));
    CHECK(contains(complaint([&] { out.dimension("site", 4); }), "dimension site"));
  }
  CHECK(tmp.files() == 0);
}

TEST_CASE("text is not mistaken for numbers") {
  folder const tmp;
  std::string const path = tmp / "text.nc";
  int id, d, v;
  char const* values[2] = {"0001", "0005"};
  nc_create(path.c_str(), NC_NETCDF4, &id);
  nc_def_dim(id, "x", 2, &d);
  nc_def_var(id, "expver", NC_STRING, 1, &d, &v);
  nc_put_att_string(id, v, "units", 1, values);
  nc_put_var_string(id, v, values);
  REQUIRE(nc_close(id) == NC_NOERR);
  nc::reader const in(path);
  CHECK(contains(complaint([&] { in.read("expver"); }), "variable expver holds text"));
  CHECK(in.text("expver", "units") == "0001");
  CHECK(in.numbers("expver", "units").empty());
}
