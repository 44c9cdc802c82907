// SPDX-License-Identifier: Apache-2.0
#include "assimilate/system.hpp"
#include "commands.hpp"
#include "data/dataset.hpp"
#include "data/state_file.hpp"
#include "network/dates.hpp"
#include "network/from_config.hpp"
#include "training/run.hpp"

#include <sda/core/progress.hpp>

#include <memory>

namespace {

using namespace appa;

struct settings {
  std::string model, out, statistics, over, device = "cpu";
  std::vector<std::string> data;
  int step = 1;
};

// An autoencoder's states of a period, as a run of one member: what `appa evaluate` says of them is what is lost on the way.
void reconstruct(settings const& s, run_options const& run) {
  torch::NoGradGuard const off;
  auto const file = model_file(s.model);
  auto const about = config_of(file);
  bool const described = about.has("standard.mean");
  sda::require(described || !s.statistics.empty(), file, " does not say how states are standardised: --statistics");
  auto const channels = about.has("data.variables") || described ? channels_of(about) : published_channels();
  auto const standard = !s.statistics.empty()
                          ? read_statistics(s.statistics, channels)
                          : statistics{channels, about.get<std::vector<double>>("standard.mean"), about.get<std::vector<double>>("standard.std")};
  auto const device = device_of(s.device);
  auto const net = autoencoder_from(about.json());
  load_weights(file, *net);
  net->eval(), net->to(device);

  auto const data = std::make_shared<archive const>(s.data, channels);
  period const over = parse_period(s.over);
  auto const points = data->where().points();
  std::filesystem::create_directories(std::filesystem::path(s.out) / "members");
  state_writer out(
      s.out + "/members/member_001.nc",
      {.where = data->where(), .channels = channels, .title = "What an autoencoder makes of states", .source = file, .history = run.line});
  sda::progress bar("reconstruct", long((over.size() + s.step - 1) / s.step));
  long done = 0;
  for (hours t = over.first; t <= over.last; t += s.step) {
    auto values = dataset(data, {t, t}, {}, standard)[0].values;
    auto const when = to_tensor(std::vector{date_of(t)});
    auto const x = at::from_blob(values.data(), {1, channels.size(), points}, at::kFloat).transpose(1, 2).contiguous().to(device);
    auto const y = net->decode(net->encode(x, when), when).transpose(1, 2).to(at::kCPU, at::kFloat).contiguous();
    std::span<float> const state(y.data_ptr<float>(), std::size_t(y.numel()));
    standard.restore(state, points);
    out.append(t, state);
    bar.at(++done);
  }
  out.commit();
}

command const reconstruction(
    "reconstruct", "what an autoencoder makes of true states, as a run of one member", [](CLI::App& app, run_options const& run) {
      auto s = std::make_shared<settings>();
      app.add_option("--model", s->model, "folder of `appa train-autoencoder`, or a file of weights")->required();
      app.add_option("--data", s->data, "NetCDF files of true states, as names or patterns")->required()->delimiter(',');
      app.add_option("--period", s->over, "which hours: 2020, 2020-03, 2020-01-01T06..2020-01-05")->required();
      app.add_option("--step", s->step, "hours from one state to the next")->check(CLI::PositiveNumber);
      app.add_option("--out", s->out, "folder to write")->required();
      app.add_option("--statistics", s->statistics, "file of `appa stats`; none: those that the weights name")->check(CLI::ExistingFile);
      app.add_option("--device", s->device, "cpu or cuda");
      app.callback([s, &run] { reconstruct(*s, run); });
    });

}  // namespace
