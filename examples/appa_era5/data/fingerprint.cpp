// SPDX-License-Identifier: Apache-2.0
#include "data/fingerprint.hpp"

#include <sda/core/error.hpp>

#include <cstdio>
#include <fstream>
#include <vector>

namespace appa {

std::string fingerprint::words() const {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(h_));
  return digits;
}

std::string digest(std::filesystem::path const& file) {
  std::ifstream in(file, std::ios::binary);
  sda::require(in.good(), "cannot read ", file.string());
  fingerprint all;
  std::vector<char> block(1 << 20);
  while (in) {
    in.read(block.data(), std::streamsize(block.size()));
    all.add(std::as_bytes(std::span(block).first(std::size_t(in.gcount()))));
  }
  return all.words();
}

}  // namespace appa
