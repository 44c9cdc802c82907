// SPDX-License-Identifier: Apache-2.0
#include "data/cds_writer.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <limits>

namespace appa {

namespace {

sda::netcdf::handle create(std::string const& temporary, std::string const& path) {
  sda::netcdf::lock const alone;
  int id = -1;
  sda::netcdf::check(nc_create(temporary.c_str(), NC_CLOBBER | NC_NETCDF4, &id), "cannot write ", path);
  return sda::netcdf::handle(id);
}

std::size_t constexpr largest_chunk = 1 << 20;   // numbers

}  // namespace

template <class... T> void cds_writer::check(int status, T const&... what) const {
  sda::netcdf::check(status, "cannot write ", path_, ": ", what...);
}

cds_writer::cds_writer(std::string path, cds_contents what)
    : path_(std::move(path)), temporary_(path_ + "." + std::to_string(::getpid()) + ".tmp"), what_(std::move(what)), file_(create(temporary_, path_)) {
  sda::netcdf::lock const alone;
  define();
}

cds_writer::~cds_writer() {
  if (committed_) return;
  sda::netcdf::lock const alone;
  file_.close();
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void cds_writer::put_text(int v, char const* name, std::string const& value) {
  if (!value.empty()) check(nc_put_att_text(file_, v, name, value.size(), value.data()), name);
}

int cds_writer::define_axis(char const* name, nc_type type, std::vector<int> const& over, std::vector<std::pair<char const*, std::string>> const& about) {
  int v = -1;
  check(nc_def_var(file_, name, type, int(over.size()), over.data(), &v), name);
  for (auto const& [key, value] : about) put_text(v, key, value);
  return v;
}

void cds_writer::define() {
  auto const dimension = [&](char const* name, std::size_t size) {
    int d = -1;
    check(nc_def_dim(file_, name, size, &d), name);
    return d;
  };
  grid const& g = what_.where;
  bool const levels = !what_.levels.empty();
  int const time = dimension("valid_time", std::size_t(what_.times));
  int const level = levels ? dimension("pressure_level", what_.levels.size()) : -1;
  int const row = dimension("latitude", std::size_t(g.height())), column = dimension("longitude", std::size_t(g.width()));

  int const number = define_axis("number", NC_INT64, {}, {{"long_name", "ensemble member numerical id"}, {"units", "1"}, {"standard_name", "realization"}});
  time_ = define_axis("valid_time", NC_INT64, {time}, {{"long_name", "time"}, {"standard_name", "time"}, {"units", "seconds since 1970-01-01"},
                                                       {"calendar", "proleptic_gregorian"}});
  int const pressure = levels ? define_axis("pressure_level", NC_DOUBLE, {level}, {{"long_name", "pressure"}, {"units", "hPa"}, {"positive", "down"},
                                                                                   {"stored_direction", "decreasing"}, {"standard_name", "air_pressure"}})
                              : -1;
  int const latitude = define_axis("latitude", NC_DOUBLE, {row}, {{"units", "degrees_north"}, {"standard_name", "latitude"}, {"long_name", "latitude"},
                                                                  {"stored_direction", "decreasing"}});
  int const longitude = define_axis("longitude", NC_DOUBLE, {column}, {{"units", "degrees_east"}, {"standard_name", "longitude"}, {"long_name", "longitude"}});
  version_ = define_axis("expver", NC_STRING, {time}, {});
  define_fields(levels ? std::vector{time, level, row, column} : std::vector{time, row, column});
  put_text(NC_GLOBAL, "Conventions", "CF-1.7");
  put_text(NC_GLOBAL, "history", what_.history);
  put_text(NC_GLOBAL, "comment", what_.comment);
  check(nc_enddef(file_), "header");

  long long const first_member = 0;
  std::vector<double> const falling(what_.levels.rbegin(), what_.levels.rend());
  check(nc_put_var_longlong(file_, number, &first_member), "number");
  if (levels) check(nc_put_var_double(file_, pressure, falling.data()), "pressure_level");
  check(nc_put_var_double(file_, latitude, g.latitudes.data()), "latitude");
  check(nc_put_var_double(file_, longitude, g.longitudes.data()), "longitude");
}

void cds_writer::define_fields(std::vector<int> const& over) {
  bool const levels = over.size() == 4;
  for (auto const& name : what_.variables) {
    variable const& about = variable_of(name);
    int v = -1;
    float const fill = std::numeric_limits<float>::quiet_NaN();
    double const missing = 3.4028234663852886e+38;
    check(nc_def_var(file_, about.short_name.c_str(), NC_FLOAT, int(over.size()), over.data(), &v), name);
    check(nc_def_var_fill(file_, v, NC_FILL, &fill), name);
    std::size_t const height = std::size_t(what_.where.height()), width = std::size_t(what_.where.width()), n = what_.levels.size();
    std::vector<std::size_t> chunk{1, height, width};
    if (levels) chunk.insert(chunk.begin() + 1, n * height * width <= largest_chunk ? n : 1);
    check(nc_def_var_chunking(file_, v, NC_CHUNKED, chunk.data()), name);
    if (what_.deflate > 0) check(nc_def_var_deflate(file_, v, 1, 1, what_.deflate), name);
    check(nc_put_att_int(file_, v, "GRIB_paramId", NC_INT64, 1, &about.parameter), name);
    check(nc_put_att_double(file_, v, "GRIB_missingValue", NC_DOUBLE, 1, &missing), name);
    put_text(v, "units", about.units);
    put_text(v, "long_name", about.name);
    put_text(v, "standard_name", about.standard_name.empty() ? "unknown" : about.standard_name);
    put_text(v, "coordinates", std::string("number valid_time ") + (levels ? "pressure_level " : "") + "latitude longitude expver");
    variables_.push_back(v);
  }
}

void cds_writer::append(hours t, std::span<float const> fields) {
  std::size_t const height = std::size_t(what_.where.height()), width = std::size_t(what_.where.width()), n = std::max<std::size_t>(what_.levels.size(), 1);
  std::size_t const points = height * width;
  sda::require(fields.size() == variables_.size() * n * points, path_, ": ", fields.size(), " numbers for ", variables_.size(), " variables of ", n, " x ", points);
  sda::require(written_ < what_.times, path_, ": more than ", what_.times, " times");
  sda::netcdf::lock const alone;
  std::size_t const at = std::size_t(written_++);
  long long const seconds = t * 3600;
  char const* version = "0001";
  check(nc_put_var1_longlong(file_, time_, &at, &seconds), "valid_time");
  check(nc_put_var1_string(file_, version_, &at, &version), "expver");
  std::vector<float> falling(n * points);
  for (std::size_t v = 0; v < variables_.size(); ++v) {
    for (std::size_t l = 0; l < n; ++l) std::copy_n(fields.data() + (v * n + l) * points, points, falling.data() + (n - 1 - l) * points);
    std::vector<std::size_t> start{at, 0, 0}, count{1, height, width};
    if (!what_.levels.empty()) start.insert(start.begin() + 1, 0), count.insert(count.begin() + 1, n);
    check(nc_put_vara_float(file_, variables_[v], start.data(), count.data(), falling.data()), what_.variables[v]);
  }
}

void cds_writer::commit() {
  sda::require(written_ == what_.times, path_, ": ", written_, " of ", what_.times, " times were written");
  sda::netcdf::lock const alone;
  check(file_.close(), "close");
  std::error_code failure;
  std::filesystem::rename(temporary_, path_, failure);
  sda::require(!failure, "cannot write ", path_, ": ", failure.message());
  committed_ = true;
}

}  // namespace appa
