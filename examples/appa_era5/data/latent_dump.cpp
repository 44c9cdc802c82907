// SPDX-License-Identifier: Apache-2.0
#include "data/latent_dump.hpp"

#include "data/isolated.hpp"

#include <sda/netcdf.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>

namespace appa {

using sda::require;

namespace {

constexpr std::uintmax_t deflated = 1032;  // zlib's best: bytes that one of a file may stand for

index_t states_in_a_block(index_t numbers) { return std::max<index_t>(1, (index_t{1} << 22) / std::max<index_t>(numbers, 1)); }

void put_dump(std::string const& path, isolated::output const& out) {
  sda::netcdf::reader const file(path);
  auto const shape = file.dimensions("latents"), when = file.dimensions("dates");
  require(shape.size() == 3 && when.size() == 2 && when[0].size == shape[0].size && when[1].size == 4, path,
          " is no latent dump: latents (time, token, channel), dates (time, 4)");
  std::array<index_t, 3> const size{shape[0].size, shape[1].size, shape[2].size};
  std::uintmax_t left = std::filesystem::file_size(path) * deflated / sizeof(float);
  for (index_t const n : size) {
    require(n > 0, path, " has no latents");
    left /= std::uintmax_t(n);
  }
  require(left > 0, path, " claims ", size[0], " x ", size[1], " x ", size[2], " latents, more than a file of its size can hold");
  out.put(size.data(), sizeof size);
  auto const dates = file.read("dates");
  out.put(dates.data(), dates.size() * sizeof(double));
  index_t const block = states_in_a_block(size[1] * size[2]);
  for (index_t i = 0; i < size[0]; i += block) {
    auto const x = file.read<float>("latents", std::array{i, index_t{0}, index_t{0}}, std::array{std::min(block, size[0] - i), size[1], size[2]});
    out.put(x.data(), x.size() * sizeof(float));
  }
}

date date_of(double const* numbers) {
  for (int i = 0; i < 4; ++i) require(std::abs(numbers[i]) < 1e5 && numbers[i] == std::floor(numbers[i]), "a date holds ", numbers[i]);
  return {int(numbers[0]), int(numbers[1]), int(numbers[2]), int(numbers[3])};
}

}  // namespace

latent_dump read_latent_dump(std::string const& path, int seconds) {
  isolated child("cannot read " + path, seconds, [&](isolated::output const& out) { put_dump(path, out); });
  std::array<index_t, 3> size;
  child.get(size.data(), sizeof size);
  latent_dump out{size[1], size[2], {}, {}};
  std::vector<double> dates(std::size_t(4 * size[0]));
  child.get(dates.data(), dates.size() * sizeof(double));
  for (std::size_t i = 0; i < dates.size(); i += 4) {
    try {
      out.times.push_back(hours_of(date_of(&dates[i])));
    } catch (sda::error const& e) { throw sda::error(path + ": " + e.what()); }
    require(i == 0 || out.times.back() > out.times.end()[-2], path, ": ", text(out.times.back()), " is not later than the date before");
  }
  auto const numbers = std::size_t(size[1] * size[2]);
  out.states.resize(std::size_t(size[0]) * numbers);
  child.get(out.states.data(), out.states.size() * sizeof(float));
  for (std::size_t i = 0; i < out.times.size(); ++i)
    require(std::all_of(&out.states[i * numbers], &out.states[i * numbers] + numbers, [](float x) { return std::isfinite(x); }), path,
            ": not all latents of ", text(out.times[i]), " are finite");
  return out;
}

}  // namespace appa
