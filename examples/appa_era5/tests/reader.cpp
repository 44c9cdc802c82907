// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>
#include <temporary.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include "data/archive.hpp"
#include "data/cds_writer.hpp"
#include "layout.hpp"

#include <cmath>
#include <fstream>
#include <functional>

using namespace appa;
using namespace appa_test;
using sda_test::temporary_folder;
namespace fs = std::filesystem;

namespace {

channel_set const both = select_channels({"t", "z"}, {500, 850});

void check_values(archive const& a, hours first, index_t count, float more = 0) {
  std::vector<float> x(std::size_t(count * 4 * a.where().points()));
  a.read(first, count, 1, x.data());
  std::size_t at = 0, wrong = 0;
  for (index_t s = 0; s < count; ++s)
    for (auto const& c : a.channels().list())
      for (double const y : a.where().latitudes)
        for (double const lon : a.where().longitudes) wrong += x[at++] != value(c.name == "temperature" ? "t" : "z", first + s, c.level, y, lon) + more;
  CHECK(wrong == 0);
}

std::string complaint(std::function<void()> const& f) {
  try {
    f();
  } catch (sda::error const& e) {
    return e.what();
  }
  return "no complaint";
}

}  // namespace

TEST_CASE("fields are found whatever the layout of the file") {
  temporary_folder const tmp;
  std::string const path = (tmp / "a.nc").string();
  layout l;
  SECTION("as the CDS had it") {}
  SECTION("netCDF-3, packed") { l.format = NC_64BIT_OFFSET, l.packed = true; }
  SECTION("classic netCDF-3") { l.format = 0; }
  SECTION("as the CDS has it") {
    l.names = {{"time", "valid_time"}, {"level", "pressure_level"}};
    l.time_units = "seconds since 1970-01-01", l.levels_fall = true;
  }
  SECTION("WeatherBench: from the south, longitude before latitude") { l.order = {"time", "level", "longitude", "latitude"}, l.south_first = true; }
  SECTION("level outermost, time innermost") { l.order = {"level", "latitude", "longitude", "time"}, l.levels_fall = true; }
  SECTION("longitudes from -180, pressures in Pa") { l.west_negative = true, l.pascal = true; }
  SECTION("no attribute but units of time, other names") { l.bare = true, l.names = {{"latitude", "lat"}, {"longitude", "lon"}, {"level", "isobaricInhPa"}}; }
  SECTION("ERA5 and ERA5T along expver") { l.order = {"time", "expver", "level", "latitude", "longitude"}; }
  SECTION("ERA5 and ERA5T, packed") { l.order = {"time", "expver", "level", "latitude", "longitude"}, l.packed = true; }
  l.write(path);
  archive const a({path}, both);
  CHECK(a.times() == std::vector<hours>{start, start + 1, start + 2});
  CHECK(same(a.where(), parse_grid("8x5")));
  check_values(a, start, 3);
}

TEST_CASE("a Zarr store is read where NetCDF knows them") {
  temporary_folder const tmp;
  std::string const path = (tmp / "a.zarr").string(), url = "file://" + path + "#mode=nczarr,file";
  int id;
  if (nc_create(url.c_str(), NC_NETCDF4, &id) != NC_NOERR || nc_close(id) != NC_NOERR) SDA_SKIP("this NetCDF writes no Zarr stores");
  layout().write(url);
  check_values(archive({path}, both), start, 3);
}

TEST_CASE("a member of an ensemble is chosen") {
  temporary_folder const tmp;
  layout l;
  l.order = {"number", "time", "level", "latitude", "longitude"};
  l.write((tmp / "a.nc").string());
  check_values(archive({(tmp / "a.nc").string()}, both, 2), start, 3, 200);
  CHECK(complaint([&] { archive({(tmp / "a.nc").string()}, both, 3); }).find("3 members, and member 3") != std::string::npos);
}

TEST_CASE("what is written like a CDS file is read back, across files, and what is missing is told") {
  temporary_folder const tmp;
  grid const g = parse_grid("8x5");
  auto const write = [&](char const* name, std::string const& variable, hours first, index_t count) {
    cds_writer out((tmp / name).string(), {g, {variable}, {500, 850}, count, "a test", "", 1});
    for (hours t = first; t < first + count; ++t) {
      std::vector<float> x;
      for (int const level : {500, 850})
        for (double const y : g.latitudes)
          for (double const lon : g.longitudes) x.push_back(value(variable == "temperature" ? "t" : "z", t, level, y, lon));
      out.append(t, x);
    }
    CHECK(complaint([&] { out.append(first + count, {}); }) != "no complaint");
    out.commit();
  };
  write("t-1.nc", "temperature", start, 3), write("t-2.nc", "temperature", start + 3, 5), write("z.nc", "geopotential", start, 5), write("z-late.nc", "geopotential", start + 6, 2);
  archive const a({(tmp / "*.nc").string()}, both);
  CHECK(a.times() == std::vector<hours>{start, start + 1, start + 2, start + 3, start + 4, start + 6, start + 7});
  check_values(a, start, 5);
  period const all{start, start + 9};
  CHECK(a.missing(all).size() == 2);
  CHECK(a.report(all) == "3 of 10 hours of 2020-02-28T22..2020-02-29T07 are missing: 2020-02-29T03, 2020-02-29T06..2020-02-29T07");
  CHECK(a.report({start, start + 4}).empty());
  std::vector<float> x(std::size_t(6 * 4 * g.points()));
  CHECK(complaint([&] { a.read(start, 6, 1, x.data()); }).find("geopotential@500 is missing at 2020-02-29T03") != std::string::npos);
}

