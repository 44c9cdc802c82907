// SPDX-License-Identifier: Apache-2.0
// NetCDF files of fields.
#include "data/era5_file.hpp"
#include "fuzz.hpp"

namespace {

struct sample_file {
  int id = -1;
  void axis(char const* name, std::vector<double> const& numbers, char const* units) {
    int d, v;
    nc_def_dim(id, name, numbers.size(), &d), nc_def_var(id, name, NC_DOUBLE, 1, &d, &v);
    nc_put_att_text(id, v, "units", std::string(units).size(), units);
    nc_enddef(id), nc_put_var_double(id, v, numbers.data()), nc_redef(id);
  }
  void field(char const* name, std::vector<int> const& over, std::size_t n, char const* units) {
    int v;
    double const scale = 0.5;
    short const fill = -1;
    nc_def_var(id, name, NC_SHORT, int(over.size()), over.data(), &v);
    nc_put_att_text(id, v, "units", std::string(units).size(), units);
    nc_put_att_double(id, v, "scale_factor", NC_DOUBLE, 1, &scale), nc_put_att_short(id, v, "_FillValue", NC_SHORT, 1, &fill);
    nc_enddef(id), nc_put_var_short(id, v, std::vector<short>(n, 3).data()), nc_redef(id);
  }
};

}  // namespace

std::vector<std::string> sda_fuzz::samples() {
  std::vector<std::string> out;
  for (int const format : {0, int(NC_64BIT_OFFSET)})
    out.push_back(bytes_of_file([&](std::string const& path) {
      sample_file f;
      nc_create(path.c_str(), NC_CLOBBER | format, &f.id);
      f.axis("time", {0, 6}, "hours since 1900-01-01"), f.axis("level", {500, 850}, "hPa");
      f.axis("latitude", {90, 0, -90}, "degrees_north"), f.axis("longitude", {0, 120, 240}, "degrees_east");
      f.field("t", {0, 1, 2, 3}, 36, "K"), f.field("t2m", {0, 2, 3}, 18, "K");
      nc_close(f.id);
    }));
  return out;
}

void sda_fuzz::read(std::string const& bytes) {
  if (bytes.rfind("CDF", 0) != 0) return;  // netCDF-4 is HDF5's, which nobody here can mend
  appa::era5_file const in(as_file(bytes));
  for (auto const& name : in.variables()) {
    std::vector<appa::index_t> const first(in.has_levels(name) ? 1 : 0);
    std::vector<float> out(std::size_t(in.where().points()));
    if (!in.depends_on_time(name) || !in.times().empty()) in.read(name, 0, in.depends_on_time(name) ? 1 : 0, first, 0, out.data());
  }
}
