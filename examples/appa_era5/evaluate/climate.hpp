// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/archive.hpp"

#include <functional>
#include <string>

namespace appa {

/// Mean states of a period by month and time of day, every `step` hours of it from 0 UTC, as one file whose times are the 15ths of the
/// months of 2000. Months and times of day without a state are left out.
void write_climate(std::string const& path, archive const& data, period const& over, int step, std::string const& command,
                   std::function<void(index_t done, index_t all)> const& progress = {});

/// Such a file, asked for the mean state of an hour: that of the nearest month, between its times of day linearly.
class climate {
 public:
  climate(std::string const& path, channel_set const& channels);

  grid const& where() const { return data_.where(); }
  /// The times in the file between whose times of day an hour lies, and how far it is on the way; the same time twice if there is one.
  struct between {
    hours before, after;
    double part;
  };
  between stands_for(hours t) const;
  /// channels x points numbers.
  std::vector<float> at(hours t) const;

 private:
  archive data_;
};

}  // namespace appa
