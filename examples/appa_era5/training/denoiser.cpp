// SPDX-License-Identifier: Apache-2.0
#include "assimilate/system.hpp"
#include "network/from_config.hpp"
#include "training/run.hpp"

#include <sda/calculus/schedule.hpp>
#include <sda/netcdf.hpp>

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

  explicit latents(std::filesystem::path const& folder, bool with_noise) {
    sda::netcdf::reader const file((folder / "era5.h5").string());
    auto const shape = file.dimensions("latents"), when = file.dimensions("dates");
    require(shape.size() == 3 && when.size() == 2 && when[0].size == shape[0].size && when[1].size == 4, file.path(),
            " is no latent dump: latents (time, token, channel), dates (time, 4)");
    states = at::tensor(file.read<float>("latents"), at::kFloat).view({shape[0].size, shape[1].size, shape[2].size});
    dates = at::tensor(file.read("dates"), at::kDouble).to(at::kLong).view({-1, 4});
    for (index_t i = 0; i < dates.size(0); ++i) {
      auto const* const d = dates.data_ptr<std::int64_t>() + 4 * i;
      times.push_back(hours_of({int(d[0]), int(d[1]), int(d[2]), int(d[3])}));
    }
    where = lattice_of(config_of(autoencoder_file(folder)).json());
    require(where.cells() == shape[1].size, file.path(), " has ", shape[1].size, " tokens, its autoencoder ", where.cells());
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
  at::Tensor x, dates;  // [n, T tokens channels] standardised, [n, T, 4]
};
// Standard normal numbers for each row of a batch, functions of the row's number in the whole batch.
at::Tensor noise_rows(index_t n, index_t columns, sda::key k, index_t first) {
  std::vector<at::Tensor> out;
  for (index_t r = 0; r < n; ++r) out.push_back(at::randn({columns}, sda::generator(k.fold(std::uint64_t(first + r)), at::kCPU)));
  return at::stack(out);
}

// The windows that begin at these rows of the dump; they are rows first, first + 1, ... of a batch.
windows gather(latents const& all, std::vector<index_t> const& begin, index_t length, int step, sda::key k, index_t first) {
  std::vector<index_t> index;
  for (index_t const i : begin)
    for (index_t const r : all.rows(all.times[std::size_t(i)], length, step)) index.push_back(r);
  auto const at = at::tensor(index, at::kLong);
  auto const n = index_t(begin.size());
  auto z = all.states.index_select(0, at);
  if (all.scale.noise > 0) z = z + all.scale.noise * noise_rows(n, z.numel() / n, k, first).view(z.sizes());
  return {all.scale.standardised(z).reshape({n, -1}), all.dates.index_select(0, at).view({n, length, 4})};
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

  json const stored = with_latents(
      {{"data", whole.at("data").json()}, {"denoiser", section.json()}, {"hours", step_hours}, {"ae_noise", all.scale.noise}}, all.where,
      all.states.size(2));
  training_loop loop{o, section, stored, ranks, {}, {}, {}, {}};
  std::vector<std::shared_ptr<backbone>> nets;
  for (int i = 0; i < section.get("train.workers", 1); ++i) {
    nets.push_back(backbone_from(stored));
    nets.back()->initialise(k.fold(0));
    nets.back()->to(device);
    loop.modules.push_back(nets.back());
  }
  index_t const length = nets.front()->length();
  auto const starts = all.starts(parse_period(whole.get<std::string>("data.train")), length, step_hours);
  auto const held = all.starts(parse_period(whole.get<std::string>("data.valid")), length, step_hours);

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
    now = gather(all, chosen, length, step_hours, at_step.fold(0), first);
    eps = noise_rows(mine, now.x.size(1), at_step.fold(1), first).to(device);
    now.x = now.x.to(device);
    levels = sda::draw_levels(schedule, n, at_step.fold(2));
  };
  auto const loss_of = [&](backbone const& net, windows const& w, at::Tensor const& noise, std::vector<sda::level> const& at) {
    return sda::denoising_loss([&](at::Tensor const& x, at::Tensor const& c) { return net.forward(x, c, w.dates); }, preconditioning, weight, w.x,
                               noise, at);
  };
  loop.loss = [&](std::int64_t, std::size_t part) {  // levels are dealt out to the parts of all ranks, so that each sees all kinds
    auto const n = loop.rows(), parts = loop.batch() / n, mine = index_t(loop.parts()) * ranks.rank() + index_t(part), from = index_t(part) * n;
    std::vector<sda::level> seen;
    for (index_t r = 0; r < n; ++r) seen.push_back(levels[std::size_t(r * parts + mine)]);
    return loss_of(*nets[part % nets.size()], {now.x.narrow(0, from, n), now.dates.narrow(0, from, n)}, eps.narrow(0, from, n), seen);
  };

  auto const trained = all.scale.standardised(all.states.index_select(0, at::tensor(starts, at::kLong)));
  auto const mean = trained.mean(0, true).expand({length, -1, -1}).reshape({-1}),
             variance = trained.var(0, false, true).expand({length, -1, -1}).reshape({-1});
  loop.validate = [&](std::size_t samples) -> json {
    torch::NoGradGuard const off;
    auto const n = index_t(std::max<std::size_t>(samples, 1));
    auto const kv = k.fold(9);
    double total = 0, reference = 0;
    for (index_t i = 0; i < n; i += 16) {  // levels spread evenly over all of them
      std::vector<index_t> first;
      std::vector<sda::level> at;
      for (index_t j = i; j < std::min(n, i + 16); ++j)
        first.push_back(held[std::size_t(j * index_t(held.size()) / n)]), at.push_back(schedule((double(j) + 0.5) / double(n)));
      auto w = gather(all, first, length, step_hours, kv.fold(0), i);
      auto const noise = noise_rows(index_t(first.size()), w.x.size(1), kv.fold(1), i);
      reference += climatology_loss(mean, variance, w.x, noise, at, weight) * double(at.size());
      w.x = w.x.to(device);
      total += loss_of(*nets.front(), w, noise.to(device), at).item<double>() * double(at.size());
    }
    return {{"loss", total / double(n)}, {"climatology", reference / double(n)}};
  };
  loop.run();
}

}  // namespace appa
