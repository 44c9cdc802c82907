// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace appa {

/// A full hour, in UTC and the proleptic Gregorian calendar.
struct date {
  int year = 1970, month = 1, day = 1, hour = 0;

  friend auto operator<=>(date const&, date const&) = default;
};

/// Hours since 1970-01-01T00: what the program counts time in.
using hours = std::int64_t;

bool is_leap(int year);
int days_in(int year, int month);
/// sda::error unless there is such a date.
hours hours_of(date const& d);
date date_of(hours t);

/// YYYY-MM-DD or YYYY-MM-DDThh; sda::error for anything else.
date parse_date(std::string const& words);
/// 2020-02-29T06
std::string text(date const& d);
inline std::string text(hours t) { return text(date_of(t)); }

/// sin and cos of 2π times the part of the year that has passed, by the hour; leap years are 8784 hours long.
std::array<double, 2> year_progress(date const& d);
/// sin and cos of 2π times the part of the day that has passed by the sun at a longitude (degrees).
std::array<double, 2> local_time(int hour, double longitude);

/// From `first` up to and with `last`.
struct period {
  hours first = 0, last = -1;

  hours size() const { return last - first + 1; }
  bool contains(hours t) const { return first <= t && t <= last; }
};
/// 2020-01-01..2020-12-31, 2021-03, 2020, 2020-01-01T06..2020-01-02T18: whole years, months and days unless hours are given.
period parse_period(std::string const& words);
std::string text(period const& p);
/// As many consecutive parts, their sizes different by one at the most.
std::vector<period> split(period const& whole, int parts);

/// What is trained on, chosen by, and tested on.
struct splits {
  period train = parse_period("1993..2019"), valid = parse_period("2020"), test = parse_period("2021");

  /// train, valid, test, or a period by itself.
  period const& operator[](std::string const& name) const;
};

/// Seconds since 1970-01-01T00 of CF times: "<unit> since <epoch>", in the calendar of that name ("" is standard).
std::vector<std::int64_t> decode_seconds(std::vector<double> const& values, std::string const& units, std::string const& calendar);
/// ... and hours: times must be full ones.
std::vector<hours> decode_times(std::vector<double> const& values, std::string const& units, std::string const& calendar);

}  // namespace appa
