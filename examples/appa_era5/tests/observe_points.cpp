// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>
#include <temporary.hpp>

#include "observe/observing.hpp"

#include <sda/netcdf/writer.hpp>
#include <sda/observation/kriging.hpp>

#include <nlohmann/json.hpp>

#include <fstream>
#include <numbers>

using namespace appa;
using nlohmann::json;
namespace nc = sda::netcdf;

namespace {

sda::key const k{7};

scene world(char const* where, std::vector<std::string> const& names = {"t2m", "sst", "t", "u"}) {
  scene s{parse_grid(where), select_channels(names, {250, 500, 1000}), {}, {}};
  s.standard = {s.channels, {}, {}};
  for (index_t c = 0; c < s.channels.size(); ++c) s.standard.mean.push_back(200 + 20 * double(c)), s.standard.deviation.push_back(2 + double(c));
  s.sea.assign(std::size_t(s.where.points()), 1);
  return s;
}
// The value that a reading gives of fields f(latitude, longitude, level), in units.
double read_of(scene const& s, linear_reading const& r, auto const& f) {
  double y = r.offset;
  for (std::size_t i = 0; i < r.columns.size(); ++i) {
    index_t const p = r.columns[i] / s.channels.size(), c = r.columns[i] % s.channels.size();
    double const x = f(s.where.latitudes[std::size_t(p / s.where.width())], s.where.longitudes[std::size_t(p % s.where.width())], s.channels.list()[std::size_t(c)].level);
    y += r.unit * r.weights[i] * (x - s.standard.mean[std::size_t(c)]) / s.standard.deviation[std::size_t(c)];
  }
  return y;
}
std::string file_of(sda_test::temporary_folder const& tmp, char const* name, std::string const& text) {
  auto const path = (tmp / name).string();
  std::ofstream(path) << text;
  return path;
}
observing with(scene const& s, json const& instrument, std::function<background(hours)> const& prior = {}) {
  auto list = json::array();
  list.push_back(instrument);
  return observe_by(list, s, {}, k, prior);
}
std::string const head = "time,lat,lon,level,variable,value,error\n";

}  // namespace

TEST_CASE("between points and levels, what is linear in latitude, longitude and log-pressure is read exactly") {
  auto const s = world("36x19");
  auto const f = [](double north, double east, int level) { return 250 + 0.3 * north + 0.02 * east + 11 * std::log(level / 500.0); };
  for (int i = 0; i < 50; ++i) {
    place const p{-90 + 180 * sda::uniform(k, i, 0), 350 * sda::uniform(k, i, 1)};
    double const level = 250 * std::pow(4, sda::uniform(k, i, 2));
    auto const r = read_at(s, variable_of("t"), p, level, reading::interpolated);
    REQUIRE(r);
    CHECK(read_of(s, *r, f) == Approx(250 + 0.3 * p.latitude + 0.02 * p.longitude + 11 * std::log(level / 500)).epsilon(1e-10));
  }
  auto const exact = read_at(s, variable_of("t2m"), {-40, 120}, 0, reading::interpolated);
  CHECK((exact->columns.size() == 1 && exact->columns[0] / s.channels.size() == 13 * 36 + 12));
}

