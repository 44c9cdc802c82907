// SPDX-License-Identifier: Apache-2.0
// Observations at points, CSV and NetCDF.
#include "fuzz.hpp"
#include "observe/point_file.hpp"

#include <netcdf.h>

namespace {

// Two profiles of three levels, a ragged array.
void write_profiles(std::string const& path) {
  int id, profiles, points, at;
  nc_create(path.c_str(), NC_CLOBBER, &id);
  nc_def_dim(id, "profile", 2, &profiles), nc_def_dim(id, "obs", 6, &points);
  nc_put_att_text(id, NC_GLOBAL, "featureType", 7, "profile");
  auto const variable = [&](char const* name, int over, char const* standard, char const* units, std::vector<double> const& numbers) {
    nc_redef(id);
    nc_def_var(id, name, NC_DOUBLE, 1, &over, &at);
    nc_put_att_text(id, at, "standard_name", std::string(standard).size(), standard);
    nc_put_att_text(id, at, "units", std::string(units).size(), units);
    if (std::string(name) == "count") nc_put_att_text(id, at, "sample_dimension", 3, "obs");
    nc_enddef(id), nc_put_var_double(id, at, numbers.data());
  };
  nc_enddef(id);
  variable("count", profiles, "", "1", {3, 3});
  variable("time", profiles, "time", "hours since 2019-01-01", {0, 6});
  variable("lat", profiles, "latitude", "degrees_north", {10, -20}), variable("lon", profiles, "longitude", "degrees_east", {5, 200});
  variable("p", points, "air_pressure", "hPa", {850, 700, 500, 850, 700, 500});
  variable("t", points, "air_temperature", "K", {280, 270, 250, 285, 275, 255});
  nc_close(id);
}

}  // namespace

std::vector<std::string> sda_fuzz::samples() {
  return {"time,lat,lon,level,variable,value,error\n2019-01-01T06,10,-20,,t2m,280.5,1\n2019-01-01 06:13:20.5Z,-91,0,500,t,,\n",
          "Value;x\n", "platform,units,variable,longitude,latitude,time,value,level(Pa)\n\"a, b\",degC,t,359.5,-45,2020-02-29,-3,50000\n",
          bytes_of_file(write_profiles)};
}

void sda_fuzz::read(std::string const& bytes) {
  if (bytes.rfind("\x89HDF", 0) == 0) return;  // HDF5's
  (void)appa::read_points(as_file(bytes)).count.text();
}
