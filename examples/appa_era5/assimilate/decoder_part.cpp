// SPDX-License-Identifier: Apache-2.0
#include "assimilate/decoder_part.hpp"

#include "network/linear_cae.hpp"

#include <sda/torch/pushed.hpp>

#include <algorithm>

namespace appa {

namespace {

// An image height x width cut into square blocks, of which some are worked on: each within a window, all of one size, that holds it and
// a rim, or as much of the rim as the image has.
struct tiling {
  index_t height, width, block, rim;
  index_t across = (width + block - 1) / block;
  index_t window_height = std::min(height, block + 2 * rim), window_width = std::min(width, block + 2 * rim);
  std::vector<index_t> tile_of;               // by block; -1: not worked on
  std::vector<std::array<index_t, 2>> first;  // by tile: where its window begins

  tiling(std::vector<char> const& needed, index_t h, index_t w, index_t size, index_t reach) : height(h), width(w), block(size), rim(reach) {
    tile_of.assign(std::size_t((h + size - 1) / size * across), -1);
    for (index_t y = 0; y < h; ++y)
      for (index_t x = 0; x < w; ++x)
        if (needed[std::size_t(y * w + x)]) tile_of[std::size_t(y / size * across + x / size)] = 0;
    for (std::size_t b = 0; b < tile_of.size(); ++b) {
      if (tile_of[b] < 0) continue;
      tile_of[b] = std::ssize(first);
      auto const begin = [&](index_t at, index_t window, index_t whole) { return std::clamp(at * size - reach, index_t{0}, whole - window); };
      first.push_back({begin(index_t(b) / across, window_height, height), begin(index_t(b) % across, window_width, width)});
    }
  }

  index_t tiles() const { return std::ssize(first); }
  index_t pixels() const { return tiles() * window_height * window_width; }
  bool whole() const { return tiles() == 1 && window_height == height && window_width == width; }

