// SPDX-License-Identifier: Apache-2.0
#include "assimilate/tasks.hpp"

#include "assimilate/session.hpp"
#include "data/fingerprint.hpp"
#include "data/sea.hpp"
#include "training/run.hpp"

#include <algorithm>

namespace appa {

using nlohmann::json;
using sda::require;
namespace fs = std::filesystem;

session::session(config const& whole, task_options const& o, job const& ranks)
    : chosen_(whole.at("assimilation")), observations_(whole.json().value("observations", json::array())), o_(o), ranks_(ranks),
      system_(o.dry && o.model.latents.empty() ? untrained_system(whole, o.model.device) : load_system(o.model)),
      departing_(o.analysis.empty() ? std::optional<trained_system>()
                                    : load_system({o.model.latents, o.analysis, o.model.device, o.model.statistics})) {
  bool const may_depart = o.task == "reanalyse" || o.task == "filter" || o.task == "prior";
  require(may_depart || !system_.takes_background(), "this denoiser draws departures from a background (denoiser.background), with which a ", o.task,
          " cannot begin: give --denoiser one without, and this to cycle's --analysis-denoiser");
  require(!departing_ || departing_->takes_background(), o.analysis,
          " was trained without a background (denoiser.background): analyses need no denoiser of their own");
  require(!departing_ || departing_->step == system_.step, "states are ", system_.step, " hours apart, and ", departing_ ? departing_->step : 0,
          " in ", o.analysis);
  if (departing_) departing_->residual = system_.residual;  // in memory once
  require(o.background.empty() || analysing().takes_background(), "--background is given, and no denoiser takes one (denoiser.background)");
  if (!o.data.empty()) data_ = std::make_shared<archive>(o.data, system_.channels);
  require(!data_ || same(data_->where(), system_.where), "the files have ", text(data_ ? data_->where() : system_.where), ", the model ",
          text(system_.where));
  scene_ = {system_.where, system_.channels, system_.standard, {}};
  if (data_) scene_.sea = sea_of(*data_);
  for (auto const& run : {o.from, o.background.empty() ? std::string() : o.background.front()})  // else what was made with data knows it
    if (auto const mean = fs::path(run) / "mean.nc"; scene_.sea.empty() && !run.empty() && fs::exists(mean)) {
      scene_.sea = sea_of(archive({mean.string()}, system_.channels));
      if (std::find(scene_.sea.begin(), scene_.sea.end(), 0) == scene_.sea.end()) scene_.sea.clear();  // or does not
    }
  if (o.dry && scene_.sea.empty()) scene_.sea.assign(std::size_t(system_.where.points()), 1);
  chosen_.json().get_to(how_);
  how_.mirrored = chosen_.get("mirrored", false);
  if (chosen_.get("all_at_once", false)) how_.windows.join = "causal";
  check(how_, system_.length()), check(how_, analysing().length());
  predictions_ = chosen_.get("predictions", system_.length() / 2);
  require(predictions_ > 0 && predictions_ < system_.length(), "assimilation.predictions is ", predictions_, " in windows of ", system_.length(),
          " states");
  if (o.dry) return;
  for (auto const& [name, file] :
       {std::pair<char const*, std::string>{"autoencoder", autoencoder_file(o.model.latents)}, {"denoiser", model_file(o.model.model)}})
    weights_[name] = digest(file);
  if (departing_) weights_["analysis"] = digest(model_file(o.analysis));
  if (system_.residual && (how_.residual.observations || how_.residual.members))
    weights_["residuals"] = digest(fs::path(o.model.latents) / "residuals.safetensors");
}

// What decides a member's numbers.
json session::configuration() const {
  auto assimilation = chosen_.json();
  assimilation.erase("members"), assimilation.erase("cycles");
  return {{"assimilation", assimilation}, {"observations", observations_}};
}

void run_task(config const& whole, task_options const& o, job const& ranks) {
  torch::NoGradGuard const off;
  require(!o.first.empty(), "no date: --first");
  session const all(whole, o, ranks);
  for (auto const& words : o.first) {
    auto const date = hours_of(parse_date(words));
    auto const folder = o.first.size() == 1 ? fs::path(o.out) : fs::path(o.out) / text(date);
    if (o.task == "cycle") all.cycle(date, folder);
    else all.run(all.planned(date), folder);
  }
}

}  // namespace appa
