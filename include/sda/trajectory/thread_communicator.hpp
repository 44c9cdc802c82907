// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/trajectory/communicator.hpp>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace sda {

namespace detail {

// What the ranks of one run share. Once a rank has failed, every rank that waits or comes to wait throws.
class thread_group {
 public:
  explicit thread_group(int size) : published_(std::size_t(size)) {}
  int size() const { return int(published_.size()); }

  void publish(int rank, void const* whole) { published_[std::size_t(rank)] = whole; }
  void const* published(int rank) const { return published_[std::size_t(rank)]; }

  void wait() {
    std::unique_lock lock(mutex_);
    if (!failure_ && ++waiting_ == size()) {
      waiting_ = 0, ++turn_;
      all_here_.notify_all();
      return;
    }
    auto const turn = turn_;
    all_here_.wait(lock, [&] { return failure_ || turn_ != turn; });
    require(turn_ != turn, "another rank failed");
  }
  void fail(std::exception_ptr why) {
    std::lock_guard lock(mutex_);
    if (!failure_) failure_ = why;
    all_here_.notify_all();
  }
  std::exception_ptr failure() const { return failure_; }

 private:
  std::mutex mutex_;
  std::condition_variable all_here_;
  std::exception_ptr failure_;
  int waiting_ = 0;
  unsigned long turn_ = 0;
  std::vector<void const*> published_;
};

}  // namespace detail

/// One rank among threads of this process. Made by on_threads.
class thread_communicator {
 public:
  thread_communicator(detail::thread_group& group, int rank) : group_(&group), rank_(rank) {}
  int rank() const { return rank_; }
  int size() const { return group_->size(); }

  template <State S> void all_gather(S& whole) const {
    group_->publish(rank_, &whole);
    group_->wait();
    int stranger = -1;  // refused only when nobody reads my rows any more
    for (int r = 0; r < size(); ++r) {
      S const& other = *static_cast<S const*>(group_->published(r));
      auto const [first, last] = share(rows(whole), r, size());
      if (rows(other) != rows(whole) || columns(other) != columns(whole)) stranger = r;
      else if (r != rank_ && last > first) copy_block(whole, first, 0, other, first, 0, last - first, columns(whole));
    }
    group_->wait();
    require(stranger < 0, "all_gather: ranks ", rank_, " and ", stranger, " hold wholes of different shape, mine is ", rows(whole), " x ",
            columns(whole));
  }

  /// The sum over all ranks, the same bits on each: added up in the order of the ranks.
  template <State S> void all_reduce(S& x) const {
    S const mine = clone(x);
    group_->publish(rank_, &mine);
    group_->wait();
    int stranger = -1;
    for (int r = 0; r < size(); ++r) {
      S const& other = *static_cast<S const*>(group_->published(r));
      if (rows(other) != rows(x) || columns(other) != columns(x)) stranger = r;
      else if (r == 0) lincomb(x, term{1.0, other});
      else lincomb(x, term{1.0, x}, term{1.0, other});
    }
    group_->wait();
    require(stranger < 0, "all_reduce: ranks ", rank_, " and ", stranger, " bring different shapes, mine is ", rows(x), " x ", columns(x));
  }

 private:
  detail::thread_group* group_;
  int rank_;
};

/// Runs body(communicator) as `size` ranks, one thread each, for CPU states. When a rank throws, the others stop at their
/// next collective call, and the first exception is rethrown here.
template <class Body> void on_threads(int size, Body const& body) {
  require(size > 0, "on_threads: ", size, " ranks");
  detail::thread_group group(size);
  std::vector<std::thread> ranks;
  for (int r = 0; r < size; ++r)
    ranks.emplace_back([&group, &body, r] {
      try {
        body(thread_communicator(group, r));
      } catch (...) { group.fail(std::current_exception()); }
    });
  for (auto& t : ranks) t.join();
  if (group.failure()) std::rethrow_exception(group.failure());
}

}  // namespace sda
