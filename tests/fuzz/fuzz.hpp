// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

// A fuzzer of a reader: a source that defines these two. fuzz.cpp makes a program of it.

namespace sda_fuzz {

/// Well-formed inputs, to begin with.
std::vector<std::string> samples();
/// Reads all there is in these bytes; throws sda::error and nothing else.
void read(std::string const& bytes);

/// The bytes as a file; the same one, written anew, for every call of a program.
std::string as_file(std::string const& bytes);
/// The bytes of a file that write(path) makes.
template <class Write> std::string bytes_of_file(Write const& write);

}  // namespace sda_fuzz

#include <fstream>
#include <iterator>

template <class Write> std::string sda_fuzz::bytes_of_file(Write const& write) {
  std::string const path = as_file("");
  write(path);
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