  // Where pixel (y, x) of an image fy x fx times as fine lies among those of all windows.
  index_t find(index_t y, index_t x, index_t fy, index_t fx) const {
    index_t const tile = tile_of[std::size_t(y / fy / block * across + x / fx / block)];
    auto const [top, left] = first[std::size_t(tile)];
    return (tile * window_height * fy + y - top * fy) * window_width * fx + x - left * fx;
  }
  template <class F> void each_pixel(F const& f) const {
    for (auto const& [top, left] : first)
      for (index_t y = top; y < top + window_height; ++y)
        for (index_t x = left; x < left + window_width; ++x) f(y, x);
  }
};

// Images of a stage's tiles to pixels [rows, pixels, channels].
at::Tensor pixels(at::Tensor const& images, index_t rows) { return images.permute({0, 2, 3, 1}).reshape({rows, -1, images.size(1)}); }

// The tiling that costs least.
tiling cover(std::vector<char> const& needed, index_t height, index_t width, index_t reach) {
  tiling best(needed, height, width, std::max(height, width), reach);
  for (index_t size = 8; size < std::max(height, width); size *= 2)
    if (tiling t(needed, height, width, size, reach); t.pixels() < best.pixels()) best = std::move(t);
  return best;
}

}  // namespace

decoder_part::decoder_part(std::shared_ptr<autoencoder const> net, std::vector<index_t> const& columns, at::Device device, at::Tensor const& date)
    : whole_(std::move(net)), net_(std::dynamic_pointer_cast<cae const>(whole_)), date_(date) {
  index_t const channels = whole_->channels(), points = whole_->points();
  for (auto const c : columns)
    sda::require(0 <= c && c < points * channels, "decoder_part: number ", c, " of states of ", points, " points and ", channels, " channels");
  if (net_) {
    tile(columns, device);
    return;
  }
  auto const cost = whole_->decoding();
  operations_ = cost.maps + cost.attention, kept_ = cost.kept;
  picked_ = at::tensor(columns, at::kLong).to(device);
}

void decoder_part::tile(std::vector<index_t> const& columns, at::Device device) {
  auto const& o = net_->options;
  auto const [py, px] = o.patch_size;
  auto const [top, left] = net_->origin();
  index_t const levels = net_->levels(), channels = o.in_channels;
  std::vector<index_t> place(std::size_t(channels), -1), rows_wanted;  // of a channel among those that are made
  for (auto const c : columns) place[std::size_t(c % channels)] = 0;
  index_t made = 0;
  for (index_t c = 0; c < channels; ++c) {
    if (place[std::size_t(c)] < 0) continue;
    place[std::size_t(c)] = made++;
    for (index_t i = 0; i < py * px; ++i) rows_wanted.push_back(c * py * px + i);
  }
  auto const tensor = [&](std::vector<index_t> const& v) { return at::tensor(v, at::kLong).to(device); };
  if (made < channels) wanted_ = tensor(rows_wanted);
  made_ = made;

  auto const pixel = [&, top = top, left = left](index_t column) {
    index_t const point = column / channels;
    return std::array{point / o.shape[1] + top, point % o.shape[1] + left};
  };
  auto const [h, w] = net_->cells();
  auto const height = [&, h = h](index_t level) { return h << (levels - 1 - level); };
  auto const width = [&, w = w](index_t level) { return w << (levels - 1 - level); };

  std::vector<tiling> tilings;
  std::vector<char> needed(std::size_t(height(0) * width(0)));
  for (auto const c : columns) needed[std::size_t(pixel(c)[0] / o.patch_size[0] * width(0) + pixel(c)[1] / o.patch_size[1])] = 1;
  for (index_t i = 0; i < levels; ++i) {
    tilings.push_back(cover(needed, height(i), width(i), net_->reach(i)));
    if (i + 1 == levels) break;
    needed.assign(std::size_t(height(i + 1) * width(i + 1)), 0);
    tilings.back().each_pixel([&](index_t y, index_t x) { needed[std::size_t(y / 2 * width(i + 1) + x / 2)] = 1; });
  }
  for (index_t i = 0; i < levels; ++i) {
    auto const& t = tilings[std::size_t(i)];
    bool const last = i + 1 == levels;
    stage s{t.tiles(), t.window_height, t.window_width, {}, last ? h * w : 4 * tilings[std::size_t(i + 1)].pixels()};
    if (!t.whole() || !(last || tilings[std::size_t(i + 1)].whole())) {
      std::vector<index_t> from;
      t.each_pixel([&](index_t y, index_t x) { from.push_back(last ? y * t.width + x : tilings[std::size_t(i + 1)].find(y, x, 2, 2)); });
      s.from = tensor(from);
    }
    stages_.push_back(std::move(s));

    double const c = double(o.hid_channels[std::size_t(i)]), n = double(t.pixels()), blocks = double(o.hid_blocks[std::size_t(i)]);
    double const out = i == 0 ? double(py * px * made) : 4 * double(o.hid_channels[std::size_t(i - 1)]), in = last ? double(o.lat_channels) * c : 0;
    operations_ += 18 * n * (in + 2 * double(o.ffn_factor) * blocks * c * c + c * out);
    kept_ += n * blocks * (c * (1 + double(o.ffn_factor)) + 2);
  }
  std::vector<index_t> picked;
  for (auto const c : columns)
    picked.push_back(tilings[0].find(pixel(c)[0], pixel(c)[1], o.patch_size[0], o.patch_size[1]) * made + place[std::size_t(c % channels)]);
  picked_ = tensor(picked);
}

at::Tensor decoder_part::operator()(at::Tensor const& z) const {
  if (!net_) return whole_->decode(z, date_).flatten(1).index_select(1, picked_);
  index_t const rows = z.size(0);
  at::Tensor x = z;
  for (index_t i = std::ssize(stages_); i-- > 0;) x = pixels(net_->ascend_level(i, image(stages_[std::size_t(i)], x), i == 0 ? wanted_ : at::Tensor()), rows);
  return x.flatten(1).index_select(1, picked_);
}

// Pixels [rows, pixels, channels] that the level before made, to the images of a stage's tiles.
at::Tensor decoder_part::image(stage const& s, at::Tensor const& x) const {
  auto const mine = s.from.defined() ? x.index_select(1, s.from) : x;
  return mine.reshape({x.size(0) * s.tiles, s.height, s.width, x.size(2)}).permute({0, 3, 1, 2});
}

decoder_part::local::local(decoder_part const& of, at::Tensor const& z) : of_(&of), z_(z.detach()) {
  if (!of.net_) {
    traced_ = std::make_unique<sda::traced>(of, z_);
    value_ = traced_->value();
    return;
  }
  torch::NoGradGuard const off;
  at::Tensor x = z_;
  for (index_t i = std::ssize(of.stages_); i-- > 0;) {
    linear_level level(*of.net_, i, of.image(of.stages_[std::size_t(i)], x), i == 0 ? of.wanted_ : at::Tensor());
    x = pixels(level.value(), z.size(0));
    level.forget_value();
    levels_.insert(levels_.begin(), std::move(level));
  }
  value_ = x.flatten(1).index_select(1, of.picked_);
}
decoder_part::local::local(local&&) noexcept = default;
decoder_part::local::~local() = default;

at::Tensor decoder_part::local::jvp(at::Tensor const& v) const {
  if (traced_) return sda::push_forward(*of_, z_, v).jvp;
  torch::NoGradGuard const off;
  at::Tensor x = v;
  for (auto i = levels_.size(); i-- > 0;) x = pixels(levels_[i].jvp(of_->image(of_->stages_[i], x)), v.size(0));
  return x.flatten(1).index_select(1, of_->picked_);
}

at::Tensor decoder_part::local::vjp(at::Tensor const& u) const {
  if (traced_) return traced_->vjp(u);
  torch::NoGradGuard const off;
  auto const& finest = of_->stages_.front();
  auto const [y, w] = of_->net_->options.patch_size;
  index_t const rows = u.size(0);
  auto x = at::zeros({rows, finest.tiles * finest.height * finest.width * y * w * of_->made_}, u.options()).index_add_(1, of_->picked_, u);
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    auto const& s = of_->stages_[i];
    index_t const scale_y = i == 0 ? y : 2, scale_x = i == 0 ? w : 2;
    auto const back = pixels(levels_[i].vjp(x.view({rows * s.tiles, s.height * scale_y, s.width * scale_x, -1}).permute({0, 3, 1, 2})), rows);
    x = s.from.defined() ? at::zeros({rows, s.before, back.size(2)}, back.options()).index_add_(1, s.from, back) : back;
  }
  return x.view_as(z_);
}

}  // namespace appa
