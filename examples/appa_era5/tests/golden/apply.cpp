// SPDX-License-Identifier: Apache-2.0
#include <golden.hpp>
#include <temporary.hpp>

#include <cstdlib>

using sda_test::golden;

namespace {

/// What `appa apply` makes of a reference file's inputs, with its weights and configuration, in double, against the file's outputs.
void compare_module(std::string const& kind, std::string const& module) {
  auto const files = sda_test::golden_files(kind);
  if (files.empty()) SDA_SKIP("no " + kind + "* reference values");
  for (auto const& path : files) {
    sda_test::temporary_folder const folder;
    auto const out = (folder.path / "outputs.safetensors").string();
    auto const line = std::string(APPA_PROGRAM) + " apply --module " + module + " --precision float64 --weights '" + path.string() + "' --inputs '" +
                      path.string() + "' --outputs '" + out + "' > /dev/null";
    INFO(line);
    REQUIRE(std::system(line.c_str()) == 0);
    golden const expected(path);
    sda::safetensors::archive const made(out);
    CHECK(!made.tensors().empty());
    for (auto const& [name, t] : made.tensors()) {
      INFO(name);
      auto const a = t.as<double>(), b = expected[name].as<double>();
      REQUIRE(a.size() == b.size());
      auto const column = [](std::vector<double> const& v) { return Eigen::Map<Eigen::ArrayXd const>(v.data(), Eigen::Index(v.size())); };
      CHECK(sda_test::distance(column(a), column(b)) <= expected.tolerance());
    }
  }
}

}  // namespace

TEST_CASE("golden: appa apply encodes and decodes") {
  for (auto const* kind : {"cae_", "gae_"})
    for (auto const* module : {"encode", "decode"}) compare_module(kind, module);
}

TEST_CASE("golden: appa apply denoises") {
  for (auto const* kind : {"vidit_", "graphdit_"}) compare_module(kind, "denoise");
}

TEST_CASE("golden: appa apply denoises under guidance") { compare_module("mmps_", "guided-denoise"); }
