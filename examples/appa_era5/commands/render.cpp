// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include <sda/core/error.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

extern char** environ;

namespace {

using namespace appa;

// The exit status of a program found along PATH; 127 where there is none.
int run_program(std::vector<std::string> const& words, bool silent = false) {
  std::vector<char*> arguments;
  for (auto const& w : words) arguments.push_back(const_cast<char*>(w.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  if (silent) posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
  pid_t id = 0;
  int const failure = ::posix_spawnp(&id, arguments[0], &files, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (failure != 0) return 127;
  int status = 0;
  while (::waitpid(id, &status, 0) < 0) sda::require(errno == EINTR, "cannot wait for ", words[0], ": ", std::strerror(errno));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

// The script beside the sources, or installed beside the program.
std::string script() {
  auto const beside = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "render.py";
  return std::filesystem::exists(beside) ? beside.string() : APPA_RENDER;
}

void draw(std::vector<std::string> const& words) {
  sda::require(std::filesystem::exists(script()), "there is no ", script(), ", which draws pictures");
  for (std::string const python : {"/usr/bin/python3", "python3"}) {   // the system's own first: what it has was installed for programs
    if (run_program({python, "-c", "import matplotlib, netCDF4"}, true) != 0) continue;
    std::vector<std::string> all{python, script()};
    all.insert(all.end(), words.begin(), words.end());
    int const status = run_program(all);
    sda::require(status == 0, "render ", words.empty() ? "" : words[0], " drew nothing");
    return;
  }
  throw sda::error("pictures need Python 3 with matplotlib and netCDF4: on Debian and Ubuntu, apt-get install python3-matplotlib python3-netcdf4");
}

command const render("render", "pictures: maps, animations, scores, spectra, ranks, balances", [](CLI::App& app, run_options const&) {
  app.set_help_flag();   // what follows is the script's, its help too
  app.prefix_command();
  app.footer("render all REPORT; render maps RUN OUT.png --truth FILES; render --help");
  app.callback([&app] {
    auto const words = app.remaining();
    draw(words.empty() ? std::vector<std::string>{"--help"} : words);
  });
});

}  // namespace
