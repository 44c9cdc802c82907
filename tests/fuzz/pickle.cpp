// SPDX-License-Identifier: Apache-2.0
// The pickle of a PyTorch file, in an archive that is sound.
#include "fuzz.hpp"
#include "torch_zip.hpp"
#include "weights/state_dict.hpp"

using namespace appa_test;

std::vector<std::string> sda_fuzz::samples() {
  pickled flat, nested;
  flat.global("collections", "OrderedDict").op(")Rq").raw(std::uint8_t(0)).op("(");
  flat.text("weight").tensor("FloatStorage", "0", 6, 0, {2, 3}, {3, 1}).text("turned").tensor("FloatStorage", "0", 6, 0, {2, 3}, {1, 2});
  flat.text("steps").tensor("LongStorage", "1", 2, 1, {}, {}).op("q").raw(std::uint8_t(7)).text("again").op("h").raw(std::uint8_t(7));
  flat.op("u}(").text("_metadata").op("}ub").stop();
  nested.op("}(").text("model").op("}(").text("w").tensor("HalfStorage", "0", 12, 0, {12}, {1}).op("u");
  nested.text("step").integer(70000).text("loss").op(std::string("G\x3f\xe0\0\0\0\0\0\0", 9)).text("on").op("\x88");
  nested.text("list").op("](").integer(-3).tuple({1, 2}).op("Neu").stop();
  return {flat.bytes, nested.bytes};
}

void sda_fuzz::read(std::string const& bytes) {
  auto const file = as_file("");
  std::filesystem::remove(file);
  std::string const numbers = bytes_of(std::vector<float>{1, 2, 3, 4, 5, 6});
  write_zip(file, {{"m/data.pkl", bytes}, {"m/data/0", numbers}, {"m/data/1", numbers}});
  auto const all = appa::read_state_dict(file);
  for (auto const& [name, t] : all.tensors) (void)t.as<double>();
}
