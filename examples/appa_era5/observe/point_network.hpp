// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "observe/point_file.hpp"
#include "observe/reading.hpp"

namespace appa {

/// What is believed before observations are looked at: standardised states [channels, points].
struct background {
  std::vector<float> mean, spread;
};

struct point_options {
  reading how = reading::interpolated;
  double gross_error = 10;           // how many deviations √(spread² + error²) from the background's mean are too many; 0: none are
  double thinning = 0;               // km between observations of a variable and level; 0: all are used
  double left_out = 0;               // share of the places that is kept for verification
  double vertical = 0;               // length of exponential correlations of errors along profiles, in the logarithm of pressure; 0: none
  double track = 0;                  // ... along the ways of platforms, in km
  std::vector<double> errors = {};   // deviations by channel, standardised, of observations that do not give their own; NaN: they are not used
};

/// Observations of points, ready to be looked up by the hour. For each hour: what deviates too much from the background is a gross error; the others of
/// one place, variable and level become one, the mean weighted by precision; of those nearer to one another than the thinning, the more
/// precise are kept. What states cannot show is counted once, when this is made.
class point_network {
 public:
  point_network(point_file file, scene const& s, point_options o);

  void look(hours t, background const* prior, sda::key k, bool describe, observations& out) const;
  intake const& count() const { return count_; }
  /// From the first to the last hour; empty if nothing can be used.
  period covers() const { return by_hour_.empty() ? period{} : period{by_hour_.begin()->first, by_hour_.rbegin()->first}; }

 private:
  struct known : timed_report {
    linear_reading at;
    index_t group = 0;          // variable and nearest level
    double y = 0, r = 0;        // standardised value and variance
    double correlation = 0;     // of its error with that before
    fate becomes = fate::assimilated;
  };
  scene scene_;
  point_options options_;
  std::map<hours, std::vector<known>> by_hour_;
  intake count_;

  std::optional<double> error_of(known const& k) const;
  bool is_gross(known const& k, background const* prior) const;
  std::vector<known> averaged(std::vector<known> all) const;
  void thin(std::vector<known>& all) const;
  void chain(std::vector<known>& all) const;
};

}  // namespace appa
