// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include "assimilate/tasks.hpp"
#include "data/cds_writer.hpp"
#include "data/dataset.hpp"
#include "data/statistics.hpp"
#include "training/train.hpp"
#include "weights/state_dict.hpp"

#include <sda/netcdf.hpp>

#include <cmath>
#include <fstream>
#include <temporary.hpp>

using namespace appa;

namespace {

char const* const small_run = R"(
data: {grid: 16x9, variables: [t2m, msl], train: 2019-01-01..2019-01-02, valid: 2019-01-03, step: 1}
autoencoder:
  ae: {name: cae_test, resize: 2, noise_level: 0.01, lat_channels: 2, hid_channels: [4, 8], hid_blocks: [1, 1]}
  train: {update_steps: 10, batch_size_per_step: 4, batch_element_per_gpu: 2, workers: 2, log_interval: 8, save_interval: 20, average: 0.9}
  valid: {log_interval: 20, num_samples: 3}
  optim: {optimizer: soap, learning_rate: 1e-2, precondition_frequency: 3, scheduler: linear, warmup: 2, grad_clip: 1}
denoiser:
  backbone: {name: vit_test, mod_features: 8, hid_channels: 16, hid_blocks: 1, attention_heads: 2, patch_size: [2, 1, 1]}
  train: {update_steps: 10, batch_size_per_step: 4, batch_element_per_gpu: 2, log_interval: 8, save_interval: 20, blanket_size: 4, average: 0.9}
  valid: {log_interval: 20, num_samples: 4}
  optim: {optimizer: adamw, learning_rate: 1e-3, scheduler: cosine, grad_clip: 1}
)";

// Three days of two waves that travel around a small globe, which is warmer at its equator.
void write_weather(std::string const& path, config const& c) {
  auto const where = parse_grid(c.get<std::string>("data.grid"));
  auto const first = hours_of({2019, 1, 1, 0});
  cds_writer out(path, {where, channels_of(c).surface, {}, 72, "made by a test", "", 1});
  for (hours t = 0; t < 72; ++t) {
    std::vector<float> fields;
    for (double const level : {280.0, 101300.0})
      for (index_t i = 0; i < where.height(); ++i)
        for (index_t j = 0; j < where.width(); ++j)
          fields.push_back(float(
              level * (1 + 0.06 * std::sin(0.39 * double(i)) + 0.02 * std::cos(0.6 * double(i)) * std::sin(0.39 * double(j) - 0.2 * double(t)))));
    out.append(first + t, fields);
  }
  out.commit();
}

// The same runs with networks on graphs.
std::vector<std::string> const graphs{
    "autoencoder.ae={name: ico1to0_test, noise_level: 0.01, latent_channels: 2, ico_divisions: [1, 0], self_attention_hops: [1, 1], "
    "hid_channels: [8, 8], heads: [2, 2], self_attention_blocks: [1, 1]}",
    "denoiser.backbone={name: graphdit_test, mod_features: 8, hidden_channels: 8, hidden_blocks: 1, heads: 2, self_attention_hops: 1, "
    "cross_attention_hops: 1}"};
config run_with(std::vector<std::string> words, bool on_graph) {
  if (on_graph) words.insert(words.begin(), graphs.begin(), graphs.end());
  return config::parse(small_run, words);
}

bool same_tensors(std::filesystem::path const& a, std::filesystem::path const& b) {
  auto const x = read_tensors(a), y = read_tensors(b);
  if (x.tensors.empty() || x.tensors.size() != y.tensors.size()) return false;
  for (auto const& [name, t] : x.tensors)
    if (t.as<double>() != y[name].as<double>()) return false;
  return true;
}
std::vector<nlohmann::json> lines_of(std::filesystem::path const& file) {
  std::vector<nlohmann::json> out;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) out.push_back(nlohmann::json::parse(line));
  return out;
}

}  // namespace

