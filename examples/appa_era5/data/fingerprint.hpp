// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace appa {

/// FNV-1a (Fowler, Noll and Vo) of bytes, 64 bits: which weights and observations a run had.
class fingerprint {
 public:
  void add(std::span<std::byte const> bytes) {
    for (auto const b : bytes) h_ = (h_ ^ std::uint64_t(b)) * 1099511628211u;
  }
  /// 16 hexadecimal digits.
  std::string words() const;

 private:
  std::uint64_t h_ = 14695981039346656037u;
};
/// ... of a file.
std::string digest(std::filesystem::path const& file);

}  // namespace appa
