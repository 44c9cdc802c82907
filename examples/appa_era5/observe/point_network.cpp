// SPDX-License-Identifier: Apache-2.0
#include "observe/point_network.hpp"

#include <sda/core/error.hpp>
#include <sda/observation/kriging.hpp>

#include <array>
#include <cmath>
#include <tuple>

namespace appa {

namespace {

double distance(place const& a, place const& b) { return sda::great_circle({a.latitude, a.longitude}, {b.latitude, b.longitude}); }

// A place to 11 m, wherever its longitude is counted from.
std::pair<long, long> rounded(place const& p) {
  return {std::lround(p.latitude * 1e4), std::lround((p.longitude - 360 * std::floor(p.longitude / 360)) * 1e4) % 3'600'000};
}

}  // namespace

point_network::point_network(point_file file, scene const& s, point_options o) : scene_(s), options_(std::move(o)), count_(std::move(file.count)) {
  for (auto& r : file.reports) {
    auto const lose = [&](std::string const& why) {
      count_.lose(why, sda::detail::text(r.what->short_name, " at ", r.where.latitude, " N ", r.where.longitude, " E, ", r.level, " hPa, ", text(r.hour())));
    };
    auto at = read_at(s, *r.what, r.where, r.level, options_.how);
    if (!at) {
      lose(why_not(s, *r.what, r.where, r.level, options_.how));
      continue;
    }
    known k;
    static_cast<timed_report&>(k) = r;
    k.at = std::move(*at);
    if (k.at.columns.front() % s.channels.size() < index_t(s.channels.surface.size())) k.level = 0;
    auto const heaviest = std::max_element(k.at.weights.begin(), k.at.weights.end()) - k.at.weights.begin();
    k.group = k.at.columns[std::size_t(heaviest)] % s.channels.size();
    auto const error = error_of(k);
    if (!error) {
      lose("without an error, their own or the instrument's");
      continue;
    }
    k.error = *error * k.at.unit;
    k.y = (k.value - k.at.offset) / k.at.unit, k.r = *error * *error;
    by_hour_[r.hour()].push_back(std::move(k));
  }
}

std::optional<double> point_network::error_of(known const& k) const {
  if (!std::isnan(k.error)) return k.error / k.at.unit;
  double sum = 0, weights = 0;
  for (std::size_t i = 0; i < k.at.columns.size() && !options_.errors.empty(); ++i) {
    sum += std::abs(k.at.weights[i]) * options_.errors[std::size_t(k.at.columns[i] % scene_.channels.size())];
    weights += std::abs(k.at.weights[i]);
  }
  return sum > 0 ? std::optional(sum / weights) : std::nullopt;
}

bool point_network::is_gross(known const& k, background const* prior) const {
  if (options_.gross_error <= 0) return false;
  double mean = 0, spread = prior ? 0 : 1;   // the climate's are 0 and 1
  index_t const channels = scene_.channels.size(), points = scene_.where.points();
  for (std::size_t i = 0; i < k.at.columns.size() && prior; ++i) {
    auto const at = std::size_t(k.at.columns[i] % channels * points + k.at.columns[i] / channels);
    mean += k.at.weights[i] * prior->mean[at], spread += std::abs(k.at.weights[i]) * prior->spread[at];
  }
  return std::abs(k.y - mean) > options_.gross_error * std::sqrt(spread * spread + k.r);
}

std::vector<point_network::known> point_network::averaged(std::vector<known> all) const {
  std::map<std::tuple<std::string, long, long, long>, std::size_t> first;
  std::vector<known> out;
  for (auto& k : all) {
    auto const [north, east] = rounded(k.where);
    auto const [at, is_new] = first.try_emplace({k.what->name, std::lround(k.level * 100), north, east}, out.size());
    if (is_new) {
      out.push_back(std::move(k));
      continue;
    }
    known& one = out[at->second];
    double const variance = 1 / (1 / one.r + 1 / k.r);
    one.y = variance * (one.y / one.r + k.y / k.r), one.r = variance;
    one.value = one.y * one.at.unit + one.at.offset, one.error = std::sqrt(variance) * one.at.unit;
  }
  return out;
}

void point_network::thin(std::vector<known>& all) const {
  if (options_.thinning <= 0) return;
  std::vector<std::size_t> order(all.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return std::pair(all[a].r, a) < std::pair(all[b].r, b); });
  double const side = options_.thinning / sda::earth_radius, degree = std::numbers::pi / 180;
  std::map<std::array<long, 4>, std::vector<std::size_t>> kept;   // by group and cube
  for (std::size_t const i : order) {
    known& k = all[i];
    double const north = k.where.latitude * degree, east = k.where.longitude * degree;
    std::array const cube{long(k.group), std::lround(std::cos(north) * std::cos(east) / side), std::lround(std::cos(north) * std::sin(east) / side),
                          std::lround(std::sin(north) / side)};
    for (int n = 0; n < 27 && k.becomes == fate::assimilated; ++n) {
      auto const found = kept.find({cube[0], cube[1] + n % 3 - 1, cube[2] + n / 3 % 3 - 1, cube[3] + n / 9 - 1});
      if (found == kept.end()) continue;
      for (std::size_t const j : found->second)
        if (distance(all[j].where, k.where) < options_.thinning) k.becomes = fate::thinned;
    }
    if (k.becomes == fate::assimilated) kept[cube].push_back(i);
  }
}

