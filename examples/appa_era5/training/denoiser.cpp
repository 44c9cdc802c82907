// SPDX-License-Identifier: Apache-2.0
#include "assimilate/system.hpp"
#include "data/fingerprint.hpp"
#include "data/latent_dump.hpp"
#include "network/dates.hpp"
#include "network/from_config.hpp"
#include "network/on_gaussian.hpp"
#include "training/run.hpp"

#include <sda/calculus/schedule.hpp>

#include <optional>

namespace appa {

using nlohmann::json;
using sda::require;

namespace {

// A dump of `appa encode`, in memory: states [hours, tokens, channels] with their dates, and how to standardise them.
struct latents {
  at::Tensor states, dates;
  latent_scale scale;
  std::vector<hours> times;
  lattice where;
  std::filesystem::path folder;

  explicit latents(std::filesystem::path const& from, bool with_noise) : folder(from) {
    auto const file = (folder / "era5.h5").string();
    auto const dump = read_latent_dump(file);
    times = dump.times;
    states = at::tensor(dump.states, at::kFloat).view({std::ssize(times), dump.tokens, dump.channels});
    std::vector<date> days;
    std::transform(times.begin(), times.end(), std::back_inserter(days), date_of);
    dates = to_tensor(days);
    where = lattice_of(config_of(autoencoder_file(folder)).json());
    require(where.cells() == dump.tokens, file, " has ", dump.tokens, " tokens, its autoencoder ", where.cells());
    scale = read_latent_scale(folder, with_noise);
  }

  // Where windows of a period begin whose every date is there.
  std::vector<index_t> starts(period const& p, index_t length, int step) const {
    std::vector<index_t> out;
    for (std::size_t i = 0; i < times.size(); ++i) {
      auto const last = times[i] + (length - 1) * step;
      if (p.contains(times[i]) && p.contains(last) && !rows(times[i], length, step).empty()) out.push_back(index_t(i));
    }
    require(!out.empty(), "no window of ", length, " states every ", step, " h is whole in ", text(p));
    return out;
  }
  // The rows of a window, none if a date is missing.
  std::vector<index_t> rows(hours first, index_t length, int step) const {
    std::vector<index_t> out;
    for (index_t s = 0; s < length; ++s) {
      auto const found = std::lower_bound(times.begin(), times.end(), first + s * step);
      if (found == times.end() || *found != first + s * step) return {};
      out.push_back(index_t(found - times.begin()));
    }
    return out;
  }
};

struct windows {
  at::Tensor x, dates;    // [n, T tokens channels] standardised, [n, T, 4]
  at::Tensor background;  // as x, if there is one: x is then the departure from it, standardised

  windows rows(index_t first, index_t n) const {
    return {x.narrow(0, first, n), dates.narrow(0, first, n), background.defined() ? background.narrow(0, first, n) : background};
  }
  void move_to(at::Device device) {
    x = x.to(device);
    if (background.defined()) background = background.to(device);
  }
};
// Standard normal numbers for each row of a batch, functions of the row's number in the whole batch.
at::Tensor noise_rows(index_t n, index_t columns, sda::key k, index_t first) {
  std::vector<at::Tensor> out;
  for (index_t r = 0; r < n; ++r) out.push_back(at::randn({columns}, sda::generator(k.fold(std::uint64_t(first + r)), at::kCPU)));
  return at::stack(out);
}

// What a section `background` says of windows of a dump: the states `lead` hours before, or, of another dump, as of forecasts valid then
// (`latents`, with a lead of 0), with white noise of `error` deviations.
struct background {
  latents const& all;
  std::optional<latents> other;
  hours lead;
  double error;
  latent_scale departures{};  // of standardised latents from it

