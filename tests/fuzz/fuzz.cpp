// SPDX-License-Identifier: Apache-2.0
#include "fuzz.hpp"

#include <sda/core/error.hpp>
#include <temporary.hpp>

#include <cstdint>
#include <cstdlib>

namespace sda_fuzz {

std::string as_file(std::string const& bytes) {
  static sda_test::temporary_folder const folder;
  auto const path = folder / "input";
  std::ofstream(path, std::ios::binary) << bytes;
  return path.string();
}

}  // namespace sda_fuzz

// SDA_FUZZ_SAMPLES=FOLDER program: writes the samples there, and ends.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  char const* const folder = std::getenv("SDA_FUZZ_SAMPLES");
  if (!folder) return 0;
  int n = 0;
  for (auto const& sample : sda_fuzz::samples()) std::ofstream(std::string(folder) + "/sample" + std::to_string(n++), std::ios::binary) << sample;
  std::exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  try {
    sda_fuzz::read({reinterpret_cast<char const*>(data), size});
  } catch (sda::error const&) {}
  return 0;
}
