// SPDX-License-Identifier: Apache-2.0
#include "../../interrupt.hpp"
#include "data/dataset.hpp"
#include "network/dates.hpp"
#include "network/from_config.hpp"
#include "training/run.hpp"

#include <sda/netcdf.hpp>
#include <sda/torch/denoising.hpp>

#include <map>

namespace appa {

using nlohmann::json;
using sda::require;

channel_set channels_of(config const& whole) {
  auto const levels = whole.get("data.levels", levels_13());
  auto const names = whole.get("data.variables", std::vector<std::string>{});
  return names.empty() ? published_channels(levels) : select_channels(names, levels);
}

namespace {

// The fields that a run sees, standardised.
struct fields {
  std::shared_ptr<archive const> data;
  statistics standard;

  fields(config const& whole, std::vector<std::string> files, std::string const& stats) {
    if (files.empty()) files = whole.get("data.files", std::vector<std::string>{});
    require(!files.empty(), "no ERA5 files: give --data or data.files");
    auto const channels = channels_of(whole);
    data = std::make_shared<archive>(files, channels);
    if (whole.has("data.grid")) {
      auto const wanted = parse_grid(whole.get<std::string>("data.grid"));
      require(same(wanted, data->where()), "the files have ", text(data->where()), ", data.grid asks for ", text(wanted));
    }
    auto const file = stats.empty() ? whole.get("data.statistics", "") : stats;
    require(!file.empty(), "no statistics: give --statistics or data.statistics (made by `appa stats`)");
    standard = read_statistics(file, channels);
  }
  dataset windows(config const& whole, char const* split, index_t samples = 0) const {
    window_shape shape;
    shape.every = whole.get("data.step", 1), shape.samples = samples;
    return {data, parse_period(whole.get<std::string>(std::string("data.") + split)), shape, standard};
  }
  json described() const {
    json names = json::array();
    for (auto const& c : data->channels().list()) names.push_back(label(c));
    return {{"channels", names}, {"mean", standard.mean}, {"std", standard.deviation}};
  }
};

// Channels last, as the network takes them: [windows, points, channels].
at::Tensor pixels(batch const& b, fields const& of) {
  auto const c = of.data->channels().size(), p = of.data->where().points();
  return at::from_blob(const_cast<float*>(b.values.data()), {b.windows * b.length, c, p}, at::kFloat).transpose(1, 2).clone();
}

// A configuration whose autoencoder is for these fields.
json fitted(json config, fields const& of) {
  auto& ae = config.contains("autoencoder") ? config["autoencoder"]["ae"] : config["ae"];
  ae["in_channels"] = of.data->channels().size();
  if (!ae.contains("shape")) ae["shape"] = {of.data->where().height(), of.data->where().width()};
  return config;
}

// The fields of context that never change, [points, fields], standardised; the sun's stay 0.
at::Tensor context_fields(config const& whole, std::vector<std::string> files, grid const& where) {
  auto const names = context_of(whole.json());
  auto out = at::zeros({where.points(), std::ssize(names)});
  std::vector<std::string> still;
  std::copy_if(names.begin(), names.end(), std::back_inserter(still), is_invariant);
  if (still.empty()) return out;
  if (whole.has("data.context_files")) files = whole.get<std::vector<std::string>>("data.context_files");
  archive const data(files.empty() ? whole.get("data.files", files) : files, select_channels(still, {}));
  require(same(data.where(), where), "the context's files have ", text(data.where()), ", the states' ", text(where));
  auto const fields = at::empty({std::ssize(still), where.points()});
  data.read(data.times().empty() ? 0 : data.times().front(), 1, 1, fields.data_ptr<float>());
  for (index_t i = 0; i < std::ssize(still); ++i) {
    auto const one = fields[i], there = one.masked_select(one.isfinite());
    auto const place = std::find(names.begin(), names.end(), data.channels().list()[std::size_t(i)].name) - names.begin();
    out.select(1, place).copy_(((one - there.mean()) / there.std(false).clamp_min(1e-6)).nan_to_num(0));
  }
  return out;
}

// Weights of points and channels in the loss, [points, channels].
at::Tensor loss_weights(config const& loss, fields const& of) {
  auto const& channels = of.data->channels();
  auto const rows = loss.get("latitude_weighting", true) ? over_points(of.data->where(), cosine_weights(of.data->where()))
                                                         : std::vector<double>(std::size_t(of.data->where().points()), 1);
  auto levels = loss.get("level_weighting", false) ? level_weights(channels) : std::vector<double>(std::size_t(channels.size()), 1);
  for (auto const& [name, factor] : loss.get("variable_weights", std::map<std::string, double>{})) {
    require(factor > 0, "loss.variable_weights: ", name, " has ", factor);
    for (index_t i = 0; i < channels.size(); ++i)
      if (channels.list()[std::size_t(i)].name == variable_of(name).name) levels[std::size_t(i)] *= factor;
  }
  return (at::tensor(rows).unsqueeze(1) * at::tensor(levels).unsqueeze(0)).to(at::kFloat);
}

// Root mean square errors of reconstructions, in units of each channel's deviation.
json reconstruction_errors(autoencoder const& net, dataset const& held, fields const& of, at::Tensor const& weights, at::Device device) {
  torch::NoGradGuard const off;
  auto total = at::zeros({of.data->channels().size()}, at::kDouble);
  double loss = 0;
  for (index_t i = 0; i < held.size(); ++i) {
    auto const state = held[i];
    auto const x = pixels(state, of).to(device), when = to_tensor(state.dates);
    auto const square = (net.decode(net.encode(x, when), when) - x).square().cpu();
    loss += (square * weights).mean().item<double>() / double(held.size());
    total += square.mean(c10::IntArrayRef{0, 1}).to(at::kDouble) / double(held.size());
    examples::heed_interrupts();
  }
  json by_channel;
  for (auto const& [i, c] : [&] {
         std::vector<std::pair<index_t, channel>> out;
         for (auto const& one : of.data->channels().list()) out.emplace_back(index_t(out.size()), one);
         return out;
       }())
    by_channel[label(c)] = std::sqrt(total[i].item<double>());
  return {{"loss", loss}, {"rmse", std::sqrt(total.mean().item<double>())}, {"channels", by_channel}};
}

// What an autoencoder leaves of states at pairs of hours a step apart, spread evenly over the training period, x - D(E(x) + noise): [pairs, 2,
// points, channels]. The noise is that of the latents that denoisers learn (train.inject_ae_noise), hence of those that the posterior draws, so
// that what it does to their decoded states belongs to the error; at hour t it is a function of t. None: there are no two such pairs.
at::Tensor left_over(autoencoder const& net, fields const& of, config const& whole, double noise, encode_options const& o, at::Device device) {
  int const step = whole.get("data.step", 1);
  window_shape const shape{.length = 2, .step = step, .every = step, .samples = o.residuals};
  auto const training = parse_period(whole.get<std::string>("data.train"));
  auto const& times = of.data->times();
  auto const begins = [&](hours t) { return training.contains(t) && training.contains(t + step) && (t - training.first) % step == 0; };
  if (std::none_of(times.begin(), times.end(), [&](hours t) { return begins(t) && of.data->has(t + step); })) return {};
  dataset const pairs(of.data, training, shape, of.standard);
  sda::progress bar("residuals", long(pairs.size()));
  std::vector<at::Tensor> out;
  while (std::ssize(out) < pairs.size()) {
    std::vector<std::future<at::Tensor>> parts;
    auto const first = std::ssize(out), end = std::min<index_t>(pairs.size(), first + std::max(1, o.workers));
    for (index_t i = first; i < end; ++i)
      parts.push_back(std::async(std::launch::async, [&, i] {
        torch::NoGradGuard const quiet;
        auto const pair = pairs[i];
        auto const x = pixels(pair, of).to(device), when = to_tensor(pair.dates);
        auto z = net.encode(x, when);
        if (noise > 0) {
          auto const drawn = [&](date const& d) {
            return at::randn(z[0].sizes(), sda::generator(sda::key{}.fold(std::uint64_t(hours_of(d))), at::kCPU));
          };
          z = z + noise * at::stack({drawn(pair.dates[0]), drawn(pair.dates[1])}).to(device);
        }
        return (x - net.decode(z, when)).cpu();
      }));
    for (auto& p : parts) out.push_back(p.get());
    bar.at(long(out.size()));
    examples::heed_interrupts();
  }
  return out.size() < 2 ? at::Tensor() : at::stack(out);
}

// The file of residuals.hpp from such pairs: of the first states the mean, what they are beside it and its deviations; from both, the correlation.
void write_residuals(std::filesystem::path const& file, at::Tensor pairs, grid const& where) {
  auto const mean = pairs.mean(0);
  pairs -= mean;
  auto const first = pairs.select(1, 0), next = pairs.select(1, 1);
  auto const area = at::tensor(over_points(where, area_weights(where))).to(at::kFloat).unsqueeze(1);  // of mean 1
  auto const products = [&](at::Tensor const& a, at::Tensor const& b) { return (a * b * area).mean(c10::IntArrayRef{0, 1}, false, at::kDouble); };
  auto const squares = products(first, first);
  double const scale = std::sqrt(squares.sum().item<double>() * products(next, next).sum().item<double>());
  double const correlation = scale > 0 ? std::clamp(products(first, next).sum().item<double>() / scale, 0.0, 0.999) : 0;
  sda::write_tensors(file, {{"mean", mean[0]},
                            {"fields", first},
                            {"deviation", squares.sqrt().to(at::kFloat)},
                            {"correlation", at::scalar_tensor(correlation, at::kFloat)}});
}

}  // namespace

void train_autoencoder(config const& whole, training_options const& o, job const& ranks) {
  auto const section = whole.at("autoencoder");
  auto const device = device_of(o.device);
  fields const of(whole, o.data, o.statistics);
  sda::key const k{o.seed};

  json const stored = fitted({{"data", whole.at("data").json()}, {"autoencoder", section.json()}, {"standard", of.described()}}, of);
  double const noise = section.get("ae.noise_level", 0.0);
  auto quiet = stored;
  quiet["autoencoder"]["ae"]["noise_level"] = 0;  // it is added here, as a function of the step, so that runs resume exactly
  training_loop loop{o, section, stored, ranks, {}, {}, {}, {}};
  auto const around = context_fields(whole, o.data, of.data->where());
  std::vector<std::shared_ptr<autoencoder>> nets;
  for (int i = 0; i < section.get("train.workers", 1); ++i) {
    nets.push_back(autoencoder_from(quiet));
    nets.back()->initialise(k.fold(0));
    if (around.numel() > 0) nets.back()->named_buffers()["context"].copy_(around);
    nets.back()->to(device);
    loop.modules.push_back(nets.back());
  }

  auto const train = of.windows(whole, "train"), held = of.windows(whole, "valid", section.get("valid.num_samples", index_t{32}));
  if (auto const lost = train.report(); ranks.first() && !lost.empty()) std::fprintf(stderr, "%s\n", lost.c_str());
  loader_options how;
  how.batch = loop.batch() / ranks.size(), how.order = k.fold(1), how.rank = ranks.rank(), how.ranks = ranks.size();
  std::unique_ptr<loader> batches;
  at::Tensor x, dates;
  auto const weights = loss_weights(section.at("loss"), of), on_device = weights.to(device);
  bool const absolute = section.get("loss.error", "squared") == "absolute";
  double const l2 = section.get("loss.l2_weight", 0.0);

  loop.prepare = [&](std::int64_t step) {
    if (!batches) how.first = step, batches = std::make_unique<loader>(train, how);
    auto const states = *batches->next();
    x = pixels(states, of).to(device), dates = to_tensor(states.dates);
  };
  loop.loss = [&](std::int64_t step, std::size_t part) {
    auto const& net = *nets[part % nets.size()];
    at::indexing::Slice const dealt(std::int64_t(part), at::indexing::None, std::int64_t(loop.parts()));  // as the loader deals to ranks
    auto const mine = x.index({dealt}), when = dates.index({dealt});
    auto z = net.encode(mine, when);
    auto const clean = z;
    if (noise > 0) {
      auto const which = std::uint64_t(part) * std::uint64_t(ranks.size()) + std::uint64_t(ranks.rank());
      z = z +
          noise * at::randn(z.sizes(), sda::generator(k.fold(2).fold(std::uint64_t(step)).fold(which), device), at::TensorOptions().device(device));
    }
    auto const error = net.decode(z, when) - mine;
    auto const value = ((absolute ? error.abs() : error.square()) * on_device).mean();
    return l2 > 0 ? value + l2 * clean.square().mean() : value;
  };
  loop.validate = [&](std::size_t) { return reconstruction_errors(*nets.front(), held, of, weights, device); };
  loop.run();
}

void encode(config const& asked, encode_options const& o) {
  torch::NoGradGuard const off;
  auto const file = model_file(o.model);
  auto const own = config_of(file);  // what it was trained with, unless the configuration says otherwise
  auto tree = own.json();
  tree["data"].merge_patch(asked.at("data").json());
  config const whole(tree);
  fields const of(whole, o.data, o.statistics);
  auto const net = autoencoder_from(fitted(tree, of));
  load_weights(file, *net);
  net->eval();
  auto const device = device_of(o.device);
  net->to(device);

  index_t const tokens = net->where().cells(), channels = net->latents();
  std::filesystem::path const out = o.out;
  std::filesystem::create_directories(out / "ae");
  std::filesystem::remove(out / "residuals.safetensors");  // an earlier one is of other weights
  sda::netcdf::writer to((out / "era5.h5").string());
  to.dimension("time", sda::netcdf::unlimited), to.dimension("token", tokens), to.dimension("channel", channels), to.dimension("field", 4);
  to.variable<float>("latents", {"time", "token", "channel"}, {{"long_name", "latent states"}}, {0, {1, tokens, channels}});
  to.variable<int>("dates", {"time", "field"}, {{"long_name", "year, month, day, hour"}}, {0, {1024, 4}});

  auto const training = parse_period(whole.get<std::string>("data.train"));
  auto sum = at::zeros({channels}, at::kDouble), squares = at::zeros({channels}, at::kDouble);
  double counted = 0;
  auto const& times = of.data->times();
  std::vector<hours> chosen;
  for (auto const* split : {"train", "valid", "test"})
    if (auto const name = std::string("data.") + split; whole.has(name)) {
      auto const p = parse_period(whole.get<std::string>(name));
      for (auto const t : times)
        if (p.contains(t) && (t - p.first) % whole.get("data.step", 1) == 0) chosen.push_back(t);
    }
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  require(!chosen.empty(), "the files have no hour of the periods of the configuration");

  sda::progress bar("encode", long(chosen.size()));
  std::size_t const block = std::size_t(std::max(1, o.workers)) * 4;
  for (std::size_t i = 0; i < chosen.size(); i += block) {
    std::vector<std::future<at::Tensor>> parts;
    std::size_t const end = std::min(chosen.size(), i + block);
    for (std::size_t j = i; j < end; j += 4)
      parts.push_back(std::async(std::launch::async, [&, j] {
        torch::NoGradGuard const quiet;
        std::vector<at::Tensor> states;
        std::vector<date> dates;
        for (std::size_t s = j; s < std::min(end, j + 4); ++s) {
          states.push_back(pixels(dataset(of.data, {chosen[s], chosen[s]}, {}, of.standard)[0], of));
          dates.push_back(date_of(chosen[s]));
        }
        return net->encode(at::cat(states).to(device), to_tensor(dates)).cpu().contiguous();
      }));
    std::size_t at_time = i;
    for (auto& p : parts) {
      auto const z = p.get();
      for (index_t r = 0; r < z.size(0); ++r, ++at_time) {
        auto const one = z[r].contiguous();
        to.append("latents", std::span<float const>(one.data_ptr<float>(), std::size_t(one.numel())));
        auto const d = date_of(chosen[at_time]);
        to.append("dates", std::vector{d.year, d.month, d.day, d.hour});
        if (!training.contains(chosen[at_time])) continue;
        auto const wide = one.to(at::kDouble);
        sum += wide.mean(0), squares += wide.square().mean(0), counted += 1;
      }
    }
    bar.at(long(end));
    examples::heed_interrupts();
  }
  require(counted > 0, "the files have no hour of the training period");
  auto const mean = sum / counted, deviation = (squares / counted - mean.square()).clamp_min(1e-12).sqrt();
  to.commit();
  sda::write_tensors(out / "stats.safetensors", {{"mean", mean.to(at::kFloat)}, {"std", deviation.to(at::kFloat)}});
  if (o.residuals > 0) {
    double const noise = asked.get("denoiser.train.inject_ae_noise", true) ? ae_of(tree).value("noise_level", 0.0) : 0;
    auto const pairs = left_over(*net, of, whole, noise, o, device);
    if (pairs.defined()) write_residuals(out / "residuals.safetensors", pairs, of.data->where());
    else std::fprintf(stderr, "no residuals: the training period has no two pairs of states that are a step apart\n");
  }
  auto kept = config_of(file).json();
  kept["standard"] = of.described();
  auto all = sda::state_of(*net);
  sda::write_tensors(out / "ae" / "model.safetensors", all, provenance(kept, 0, 0));
}

}  // namespace appa
