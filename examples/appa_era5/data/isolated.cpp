// SPDX-License-Identifier: Apache-2.0
#include "data/isolated.hpp"

#include "data/netcdf_lock.hpp"

#include <sda/core/error.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>
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
// Reads as much as there is, up to `bytes`.
std::size_t read_some(int from, void* to, std::size_t bytes) {
  std::size_t done = 0;
  while (done < bytes) {
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

isolated::isolated(std::string what, int seconds, std::function<void(output const&)> const& work) : what_(std::move(what)) {
  int numbers[2], words[2];
  require(::pipe(numbers) == 0, what_, ": ", std::strerror(errno));
  require(::pipe(words) == 0, what_, ": ", std::strerror(errno));
  netcdf_mutex().lock();  // a child has this thread alone: no other may be inside of NetCDF
  child_ = ::fork();
  if (child_ == 0) {
    std::construct_at(&netcdf_mutex());  // its owner is known by the number of a thread, which the child's is not
    ::close(numbers[0]), ::close(words[0]);
    try {
      work(output(numbers[1], seconds));
    } catch (std::exception const& e) { write_all(words[1], e.what(), std::strlen(e.what())); }
    ::_exit(0);
  }
  netcdf_mutex().unlock();
  require(child_ >= 0, what_, ": ", std::strerror(errno));
  ::close(numbers[1]), ::close(words[1]);
  from_ = numbers[0], complaints_ = words[0];
}

isolated::~isolated() {
  ::close(from_), ::close(complaints_);
  if (child_ > 0) ::kill(child_, SIGKILL), ::waitpid(child_, nullptr, 0);
}

void isolated::get(void* to, std::size_t bytes) {
  if (read_some(from_, to, bytes) != bytes) complain();
}

void isolated::complain() {
  std::string words(4096, '\0');
  words.resize(read_some(complaints_, words.data(), words.size()));
  int status = 0;
  ::waitpid(std::exchange(child_, -1), &status, 0);
  if (!words.empty()) throw sda::error(words);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) throw sda::error(what_ + ": the library that reads it does not come to an end");
  if (WIFSIGNALED(status)) throw sda::error(what_ + ": the library that reads it crashed (" + ::strsignal(WTERMSIG(status)) + ")");
  throw sda::error(what_ + ": it ends too early");
}

void rehearse(std::string const& path, std::function<void()> const& read) {
  char magic[3]{};
  std::ifstream(path, std::ios::binary).read(magic, 3);
  if (std::string_view(magic, 3) == "CDF" || std::filesystem::is_directory(path)) return;
  isolated first("cannot read " + path, 60, [&](isolated::output const& out) {
    read();
    out.put(magic, 1);
  });
  first.get(magic, 1);
}

}  // namespace appa