TEST_CASE("a file that is not written to its end leaves nothing behind") {
  temporary_folder const tmp;
  {
    cds_writer out((tmp / "a.nc").string(), {parse_grid("8x5"), {"2m_temperature"}, {}, 2, "", "", 0});
    out.append(start, std::vector<float>(40));
    CHECK(complaint([&] { out.commit(); }).find("1 of 2 times") != std::string::npos);
  }
  CHECK(fs::is_empty(tmp.path));
}

TEST_CASE("what cannot be read is said precisely") {
  temporary_folder const tmp;
  std::string const path = (tmp / "a.nc").string();
  auto const says = [&](std::string const& part) {
    INFO(part);
    CHECK_THAT(complaint([&] { archive({path}, both); }), Catch::Contains(part) && Catch::Contains(path));
  };
  SECTION("an archive") {
    std::ofstream(path) << "PK\3\4 and so on";
    says("ZIP archive");
  }
  SECTION("text") {
    std::ofstream(path) << "not a NetCDF file at all";
    says("cannot read");
  }
  SECTION("no such file") { says("there is no file"); }
  SECTION("no latitude") {
    layout l;
    l.bare = true, l.names = {{"latitude", "row"}};
    l.write(path);
    says("no latitude was found: looked for standard_name latitude, units degrees_north, degree_north, degrees_n, degree_n, or a name among latitude, lat");
    says("row(5)");
  }
  SECTION("a dimension too many") {
    layout l;
    l.order = {"number", "time", "level", "latitude", "longitude"}, l.names = {{"number", "step"}};
    l.write(path);
    says("variable t has the dimension step of 3");
  }
  SECTION("a level that is not there") {
    layout().write(path);
    CHECK(complaint([&] { archive({path}, select_channels({"t"}, {500, 700})); }).find("holds temperature@700: the variable is there, the level is not") != std::string::npos);
    CHECK(complaint([&] { archive({path}, select_channels({"u"}, {500})); }).find("none of 1 file holds u_component_of_wind@500") != std::string::npos);
  }
  SECTION("other units") {
    cds_writer out(path, {parse_grid("8x5"), {"2m_temperature"}, {}, 0, "", "", 0});
    out.commit();
    int id, v;
    nc_open(path.c_str(), NC_WRITE, &id);
    nc_inq_varid(id, "t2m", &v);
    nc_put_att_text(id, v, "units", 4, "degC");
    nc_close(id);
    says("variable t2m is in degC where K is needed");
  }
}

TEST_CASE("a damaged file is an error or other numbers, never a crash") {
  temporary_folder const tmp;
  for (auto const format : {NC_64BIT_OFFSET, NC_NETCDF4}) {
    layout l;
    l.format = format, l.packed = true;
    std::string const path = (tmp / "a.nc").string();
    l.write(path, 2);
    std::ifstream in(path, std::ios::binary);
    std::string const whole{std::istreambuf_iterator<char>(in), {}};
    pid_t const child = ::fork();   // what NetCDF-C itself does to a damaged file must not end the other tests
    REQUIRE(child >= 0);
    if (child == 0) {
      ::alarm(60);
      try {
        for (int round = 0; round < 300; ++round) {
          std::string bytes = whole;
          sda::words const r = sda::key{9}(std::uint32_t(round), 0);
          if (round % 3 == 0) bytes.resize(r.w[0] % whole.size());
          else
            for (int flip = 0; flip <= round % 4; ++flip) bytes[r.w[flip] % (round % 2 ? whole.size() : 2000 < whole.size() ? 2000 : whole.size())] ^= char(1 << r.w[3 - flip] % 8);
          std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
          try {
            archive const a({path}, both);
            if (a.where().points() > 1000) continue;
            std::vector<float> x(std::size_t(4 * a.where().points()));
            for (hours const t : a.times()) a.read(t, 1, 1, x.data());
          } catch (sda::error const&) {
          }
        }
      } catch (...) {
        ::_exit(3);
      }
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CAPTURE(format, status);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  }
}

TEST_CASE("the published samples of both generations hold the same numbers") {
  fs::path const folder = fs::path(SDA_GOLDEN_DIR).parent_path() / "data";
  if (!fs::exists(folder / "era5_z_t_new_ensemble.nc")) SDA_SKIP("no samples of ERA5");
  std::vector<std::vector<float>> states;
  for (auto const* const name : {"era5_z_t_legacy_ensemble.nc", "era5_z_t_new_ensemble.nc", "era5_z_t_new_member0.nc"}) {
    auto const file = era5_file((folder / name).string());
    CHECK((file.where().height() == 61 && file.where().width() == 120 && file.where().is_global() && file.where().has_poles()));
    std::vector<int> levels;
    for (double const p : file.levels()) levels.push_back(int(p));
    archive const a({file.path()}, select_channels({"t", "z"}, levels));
    REQUIRE(a.times().size() == 4);
    states.emplace_back(std::size_t(a.channels().size() * a.where().points()));
    a.read(a.times()[1], 1, 1, states.back().data());
  }
  CHECK(states[1] == states[2]);
  double packing[2] = {};   // a unit of the packed numbers is 0.0012 K and 0.75 m² s⁻²
  for (std::size_t i = 0; i < states[0].size(); ++i) {
    double& largest = packing[i < states[0].size() / 2 ? 0 : 1];
    largest = std::max(largest, std::abs(double(states[0][i]) - double(states[1][i])));
  }
  CHECK(packing[0] < 0.0013);
  CHECK(packing[1] < 0.75);
}
