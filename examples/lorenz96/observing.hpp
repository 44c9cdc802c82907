// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/eigen.hpp>

#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace lorenz96 {

using sda::index_t;

/// A run of the model, or what was seen of it (NaN: nothing): one row a step, one column a site.
using trajectory = sda::host_array<double>;

/// How a simulated network looks at the ring.
struct network {
  std::string sites = "all";  // all, every:N, random:F (stations drawn once), scattered:F (anew each time), or a list 0,3,8-12
  index_t every = 1;          // steps from one time of observation to the next
  std::string through = "identity";
  double error = 1;  // standard deviation
};

namespace detail {

template <class T> T number(std::string_view text, std::string_view all) {
  T value{};
  auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  sda::require(failure == std::errc{} && end == text.data() + text.size(), "sites \"", all, "\": \"", text, "\" is not a number");
  return value;
}

// The first `n` of a shuffle of all sites.
inline std::vector<index_t> drawn(index_t n, index_t ring, sda::key k) {
  std::vector<index_t> site(static_cast<std::size_t>(ring));
  std::iota(site.begin(), site.end(), index_t{0});
  std::vector<double> rank(site.size());
  sda::fill_normal(rank.data(), k, 0, 0, ring);
  std::sort(site.begin(), site.end(), [&](index_t a, index_t b) { return rank[std::size_t(a)] < rank[std::size_t(b)]; });
  site.resize(std::size_t(n));
  std::sort(site.begin(), site.end());
  return site;
}

inline std::vector<index_t> listed(std::string_view list, index_t ring) {
  std::vector<index_t> site;
  for (std::string_view rest = list; !rest.empty();) {
    std::string_view const item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    std::size_t const dash = item.find('-');
    auto const first = number<index_t>(item.substr(0, dash), list);
    auto const last = dash == item.npos ? first : number<index_t>(item.substr(dash + 1), list);
    sda::require(first <= last && last < ring, "sites \"", list, "\": ", item, " is not within 0 to ", ring - 1);
    for (index_t i = first; i <= last; ++i) site.push_back(i);
  }
  std::sort(site.begin(), site.end());
  site.erase(std::unique(site.begin(), site.end()), site.end());
  return site;
}

}  // namespace detail

/// The sites a network reads at observation time t, ascending.
inline std::vector<index_t> sites_at(network const& net, index_t t, index_t ring, sda::key k) {
  std::string_view const text = net.sites;
  auto const after = [&](std::string_view prefix) { return text.substr(prefix.size()); };
  if (text == "all" || text.starts_with("every:")) {
    index_t const stride = text == "all" ? 1 : detail::number<index_t>(after("every:"), text);
    sda::require(stride > 0, "sites \"", text, "\": every ", stride, "th");
    std::vector<index_t> site;
    for (index_t i = 0; i < ring; i += stride) site.push_back(i);
    return site;
  }
  bool const anew = text.starts_with("scattered:");
  if (anew || text.starts_with("random:")) {
    auto const fraction = detail::number<double>(after(anew ? "scattered:" : "random:"), text);
    sda::require(fraction >= 0 && fraction <= 1, "sites \"", text, "\": a fraction of ", fraction);
    return detail::drawn(std::llround(fraction * double(ring)), ring, anew ? k.fold(std::uint64_t(t)) : k);
  }
  return detail::listed(text, ring);
}

/// What the network sees of a truth: `read` of the sites it looks at, with errors; NaN elsewhere. Windows of `length`
/// steps all have the same sites.
template <class Read> trajectory observe(network const& net, trajectory const& truth, index_t length, Read const& read, sda::key k) {
  sda::require(net.every > 0, "observations every ", net.every, " steps");
  sda::require(net.error > 0, "an observation error of ", net.error);
  trajectory seen = trajectory::Constant(truth.rows(), truth.cols(), std::numeric_limits<double>::quiet_NaN());
  trajectory noise(truth.rows(), truth.cols());
  sda::lincomb(noise, sda::noise{net.error, k.fold(0)});
  for (index_t t = 0; t < truth.rows(); ++t)
    if (t % length % net.every == 0)
      for (index_t const i : sites_at(net, t % length, truth.cols(), k.fold(1))) seen(t, i) = read(truth(t, i)) + noise(t, i);
  return seen;
}

/// Where something was seen: columns step * ring + site of a window.
inline std::vector<std::int64_t> columns_seen(trajectory const& window) {
  std::vector<std::int64_t> at;
  for (index_t c = 0; c < window.size(); ++c) {
    sda::require(!std::isinf(window.data()[c]), "the observation of site ", c % window.cols(), " at step ", c / window.cols(), " is infinite");
    if (!std::isnan(window.data()[c])) at.push_back(c);
  }
  return at;
}

}  // namespace lorenz96
