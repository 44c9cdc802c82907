// SPDX-License-Identifier: Apache-2.0
// Lists of stations, CSV and JSON.
#include "observe/stations.hpp"
#include "fuzz.hpp"

std::vector<std::string> sda_fuzz::samples() {
  return {"station,LAT,lon,\"elev(m)\"\r\n\"a, b\",10.5,-20,3\r\n\"c \"\"d\"\"\",91,0,\r\n,1e2,nan,-1\r\n",
          R"([{"latitude": 1, "longitude": 2, "elevation": 3}, {"lat": "4.5", "LON": "-6"}, {"lat": null}, 7])"};
}

void sda_fuzz::read(std::string const& bytes) {
  appa::index_t skipped = 0;
  for (bool const seam : {false, true}) appa::station_points(appa::parse_grid("64x33"), appa::read_stations(as_file(bytes), &skipped), seam);
}
