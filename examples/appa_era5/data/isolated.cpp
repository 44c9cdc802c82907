// SPDX-License-Identifier: Apache-2.0
#include "data/isolated.hpp"

#include <sda/core/error.hpp>
#include <sda/netcdf/lock.hpp>

#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <fstream>
#include <mutex>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

namespace appa {

using sda::require;

namespace {

// Writes all of it; false if nobody reads any more.
bool write_all(int to, void const* from, std::size_t bytes) {
  auto const* at = static_cast<char const*>(from);
  while (bytes > 0) {
    auto const n = ::write(to, at, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n, bytes -= std::size_t(n);
  }
  return true;
}
// Reads as much as there is, up to `bytes`, and as comes without a pause of so many seconds.
std::size_t read_some(int from, void* to, std::size_t bytes, int seconds) {
  std::size_t done = 0;
  while (done < bytes) {
    pollfd here{from, POLLIN, 0};
    if (::poll(&here, 1, seconds * 1000) == 0) break;
    auto const n = ::read(from, static_cast<char*>(to) + done, bytes - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += std::size_t(n);
  }
  return done;
}

// The kernel ends this process, as SIGXCPU does, once it has used so many more seconds of the processor.
void allow(int seconds) {
  rusage used;
  ::getrusage(RUSAGE_SELF, &used);
  rlimit limit;
  ::getrlimit(RLIMIT_CPU, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, rlim_t(used.ru_utime.tv_sec + used.ru_stime.tv_sec + seconds + 1));
  ::setrlimit(RLIMIT_CPU, &limit);
}

}  // namespace

isolated::output::output(int to, int seconds) : to_(to), seconds_(seconds) {
  for (int const s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU, SIGPIPE}) std::signal(s, SIG_DFL);  // not what the parent does then
  rlimit const none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  allow(seconds_);
}

void isolated::output::put(void const* from, std::size_t bytes) const {
  if (!write_all(to_, from, bytes)) ::_exit(0);
  allow(seconds_);
}

void isolated::end::close() {
  if (number >= 0) ::close(std::exchange(number, -1));
}

isolated::isolated(std::string what, int seconds, std::function<void(output const&)> const& work)
    : what_(std::move(what)), patience_(10 * seconds) {
  sda::netcdf::lock const alone;  // a child has this thread only: no other may be inside of NetCDF, and no other child may have the pipes
  end numbers, words;
  auto const open = [&](end& read, end& write) {
    int ends[2];
    require(::pipe(ends) == 0, what_, ": ", std::strerror(errno));
    read.number = ends[0], write.number = ends[1];
  };
  open(from_, numbers), open(complaints_, words);
  child_ = ::fork();
  require(child_ >= 0, what_, ": ", std::strerror(errno));
  if (child_ > 0) return;
  sda::netcdf::lock::renew();
  from_.close(), complaints_.close();
  try {
    work(output(numbers.number, seconds));
  } catch (std::exception const& e) { write_all(words.number, e.what(), std::strlen(e.what())); }
  ::_exit(0);
}

isolated::~isolated() {
  from_.close(), complaints_.close();
  if (child_ > 0) ::kill(child_, SIGKILL), ::waitpid(child_, nullptr, 0);
}

void isolated::get(void* to, std::size_t bytes) {
  if (read_some(from_.number, to, bytes, patience_) != bytes) complain();
}

void isolated::complain() {
  pollfd gone{from_.number, 0, 0};
  bool const silent = ::poll(&gone, 1, 0) == 0;
  if (silent) ::kill(child_, SIGKILL);
  std::string words(4096, '\0');
  words.resize(read_some(complaints_.number, words.data(), words.size(), patience_));
  int status = 0;
  ::waitpid(std::exchange(child_, -1), &status, 0);
  require(!silent, what_, ": the process that reads it said nothing for ", patience_, " s");
  if (!words.empty()) throw sda::error(words);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) throw sda::error(what_ + ": the library that reads it does not come to an end");
  if (WIFSIGNALED(status)) throw sda::error(what_ + ": the library that reads it crashed (" + ::strsignal(WTERMSIG(status)) + ")");
  throw sda::error(what_ + ": it ends too early");
}

void rehearse(std::string const& path, std::function<void()> const& read) {
  struct stat now {};
  if (::stat(path.c_str(), &now) == 0 && S_ISDIR(now.st_mode)) return;
  char magic[3]{};
  std::ifstream(path, std::ios::binary).read(magic, 3);
  if (std::string_view(magic, 3) == "CDF") return;
  using mark = std::tuple<dev_t, ino_t, off_t, time_t, long>;
  static std::mutex alone;
  static std::set<mark> sound;  // a child costs a copy of this process's page tables: one a file is enough
  mark const here{now.st_dev, now.st_ino, now.st_size, now.st_mtim.tv_sec, now.st_mtim.tv_nsec};
  {
    std::lock_guard const one(alone);
    if (sound.count(here)) return;
  }
  isolated first("cannot read " + path, 60, [&](isolated::output const& out) {
    read();
    out.put(magic, 1);
  });
  first.get(magic, 1);
  std::lock_guard const one(alone);
  sound.insert(here);
}

}  // namespace appa
