// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/statistics.hpp"

#include <sda/core/random.hpp>

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace appa {

/// Which states a window has, and which windows there are.
struct window_shape {
  index_t length = 1;    // states
  int step = 1;          // hours between states
  int every = 1;         // hours between the first states of windows
  index_t samples = 0;   // so many windows, evenly spread, instead of all
};

/// States and their dates: (length, channels, rows, columns) numbers, windows one after the other.
struct batch {
  index_t windows = 0, length = 0;
  std::vector<float> values;
  std::vector<date> dates;   // windows x length
};

/// Windows of consecutive states in a period: those whose every hour is there. With statistics, values are standardised, and what is
/// missing by nature (the sea's temperature on land) is 0; any other missing value is an error. Any number of threads may read.
class dataset {
 public:
  dataset(std::shared_ptr<archive const> data, period const& p, window_shape shape, std::optional<statistics> standard = {});

  index_t size() const { return index_t(starts_.size()); }
  archive const& data() const { return *data_; }
  window_shape const& shape() const { return shape_; }
  /// Numbers in a window.
  index_t numbers() const { return shape_.length * data_->channels().size() * data_->where().points(); }
  /// What is missing, in words; "" if nothing is.
  std::string report() const;

  batch read(std::span<index_t const> windows) const;
  batch operator[](index_t window) const { return read(std::span(&window, 1)); }

 private:
  std::shared_ptr<archive const> data_;
  period period_;
  window_shape shape_;
  std::optional<statistics> standard_;
  std::vector<hours> starts_;
  index_t lost_ = 0;   // windows, to missing hours

  void fill_missing(std::span<float> values, hours first) const;
};

struct loader_options {
  index_t batch = 1;
  int workers = 2;           // threads that read ahead
  int ahead = 4;             // batches that may wait
  bool shuffle = true;       // without end, in another order every epoch; else once, in order, with a last batch that may be smaller
  sda::key order{};
  int rank = 0, ranks = 1;   // which part of every batch is read here: batch rank, rank + ranks, ...
  index_t first = 0;         // the step to begin with, when resumed
};

/// Batches in a fixed order whatever the number of workers. An error of a worker comes out of next().
class loader {
 public:
  loader(dataset const& from, loader_options o);
  ~loader();
  loader(loader const&) = delete;

  /// The next batch; none after the last.
  std::optional<batch> next();
  /// Batches in an epoch.
  index_t steps() const;

 private:
  dataset const& from_;
  loader_options o_;
  std::mutex mutex_;
  std::condition_variable changed_;
  index_t wanted_, taken_;   // the step that next() gives, and the one that a worker takes
  bool stop_ = false;
  struct outcome {
    batch value;
    std::exception_ptr failure;
  };
  std::map<index_t, outcome> ready_;   // by step
  std::map<index_t, std::vector<index_t>> orders_;   // by epoch
  std::vector<std::thread> threads_;

  void work();
  std::vector<index_t> windows_of(index_t step);
  std::vector<index_t> const& order_of(index_t epoch);
};

}  // namespace appa
