// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>
#include <temporary.hpp>

#include "data/cds_writer.hpp"
#include "data/dataset.hpp"

#include <cmath>

using namespace appa;
using sda_test::temporary_folder;

namespace {

hours const start = hours_of({2019, 12, 31, 12});
channel_set const chosen = select_channels({"2m_temperature", "sst", "t"}, {500, 850});

/// Two files with a day each less an hour between them; the sea's temperature is missing on the first column.
struct files {
  temporary_folder folder;
  grid where = parse_grid("6x4");

  files() {
    write("a.nc", start, 24), write("b.nc", start + 25, 23);
  }
  void write(char const* name, hours first, index_t count) const {
    cds_writer surface((folder / (std::string("s") + name)).string(), {where, chosen.surface, {}, count, "", "", 1});
    cds_writer aloft((folder / (std::string("p") + name)).string(), {where, chosen.atmosphere, chosen.levels, count, "", "", 1});
    for (hours t = first; t < first + count; ++t) {
      std::vector<float> x;
      for (std::size_t c = 0; c < 4; ++c)
        for (index_t p = 0; p < where.points(); ++p) x.push_back(c == 1 && p % 6 == 0 ? std::nanf("") : number(t, c, p));
      surface.append(t, std::span(x).first(48)), aloft.append(t, std::span(x).last(48));
    }
    surface.commit(), aloft.commit();
  }
  static float number(hours t, std::size_t c, index_t p) { return float(250 + 10 * double(c) + double(t - start) / 8 + double(p * p % 7)); }
  std::shared_ptr<archive const> open() const { return std::make_shared<archive const>(std::vector{(folder / "*.nc").string()}, chosen); }
};

}  // namespace

TEST_CASE("windows are those whose hours are all there, across files, and what is lost is told") {
  files const f;
  dataset const pairs(f.open(), {start, start + 47}, {2, 1, 1, 0});
  CHECK(pairs.size() == 47 - 2);
  CHECK(pairs.report() == "2 windows are left out: 1 of 48 hours of 2019-12-31T12..2020-01-02T11 are missing: 2020-01-01T12");
  dataset const across(f.open(), {start, start + 47}, {3, 2, 1, 0});   // hours 22, 24, 26 would need the missing one
  CHECK(across.size() == 44 - 3);
  auto const b = across[20];
  CHECK(b.dates == std::vector<date>{date_of(start + 21), date_of(start + 23), date_of(start + 25)});
  std::size_t at = 0, wrong = 0;
  for (hours const t : {start + 21, start + 23, start + 25})
    for (std::size_t c = 0; c < 4; ++c)
      for (index_t p = 0; p < 24; ++p, ++at) wrong += c == 1 && p % 6 == 0 ? !std::isnan(b.values[at]) : b.values[at] != files::number(t, c, p);
  CHECK(wrong == 0);
  CHECK(dataset(f.open(), {start, start + 47}, {1, 1, 1, 5}).size() == 5);
  CHECK(dataset(f.open(), {start, start + 47}, {1, 1, 6, 0}).size() == 7);
  CHECK_THROWS_WITH(dataset(f.open(), {start + 23, start + 25}, {2, 1, 1, 0}), Catch::Contains("1 of 3 hours"));
}

TEST_CASE("statistics are those of all values that are there, and standardising is undone by restoring") {
  files const f;
  auto const data = f.open();
  auto const s = compute_statistics(*data, {{start, start + 47}, 1, false, {}});
  for (std::size_t c = 0; c < 4; ++c) {
    double sum = 0, squares = 0, n = 0;
    for (hours const t : data->times())
      for (index_t p = 0; p < 24; ++p)
        if (c != 1 || p % 6) sum += files::number(t, c, p), squares += double(files::number(t, c, p)) * files::number(t, c, p), n += 1;
    CHECK(s.mean[c] == Approx(sum / n).epsilon(1e-12));
    CHECK(s.deviation[c] == Approx(std::sqrt(squares / n - sum / n * sum / n)).epsilon(1e-8));
  }
  std::string const path = (f.folder / "stats.nc").string();
  write_statistics(path, s, "a test", "test");
  auto const again = read_statistics(path, chosen);
  CHECK(again.mean == s.mean);
  CHECK(again.deviation == s.deviation);
  CHECK_THROWS_WITH(read_statistics(path, select_channels({"t"}, {700})), Catch::Contains("no statistics of temperature@700"));

  dataset const standard(data, {start, start + 47}, {1, 1, 1, 0}, s);
  auto const x = standard[7].values, raw = dataset(data, {start, start + 47}, {1, 1, 1, 0})[7].values;
  auto back = x;
  s.restore(back, 24);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(raw[i])) CHECK(x[i] == 0);
    else CHECK(back[i] == Approx(raw[i]).epsilon(1e-6));
  }
}

