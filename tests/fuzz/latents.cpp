// SPDX-License-Identifier: Apache-2.0
// Latent dumps: whole files, and sound ones with a hostile table of contents.
#include "data/latent_dump.hpp"
#include "fuzz.hpp"

#include <sda/core/error.hpp>

#include <netcdf.h>

#include <algorithm>
#include <cstdlib>

namespace {

// What a fuzzer's bytes say of a file: numbers of few bits, then whatever is left.
struct recipe {
  std::string bytes;
  std::size_t at = 0;

  int below(int n) { return at < bytes.size() ? static_cast<unsigned char>(bytes[at++]) % n : 0; }
  template <class T> T raw() {
    T x{};
    for (std::size_t i = 0; i < sizeof x && at < bytes.size(); ++i) reinterpret_cast<char*>(&x)[i] = bytes[at++];
    return x;
  }

  void variable(int file, char const* name, int const* dimensions) {
    nc_type const types[]{NC_FLOAT, NC_INT, NC_DOUBLE, NC_SHORT, NC_CHAR, NC_UINT64, NC_STRING};
    char const* const attributes[]{"scale_factor", "add_offset", "_FillValue", "missing_value", "valid_range"};
    int over[4], v;
    int const rank = below(5);
    for (int d = 0; d < rank; ++d) over[d] = dimensions[below(4)];
    auto const type = types[below(7)];
    if (nc_def_var(file, name, type, rank, over, &v) != NC_NOERR) return;
    if (below(2)) nc_def_var_deflate(file, v, 1, 1, 1);
    for (int n = below(3); n > 0; --n) {
      auto const number = raw<double>();
      nc_put_att_double(file, v, attributes[below(5)], NC_DOUBLE, 1, &number);
    }
    std::size_t size = 1, length = 0;
    for (int d = 0; d < rank; ++d) nc_inq_dimlen(file, over[d], &length), size = std::min<std::size_t>(1000, size * length);
    if (type == NC_STRING || !below(4)) return;
    std::vector<double> numbers(size);
    for (double& x : numbers) x = below(8) ? raw<std::int16_t>() : raw<double>();
    if (size < 1000) nc_put_var_double(file, v, numbers.data());
  }
  void write(std::string const& path) {
    int file, dimensions[4];
    if (nc_create(path.c_str(), NC_CLOBBER | NC_NETCDF4, &file) != NC_NOERR) return;
    char const* const names[]{"time", "token", "channel", "field"};
    for (int d = 0; d < 4; ++d) nc_def_dim(file, names[d], below(8) ? std::size_t(1 + below(6)) : raw<std::uint32_t>(), &dimensions[d]);
    variable(file, "latents", dimensions), variable(file, "dates", dimensions);
    nc_close(file);
  }
};

std::string in_order(int const over[2][3], std::string const& dates) {
  std::string b;
  for (int const size : {2, 2, 1, 4}) b += {1, char(size - 1)};
  b += {3, char(over[0][0]), char(over[0][1]), char(over[0][2]), 0, 1, 0, 1};
  for (int i = 0; i < 4; ++i) b += {1, char(i), 0};
  return b + std::string{2, char(over[1][0]), char(over[1][1]), 1, 0, 0, 1} + dates;
}

}  // namespace

std::vector<std::string> sda_fuzz::samples() {
  std::string dates;
  for (int hour = 0; hour < 2; ++hour)
    for (int const n : {2019, 1, 1, hour}) dates += {1, char(n & 255), char(n >> 8)};
  int const sound[2][3]{{0, 1, 2}, {0, 3, 0}}, turned[2][3]{{2, 1, 0}, {3, 0, 0}};
  auto const made = [](std::string const& bytes) { return bytes_of_file([&](std::string const& path) { recipe{bytes}.write(path); }); };
  return {in_order(sound, dates), in_order(turned, dates), made(in_order(sound, dates))};
}

void sda_fuzz::read(std::string const& bytes) {
  auto const path = as_file(bytes);
  if (bytes.rfind("\x89HDF", 0) != 0) recipe{bytes}.write(path);
  try {
    (void)appa::read_latent_dump(path, 1);
  } catch (sda::error const& e) {
    if (std::string(e.what()).find("ends too early") != std::string::npos) std::abort();  // so does a sanitizer's report end the child
  }
}
