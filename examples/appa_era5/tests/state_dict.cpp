// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include "torch_zip.hpp"
#include "weights/state_dict.hpp"

#include <temporary.hpp>

using namespace appa;
using namespace appa_test;
using Catch::Contains;
using sda::safetensors::dtype;

namespace {

std::vector<float> const numbers{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

// Reads one tensor of 12 floats' storage; `of` writes its description.
stored_tensors read_one(pickled const& p, std::string const& storage = bytes_of(numbers)) {
  sda_test::temporary_folder const folder;
  write_zip(folder / "a.pth", {{"a/data.pkl", p.bytes}, {"a/data/0", storage}, {"a/version", "3\n"}});
  return read_state_dict(folder / "a.pth");
}
stored_tensors read_view(std::int64_t elements, std::int64_t offset, std::vector<std::int64_t> const& sizes,
                         std::vector<std::int64_t> const& strides) {
  return read_one(pickled().tensor("FloatStorage", "0", elements, offset, sizes, strides).stop());
}

}  // namespace

TEST_CASE("a state_dict gives its tensors by name") {
  sda_test::temporary_folder const folder;
  std::vector<std::int64_t> const steps{41};
  std::vector<double> const wide{1.5, -2.5};
  pickled p;
  p.global("collections", "OrderedDict").op(")Rq").raw(std::uint8_t(0)).op("(");
  p.text("in.weight").tensor("FloatStorage", "0", 12, 0, {3, 4}, {4, 1});
  p.text("in.bias").tensor("DoubleStorage", "1", 2, 0, {2}, {1}).op("q").raw(std::uint8_t(7));
  p.text("tied").op("h").raw(std::uint8_t(7));
  p.text("steps").tensor("LongStorage", "2", 1, 0, {}, {});
  p.op("u}(").text("_metadata").op("}ub").stop();
  write_zip(folder / "m.pth", {{"m/data.pkl", p.bytes},
                               {"m/data/0", bytes_of(numbers)},
                               {"m/data/1", bytes_of(wide)},
                               {"m/data/2", bytes_of(steps)},
                               {"m/version", "3\n"},
                               {"m/byteorder", "little"}});
  auto const weights = read_tensors(folder / "m.pth");
  CHECK(weights.tensors.size() == 4);
  CHECK(weights["in.weight"].shape == std::vector<sda::index_t>{3, 4});
  CHECK(weights["in.weight"].as<float>() == numbers);
  CHECK(weights["in.bias"].type == dtype::f64);
  CHECK(weights["in.bias"].as<double>() == wide);
  CHECK(weights["tied"].as<double>() == wide);
  CHECK(weights["steps"].shape.empty());
  CHECK(weights["steps"].as<std::int64_t>() == steps);
  CHECK_THROWS_WITH(weights["out.weight"], Contains("no tensor out.weight; it has in.bias in.weight steps tied"));
}

TEST_CASE("dictionaries in dictionaries join their names; numbers and text stay beside the tensors") {
  pickled p;
  p.op("}(").text("model").op("}(").text("w").tensor("FloatStorage", "0", 12, 0, {12}, {1}).op("u");
  p.text("step")
      .integer(-7)
      .text("loss")
      .op(std::string("G\x3f\xe0\0\0\0\0\0\0", 9))
      .text("best")
      .op("\x88")
      .text("many")
      .integer(std::int64_t{1} << 40);
  p.text("list").op("]q").raw(std::uint8_t(1)).op("(").text("x").op("N").op("e").op("u").stop();
  auto const all = read_one(p);
  CHECK(all["model.w"].as<float>() == numbers);
  CHECK(all.words == std::map<std::string, std::string>{
                         {"step", "-7"}, {"loss", "0.5"}, {"best", "true"}, {"many", "1099511627776"}, {"list.0", "x"}, {"list.1", "none"}});
}

TEST_CASE("views are read as they look, wherever their elements lie") {
  CHECK(read_view(12, 0, {4, 3}, {1, 4})["tensor"].as<float>() == std::vector<float>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11});
  CHECK(read_view(12, 5, {2, 2}, {4, 1})["tensor"].as<float>() == std::vector<float>{5, 6, 9, 10});
  CHECK(read_view(12, 3, {5}, {0})["tensor"].as<float>() == std::vector<float>{3, 3, 3, 3, 3});
  CHECK(read_view(12, 11, {1, 1}, {400, 900})["tensor"].as<float>() == std::vector<float>{11});
  CHECK(read_view(12, 0, {0, 4}, {4, 1})["tensor"].elements() == 0);
}

