// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include "config.hpp"

#include <filesystem>

using namespace appa;
using Catch::Contains;

namespace {

char const* const text = R"(
data: {grid: 64x33, levels: [500, 850], train: 2019-01..2019-12}
autoencoder:
  ae: {name: cae_tiny, noise_level: 0.01, dropout: null}
  optim: {learning_rate: 3e-5, optimizer: "soap", warmup: 10}
)";

}  // namespace

TEST_CASE("values of a configuration come as what they are") {
  auto const c = config::parse(text);
  CHECK(c.get<std::string>("data.grid") == "64x33");
  CHECK(c.get<std::string>("data.train") == "2019-01..2019-12");
  CHECK(c.get<std::vector<int>>("data.levels") == std::vector{500, 850});
  auto const run = c.at("autoencoder");
  CHECK(run.get<double>("optim.learning_rate") == 3e-5);
  CHECK(run.get<int>("optim.warmup") == 10);
  CHECK(run.get("optim.scheduler", "none") == "none");
  CHECK(run.get<double>("ae.dropout", 0.25) == 0.25);
  CHECK_FALSE(run.has("ae.dropout"));
  CHECK_FALSE(run.at("valid").has("log_interval"));
}

TEST_CASE("words replace and add values") {
  auto const c = config::parse(text, {"autoencoder.optim.warmup=2", "data.levels=[100]", "denoiser.train.precision=float16", "data.grid=\"8\""});
  CHECK(c.get<int>("autoencoder.optim.warmup") == 2);
  CHECK(c.get<std::vector<int>>("data.levels") == std::vector{100});
  CHECK(c.get<std::string>("denoiser.train.precision") == "float16");
  CHECK(c.get<std::string>("data.grid") == "8");
  CHECK_THROWS_WITH(config::parse(text, {"data.levels"}), Contains("not of the form key=value"));
  CHECK_THROWS_WITH(config::parse(text, {"data.grid.width=3"}), Contains("no section"));
}

TEST_CASE("unknown keys are all reported, with the nearest known") {
  CHECK_THROWS_WITH(config::parse(text, {"autoencoder.train.update_stesp=3", "data.lvels=[1]", "autoencoder.optim=3"}),
                    Contains("there is no autoencoder.train.update_stesp; the nearest is autoencoder.train.update_steps") &&
                        Contains("there is no data.lvels; the nearest is data.levels") && Contains("autoencoder.optim is a section"));
  CHECK(config::parse("something: {else: 3}", {}, false).get<int>("something.else") == 3);
}

TEST_CASE("a value of the wrong kind is an error that says where it stands") {
  auto const run = config::parse(text).at("autoencoder");
  CHECK_THROWS_WITH(run.get<int>("ae.name"), Contains("autoencoder.ae.name is \"cae_tiny\", not a number"));
  CHECK_THROWS_WITH(run.get<int>("ae.noise_level"), Contains("autoencoder.ae.noise_level is 0.01, not a whole number"));
  CHECK_THROWS_WITH(run.get<std::string>("optim.warmup"), Contains("autoencoder.optim.warmup is 10, not text"));
  CHECK_THROWS_WITH(run.get<int>("train.update_steps"), Contains("says nothing of autoencoder.train.update_steps"));
}

TEST_CASE("a configuration written as YAML is read as the same") {
  auto const c = config::parse(text, {"data.grid=\"8\"", "autoencoder.ae.name=\"\"", "data.files=[\"a: b\", \"true\"]"});
  CHECK(config::parse(c.yaml()).json() == c.json());
}

TEST_CASE("hostile YAML is an error") {
  std::string bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (int i = 1; i < 9; ++i) {
    std::string const before(1, char('0' + i - 1)), own(1, char('0' + i));
    std::string items;
    for (int n = 0; n < 8; ++n) items.append(" *a").append(before).append(",");
    bomb.append("a").append(own).append(": &a").append(own).append(" [").append(items).append("]\n");
  }
  CHECK_THROWS_AS(config::parse(bomb, {}, false), sda::error);
  CHECK_THROWS_AS(config::parse("a: &a [*a]", {}, false), sda::error);
  CHECK_THROWS_AS(config::parse("a: [1, 2", {}, false), sda::error);
  CHECK_THROWS_AS(config::parse("a: 1\na: 2", {}, false), sda::error);
  CHECK_THROWS_AS(config::parse(std::string(100000, '['), {}, false), sda::error);
}

TEST_CASE("the configurations that come with the program are read without complaint") {
  int found = 0;
  for (auto const& entry : std::filesystem::directory_iterator(SDA_SOURCE_DIR "/examples/appa_era5/configs"))
    if (entry.path().extension() == ".yaml") {
      INFO(entry.path());
      CHECK_NOTHROW(config::read(entry.path()));
      ++found;
    }
  CHECK(found >= 3);
}