TEST_CASE("longitudes go round, and beyond the last row the pole is crossed: smooth fields stay smooth, winds turn over") {
  for (auto const* const words : {"360x181", "360x180"}) {
    auto const s = world(words);
    double const degree = std::numbers::pi / 180;
    // v is a vector of fixed length and direction over the pole: its components by latitude and longitude turn with longitude
    auto const eastward = [&](double, double east, int) { return 10 * std::sin(east * degree); };
    auto const smooth = [&](double north, double east, int) { return 280 + 20 * std::cos(north * degree) * std::cos((east - 30) * degree); };
    double worst = 0;
    for (double const north : {89.9, 89.6, 89.2, 45.3, -89.7})
      for (double const east : {0.4, 179.6, 359.7, -0.3, 270.5}) {
        auto const t = read_at(s, variable_of("t2m"), {north, east}, 0, reading::interpolated);
        worst = std::max(worst, std::abs(read_of(s, *t, smooth) - smooth(north, east, 0)));
        if (north > 89.5) continue;
        auto const u = read_at(s, variable_of("u"), {north, east}, 500, reading::interpolated);
        worst = std::max(worst, std::abs(read_of(s, *u, eastward) - eastward(north, east, 0)));
      }
    CHECK(worst < 20 * degree * degree / 4);   // of second order in a degree
  }
  auto const s = world("360x180");
  auto const u = read_at(s, variable_of("u"), {89.999, 17.5}, 500, reading::interpolated);   // half of either side of the pole, with other signs
  REQUIRE(u->weights.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(u->weights[i] == Approx(i < 2 ? 0.2505 : -0.2495));
  auto const round = read_at(s, variable_of("t2m"), {10.5, 359.75}, 0, reading::interpolated);
  CHECK((round->columns[0] / s.channels.size() == 79 * 360 + 359 && round->columns[1] / s.channels.size() == 79 * 360));
}

TEST_CASE("the nearest point and level, if asked; the sea's temperature of points at sea alone; nothing off the grid") {
  auto s = world("36x19");
  auto const near = read_at(s, variable_of("t"), {44, 356}, 400, reading::nearest);
  CHECK((near->columns.size() == 1 && near->columns[0] / s.channels.size() == 5 * 36 && near->weights[0] == 1));
  CHECK(s.channels.list()[std::size_t(near->columns[0] % s.channels.size())].level == 500);
  s.sea[4 * 36 + 3] = s.sea[5 * 36 + 3] = 0;
  auto const coast = read_at(s, variable_of("sst"), {45, 32}, 0, reading::interpolated);   // 4 * 36 + 4 and 5 * 36 + 4 are left
  CHECK((coast->columns.size() == 2 && coast->weights[0] == Approx(0.5)));
  s.sea.assign(s.sea.size(), 0);
  CHECK(!read_at(s, variable_of("sst"), {45, 32}, 0, reading::interpolated));
  CHECK(why_not(s, variable_of("sst"), {45, 32}, 0, reading::interpolated) == "of the sea's temperature on land");
  CHECK(!read_at(s, variable_of("t"), {45, 32}, 100, reading::interpolated));
  CHECK(!read_at(s, variable_of("t"), {45, 32}, 0, reading::interpolated));
  CHECK(why_not(s, variable_of("q"), {45, 32}, 500, reading::interpolated) == "of variables that states do not have");
  s.where = {{50, 45, 40}, {350, 355, 360, 365}};
  CHECK(read_at(s, variable_of("t2m"), {47, 2}, 0, reading::interpolated));
  CHECK(!read_at(s, variable_of("t2m"), {47, 7}, 0, reading::interpolated));
  CHECK(!read_at(s, variable_of("t2m"), {51, 2}, 0, reading::interpolated));
}

TEST_CASE("CSV: times to the nearest hour, units converted, garbage counted by line") {
  sda_test::temporary_folder const tmp;
  auto const path = file_of(tmp, "a.csv",
                            "Time,LAT,Lon,Level(Pa),variable,value,error,units,station\r\n"
                            "2020-02-29T05:30:00Z,50,10,,t2m,6.85,0.5,degC,\"Uccle, B\"\n"
                            "2020-02-29 06:29,50,10,50000,geopotential,5500,20,m,x\n"
                            "2020-02-29T06,50,10,85000,u,10,,kt,x\n"
                            "\n"
                            "what is this\n"
                            "2020-02-30T06,50,10,,t2m,280,1,K,\n"
                            "2020-02-29T06,95,10,,t2m,280,1,K,\n"
                            "2020-02-29T06,50,10,,dew,280,1,K,\n"
                            "2020-02-29T06,50,10,,t2m,28o,1,K,\n"
                            "2020-02-29T06,50,10,,t2m,280,-1,K,\n"
                            "2020-02-29T06,50,10,,t2m,280,1,furlongs,\n"
                            "2020-02-29T06,50,10,8x,u,1,1,,\n");
  auto const file = read_points(path);
  REQUIRE(file.reports.size() == 3);
  for (auto const& r : file.reports) CHECK(r.hour() == hours_of({2020, 2, 29, 6}));
  CHECK((file.reports[0].value == Approx(280) && file.reports[0].error == 0.5 && file.reports[0].level == 0));
  CHECK((file.reports[1].value == Approx(5500 * 9.80665) && file.reports[1].level == Approx(500)));
  CHECK((file.reports[2].value == Approx(5.14444).epsilon(1e-5) && std::isnan(file.reports[2].error)));
  CHECK(file.reports[1].platform == file.reports[2].platform);
  CHECK((file.count.read == 11 && file.count.usable() == 3));
  CHECK_THAT(file.count.text(), Catch::Contains("11 observations, 3 of them usable") && Catch::Contains("2 without a time (first: line 6)") &&
                                    Catch::Contains("1 without a place on the globe (first: line 8)") && Catch::Contains("1 of unknown variables (first: line 9)") &&
                                    Catch::Contains("1 without a value (first: line 10)") && Catch::Contains("line 12") && Catch::Contains("line 13"));
  CHECK_THROWS_WITH(read_points(file_of(tmp, "b.csv", "time,lat,value\n")), Catch::Contains("names no longitude"));
  CHECK_THROWS_WITH(read_points((tmp / "none").string()), Catch::Contains("cannot read"));
  CHECK_THROWS_WITH(read_points(file_of(tmp, "c.csv", "")), Catch::Contains("is empty"));
}

TEST_CASE("real observations: duplicates become one of their precision, gross errors and what is too near are set aside, the rest is told") {
  sda_test::temporary_folder const tmp;
  auto const s = world("36x19", {"t2m", "t"});
  auto const path = file_of(tmp, "a.csv", head + "2020-01-01T00:10,50,10,,t2m,200,1\n2020-01-01T00:20,50,370,,t2m,203,2\n2020-01-01T00,50,10.3,,t2m,201,3\n"
                                                 "2020-01-01T00,-20,10,,t2m,999,1\n2020-01-01T00,0,0,500,t,240,2\n2020-01-01T00,0,0,50,t,240,2\n"
                                                 "2020-01-01T01,10,10,,t2m,200,1\n2020-01-01T00,1,1,,q,1,1\n");
  hours const t = hours_of({2020, 1, 1, 0});
  auto const o = with(s, {{"kind", "file"}, {"file", path}, {"thinning", 100}});
  auto const all = o.all(t);
  auto const seen = o.assimilated(t);
  REQUIRE(seen.count() == 2);
  CHECK(seen.variances[0] == Approx(0.8 / 4));                          // 1 / (1/1 + 1/4), in the channel's deviation of 2
  CHECK(seen.values[0] == Approx((200.6 - 200) / 2).epsilon(1e-5));
  CHECK((std::count(all.fates.begin(), all.fates.end(), fate::gross_error) == 1 && std::count(all.fates.begin(), all.fates.end(), fate::thinned) == 1));
  CHECK(all.reports[0].value == Approx(200.6));
  CHECK(all.reports.back().value == 999);
  CHECK(o.assimilated(t + 1).count() == 1);
  CHECK(o.assimilated(t + 2).count() == 0);
  CHECK_THAT(o.summary, Catch::Contains("8 observations, 6 of them usable") && Catch::Contains("1 above or below all levels") &&
                            Catch::Contains("1 of variables that states do not have (first: q at 1 N 1 E"));
  // 3 K from a prior of spread 0.1 K is a gross error at 2 deviations of √(0.01 + 1) K, not at 10
  background const sure{std::vector<float>(19 * 36 * 4, 1.5f), std::vector<float>(19 * 36 * 4, 0.05f)};
  auto const strict = with(s, {{"kind", "file"}, {"file", path}, {"gross_error", 2}}, [&](hours) { return sure; });
  auto const fates = strict.all(t + 1).fates;
  CHECK(fates == std::vector<fate>{fate::gross_error});
}

TEST_CASE("errors of the instrument stand in for those that a file does not give") {
  sda_test::temporary_folder const tmp;
  auto const s = world("36x19", {"t2m", "t"});
  auto const path = file_of(tmp, "a.csv", head + "2020-01-01T00,50,10,,t2m,200,\n2020-01-01T00,0,0,500,t,240,\n2020-01-01T00,0,9,500,t,240,5\n");
  hours const t = hours_of({2020, 1, 1, 0});
  CHECK(with(s, {{"kind", "file"}, {"file", path}}).assimilated(t).count() == 1);
  auto const o = with(s, json::parse(R"({"kind": "file", "error": {"t2m": 3, "t": 8}, "units": "physical", "file": ")" + path + "\"}"));
  auto const all = o.all(t);
  CHECK((all.reports[0].error == Approx(3) && all.reports[1].error == Approx(8) && all.reports[2].error == Approx(5)));
  CHECK(all.seen.variances[1] == Approx(64.0 / 16));
}