TEST_CASE("ten steps of each training lead from files to networks, in images or on graphs, and to a reanalysis by them") {
  bool const on_graph = GENERATE(false, true);
  sda_test::temporary_folder const folder;
  auto const c = run_with({}, on_graph);
  auto const file = (folder / "era5.nc").string(), stats = (folder / "stats.nc").string();
  write_weather(file, c);
  write_statistics(stats, compute_statistics(archive({file}, channels_of(c)), {parse_period("2019-01-01..2019-01-02")}), "a test", "a test");

  auto options = training_options{(folder / "ae").string(), false, "cpu", 3, {file}, stats, ""};
  train_autoencoder(c, options, {});
  auto const log = lines_of(folder / "ae" / "log.jsonl");
  REQUIRE_FALSE(log.empty());
  CHECK(log.back().at("step") == 10);
  CHECK(log.back().at("skipped") == 0);
  CHECK(log.back().at("validation").at("loss") < 0.9 * double(log.front().at("loss")));

  encode(config(), {(folder / "ae").string(), (folder / "latents").string(), "cpu", stats, {file}, 2, 8});
  auto const validated = [&](char const* out, std::vector<std::string> const& words) {
    options = {(folder / out).string(), false, "cpu", 4, {}, "", (folder / "latents").string()};
    train_denoiser(run_with(words, on_graph), options, {});
    return lines_of(folder / out / "log.jsonl").back().at("validation");
  };
  auto const untrained = validated("untrained", {"denoiser.optim.learning_rate=0", "denoiser.train.update_steps=1"});
  auto const trained = validated("prior", {"denoiser.optim.learning_rate=3e-2"});
  CAPTURE(untrained.dump(), trained.dump());
  CHECK(trained.at("loss") < 0.95 * double(untrained.at("loss")));  // of the same states, noise and levels: 0.76 of it, on graphs 0.88
  CHECK(trained.at("climatology") == untrained.at("climatology"));
  CHECK(trained.at("climatology") < 1.5);  // a Gaussian cannot do much worse than 1 in these units

  auto const asked =
      config::parse("{assimilation: {members: 1, hours: 4, sampler: {steps: 2, corrections: 1}}, observations: [{kind: stations, count: 20}]}");
  task_options task;
  task.task = "reanalyse", task.model = {(folder / "latents").string(), (folder / "prior").string()}, task.data = {file};
  task.out = (folder / "analysis").string(), task.first = {"2019-01-03T02"}, task.line = "a test";
  run_task(asked, task, {});
  archive const mean({(folder / "analysis" / "mean.nc").string()}, channels_of(c));
  REQUIRE(mean.times().size() == 4);
  std::vector<float> x(std::size_t(2 * mean.where().points()));
  mean.read(mean.times().back(), 1, 1, x.data());
  CHECK(std::all_of(x.begin(), x.end(), [](float v) { return std::isfinite(v); }));

  // What the autoencoder leaves at eight of the 47 pairs of hours.
  auto const system = load_system(task.model);
  std::vector<at::Tensor> each;
  for (hours const later : {0, 1})
    for (hours i = 0; i < 8; ++i) {
      hours const t = hours_of({2019, 1, 1, 0}) + i * 47 / 8 + later;
      auto values = dataset(std::make_shared<archive>(std::vector{file}, channels_of(c)), {t, t}, {}, system.standard)[0].values;
      auto const truth = at::from_blob(values.data(), {1, 2, system.where.points()}).transpose(1, 2).contiguous();
      auto const when = system.dates(t, 1);
      auto const z = system.space->encode(truth, when);
      auto const noise = at::randn(z[0].sizes(), sda::generator(sda::key{}.fold(std::uint64_t(t)), at::kCPU));
      each.push_back((truth - system.space->decode(z + 0.01 * noise, when)).to(at::kDouble));
    }
  auto const d = at::cat(each).view({2, 8, -1, 2}), mean_left = d.mean(1, true), f = d - mean_left;
  auto const area = at::tensor(over_points(system.where, area_weights(system.where))).unsqueeze(1);
  auto const products = [&](at::Tensor const& a, at::Tensor const& b) { return (a * b * area).sum(c10::IntArrayRef{0, 1}) / (8 * area.sum()); };
  REQUIRE(system.residual);
  auto const close = [](at::Tensor const& a, at::Tensor const& b) { return at::allclose(a.to(at::kDouble), b, 1e-4, 1e-5); };  // floats, in batches
  CHECK(close(system.residual->mean, mean_left[0][0]));
  CHECK(close(system.residual->fields, f[0]));
  CHECK(close(system.residual->deviation, products(f[0], f[0]).sqrt()));
  CHECK(system.residual->correlation ==
        Approx((products(f[0], f[1]).sum() / (products(f[0], f[0]).sum() * products(f[1], f[1]).sum()).sqrt()).item<double>()).margin(1e-4));
  encode(config(), {(folder / "ae").string(), (folder / "latents").string(), "cpu", stats, {file}, 2, 0});
  CHECK_FALSE(std::filesystem::exists(folder / "latents" / "residuals.safetensors"));

  auto const other = run_with({}, !on_graph);  // a crossing
  options.out = (folder / "crossed").string();
  CHECK_THROWS_WITH(train_denoiser(other, options, {}), Catch::Contains("icosphere") && Catch::Contains("rows and columns"));
}