TEST_CASE("tensors that reach beyond their storage, or claim too much, are refused") {
  CHECK_THROWS_WITH(read_view(12, 1, {12}, {1}), Contains("reaches to element 12 of a storage of 12"));
  CHECK_THROWS_WITH(read_view(13, 0, {13}, {1}), Contains("storage 0 has 48 bytes, not 13 elements of F32"));
  CHECK_THROWS_WITH(read_view(12, 0, {1000, 1000}, {0, 0}), Contains("a tensor of 1000000 elements made of 12"));
  CHECK_THROWS_WITH(read_view(12, 0, {std::int64_t{1} << 40, std::int64_t{1} << 40}, {1, 1}), Contains("impossible sizes"));
  CHECK_THROWS_WITH(read_view(12, 0, {3}, {-1}), Contains("impossible sizes"));
  CHECK_THROWS_WITH(read_view(12, -1, {3}, {1}), Contains("strides"));
  CHECK_THROWS_WITH(read_view(std::int64_t{1} << 50, 0, {3}, {1}), Contains("elements"));
}

TEST_CASE("a file that wants something called is refused, and nothing is") {
  sda_test::temporary_folder const folder;
  auto const mark = (folder / "touched").string();
  for (auto const& module : {"os", "posix", "builtins", "subprocess"}) {
    pickled p;
    p.global(module, "system").op("(").text("touch " + mark).op("tR").stop();
    CHECK_THROWS_WITH(read_one(p), Contains(std::string(module) + ".system") && Contains("refused"));
  }
  CHECK_FALSE(std::filesystem::exists(mark));
  CHECK_THROWS_WITH(read_one(pickled().op("\x8c\x02os").stop()), Contains("the instruction 140"));
  CHECK_THROWS_WITH(read_one(pickled().global("torch._utils", "_rebuild_tensor_v2").op(")R").stop()), Contains("describes a tensor by 0"));
  CHECK_THROWS_AS(read_one(pickled().integer(3).op(")R").stop()), sda::error);
}

TEST_CASE("loops, mountains and holes in a pickle are errors") {
  pickled loop;
  loop.op("]q").raw(std::uint8_t(0)).op("h").raw(std::uint8_t(0)).op("a").stop();
  CHECK_THROWS_WITH(read_one(loop), Contains("too deep or endlessly"));
  pickled doubling;  // 2 to the 30th leaves of 30 lists
  doubling.op("]");
  for (int i = 0; i < 30; ++i) doubling.op("q").raw(std::uint8_t(i)).op("0]h").raw(std::uint8_t(i)).op("ah").raw(std::uint8_t(i)).op("a");
  CHECK_THROWS_WITH(read_one(doubling.stop()), Contains("too deep or endlessly"));
  for (std::string const bad :
       {"", ".", "(.", "t.", "u.", "e.", "a.", "s.", "R.", "Q.", "0.", "h\x05.", "X\xff\xff\xff\xff", "\x80\x05.", "K", "cos", "}K\1s.", "]]s."})
    CHECK_THROWS_AS(read_one(pickled().op(bad)), sda::error);
}

TEST_CASE("archives that are not PyTorch's are told from those that are") {
  sda_test::temporary_folder const folder;
  auto const write = [&](std::string const& bytes) {
    std::FILE* const f = std::fopen((folder / "f").c_str(), "wb");
    std::fwrite(bytes.data(), 1, bytes.size(), f);
    std::fclose(f);
  };
  auto const said = [&](std::string const& what) { CHECK_THROWS_WITH(read_state_dict(folder / "f"), Contains(what)); };
  write("\x80\x02\x8a\x0al\xfc"), said("before 1.6");
  write("hello"), said("does not begin as a ZIP");
  write("PK\3\4 and no more"), said("no ZIP archive");
  auto const good = pickled().tensor("FloatStorage", "0", 12, 0, {12}, {1}).stop().bytes;
  write_zip(folder / "f", {{"a/version", "3"}}), said("0 members called data.pkl");
  write_zip(folder / "f", {{"a/data.pkl", good}, {"b/data.pkl", good}}), said("2 members called data.pkl");
  write_zip(folder / "f", {{"a/data.pkl", good}}), said("has no member a/data/0");
  write_zip(folder / "f", {{"a/data.pkl", good}, {"a/data/0", bytes_of(numbers)}, {"a/byteorder", "big"}}), said("big-endian");
  write_zip(folder / "f", {{"a/data.pkl", std::string(5000, 'N') + good}, {"a/data/0", bytes_of(numbers)}}, true), said("is compressed");
  CHECK_THROWS_WITH(read_state_dict(folder / "none"), Contains("cannot read"));
}
