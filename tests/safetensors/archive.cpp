// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>
#include <temporary.hpp>

#include <sda/safetensors.hpp>

#include <fstream>

using namespace sda;
namespace st = sda::safetensors;
using sda_test::temporary_folder;

namespace {

void put(std::filesystem::path const& path, std::string const& header, std::string const& data) {
  std::uint64_t const n = header.size();
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<char const*>(&n), 8) << header << data;
}
std::string bytes_of(std::filesystem::path const& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
// What the reader says of a file it refuses.
std::string refusal(std::filesystem::path const& path) {
  try {
    st::archive const a(path);
    for (auto const& [name, t] : a.tensors()) (void)t.as<double>();
  } catch (error const& e) { return e.what(); }
  return "accepted";
}
bool contains(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("what was written is read back, bit by bit") {
  temporary_folder const folder;
  std::vector<double> const x{0.1, -2.5e300, 0.0};
  std::vector<float> const y{1.5f, -0.25f, 3.0e-39f, 7.0f};
  std::vector<std::int64_t> const n{-1, std::int64_t{1} << 62};
  st::write(folder / "a",
            {{"x", st::view<double>(x, {3})},
             {"y", st::view<float>(y, {2, 1, 2})},
             {"n", st::view<std::int64_t>(n, {2})},
             {"empty", st::view<float>({}, {4, 0})},
             {"scalar", st::view<float>(std::span(y).first(1), {})}},
            {{"config", R"({"k": 1})"}});
  st::archive const a(folder / "a");
  CHECK(a.tensors().size() == 5);
  CHECK(a["x"].as<double>() == x);
  CHECK(a["y"].as<float>() == y);
  CHECK(a["y"].shape == std::vector<index_t>{2, 1, 2});
  CHECK(a["n"].as<std::int64_t>() == n);
  CHECK(a["empty"].elements() == 0);
  CHECK(a["scalar"].as<double>() == std::vector<double>{1.5});
  CHECK(a.metadata().at("config") == R"({"k": 1})");
  CHECK_FALSE(a.contains("z"));
  CHECK_THROWS_AS(a["z"], error);
}

TEST_CASE("half precision numbers have the values IEEE gives them") {
  temporary_folder const folder;
  auto const half = [](std::uint16_t h) { return std::string{char(h & 0xff), char(h >> 8)}; };
  put(folder / "a", R"({"h":{"dtype":"F16","shape":[6],"data_offsets":[0,12]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[12,16]}})",
      half(0x3c00) + half(0xc000) + half(0x0001) + half(0x7bff) + half(0xfc00) + half(0x03ff) + half(0x3f80) + half(0xc049));
  st::archive const a(folder / "a");
  CHECK(a["h"].as<double>() == std::vector<double>{1, -2, 0x1p-24, 65504, -std::numeric_limits<double>::infinity(), 1023 * 0x1p-24});
  CHECK(a["b"].as<float>() == std::vector<float>{1.0f, -3.140625f});
}

TEST_CASE("integers are read as integers only where they fit") {
  temporary_folder const folder;
  std::vector<std::int64_t> const n{3, 300};
  std::vector<float> const x{1};
  st::write(folder / "a", {{"n", st::view<std::int64_t>(n, {2})}, {"x", st::view<float>(x, {1})}});
  st::archive const a(folder / "a");
  CHECK(a["n"].as<int>() == std::vector<int>{3, 300});
  CHECK(a["n"].as<float>() == std::vector<float>{3, 300});
  CHECK_THROWS_AS(a["n"].as<std::uint8_t>(), error);
  CHECK_THROWS_AS(a["x"].as<int>(), error);
}

TEST_CASE("a header that lies is refused, with the numbers") {
  temporary_folder const folder;
  auto const file = folder / "a";
  auto const header = [&](std::string const& text, std::string const& data = "12345678") {
    put(file, text, data);
    return refusal(file);
  };
  CHECK(header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})") == "accepted");
  CHECK(contains(header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "1234567"), "outside its 7 bytes"));
  CHECK(contains(header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})"), "outside"));
  CHECK(contains(header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}})"), "18446744073709551615"));
  CHECK(contains(header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0]}})"), "outside"));
  CHECK(contains(header(R"({"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})"), "8 bytes where its shape needs 12"));
  CHECK(contains(header(R"({"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})"), "-2"));
  CHECK(contains(header(R"({"x":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}})"), "2.5"));
  CHECK(contains(header(R"({"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})"), "beyond 64 bits"));
  CHECK(contains(header(R"({"x":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})"), "F33"));
  CHECK(contains(header(R"({"x":{"shape":[2],"data_offsets":[0,8]}})"), "no dtype"));
  CHECK(contains(header(R"({"x":{"dtype":"F32","data_offsets":[0,8]}})"), "no list of shape"));
  CHECK(contains(header(R"({"x":7})"), "no object"));
  CHECK(contains(header(R"([1,2])"), "no object"));
  CHECK(contains(header(R"({"x":)"), "no JSON"));
  CHECK(contains(header(""), "no JSON"));
  CHECK(contains(header("{\"\xff\":{}}"), "no JSON"));
  CHECK(contains(header(R"({"__metadata__":{"k":7},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"), "no string"));
  CHECK(
      contains(header(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})"), "overlap"));
  CHECK(contains(header(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})"), "no tensor owns"));
  CHECK(contains(header(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})"), "8 bytes of data where its tensors need 4"));
  CHECK(contains(header(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})"), "twice"));
  CHECK(contains(header(R"({"x":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})"), "twice"));
  CHECK(contains(header(std::string(100000, '[')), "nests too deep"));
}

TEST_CASE("a file that is none is refused") {
  temporary_folder const folder;
  CHECK(contains(refusal(folder / "missing"), "No such file"));
  CHECK(contains(refusal(folder.path), "not a regular file"));
  std::ofstream(folder / "short") << "1234567";
  CHECK(contains(refusal(folder / "short"), "7 bytes"));
  std::ofstream(folder / "long") << "\xff\xff\xff\xff\xff\xff\xff\x7f and so on";
  CHECK(contains(refusal(folder / "long"), "9223372036854775807"));
}

TEST_CASE("every truncation and every flipped bit of a header ends in an error or in tensors that can be read") {
  temporary_folder const folder;
  std::vector<float> const x{1, 2, 3, 4, 5, 6};
  st::write(folder / "a", {{"x", st::view<float>(x, {2, 3})}, {"y", st::view<float>(std::span(x).first(2), {2})}}, {{"k", "v"}});
  std::string const whole = bytes_of(folder / "a");
  int refused = 0;
  for (std::size_t n = 0; n < whole.size(); ++n) {
    std::ofstream(folder / "b", std::ios::binary) << whole.substr(0, n);
    refused += refusal(folder / "b") != "accepted";
  }
  CHECK(refused == int(whole.size()));
  for (std::size_t bit = 0; bit < 8 * (whole.size() - 32); ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = char(damaged[bit / 8] ^ (1 << bit % 8));
    std::ofstream(folder / "b", std::ios::binary) << damaged;
    (void)refusal(folder / "b");
  }
}

TEST_CASE("a failed write leaves the old file as it was, and nothing else") {
  temporary_folder const folder;
  std::vector<float> const x{1, 2};
  st::write(folder / "a", {{"x", st::view<float>(x, {2})}});
  std::string const before = bytes_of(folder / "a");
  CHECK_THROWS_AS(st::write(folder / "a", {{"x", st::view<float>(x, {3})}}), error);
  CHECK_THROWS_AS(st::write(folder / "a", {{"\xff", st::view<float>(x, {2})}}), error);
  CHECK_THROWS_AS(st::write(folder / "missing" / "a", {{"x", st::view<float>(x, {2})}}), error);
  std::filesystem::create_directory(folder / "taken");
  CHECK_THROWS_AS(st::write(folder / "taken", {{"x", st::view<float>(x, {2})}}), error);
  CHECK(bytes_of(folder / "a") == before);
  auto const left = std::distance(std::filesystem::directory_iterator(folder.path), {});
  CHECK(left == 2);
}
