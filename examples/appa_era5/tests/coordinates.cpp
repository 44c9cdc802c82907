// SPDX-License-Identifier: Apache-2.0
#include <golden.hpp>

#include "data/dates.hpp"
#include "data/grid.hpp"

#include <numeric>

using namespace appa;

TEST_CASE("grids are what their words say") {
  auto const era5 = parse_grid("1440x721");
  CHECK((era5.height() == 721 && era5.width() == 1440 && era5.points() == 1038240));
  CHECK((era5.has_poles() && era5.is_global() && era5.latitudes[1] == 89.75 && era5.longitudes.back() == 359.75));
  auto const bands = parse_grid("64x32");
  CHECK((!bands.has_poles() && bands.is_global() && bands.latitudes[0] == Approx(87.1875)));
  CHECK(parse_grid("64x32+poles").has_poles());
  CHECK(!parse_grid("64x33-poles").has_poles());
  CHECK(same(era5, regular_grid(1440, 721, true)));
  CHECK(!same(era5, regular_grid(1440, 721, false)));
  for (auto const* wrong : {"", "64", "64x", "x33", "64x33x2", "0x33", "64x-33", "64 x 33", "99999999999999999999x3"})
    CHECK_THROWS_WITH(parse_grid(wrong), Catch::Contains("WIDTHxHEIGHT"));
}

TEST_CASE("both kinds of latitude weights have their means") {
  auto const g = parse_grid("1440x721");
  auto const mean = [](std::vector<double> const& w) { return std::accumulate(w.begin(), w.end(), 0.0) / double(w.size()); };
  CHECK(mean(cosine_weights(g)) == Approx(0.6364303).epsilon(1e-7));
  CHECK(mean(area_weights(g)) == Approx(1).epsilon(1e-14));
  CHECK(over_points(g, area_weights(g)).size() == std::size_t(g.points()));
}

TEST_CASE("hours and dates are each other's inverse, through leap years and before the epoch") {
  CHECK(hours_of({1970, 1, 1, 0}) == 0);
  CHECK(hours_of({2020, 2, 29, 12}) == 18321 * 24 + 12);
  CHECK(date_of(-1) == date{1969, 12, 31, 23});
  for (hours t = hours_of({1899, 12, 1, 0}); t < hours_of({2105, 1, 1, 0}); t += 7919) CHECK(hours_of(date_of(t)) == t);
  CHECK(date_of(hours_of({2020, 2, 28, 23}) + 1) == date{2020, 2, 29, 0});
  CHECK(date_of(hours_of({1900, 2, 28, 23}) + 1) == date{1900, 3, 1, 0});
  CHECK_THROWS_WITH(hours_of({2021, 2, 29, 0}), Catch::Contains("no date 2021-2-29"));
  for (date const d : {date{2021, 257, 1, 0}, {2021, 1, 257, 0}, {2021, -255, 1, 0}, {67557, 1, 1, 0}}) CHECK_THROWS_WITH(hours_of(d), Catch::Contains("no date"));
}

TEST_CASE("dates and periods are read as they are written") {
  CHECK(parse_date("2021-03-21") == date{2021, 3, 21, 0});
  CHECK(parse_date("2021-03-21T06") == date{2021, 3, 21, 6});
  CHECK(text(parse_date("2021-03-21T06")) == "2021-03-21T06");
  for (auto const* wrong : {"2021-3-21", "2021-03-21 06", "2021-03-21T6", "2021-03-21T24", "2021-02-30", "21-03-2021", ""}) CHECK_THROWS(parse_date(wrong));
  CHECK(text(parse_period("2020")) == "2020-01-01T00..2020-12-31T23");
  CHECK(parse_period("2020-02").size() == 29 * 24);
  CHECK(text(parse_period("2020-01-01T06..2020-01-02")) == "2020-01-01T06..2020-01-02T23");
  CHECK_THROWS_WITH(parse_period("2021..2020"), Catch::Contains("ends before it begins"));
  splits const published;
  CHECK((published["train"].size() == 236664 && published["valid"].size() == 8784 && published["test"].size() == 8760));
  auto const parts = split(parse_period("2020"), 40);
  CHECK((parts.front().first == hours_of({2020, 1, 1, 0}) && parts.back().last == hours_of({2020, 12, 31, 23})));
  for (std::size_t i = 1; i < parts.size(); ++i) CHECK((parts[i].first == parts[i - 1].last + 1 && (parts[i].size() == 219 || parts[i].size() == 220)));
}

TEST_CASE("CF times of both generations of files, and of calendars, are decoded") {
  CHECK(decode_times({1042152}, "hours since 1900-01-01 00:00:00.0", "gregorian")[0] == hours_of({2018, 11, 21, 0}));
  CHECK(decode_times({1483228800}, "seconds since 1970-01-01", "proleptic_gregorian")[0] == hours_of({2017, 1, 1, 0}));
  CHECK(decode_times({1.25}, "days since 2000-01-01T06:00", "")[0] == hours_of({2000, 1, 2, 12}));
  CHECK(decode_times({59}, "days since 2020-01-01", "noleap")[0] == hours_of({2020, 3, 1, 0}));
  CHECK(decode_times({59}, "days since 2020-01-01", "standard")[0] == hours_of({2020, 2, 29, 0}));
  CHECK_THROWS_WITH(decode_times({0}, "hours", ""), Catch::Contains("<unit> since <date>"));
  CHECK_THROWS_WITH(decode_times({0}, "months since 2000-01-01", ""), Catch::Contains("the unit months"));
  CHECK_THROWS_WITH(decode_times({0}, "days since 2000-01-01", "360_day"), Catch::Contains("calendar 360_day"));
  CHECK_THROWS_WITH(decode_times({0.3}, "hours since 2000-01-01", ""), Catch::Contains("no full hour"));
}

TEST_CASE("golden encodings: year progress, local time and latitude weights") {
  auto const files = sda_test::golden_files("observations_encodings");
  if (files.empty()) SDA_SKIP("no observations_encodings_* reference values");
  for (auto const& file : files) {
    sda_test::golden const g(file);
    auto const dates = g["inputs/date"].as<int>();
    auto const longitudes = g["inputs/longitude"].as<double>();
    auto const year = g["outputs/year_progress"].as<double>(), day = g["outputs/local_time"].as<double>();
    for (std::size_t i = 0; i < dates.size() / 4; ++i) {
      date const d{dates[4 * i], dates[4 * i + 1], dates[4 * i + 2], dates[4 * i + 3]};
      for (std::size_t f = 0; f < 2; ++f) {
        CHECK(std::abs(year_progress(d)[f] - year[2 * i + f]) <= g.tolerance());
        for (std::size_t j = 0; j < longitudes.size(); ++j)
          CHECK(std::abs(local_time(d.hour, longitudes[j])[f] - day[2 * (i * longitudes.size() + j) + f]) <= g.tolerance());
      }
    }
    for (auto const* const words : {"1440x721", "16x9"}) {
      auto const weights = cosine_weights(parse_grid(words));
      std::string const name = words[0] == '1' && words[1] == '4' ? "721x1440" : "9x16";
      auto const stored = g["outputs/latitude_weights_" + name].as<double>();
      REQUIRE(stored.size() == weights.size());
      for (std::size_t i = 0; i < weights.size(); ++i) CHECK(std::abs(weights[i] - stored[i]) <= 1e-6);
    }
  }
}
