// SPDX-License-Identifier: Apache-2.0
// `lorenz96 train` for machines that have LibTorch and nothing else of the example's needs: lorenz96_train key=value ...
// with the names of train_options, and threads=n.
#include "train.hpp"

#include <sda/core/error.hpp>

#include <torch/torch.h>

#include <iostream>
#include <map>
#include <sstream>

namespace {

template <class T> void take(std::map<std::string, std::string>& given, std::string const& name, T& into) {
  auto const found = given.find(name);
  if (found == given.end()) return;
  std::istringstream text(found->second);
  text >> into;
  sda::require(!text.fail() && text.peek() == EOF, name, "=", found->second, " is no value of its kind");
  given.erase(found);
}

}  // namespace

int main(int argc, char** argv) try {
  std::map<std::string, std::string> given;
  for (int i = 1; i < argc; ++i) {
    std::string const word = argv[i];
    auto const split = word.find('=');
    sda::require(split != std::string::npos, "\"", word, "\" is not of the form key=value");
    given[word.substr(0, split)] = word.substr(split + 1);
  }
  lorenz96::train_options o;
  int threads = 0;
  take(given, "threads", threads), take(given, "out", o.out), take(given, "resume", o.resume), take(given, "device", o.device);
  take(given, "ring", o.ring), take(given, "runs", o.runs), take(given, "length", o.length), take(given, "forcing", o.forcing);
  take(given, "spacing", o.spacing), take(given, "window", o.window), take(given, "hidden", o.hidden), take(given, "blocks", o.blocks);
  take(given, "kernel", o.kernel), take(given, "embedding", o.embedding), take(given, "steps", o.steps), take(given, "batch", o.batch);
  take(given, "warmup", o.warmup), take(given, "rate", o.rate), take(given, "floor", o.floor), take(given, "weight_decay", o.weight_decay);
  take(given, "average", o.average), take(given, "clip", o.clip), take(given, "sigma_min", o.sigma_min), take(given, "sigma_max", o.sigma_max);
  take(given, "rho", o.rho), take(given, "every", o.every), take(given, "seed", o.seed), take(given, "workers", o.workers);
  sda::require(given.empty(), "there is no option ", given.empty() ? "" : given.begin()->first);
  if (threads > 0) at::set_num_threads(threads);
  return lorenz96::train(o);
} catch (std::exception const& e) {
  std::cerr << "lorenz96_train: " << e.what() << '\n';
  return 1;
}
