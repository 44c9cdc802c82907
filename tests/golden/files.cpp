// SPDX-License-Identifier: Apache-2.0
#include <golden.hpp>

TEST_CASE("golden files carry inputs, outputs, a configuration and a tolerance") {
  auto const files = sda_test::golden_files("");
  if (files.empty()) SDA_SKIP("no stored reference values");
  for (auto const& file : files) {
    INFO(file.string());
    sda_test::golden const g(file);
    CHECK(g.tolerance() > 0);
    CHECK(g.tensors().lower_bound("outputs/")->first.rfind("outputs/", 0) == 0);
    for (auto const& [name, t] : g.tensors()) CHECK(sda::index_t(g.array(name).size()) == t.elements());
  }
}
