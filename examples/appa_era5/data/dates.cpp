// SPDX-License-Identifier: Apache-2.0
#include "data/dates.hpp"

#include <sda/core/error.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <numbers>

namespace appa {

namespace {

using sda::require;
namespace chrono = std::chrono;

std::array<double, 2> on_circle(double turns) { return {std::sin(2 * std::numbers::pi * turns), std::cos(2 * std::numbers::pi * turns)}; }

// The days before a year's day in a calendar without leap days, from 1970.
std::int64_t days_without_leaps(date const& d) {
  std::int64_t days = (d.year - 1970) * std::int64_t{365} + d.day - 1;
  for (int m = 1; m < d.month; ++m) days += days_in(1970, m);
  return days;
}

date date_without_leaps(hours t) {
  std::int64_t const day = t >= 0 ? t / 24 : (t - 23) / 24;
  date d;
  d.year = int(1970 + (day >= 0 ? day / 365 : (day - 364) / 365));
  std::int64_t rest = day - (d.year - 1970) * std::int64_t{365};
  while (rest >= days_in(1970, d.month)) rest -= days_in(1970, d.month++);
  d.day = int(rest) + 1;
  d.hour = int(t - day * 24);
  return d;
}

// One end of a period: the hours a year, a month, a day or an hour spans.
period span_of(std::string const& words) {
  int y = 0, m = 0, used = 0;
  int const size = int(words.size());
  if (std::sscanf(words.c_str(), "%4d%n", &y, &used) == 1 && used == size) return {hours_of({y, 1, 1, 0}), hours_of({y, 12, 31, 23})};
  if (std::sscanf(words.c_str(), "%4d-%2d%n", &y, &m, &used) == 2 && used == size && m >= 1 && m <= 12)
    return {hours_of({y, m, 1, 0}), hours_of({y, m, days_in(y, m), 23})};
  hours const t = hours_of(parse_date(words));
  return {t, words.find('T') == std::string::npos ? t + 23 : t};
}

double seconds_in(std::string const& unit, std::string const& units) {
  if (unit == "s" || unit == "sec" || unit == "second" || unit == "seconds") return 1;
  if (unit == "min" || unit == "minute" || unit == "minutes") return 60;
  if (unit == "h" || unit == "hr" || unit == "hour" || unit == "hours") return 3600;
  if (unit == "d" || unit == "day" || unit == "days") return 86400;
  throw sda::error("times in \"" + units + "\": the unit " + unit + " is none of seconds, minutes, hours, days");
}

}  // namespace

bool is_leap(int year) { return chrono::year(year).is_leap(); }

int days_in(int year, int month) {
  return int(unsigned((chrono::year(year) / chrono::month(unsigned(month)) / chrono::last).day()));
}

hours hours_of(date const& d) {
  bool const month = d.year >= 1 && d.year <= 9999 && d.month >= 1 && d.month <= 12;
  require(month && d.day >= 1 && d.day <= days_in(d.year, d.month) && d.hour >= 0 && d.hour < 24, "there is no date ", d.year, "-", d.month, "-",
          d.day, " with hour ", d.hour);
  chrono::sys_days const day = chrono::year(d.year) / d.month / d.day;
  return hours(day.time_since_epoch().count()) * 24 + d.hour;
}

date date_of(hours t) {
  auto const since = chrono::hours(t);
  auto const midnight = chrono::floor<chrono::days>(chrono::sys_time<chrono::hours>(since));
  chrono::year_month_day const day(midnight);
  return {int(day.year()), int(unsigned(day.month())), int(unsigned(day.day())), int((since - midnight.time_since_epoch()).count())};
}

date parse_date(std::string const& words) {
  date d;
  int used = 0;
  bool ok = std::sscanf(words.c_str(), "%4d-%2d-%2d%n", &d.year, &d.month, &d.day, &used) == 3 && used == 10;
  if (ok && words.size() > 10) {
    int more = 0;
    ok = std::sscanf(words.c_str() + 10, "T%2d%n", &d.hour, &more) == 1 && more == 3 && words.size() == 13;
  }
  require(ok, "a date is YYYY-MM-DD or YYYY-MM-DDThh, not \"", words, "\"");
  hours_of(d);
  return d;
}

std::string text(date const& d) {
  char words[64];
  std::snprintf(words, sizeof words, "%04d-%02d-%02dT%02d", d.year, d.month, d.day, d.hour);
  return words;
}

std::array<double, 2> year_progress(date const& d) {
  double const length = is_leap(d.year) ? 8784 : 8760;
  return on_circle(double(hours_of(d) - hours_of({d.year, 1, 1, 0})) / length);
}

std::array<double, 2> local_time(int hour, double longitude) {
  double const east = longitude < 0 ? longitude + 360 : longitude;
  return on_circle(std::fmod(hour + 24 * east / 360, 24) / 24);
}

period parse_period(std::string const& words) {
  auto const dots = words.find("..");
  if (dots == std::string::npos) return span_of(words);
  period const p{span_of(words.substr(0, dots)).first, span_of(words.substr(dots + 2)).last};
  require(p.size() > 0, "the period ", words, " ends before it begins");
  return p;
}

std::string text(period const& p) { return text(p.first) + ".." + text(p.last); }

std::vector<period> split(period const& whole, int parts) {
  require(parts >= 1 && parts <= whole.size(), "cannot split ", whole.size(), " hours into ", parts, " parts");
  std::vector<period> out;
  for (int i = 0; i < parts; ++i) out.push_back({whole.first + whole.size() * i / parts, whole.first + whole.size() * (i + 1) / parts - 1});
  return out;
}

period const& splits::operator[](std::string const& name) const {
  require(name == "train" || name == "valid" || name == "test", "a split is train, valid or test, not \"", name, "\"");
  return name == "train" ? train : name == "valid" ? valid : test;
}

std::vector<std::int64_t> decode_seconds(std::vector<double> const& values, std::string const& units, std::string const& calendar) {
  char unit[16] = {};
  date epoch;
  int hour = 0, minute = 0;
  double second = 0;
  int const found = std::sscanf(units.c_str(), "%15s since %d-%d-%d%*[ T]%d:%d:%lf", unit, &epoch.year, &epoch.month, &epoch.day, &hour, &minute, &second);
  require(found >= 4, "times in \"", units, "\" are not \"<unit> since <date>\"");
  bool const no_leaps = calendar == "noleap" || calendar == "365_day";
  require(no_leaps || calendar.empty() || calendar == "standard" || calendar == "gregorian" || calendar == "proleptic_gregorian",
          "times in the calendar ", calendar, ": known are standard, gregorian, proleptic_gregorian, noleap");
  require(no_leaps || calendar == "proleptic_gregorian" || epoch.year > 1582, "times since ", units, " in a calendar of two parts");
  hours const begin = no_leaps ? days_without_leaps(epoch) * 24 : hours_of(epoch);
  double const scale = seconds_in(unit, units), start = hour * 3600.0 + minute * 60.0 + second;
  std::vector<std::int64_t> out;
  for (double const value : values) {
    double const passed = std::round(value * scale + start);
    require(std::abs(passed) < 3e11, "time ", value, " ", units, " is none of our era");
    auto const since = begin * 3600 + std::int64_t(passed);
    hours const hour_before = since >= 0 ? since / 3600 : (since - 3599) / 3600;
    out.push_back(no_leaps ? hours_of(date_without_leaps(hour_before)) * 3600 + (since - hour_before * 3600) : since);
  }
  return out;
}

std::vector<hours> decode_times(std::vector<double> const& values, std::string const& units, std::string const& calendar) {
  std::vector<hours> out;
  for (auto const seconds : decode_seconds(values, units, calendar)) {
    hours const t = hours(std::llround(double(seconds) / 3600));
    require(std::abs(seconds - t * 3600) <= 3, "time ", values[out.size()], " ", units, " is no full hour");
    out.push_back(t);
  }
  return out;
}

}  // namespace appa