TEST_CASE("areas weigh the rows of statistics") {
  files const f;
  auto const data = f.open();
  auto const s = compute_statistics(*data, {{start, start}, 1, true, {}});
  auto const w = over_points(f.where, area_weights(f.where));
  double sum = 0, weight = 0;
  for (index_t p = 0; p < 24; ++p) sum += w[std::size_t(p)] * files::number(start, 0, p), weight += w[std::size_t(p)];
  CHECK(s.mean[0] == Approx(sum / weight).epsilon(1e-12));
}

TEST_CASE("a missing value where none may be is an error") {
  files const f;
  auto const data = f.open();
  auto const s = compute_statistics(*data, {{start, start + 47}, 1, false, {}});
  grid const g = f.where;
  temporary_folder const other;
  cds_writer out((other / "s.nc").string(), {g, {"2m_temperature"}, {}, 1, "", "", 0});
  std::vector<float> x(24, 280.f);
  x[5] = std::nanf("");
  out.append(start, x), out.commit();
  auto const holes = std::make_shared<archive const>(std::vector{(other / "s.nc").string()}, select_channels({"t2m"}, {}));
  CHECK_THROWS_WITH((dataset(holes, {start, start}, {}, s)[0]), Catch::Contains("2m_temperature has missing values at 2019-12-31T12"));
}

TEST_CASE("a loader gives every window once an epoch, the same whatever the threads, and goes on where it is told") {
  files const f;
  dataset const d(f.open(), {start, start + 47}, {1, 1, 1, 0});
  REQUIRE(d.size() == 47);
  sda::key const order{5};
  auto const seen = [&](int workers, index_t first, index_t steps, int rank = 0, int ranks = 1) {
    loader l(d, {.batch = 4, .workers = workers, .ahead = 3, .shuffle = true, .order = order, .rank = rank, .ranks = ranks, .first = first});
    std::vector<hours> all;
    for (index_t i = 0; i < steps; ++i) {
      auto const b = l.next();
      for (auto const& one : b->dates) all.push_back(hours_of(one));
    }
    return all;
  };
  auto const two_epochs = seen(1, 0, 22);
  CHECK(two_epochs == seen(4, 0, 22));
  std::vector<hours> const tail(two_epochs.begin() + 9 * 4, two_epochs.end());
  CHECK(tail == seen(2, 9, 13));
  std::vector<hours> first(two_epochs.begin(), two_epochs.begin() + 44), second(two_epochs.begin() + 44, two_epochs.end());
  CHECK(first != second);
  std::sort(first.begin(), first.end());
  CHECK(std::adjacent_find(first.begin(), first.end()) == first.end());
  auto const left = seen(2, 0, 5, 0, 2), right = seen(2, 0, 5, 1, 2);
  for (hours const t : left) CHECK(std::find(right.begin(), right.end(), t) == right.end());

  loader in_order(d, {.batch = 10, .workers = 3, .ahead = 2, .shuffle = false});
  index_t windows = 0, batches = 0;
  while (auto const b = in_order.next()) {
    CHECK(b->dates.front() == date_of(d.data().times()[std::size_t(windows)]));
    windows += b->windows, ++batches;
  }
  CHECK((windows == 47 && batches == 5));
}

TEST_CASE("a loader that is left early stops its threads, and hands on their errors") {
  files const f;
  dataset const d(f.open(), {start, start + 47}, {1, 1, 1, 0});
  { loader const idle(d, {.batch = 1, .workers = 3, .ahead = 2}); }
  dataset const broken(std::make_shared<archive const>(std::vector{(f.folder / "s*.nc").string()}, select_channels({"t2m"}, {})), {start, start + 47}, {});
  std::filesystem::resize_file(f.folder / "sa.nc", 100);
  loader l(broken, {.batch = 1, .workers = 2, .ahead = 2, .shuffle = false});
  CHECK_THROWS_AS([&] { while (l.next()) {} }(), sda::error);
}
