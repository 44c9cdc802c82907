// SPDX-License-Identifier: Apache-2.0
#include "training/run.hpp"

#include "../../interrupt.hpp"
#include "network/read_weights.hpp"

#include <cmath>
#include <iomanip>
#include <sstream>

namespace appa {

using nlohmann::json;
using sda::require;

optimiser make_optimiser(config const& optim, std::size_t threads) {
  auto const name = optim.get("optimizer", "adamw");
  double const decay = optim.get("weight_decay", 0.0);
  if (name == "adamw") {
    auto const betas = optim.get("betas", std::vector{0.9, 0.99});
    require(betas.size() >= 2, "optim.betas of adamw are two numbers, not ", betas.size());
    return {sda::adamw{betas[0], betas[1], 1e-8, decay}};
  }
  require(name == "soap", "there is no optimiser ", name, "; adamw or soap");
  require(!optim.get("merge_dims", false), "optim.merge_dims is not known");
  auto const betas = optim.get("betas", std::vector{0.9, 0.99, 0.99});
  require(betas.size() == 3, "optim.betas of soap are three numbers, not ", betas.size());
  return {sda::soap{betas[0], betas[1], betas[2], 1e-8, decay, optim.get("precondition_frequency", std::int64_t{16}),
                    optim.get("precondition_size", std::int64_t{4096}), threads}};
}

sda::learning_rate make_rate(config const& section) {
  using shape = sda::learning_rate::shape;
  std::map<std::string, shape> const shapes{
      {"none", shape::constant}, {"linear", shape::linear}, {"cosine", shape::cosine}, {"exponential", shape::exponential}};
  auto const name = section.get("optim.scheduler", "none");
  require(shapes.count(name) == 1, "there is no scheduler ", name, "; none, linear, cosine or exponential");
  return {section.get<double>("optim.learning_rate"), 0, section.get("optim.warmup", std::int64_t{0}),
          section.get<std::int64_t>("train.update_steps"), shapes.at(name)};
}

at::ScalarType precision_of(config const& section) {
  auto const name = section.get("train.precision", "float32");
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  require(name == "float16", "there is no precision ", name, "; float32, bfloat16 or float16");
  return at::kHalf;
}

at::Device device_of(std::string const& name) {
  require(name == "cpu" || name.rfind("cuda", 0) == 0, "there is no device ", name, "; cpu or cuda");
  require(name == "cpu" || torch::cuda::is_available(), "this LibTorch finds no CUDA device");
  return name == "cuda" ? at::Device(at::kCUDA, c10::DeviceIndex(own_card(int(torch::cuda::device_count())))) : at::Device(name);
}

std::map<std::string, std::string> provenance(json const& config, std::int64_t step, std::uint64_t seed) {
  return {{"config", config.dump()}, {"step", std::to_string(step)}, {"seed", std::to_string(seed)}, {"revision", APPA_REVISION}};
}

void load_weights(std::string const& file, torch::nn::Module& into) { read_weights(into, read_tensors(file)); }

config config_of(std::string const& file) {
  auto const words = read_tensors(file).words;
  if (auto const found = words.find("config"); found != words.end()) return config(json::parse(found->second));
  auto const beside = std::filesystem::path(file).parent_path() / "config.yaml";
  std::ifstream in(beside);
  std::stringstream text;
  text << in.rdbuf();
  require(in.good(), file, " holds no configuration, and there is no ", beside.string());
  return config::parse(text.str(), {}, false);
}

std::string model_file(std::string const& asked) {
  if (!std::filesystem::is_directory(asked)) return asked;
  for (auto const* name : {"model_best.safetensors", "model_last.safetensors", "model_best.pth", "model_last.pth", "model.pth"})
    if (auto const file = std::filesystem::path(asked) / name; std::filesystem::exists(file)) return file.string();
  throw sda::error(asked + " holds no model_best.safetensors, model_last.safetensors or .pth");
}

std::size_t training_loop::parts() const {
  auto const share = ranks.size() * rows();
  require(batch() % share == 0 && (batch() / share) % std::int64_t(modules.size()) == 0, "a batch of ", batch(), " in parts of ", rows(),
          " does not divide among ", ranks.size(), " ranks of ", modules.size(), " workers");
  return std::size_t(batch() / share);
}

namespace {

// Whether a count that goes on by `by` passed a multiple of `every` just now.
bool passed(std::int64_t count, std::int64_t by, std::int64_t every) { return every > 0 && count / every != (count - by) / every; }

}  // namespace

void training_loop::run() {
  std::vector<torch::nn::Module*> plain;
  for (auto const& m : modules) plain.push_back(m.get());
  sda::trainer<optimiser> trainer(plain, section.get("train.average", 0.999), make_optimiser(section.at("optim"), modules.size()));
  trainer.clip = section.get("optim.grad_clip", HUGE_VAL);
  trainer.precision = precision_of(section);
  trainer.accumulation = parts() / modules.size();
  auto const rate = make_rate(section);
  auto const steps = section.get<std::int64_t>("train.update_steps");
  auto const every = [&](char const* key, std::int64_t otherwise) { return section.get(key, otherwise); };  // in samples
  auto const log_every = every("train.log_interval", 1024), save_every = every("train.save_interval", 8192),
             check_every = every("valid.log_interval", 16384);
  auto const samples = section.get("valid.num_samples", std::size_t{32});

  std::filesystem::path const out = options.out;
  std::filesystem::create_directories(out);
  double best = HUGE_VAL;
  if (options.resume && std::filesystem::exists(out / "checkpoint.safetensors")) {
    sda::safetensors::archive const from(out / "checkpoint.safetensors");
    trainer.resume(from);
    auto const kept = json::parse(from.metadata().at("config"));
    if (kept.at("best").is_number()) best = kept.at("best");
  }
  std::ofstream log;
  if (ranks.first()) {
    log.open(out / "log.jsonl", trainer.steps() > 0 ? std::ios::app : std::ios::trunc);
    std::ofstream(out / "config.yaml") << config(stored).yaml();
    require(log.good(), "cannot write ", (out / "log.jsonl").string());
  }
  auto const ship = [&](char const* name) {
    sda::write_tensors(out / name, trainer.with_average([&] {
      auto all = sda::state_of(*modules.front());
      for (auto& [key, t] : all) t = t.clone();
      return all;
    }),
                       provenance(stored, trainer.steps(), options.seed));
  };

  auto const begun = std::chrono::steady_clock::now();
  sda::progress bar("train", long(steps), long(trainer.steps()));
  double sum = 0, seen = 0;
  while (trainer.steps() < steps) {
    auto const step = trainer.steps();
    prepare(step);
    auto const outcome = trainer.step([&](std::size_t part) { return loss(step, part); }, rate(step), ranks);
    if (std::isfinite(outcome.loss)) sum += outcome.loss, seen += 1;
    auto const count = trainer.steps() * batch();
    bool const last = trainer.steps() == steps;
    json line;
    if (last || passed(count, batch(), log_every)) {
      line = {{"step", trainer.steps()},
              {"samples", count},
              {"loss", seen > 0 ? sum / seen : NAN},
              {"gradient", outcome.gradient},
              {"rate", rate(step)},
              {"skipped", trainer.skipped()},
              {"seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count()}};
      sum = seen = 0;
    }
    if (last || passed(count, batch(), check_every)) {
      auto const found = trainer.with_average([&] { return validate(samples); });
      line["step"] = trainer.steps(), line["validation"] = found;
      if (double const l = found.at("loss"); ranks.first() && l < best) best = l, ship("model_best.safetensors");
    }
    if (ranks.first()) {
      if (!line.is_null()) log << line.dump() << std::endl;
      if (last || passed(count, batch(), save_every)) {
        ship("model_last.safetensors");
        trainer.save(out / "checkpoint.safetensors",
                     {{"run", stored}, {"best", std::isfinite(best) ? json(best) : json()}, {"seed", options.seed}, {"revision", APPA_REVISION}});
      }
      std::ostringstream detail;
      detail << std::setprecision(4) << "loss " << outcome.loss << "  best " << best << "  skipped " << trainer.skipped();
      bar.at(long(trainer.steps()), detail.str());
    }
    examples::heed_interrupts();
  }
}

}  // namespace appa