  background(config const& section, latents const& of, std::vector<index_t> const& begin, index_t length, int step)
      : all(of), lead(section.get("lead", hours{0})), error(section.get("error", 0.0)) {
    std::filesystem::path const folder = section.get("latents", "");
    if (!folder.empty()) other.emplace(folder, false);
    require(error >= 0 && (lead > 0 || error > 0 || other), "denoiser.background has a lead of ", lead, " h and an error of ", error,
            ": it cannot be the state itself");
    require(!other || digest(autoencoder_file(folder)) == digest(autoencoder_file(all.folder)), folder.string(),
            " holds latents of another autoencoder");
    auto const d = plain(whole(begin, length, step)).to(at::kDouble);
    departures = {d.mean(c10::IntArrayRef{0, 1}).to(at::kFloat), (d.var(c10::IntArrayRef{0, 1}, true, false) + added()).sqrt().to(at::kFloat), 0};
  }

  latents const& dump() const { return other ? *other : all; }
  std::vector<index_t> rows(index_t begin, index_t length, int step) const { return dump().rows(all.times[std::size_t(begin)] - lead, length, step); }
  // Those of some windows whose backgrounds are whole.
  std::vector<index_t> whole(std::vector<index_t> const& begin, index_t length, int step) const {
    std::vector<index_t> out;
    std::copy_if(begin.begin(), begin.end(), std::back_inserter(out), [&](index_t i) { return !rows(i, length, step).empty(); });
    require(!out.empty(), "none of ", begin.size(), " windows has a background, ", lead, " h before");
    return out;
  }
  // Departures of windows' first states without noise, [windows, tokens, channels],
  at::Tensor plain(std::vector<index_t> const& begin) const {
    std::vector<index_t> then;
    for (index_t const i : begin) then.push_back(rows(i, 1, 1).front());
    auto const of = [&](latents const& some, std::vector<index_t> const& at) {
      return all.scale.standardised(some.states.index_select(0, at::tensor(at, at::kLong)));
    };
    return of(all, begin) - of(dump(), then);
  }
  // and what the noise of both, and the error, add to their variances.
  at::Tensor added() const { return 2 * (all.scale.noise / all.scale.deviation).square() + error * error; }
};

// The windows that begin at these rows of the dump; they are rows first, first + 1, ... of a batch.
windows gather(latents const& all, background const* given, std::vector<index_t> const& begin, index_t length, int step, sda::key k, index_t first) {
  auto const n = index_t(begin.size());
  auto const index = [&](auto const& rows) {
    std::vector<index_t> out;
    for (index_t const i : begin)
      for (index_t const r : rows(i)) out.push_back(r);
    return at::tensor(out, at::kLong);
  };
  auto const noised = [&](at::Tensor z, sda::key at) {
    if (all.scale.noise > 0) z = z + all.scale.noise * noise_rows(n, z.numel() / n, at, first).view(z.sizes());
    return all.scale.standardised(z);
  };
  auto const at = index([&](index_t i) { return all.rows(all.times[std::size_t(i)], length, step); });
  auto const dates = all.dates.index_select(0, at).view({n, length, 4});
  auto const x = noised(all.states.index_select(0, at), k);
  if (!given) return {x.reshape({n, -1}), dates, {}};
  auto const before = index([&](index_t i) { return given->rows(i, length, step); });
  auto b = noised(given->dump().states.index_select(0, before), k.fold(1).fold(0));
  if (given->error > 0) b = b + given->error * noise_rows(n, b.numel() / n, k.fold(1).fold(1), first).view(b.sizes());
  return {given->departures.standardised(x - b).reshape({n, -1}), dates, b.view({n, -1, b.size(2)})};
}

// Fits the Gaussian of the windows that begin at `starts`: its basis to four of five fortnights (or shorter blocks, if there are few),
// its variances to the fifth.
void fit(on_gaussian& net, latents const& all, background const* given, std::vector<index_t> const& starts, int step, sda::key k) {
  constexpr index_t fortnight = 14 * 24, batch = 256;
  index_t const length = net.length(), block = std::clamp<index_t>(std::ssize(starts) / 20, 1, fortnight);
  auto const batches = [&](bool held) {
    return [&, held](auto const& f) {
      std::vector<index_t> mine;
      for (std::size_t i = 0; i < starts.size(); i += std::size_t(std::max<index_t>(1, length / 2)))
        if ((index_t(i) / block % 5 == 4) == held) mine.push_back(starts[i]);
      for (index_t i = 0; i < std::ssize(mine); i += batch) {
        std::vector<index_t> const begin(mine.begin() + i, mine.begin() + std::min<index_t>(i + batch, std::ssize(mine)));
        f(gather(all, given, begin, length, step, k, i).x.view({std::ssize(begin), length, -1}));
      }
    };
  };
  net.estimate(batches(false), batches(true));
}

// 1 / (σ + p)² + 1
struct published_weight {
  double penalty;
  double operator()(sda::level l) const { return 1 / ((l.sigma + penalty) * (l.sigma + penalty)) + 1; }
};

// The loss of the Gaussian whose mean and variance are those of each cell and channel over the training period: what a network must beat.
double climatology_loss(at::Tensor const& mean, at::Tensor const& variance, at::Tensor const& x0, at::Tensor const& eps,
                        std::vector<sda::level> const& levels, published_weight const& weight) {
  double total = 0;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    double const s = levels[i].sigma;
    auto const x = x0[index_t(i)] + s * eps[index_t(i)];
    auto const denoised = mean + variance / (variance + s * s) * (x - mean);
    total += weight(levels[i]) * (denoised - x0[index_t(i)]).square().mean().item<double>();
  }
  return total / double(levels.size());
}

}  // namespace