TEST_CASE("errors are correlated along profiles and tracks, and what is assimilated has independent ones") {
  sda_test::temporary_folder const tmp;
  auto const s = world("36x19", {"t"});
  auto const path = file_of(tmp, "a.csv", head + "2020-01-01T00,50,10,1000,t,210,2\n2020-01-01T00,50,10,250,t,210,2\n2020-01-01T00,50,10,500,t,210,2\n"
                                                 "2020-01-01T00,60,10,500,t,210,2\n");
  hours const t = hours_of({2020, 1, 1, 0});
  auto const o = with(s, json::parse(R"({"kind": "file", "correlation": {"vertical": 0.5}, "file": ")" + path + "\"}"));
  auto const all = o.all(t);
  float const rho = float(std::exp(-2 * std::log(2.0)));
  REQUIRE(all.correlations.size() == 4);
  CHECK((all.correlations[0] == 0 && all.correlations[1] == Approx(rho) && all.correlations[2] == Approx(rho) && all.correlations[3] == 0));
  CHECK((all.reports[0].level == 250 && all.reports[2].level == 1000));
  auto const seen = o.assimilated(t);
  CHECK(seen.variances[1] == Approx((1 - rho * rho) * all.seen.variances[1]));
  auto const track = with(s, json::parse(R"({"kind": "file", "correlation": {"track": 1000}, "file": ")" + path + "\"}")).all(t);
  double const far = sda::great_circle({50, 10}, {60, 10});
  REQUIRE(track.correlations.size() == 4);   // every level is a chain
  for (std::size_t i = 0; i < 4; ++i) CHECK(track.correlations[i] == Approx(i == 2 ? std::exp(-far / 1000) : 0));
}