// Sorts observations along profiles or tracks, and gives each its correlation with the one before.
void point_network::chain(std::vector<known>& all) const {
  bool const up = options_.vertical > 0;
  auto const chain_of = [up](known const& k) {
    return up ? std::tuple(k.platform, k.what->name, rounded(k.where)) : std::tuple(k.platform, k.what->name, std::pair(long(k.group), 0L));
  };
  auto const along = [up](known const& k) { return up ? std::log(std::max(k.level, 1e-3)) : double(k.seconds); };
  std::sort(all.begin(), all.end(), [&](known const& a, known const& b) {
    return std::tuple(chain_of(a), along(a), rounded(a.where)) < std::tuple(chain_of(b), along(b), rounded(b.where));
  });
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (chain_of(all[i]) != chain_of(all[i - 1])) continue;
    double const apart = up ? (along(all[i]) - along(all[i - 1])) / options_.vertical : distance(all[i].where, all[i - 1].where) / options_.track;
    all[i].correlation = std::min(std::exp(-apart), 0.999);
  }
}

void point_network::look(hours t, background const* prior, sda::key k, bool describe, observations& out) const {
  auto const found = by_hour_.find(t);
  if (found == by_hour_.end()) return;
  std::vector<known> good, bad;
  for (auto const& one : found->second) (is_gross(one, prior) ? bad : good).push_back(one);
  good = averaged(std::move(good));
  thin(good);
  for (auto& one : good)
    if (one.becomes == fate::assimilated && is_left_out(k.fold(0), one.where, options_.left_out)) one.becomes = fate::left_out;
  if (options_.vertical > 0 || options_.track > 0) chain(good);
  for (auto& one : bad) one.becomes = fate::gross_error, good.push_back(one);

  sight now;
  for (auto const& one : good) now.corners = std::max(now.corners, int(one.at.columns.size()));
  bool const chained = std::any_of(good.begin(), good.end(), [](known const& one) { return one.correlation != 0; });
  if (chained) out.correlations.resize(out.fates.size());
  for (auto const& one : good) {
    for (std::size_t c = 0; c < std::size_t(now.corners); ++c) {
      bool const used = c < one.at.columns.size();
      now.columns.push_back(one.at.columns[used ? c : 0]), now.weights.push_back(used ? float(one.at.weights[c]) : 0);
    }
    now.values.push_back(float(one.y)), now.variances.push_back(float(one.r));
    out.fates.push_back(one.becomes);
    if (chained) out.correlations.push_back(float(one.correlation));
    if (describe) out.reports.push_back(one);
  }
  append(out.seen, now);
}

}  // namespace appa
