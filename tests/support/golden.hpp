// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda_test.hpp>

#include <sda/safetensors.hpp>

#include <cstdlib>

namespace sda_test {

/// The stored reference files whose names begin with `kind`, in order; none when the folder is missing. The folder is the
/// environment's SDA_GOLDEN_DIR, else the one given when the tests were configured.
inline std::vector<std::filesystem::path> golden_files(std::string const& kind) {
  char const* const asked = std::getenv("SDA_GOLDEN_DIR");
  std::filesystem::path const folder = asked ? asked : SDA_GOLDEN_DIR;
  std::vector<std::filesystem::path> found;
  std::error_code missing;
  for (auto const& entry : std::filesystem::directory_iterator(folder, missing))
    if (entry.path().filename().string().rfind(kind, 0) == 0 && entry.path().extension() == ".safetensors") found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

/// A file of reference values: tensors inputs/..., weights/..., outputs/..., and the configuration they were made with.
struct golden : sda::safetensors::archive {
  nlohmann::json config;

  explicit golden(std::filesystem::path const& file) : archive(file), config(nlohmann::json::parse(metadata().at("config"))) {}

  /// The relative tolerance of results computed in double.
  double tolerance() const { return config.at("tolerance").at("float64").get<double>(); }

  /// A tensor as a state: the last dimension gives the columns, the product of the others the rows; a scalar is 1 x 1.
  template <class T = double> sda::host_array<T> array(std::string const& tensor_name) const {
    auto const& t = (*this)[tensor_name];
    auto const numbers = t.as<T>();
    sda::index_t const width = t.shape.empty() ? 1 : t.shape.back();
    sda::host_array<T> x(width ? t.elements() / width : 0, width);
    std::copy(numbers.begin(), numbers.end(), x.data());
    return x;
  }

  /// A tensor of one element.
  double number(std::string const& tensor_name) const {
    auto const x = array(tensor_name);
    sda::require(x.size() == 1, tensor_name, " has ", x.size(), " elements where one was asked for");
    return x(0, 0);
  }
};

}  // namespace sda_test