TEST_CASE("a run goes on bit by bit from its checkpoint") {
  bool const on_graph = GENERATE(false, true);
  sda_test::temporary_folder const folder;
  auto const c = run_with({}, on_graph);
  auto const file = (folder / "era5.nc").string(), stats = (folder / "stats.nc").string();
  write_weather(file, c);
  write_statistics(stats, compute_statistics(archive({file}, channels_of(c)), {parse_period("2019-01-01..2019-01-02")}), "a test", "a test");
  auto const both = [&](std::string const& part, auto const& train, std::string const& latents) {
    auto const named = [&](char const* kind) { return folder / (part + kind); };
    training_options options{named("_whole").string(), false, "cpu", 3, {file}, stats, latents};
    auto const constant = part + ".optim.scheduler=none";
    train(run_with({constant}, on_graph), options, job{});
    options.out = named("_parts").string(), options.resume = true;
    train(run_with({constant, part + ".train.update_steps=6"}, on_graph), options, job{});
    train(run_with({constant}, on_graph), options, job{});
    CHECK(same_tensors(named("_whole") / "checkpoint.safetensors", named("_parts") / "checkpoint.safetensors"));
  };
  both("autoencoder", train_autoencoder, "");
  encode(config(), {(folder / "autoencoder_whole").string(), (folder / "latents").string(), "cpu", stats, {file}, 1});
  both("denoiser", train_denoiser, (folder / "latents").string());
}

