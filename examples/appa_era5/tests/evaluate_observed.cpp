// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>
#include <temporary.hpp>

#include "data/state_file.hpp"
#include "evaluate/observed.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>

using namespace appa;

namespace {

grid const g = parse_grid("24x13");

// A day of a truth, and runs whose members lie above it.
struct short_past {
  sda_test::temporary_folder folder;
  channel_set channels = select_channels({"t2m", "msl"}, {});
  statistics standard{channels, {280, 101000}, {10, 800}};
  hours first = hours_of({2019, 1, 1, 0});
  std::shared_ptr<archive const> truth;

  short_past() {
    write("truth.nc", first, 24, 0);
    truth = std::make_shared<archive const>(std::vector{(folder / "truth.nc").string()}, channels);
  }
  void write(std::string const& name, hours from, index_t states, float above) const {
    state_writer out(folder / name, {.where = g, .channels = channels, .title = "", .source = "", .history = ""});
    for (hours t = from; t < from + states; ++t) {
      std::vector<float> state;
      for (index_t i = 0; i < 2 * g.points(); ++i) {
        double const z = std::sin(0.7 * double(i) + 0.3 * double(t - first));
        state.push_back(float(i < g.points() ? 280 + 10 * z : 101000 + 800 * z) + above);
      }
      out.append(t, state);
    }
    out.commit();
  }
  // All that was looked at was assimilated, in the first states.
  trajectories run(std::string const& name, hours from, index_t states, nlohmann::json const& about, std::vector<float> const& above = {0}) const {
    std::filesystem::create_directories(folder / name / "members");
    for (std::size_t m = 0; m < above.size(); ++m) write(name + "/members/member_" + std::to_string(m) + ".nc", from, states, above[m]);
    std::ofstream(folder / name / "run.json") << about;
    return trajectories(folder / name);
  }
  static nlohmann::json about(hours from, index_t assimilated, int seed, char const* instruments) {
    return {{"seed", seed}, {"assimilated", assimilated}, {"configuration", {{"observations", nlohmann::json::parse(instruments)}}},
            {"observations", {{"first", text(from)}, {"hours", assimilated}}}};
  }
  std::shared_ptr<observed_run const> seen_by(trajectories const& run) const {
    return std::make_shared<observed_run const>(observed_by(run.about(), truth, standard));
  }
};

}  // namespace

TEST_CASE("runs of one start are scored where none of them looked, and other starts by what they saw themselves") {
  short_past const past;
  auto const first = past.first;
  auto const& channels = past.channels;
  char const* const stations = R"([{"kind": "stations", "count": 20, "channels": ["t2m"]}])";
  auto const whole = past.run("whole", first, 4, past.about(first, 4, 1, stations));
  auto const brief = past.run("brief", first + 3, 1, past.about(first + 3, 1, 1, R"([{"kind": "random", "share": 0.3}])"));
  auto const later = past.run("later", first + 10, 4, past.about(first + 10, 2, 2, stations));
  trajectories const file(past.folder / "truth.nc");
  observed_beside all;
  CHECK(!all.any());
  for (auto const* run : {&whole, &brief, &later}) all.add(*run, past.seen_by(*run));

  auto const own = [&](trajectories const& run, hours t) { return all.of(run)->points(t, channels); };
  auto const in_turn = all.points(whole, first + 3, channels);
  CHECK(in_turn == all.points(brief, first + 3, channels));
  auto both = own(whole, first + 3);
  auto const more = own(brief, first + 3);
  CHECK(both != more);
  for (std::size_t i = 0; i < both.size(); ++i) both[i] = both[i] || more[i];
  CHECK(in_turn == both);
  CHECK(all.points(whole, first, channels) == own(whole, first));
  CHECK(all.points(later, first + 11, channels) == own(later, first + 11));
  CHECK(std::count(both.begin(), both.begin() + g.points(), 1) > 20);
  auto const by_second_start = all.points(later, first + 10, channels), in_forecast = all.points(later, first + 12, channels);
  CHECK(std::count(by_second_start.begin(), by_second_start.end(), 1) == 20);
  CHECK(std::count(in_forecast.begin(), in_forecast.end(), 1) == 0);
  CHECK(all.points(file, first + 10, channels) == by_second_start);
  CHECK(all.of(file) == all.of(whole));
}

TEST_CASE("left-out observations of all starts count, and mirrored members are scored as pairs there, too") {
  short_past const past;
  auto about = past.about(past.first, 2, 1, R"([{"kind": "stations", "count": 40, "channels": ["t2m"], "error": 0.1, "left_out": 0.5, "noise": false}])");
  auto const scores = [&](std::string const& name, int starts) {
    auto const run = past.run(name, past.first, 2, about, {1, -1, 2, -2});
    left_out_scores out;
    for (int i = 0; i < starts; ++i) out.add(run, *past.seen_by(run));
    return out.by_variable().at(0);
  };
  auto const alone = scores("independent", 1);   // fair, over the distances 2, 4, 1, 3, 3, 1
  CHECK(alone.at("rmse").get<double>() < 1e-3);
  CHECK(alone.at("crps").get<double>() == Approx(1.5 - 7.0 / 6).margin(1e-3));
  CHECK(alone.at("expected").get<double>() == Approx(std::sqrt(1.25 * 10 / 3 + 1)).margin(1e-3));
  about["configuration"]["assimilation"]["mirrored"] = true;
  auto const pairs = scores("mirrored", 2);   // ... 1, 3, 3, 1
  CHECK(pairs.at("count").get<int>() == 2 * alone.at("count").get<int>());
  CHECK(pairs.at("crps").get<double>() == Approx(0.5).margin(1e-3));
  CHECK(pairs.at("expected").get<double>() == Approx(std::sqrt(2.5 + 1)).margin(1e-3));
}

TEST_CASE("observations that are made anew must have the digest that run.json has") {
  short_past const past;
  auto about = past.about(past.first, 3, 1, R"([{"kind": "random", "share": 0.2}])");
  about["observations"]["digest"] = "0123456789abcdef";
  std::string said;
  try {
    observed_by(about, past.truth, past.standard);
  } catch (sda::error const& e) {
    said = e.what();
  }
  CHECK(said.find("run.json says 0123456789abcdef") != std::string::npos);
  auto const at = said.find("digest ");
  REQUIRE(at != std::string::npos);
  about["observations"]["digest"] = said.substr(at + 7, 16);
  CHECK_NOTHROW(observed_by(about, past.truth, past.standard));
  about["seed"] = 2;
  CHECK_THROWS_AS(observed_by(about, past.truth, past.standard), sda::error);
}
