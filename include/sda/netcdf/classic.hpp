// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <array>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace sda::netcdf {

namespace detail {

// Walks the header of a netCDF-3 file (the NetCDF User Guide's "File Format Specifications"): NetCDF-C believes what it
// claims, and crashes where it lies.
class classic_header {
 public:
  classic_header(std::ifstream& in, std::string const& path, std::uint64_t size) : in_(in), path_(path), left_(size) {}

  void check() {
    auto const magic = number(4);
    version_ = int(magic & 0xff);
    fits(version_ == 1 || version_ == 2 || version_ == 5, "is of version ", version_);
    number(word());  // records
    list(10, 2 * word(), [&] {
      name();
      bool const grows = number(word()) == 0;
      fits(!grows || record_ < 0, "has two dimensions without end");
      if (grows) record_ = std::int64_t(dimensions_);
      ++dimensions_;
    });
    attributes();
    list(11, 4 * word(), [&] { variable(); });
  }

 private:
  std::ifstream& in_;
  std::string const& path_;
  std::uint64_t left_;  // bytes of the file
  int version_ = 1;
  std::uint64_t dimensions_ = 0;
  std::int64_t record_ = -1;

  template <class... T> void fits(sda::detail::condition c, T const&... what) const { require(c, "cannot read ", path_, ": its header ", what...); }
  std::uint64_t word() const { return version_ == 5 ? 8 : 4; }

  std::uint64_t number(std::uint64_t bytes) {
    std::array<char, 8> raw{};
    take(bytes);
    in_.read(raw.data(), std::streamsize(bytes));
    std::uint64_t x = 0;
    for (std::size_t i = 0; i < bytes; ++i) x = x << 8 | static_cast<unsigned char>(raw[i]);
    return x;
  }
  void take(std::uint64_t bytes) {
    fits(bytes <= left_, "claims more than the file holds");
    left_ -= bytes;
  }
  // How many things of at least `each` bytes follow.
  std::uint64_t count(std::uint64_t each) {
    auto const n = number(word());
    fits(n <= left_ / each, "claims ", n, " things of ", each, " bytes where ", left_, " bytes are left");
    return n;
  }
  void skip(std::uint64_t bytes) {  // words of four bytes
    bytes = (bytes + 3) / 4 * 4;
    take(bytes);
    in_.seekg(std::streamoff(bytes), std::ios::cur);
  }
  void name() {
    auto const n = count(1);
    fits(n > 0 && n <= 256, "has a name of ", n, " letters");
    std::string letters((n + 3) / 4 * 4, '\0');
    take(letters.size());
    in_.read(letters.data(), std::streamsize(letters.size()));
    fits(letters.substr(0, n).find('\0') == std::string::npos, "has a name with a letter 0");
  }
  std::uint64_t type() {
    auto const t = number(4);
    fits(t >= 1 && t <= (version_ == 5 ? 11u : 6u), "has numbers of type ", t);
    constexpr std::array<std::uint64_t, 12> sizes{0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8};
    return sizes[t];
  }
  template <class Item> void list(std::uint64_t tag, std::uint64_t each, Item const& item) {
    auto const found = number(4);
    auto const n = count(found == 0 ? 1 : each);
    fits(found == tag || (found == 0 && n == 0), "has a list of kind ", found, " where ", tag, " belongs");
    for (std::uint64_t i = 0; i < n; ++i) item();
  }
  void attributes() {
    list(12, 2 * word() + 4, [&] {
      name();
      auto const size = type();
      skip(count(size) * size);
    });
  }
  void variable() {
    name();
    auto const rank = count(word());
    fits(rank <= 1024, "has a variable of ", rank, " dimensions");
    for (std::uint64_t d = 0; d < rank; ++d) {
      auto const which = number(word());
      fits(which < dimensions_ && (d == 0 || std::int64_t(which) != record_), "has a variable over dimension ", which, " of ", dimensions_);
    }
    attributes();
    type();
    number(word());                 // size, which NetCDF computes anew
    number(version_ == 1 ? 4 : 8);  // where it begins
  }
};

}  // namespace detail

/// Throws sda::error if a file is netCDF-3 and its header claims what cannot be; other files pass.
inline void check_classic(std::string const& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return;
  auto const size = in.tellg();
  std::array<char, 3> magic{};
  in.seekg(0).read(magic.data(), 3);
  if (size < 4 || std::string_view(magic.data(), 3) != "CDF") return;
  in.seekg(0);
  detail::classic_header(in, path, std::uint64_t(size)).check();
}

}  // namespace sda::netcdf
