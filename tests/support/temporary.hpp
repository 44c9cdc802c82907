// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdlib>

#include <filesystem>
#include <stdexcept>

namespace sda_test {

/// A folder of its own for a test's files, removed with all it holds.
struct temporary_folder {
  std::filesystem::path path;

  temporary_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sda_test.XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder under " + name);
    path = name;
  }
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  temporary_folder(temporary_folder const&) = delete;
  temporary_folder& operator=(temporary_folder const&) = delete;
  std::filesystem::path operator/(std::filesystem::path const& name) const { return path / name; }
};

}  // namespace sda_test