TEST_CASE("a denoiser is told a background, on a Gaussian or not: it goes on bit by bit, and its file says how departures are standardised") {
  int const rank = GENERATE(0, 5);
  sda_test::temporary_folder const folder;
  auto const file = (folder / "era5.nc").string(), stats = (folder / "stats.nc").string(), dump = (folder / "latents").string();
  auto const with = [rank](std::vector<std::string> words) {
    words.insert(words.end(),
                 {"autoencoder.train.update_steps=2", "denoiser.optim.scheduler=none", "denoiser.backbone.gaussian_rank=" + std::to_string(rank)});
    return config::parse(small_run, words);
  };
  auto const c = with({"denoiser.background={lead: 6, error: 0.5}"});
  write_weather(file, c);
  write_statistics(stats, compute_statistics(archive({file}, channels_of(c)), {parse_period("2019-01-01..2019-01-02")}), "a test", "a test");
  train_autoencoder(c, {(folder / "ae").string(), false, "cpu", 3, {file}, stats, ""}, {});
  encode(config(), {(folder / "ae").string(), dump, "cpu", stats, {file}, 2});
  auto options = training_options{(folder / "whole").string(), false, "cpu", 4, {}, "", dump};
  train_denoiser(c, options, {});
  auto const found = lines_of(folder / "whole" / "log.jsonl").back().at("validation");
  CHECK(found.at("loss") > 0);
  CHECK(found.at("climatology") < 1.5);
  CHECK(found.contains("gaussian") == (rank > 0));
  options.out = (folder / "parts").string(), options.resume = true;
  train_denoiser(with({"denoiser.background={lead: 6, error: 0.5}", "denoiser.train.update_steps=6"}), options, {});
  train_denoiser(c, options, {});
  CHECK(same_tensors(folder / "whole" / "checkpoint.safetensors", folder / "parts" / "checkpoint.safetensors"));

  // Windows of the training period begin at hours 0 to 44, those with a background at 6 to 44.
  auto const system = load_system({dump, (folder / "whole").string()});
  CHECK(system.takes_background());
  sda::netcdf::reader const all((folder / "latents" / "era5.h5").string());
  auto const z = system.scale.standardised(at::tensor(all.read<float>("latents"), at::kFloat).view({72, -1, 2})).to(at::kDouble);
  auto const d = (z.slice(0, 6, 45) - z.slice(0, 0, 39)).reshape({-1, 2});
  auto const added = 2 * (0.01 / system.scale.deviation).square() + 0.25;
  CHECK(at::allclose(system.departures.mean.to(at::kDouble), d.mean(0), 1e-4, 1e-5));
  CHECK(at::allclose(system.departures.deviation.square().to(at::kDouble), d.var(0) + added, 1e-4, 1e-5));

  // The same states, as another dump, are the same background.
  options = {(folder / "twin").string(), false, "cpu", 4, {}, "", dump};
  train_denoiser(with({"denoiser.background={lead: 6, error: 0.5, latents: " + dump + "}"}), options, {});
  CHECK(same_tensors(folder / "whole" / "model_last.safetensors", folder / "twin" / "model_last.safetensors"));
  CHECK_THROWS_WITH(train_denoiser(with({"denoiser.background={lead: 0}"}), options, {}), Catch::Contains("cannot be the state itself"));
  CHECK_THROWS_WITH(train_denoiser(with({"denoiser.background={lead: 80}"}), options, {}), Catch::Contains("has a background, 80 h before"));
}

// Run by mpirun. A batch has as many parts as there are ranks, so that gradients are summed in the same order.
TEST_CASE("ranks that train together leave the bits of one", "[.ranks]") {
  on_job([](job const& ranks) {
    sda_test::temporary_folder const folder;
    std::vector<std::string> words;
    for (std::string const part : {"autoencoder.train.", "denoiser.train."})
      for (char const* const word : {"update_steps=3", "batch_element_per_gpu=2", "workers=1"}) words.push_back(part + word);
    for (std::string const part : {"autoencoder", "denoiser"})
      words.push_back(part + ".train.batch_size_per_step=" + std::to_string(2 * ranks.size()));
    auto const c = config::parse(small_run, words);
    auto const file = (folder / "era5.nc").string(), stats = (folder / "stats.nc").string();
    write_weather(file, c);
    write_statistics(stats, compute_statistics(archive({file}, channels_of(c)), {parse_period("2019-01-01..2019-01-02")}), "a test", "a test");

    auto const both = [&](std::string const& name, auto const& train) {
      train((folder / (name + "_alone")).string(), job{});
      train((folder / name).string(), ranks);
      if (ranks.first()) CHECK(same_tensors(folder / (name + "_alone") / "checkpoint.safetensors", folder / name / "checkpoint.safetensors"));
    };
    both("ae", [&](std::string const& out, job const& who) { train_autoencoder(c, {out, false, "cpu", 3, {file}, stats, ""}, who); });
    encode(config(), {(folder / "ae_alone").string(), (folder / "latents").string(), "cpu", stats, {file}, 1});
    both("prior",
         [&](std::string const& out, job const& who) { train_denoiser(c, {out, false, "cpu", 4, {}, "", (folder / "latents").string()}, who); });
  });
}
