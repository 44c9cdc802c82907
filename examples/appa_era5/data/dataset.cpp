// SPDX-License-Identifier: Apache-2.0
#include "data/dataset.hpp"


#include <algorithm>
#include <cmath>
#include <numeric>

namespace appa {

using sda::require;

dataset::dataset(std::shared_ptr<archive const> data, period const& p, window_shape shape, std::optional<statistics> standard)
    : data_(std::move(data)), period_(p), shape_(shape), standard_(std::move(standard)) {
  require(shape.length >= 1 && shape.step >= 1 && shape.every >= 1 && shape.samples >= 0, "windows of ", shape.length, " states every ", shape.step,
          " h, ", shape.every, " h apart");
  if (standard_) standard_ = standard_->select(data_->channels());
  for (hours t = p.first; t + (shape.length - 1) * shape.step <= p.last; t += shape.every) {
    index_t there = 0;
    while (there < shape.length && data_->has(t + there * shape.step)) ++there;
    if (there == shape.length) starts_.push_back(t);
    else ++lost_;
  }
  require(!starts_.empty(), "no window of ", shape.length, " states every ", shape.step, " h is whole in ", text(p), ". ", data_->report(p, shape.step));
  if (shape.samples > 0 && shape.samples < size()) {
    std::vector<hours> some;
    for (index_t i = 0; i < shape.samples; ++i) some.push_back(starts_[std::size_t(i * size() / shape.samples)]);
    starts_ = some;
  }
}

std::string dataset::report() const {
  if (lost_ == 0) return "";
  return sda::detail::text(lost_, " windows are left out: ", data_->report(period_));
}

batch dataset::read(std::span<index_t const> windows) const {
  batch b{index_t(windows.size()), shape_.length, std::vector<float>(windows.size() * std::size_t(numbers())), {}};
  for (std::size_t i = 0; i < windows.size(); ++i) {
    require(windows[i] >= 0 && windows[i] < size(), "window ", windows[i], " of ", size());
    hours const first = starts_[std::size_t(windows[i])];
    auto const values = std::span(b.values).subspan(i * std::size_t(numbers()), std::size_t(numbers()));
    data_->read(first, shape_.length, shape_.step, values.data());
    if (standard_) {
      standard_->standardise(values, data_->where().points());
      fill_missing(values, first);
    }
    for (index_t s = 0; s < shape_.length; ++s) b.dates.push_back(date_of(first + s * shape_.step));
  }
  return b;
}

void dataset::fill_missing(std::span<float> values, hours first) const {
  auto const list = data_->channels().list();
  std::size_t const points = std::size_t(data_->where().points());
  for (std::size_t field = 0; field < values.size() / points; ++field) {
    auto const& c = list[field % list.size()];
    bool const may = c.name == "sea_surface_temperature";
    for (float& x : values.subspan(field * points, points)) {
      if (!std::isnan(x)) continue;
      require(may, label(c), " has missing values at ", text(first + index_t(field / list.size()) * shape_.step));
      x = 0;
    }
  }
}

loader::loader(dataset const& from, loader_options o) : from_(from), o_(o), wanted_(o.first), taken_(o.first) {
  require(o.batch >= 1 && o.workers >= 1 && o.ahead >= 1 && o.ranks >= 1 && o.rank >= 0 && o.rank < o.ranks, "a loader of batches of ", o.batch, " by ",
          o.workers, " workers, rank ", o.rank, " of ", o.ranks);
  require(steps() > 0, "batches of ", o.batch, " on each of ", o.ranks, " ranks are more than the ", from.size(), " windows");
  for (int w = 0; w < o.workers; ++w) threads_.emplace_back([this] { work(); });
}

loader::~loader() {
  {
    std::lock_guard const alone(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (auto& t : threads_) t.join();
}

index_t loader::steps() const {
  index_t const together = o_.batch * o_.ranks;
  return o_.shuffle ? from_.size() / together : (from_.size() + together - 1) / together;
}

std::vector<index_t> const& loader::order_of(index_t epoch) {
  auto [at, fresh] = orders_.try_emplace(epoch);
  if (!fresh) return at->second;
  orders_.erase(orders_.begin(), orders_.lower_bound(wanted_ / steps()));
  auto& order = at->second;
  order.resize(std::size_t(from_.size()));
  std::iota(order.begin(), order.end(), index_t{0});
  sda::key const k = o_.order.fold(std::uint64_t(epoch));
  for (index_t i = from_.size() - 1; i > 0; --i) {
    sda::words const r = k(0, std::uint32_t(i));
    std::swap(order[std::size_t(i)], order[std::size_t((std::uint64_t(r.w[0]) << 32 | r.w[1]) % std::uint64_t(i + 1))]);
  }
  return order;
}

std::vector<index_t> loader::windows_of(index_t step) {
  std::vector<index_t> chosen;
  index_t const epoch = step / steps(), first = step % steps() * o_.batch * o_.ranks;
  for (index_t i = first + o_.rank; i < std::min(first + o_.batch * o_.ranks, from_.size()); i += o_.ranks)
    chosen.push_back(o_.shuffle ? order_of(epoch)[std::size_t(i)] : i);
  return chosen;
}

void loader::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || ((o_.shuffle || taken_ < steps()) && taken_ < wanted_ + o_.ahead); });
    if (stop_) return;
    index_t const step = taken_++;
    auto const chosen = windows_of(step);
    lock.unlock();
    outcome made;
    try {
      made.value = from_.read(chosen);
    } catch (...) {
      made.failure = std::current_exception();
    }
    lock.lock();
    ready_[step] = std::move(made);
    changed_.notify_all();
  }
}

std::optional<batch> loader::next() {
  std::unique_lock lock(mutex_);
  if (!o_.shuffle && wanted_ >= steps()) return {};
  changed_.wait(lock, [&] { return ready_.count(wanted_) == 1; });
  auto made = ready_.extract(wanted_++);
  changed_.notify_all();
  if (made.mapped().failure) std::rethrow_exception(made.mapped().failure);
  return std::move(made.mapped().value);
}

}  // namespace appa