TEST_CASE("NetCDF of discrete samples: points, time series, profiles as ragged arrays, gaps, errors and units") {
  sda_test::temporary_folder const tmp;
  nc::attributes const time{{"standard_name", "time"}, {"units", "minutes since 2020-01-01 00:00"}}, north{{"standard_name", "latitude"}, {"units", "degrees_north"}},
      east{{"standard_name", "longitude"}, {"units", "degrees_east"}}, pressure{{"standard_name", "air_pressure"}, {"units", "Pa"}};
  double const gap = std::nan("");
  {
    nc::writer w((tmp / "points.nc").string());
    w.dimension("obs", 3);
    w.variable<double>("time", {"obs"}, time), w.variable<double>("lat", {"obs"}, north), w.variable<double>("lon", {"obs"}, east);
    w.variable<double>("temperature_2m", {"obs"}, {{"standard_name", "air_temperature"}, {"units", "degC"}, {"ancillary_variables", "te"}});
    w.variable<double>("te", {"obs"}, {{"standard_name", "air_temperature standard_error"}, {"units", "degC"}});
    w.variable<double>("ozone", {"obs"}, {{"units", "DU"}});
    w.put("time", std::vector<double>{10, 40, gap}), w.put("lat", std::vector<double>{1, 2, 3}), w.put("lon", std::vector<double>{4, 5, 6});
    w.put("temperature_2m", std::vector<double>{10, 11, 12}), w.put("te", std::vector<double>{0.5, 0.6, 0.7}), w.put("ozone", std::vector<double>{gap, 1, 2});
    w.commit();
  }
  auto const points = read_points((tmp / "points.nc").string());
  REQUIRE(points.reports.size() == 2);
  auto const& second = points.reports[1];
  CHECK((second.hour() == hours_of({2020, 1, 1, 1}) && second.value == Approx(284.15) && second.error == 0.6 && second.what->short_name == "t2m" && second.where.longitude == 5));
  CHECK_THAT(points.count.text(), Catch::Contains("5 observations, 2 of them usable") && Catch::Contains("2 of unknown variables (first: ozone)") &&
                                      Catch::Contains("1 without a time (first: temperature_2m[2])"));
  {
    nc::writer w((tmp / "series.nc").string());
    w.dimension("station", 2), w.dimension("time", 3);
    w.variable<double>("time", {"time"}, time), w.variable<double>("lat", {"station"}, north), w.variable<double>("lon", {"station"}, east);
    w.variable<double>("msl", {"station", "time"}, {{"units", "hPa"}});
    w.put("time", std::vector<double>{0, 60, 120}), w.put("lat", std::vector<double>{1, 2}), w.put("lon", std::vector<double>{4, 5});
    w.put("msl", std::vector<double>{1000, 1001, 1002, 1003, gap, 1005});
    w.commit();
  }
  auto const series = read_points((tmp / "series.nc").string());
  REQUIRE(series.reports.size() == 5);
  CHECK((series.reports[4].value == Approx(100500) && series.reports[4].where.latitude == 2 && series.reports[4].seconds % 86400 == 7200 && series.reports[4].platform == 1));
  for (bool const indexed : {false, true}) {
    nc::writer w((tmp / "profiles.nc").string());
    w.dimension("profile", 2), w.dimension("obs", 5);
    w.variable<double>("time", {"profile"}, time), w.variable<double>("lat", {"profile"}, north), w.variable<double>("lon", {"profile"}, east);
    w.variable<double>("p", {"obs"}, pressure);
    w.variable<double>("ta", {"obs"}, {{"standard_name", "air_temperature"}, {"units", "K"}});
    if (indexed) w.variable<int>("which", {"obs"}, {{"instance_dimension", "profile"}});
    else w.variable<int>("count", {"profile"}, {{"sample_dimension", "obs"}});
    w.put("time", std::vector<double>{0, 60}), w.put("lat", std::vector<double>{1, 2}), w.put("lon", std::vector<double>{4, 5});
    w.put("p", std::vector<double>{1e5, 5e4, 1e5, 7e4, 5e4}), w.put("ta", std::vector<double>{1, 2, 3, 4, 5});
    if (indexed) w.put("which", std::vector<int>{0, 0, 1, 1, 1});
    else w.put("count", std::vector<int>{2, 3});
    w.commit();
    auto const profiles = read_points((tmp / "profiles.nc").string());
    REQUIRE(profiles.reports.size() == 5);
    auto const& r = profiles.reports[3];
    CHECK((r.what->short_name == "t" && r.level == Approx(700) && r.where.latitude == 2 && r.value == 4 && r.platform == 1 && profiles.reports[1].platform == 0));
  }
}