void train_denoiser(config const& whole, training_options const& o, job const& ranks) {
  auto const section = whole.at("denoiser");
  auto const device = device_of(o.device);
  std::filesystem::path const dump = o.latents.empty() ? section.get("latent_dump", "") : o.latents;
  require(!dump.empty(), "no latent dump: give --latents or denoiser.latent_dump (made by `appa encode`)");
  latents const all(dump, section.get("train.inject_ae_noise", true));
  int const step_hours = section.get("train.blanket_dt", 1) * whole.get("data.step", 1);
  sda::key const k{o.seed};
  auto const schedule = schedule_of(section.at("train"));
  published_weight const weight{section.get("loss.sigma_min_penalty", 0.0)};
  json const stored =
      with_latents({{"data", whole.at("data").json()}, {"denoiser", section.json()}, {"hours", step_hours}, {"ae_noise", all.scale.noise}}, all.where,
                   all.states.size(2));
  training_loop loop{o, section, stored, ranks, {}, {}, {}, {}};
  std::vector<std::shared_ptr<backbone>> nets;
  for (int i = 0; i < section.get("train.workers", 1); ++i) {
    nets.push_back(backbone_from(stored));
    nets.back()->initialise(k.fold(0));
    loop.modules.push_back(nets.back());
  }
  index_t const length = nets.front()->length();
  auto starts = all.starts(parse_period(whole.get<std::string>("data.train")), length, step_hours);
  auto held = all.starts(parse_period(whole.get<std::string>("data.valid")), length, step_hours);
  std::optional<background> known;
  if (section.has("background")) {
    known.emplace(section.at("background"), all, starts, length, step_hours);
    starts = known->whole(starts, length, step_hours), held = known->whole(held, length, step_hours);
    auto const &mean = known->departures.mean, &deviation = known->departures.deviation;
    for (auto const& [name, numbers] : {std::pair{"mean", mean}, std::pair{"std", deviation}})
      loop.stored["departures"][name] = std::vector<float>(numbers.data_ptr<float>(), numbers.data_ptr<float>() + numbers.numel());
  }
  background const* const given = known ? &*known : nullptr;
  auto const based = std::dynamic_pointer_cast<on_gaussian>(nets.front());
  if (based) fit(*based, all, given, starts, step_hours, k.fold(3));
  for (auto const& net : nets) {
    for (auto const& b : nets.front()->named_buffers()) net->named_buffers()[b.key()].copy_(b.value());
    net->to(device);
  }

  windows now;
  at::Tensor eps;
  std::vector<sda::level> levels;
  loop.prepare = [&](std::int64_t step) {  // everything of the whole batch, of which a rank takes its rows
    auto const at_step = k.fold(1).fold(std::uint64_t(step));
    auto const n = loop.batch(), mine = n / ranks.size();
    std::vector<index_t> chosen;
    for (index_t i = mine * ranks.rank(); i < mine * (ranks.rank() + 1); ++i)
      chosen.push_back(starts[std::size_t(sda::uniform(at_step, i, 0) * double(starts.size()))]);
    auto const first = mine * ranks.rank();
    now = gather(all, given, chosen, length, step_hours, at_step.fold(0), first);
    eps = noise_rows(mine, now.x.size(1), at_step.fold(1), first).to(device);
    now.move_to(device);
    levels = sda::draw_levels(schedule, n, at_step.fold(2));
  };
  auto const loss_of = [&](auto const& f, windows const& w, at::Tensor const& noise, std::vector<sda::level> const& at) {
    return sda::denoising_loss([&](at::Tensor const& x, at::Tensor const& c) { return f(beside(x, w.background), c, w.dates); }, preconditioning,
                               weight, w.x, noise, at);
  };
  auto const forward_of = [](backbone const& net) { return [&net](auto const&... args) { return net.forward(args...); }; };
  loop.loss = [&](std::int64_t, std::size_t part) {  // levels are dealt out to the parts of all ranks, so that each sees all kinds
    auto const n = loop.rows(), parts = loop.batch() / n, mine = index_t(loop.parts()) * ranks.rank() + index_t(part), from = index_t(part) * n;
    std::vector<sda::level> seen;
    for (index_t r = 0; r < n; ++r) seen.push_back(levels[std::size_t(r * parts + mine)]);
    return loss_of(forward_of(*nets[part % nets.size()]), now.rows(from, n), eps.narrow(0, from, n), seen);
  };

  auto const trained = given ? given->departures.standardised(given->plain(starts))
                             : all.scale.standardised(all.states.index_select(0, at::tensor(starts, at::kLong)));
  auto const added = given ? given->added() / given->departures.deviation.square() : at::zeros({1});
  auto const mean = trained.mean(0, true).expand({length, -1, -1}).reshape({-1}),
             variance = (trained.var(0, false, true) + added).expand({length, -1, -1}).reshape({-1});
  loop.validate = [&](std::size_t samples) -> json {
    torch::NoGradGuard const off;
    auto const n = index_t(std::max<std::size_t>(samples, 1));
    auto const kv = k.fold(9);
    double total = 0, reference = 0, gaussian = 0;
    for (index_t i = 0; i < n; i += 16) {  // levels spread evenly over all of them
      std::vector<index_t> first;
      std::vector<sda::level> at;
      for (index_t j = i; j < std::min(n, i + 16); ++j)
        first.push_back(held[std::size_t(j * index_t(held.size()) / n)]), at.push_back(schedule((double(j) + 0.5) / double(n)));
      auto w = gather(all, given, first, length, step_hours, kv.fold(0), i);
      auto const noise = noise_rows(index_t(first.size()), w.x.size(1), kv.fold(1), i);
      reference += climatology_loss(mean, variance, w.x, noise, at, weight) * double(at.size());
      w.move_to(device);
      auto const loss = [&](auto const& f) { return loss_of(f, w, noise.to(device), at).template item<double>() * double(at.size()); };
      total += loss(forward_of(*nets.front()));
      if (based) gaussian += loss([&](auto const& x, auto const& c, auto const&) { return based->gaussian(x, c); });
    }
    json out = {{"loss", total / double(n)}, {"climatology", reference / double(n)}};
    if (based) out["gaussian"] = gaussian / double(n);
    return out;
  };
  loop.run();
}

}  // namespace appa
