// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>
#include <sda/core/error.hpp>
#include <sda/netcdf/lock.hpp>

#include <netcdf.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sda::netcdf {

/// What CF attributes hold. Integers become doubles only when asked to be one.
using attribute_value = std::variant<std::string, double, int, std::vector<int>>;
struct attribute {
  std::string name;
  attribute_value value;
};
using attributes = std::vector<attribute>;

struct dimension {
  std::string name;
  index_t size;
};

/// The size of a dimension that grows as records are appended.
inline constexpr index_t unlimited = 0;

/// Throws what went wrong, in NetCDF's own words, unless the status is fine; if the disk is full, in the system's.
template <class... T> void check(int status, T const&... what) {
  bool const full = errno == ENOSPC || errno == EFBIG || errno == EDQUOT;
  require(status == NC_NOERR, what..., ": ", full ? std::strerror(errno) : nc_strerror(status));
}

/// How NetCDF-C spells a C++ type.
template <class T> struct type_of;
template <> struct type_of<float> {
  static constexpr nc_type id = NC_FLOAT;
  static constexpr auto get = nc_get_vara_float;
  static constexpr auto put = nc_put_vara_float;
};
template <> struct type_of<double> {
  static constexpr nc_type id = NC_DOUBLE;
  static constexpr auto get = nc_get_vara_double;
  static constexpr auto put = nc_put_vara_double;
};
template <> struct type_of<int> {
  static constexpr nc_type id = NC_INT;
  static constexpr auto get = nc_get_vara_int;
  static constexpr auto put = nc_put_vara_int;
};
template <class T> concept storable = requires { type_of<T>::id; };

/// An open file: closed when it goes out of scope.
class handle {
 public:
  explicit handle(int id) : id_(id) {}
  handle(handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  handle& operator=(handle&&) = delete;
  ~handle() {
    if (id_ >= 0) close();
  }
  operator int() const { return id_; }
  int close() {
    lock const alone;
    return nc_close(std::exchange(id_, -1));
  }

 private:
  int id_;
};

/// "2 x 61 x 120"
inline std::string shape_text(std::vector<std::size_t> const& shape) {
  std::string text;
  for (std::size_t const n : shape) text += (text.empty() ? "" : " x ") + std::to_string(n);
  return text.empty() ? "1" : text;
}

/// The product of a shape, refused before it overflows (a damaged header may claim anything).
inline std::size_t volume(std::vector<std::size_t> const& shape, auto const&... what) {
  std::size_t n = 1;
  for (std::size_t const size : shape) {
    require(size == 0 || n <= (std::size_t{1} << 48) / size, what..., ": a shape of ", shape_text(shape), " is beyond any memory");
    n *= size;
  }
  return n;
}

}  // namespace sda::netcdf
