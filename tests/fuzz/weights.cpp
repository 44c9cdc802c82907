// SPDX-License-Identifier: Apache-2.0
// Whole files of weights: archives of PyTorch and safetensors.
#include "fuzz.hpp"
#include "torch_zip.hpp"
#include "weights/state_dict.hpp"

using namespace appa_test;
namespace st = sda::safetensors;

std::vector<std::string> sda_fuzz::samples() {
  std::vector<float> const x{1, 2, 3, 4, 5, 6};
  std::vector<std::uint8_t> const flags{1, 0};
  auto const safe = bytes_of_file([&](std::string const& path) {
    st::write(path, {{"a", st::view(std::span(x), {2, 3})}, {"b", st::view(std::span(flags), {2})}}, {{"config", "{\"a\": [1, 2]}"}});
  });
  pickled p;
  p.op("}").text("w").tensor("FloatStorage", "0", 6, 0, {2, 3}, {3, 1}).op("s").stop();
  auto const torch = bytes_of_file([&](std::string const& path) {
    std::filesystem::remove(path);
    write_zip(path, {{"m/data.pkl", p.bytes}, {"m/data/0", bytes_of(x)}, {"m/version", "3\n"}});
  });
  return {safe, torch};
}

void sda_fuzz::read(std::string const& bytes) {
  auto const all = appa::read_tensors(as_file(bytes));
  for (auto const& [name, t] : all.tensors) (void)t.as<double>();
}
