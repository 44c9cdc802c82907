// SPDX-License-Identifier: Apache-2.0
// train-autoencoder, encode, train-denoiser
#include "training/train.hpp"

#include "commands.hpp"
#include "../../interrupt.hpp"

#include <memory>

namespace {

using namespace appa;

// A configuration file and words key=value after it.
struct chosen {
  std::string file;
  std::vector<std::string> words;
  config read() const { return file.empty() ? config::parse("", words) : config::read(file, words); }
};
void configuration_options(CLI::App& app, chosen& c, bool needed) {
  auto* const option =
      app.add_option("--config", c.file, "YAML file: configs/tiny.yaml, small.yaml, appa.yaml, or your own")->check(CLI::ExistingFile);
  if (needed) option->required();
  app.add_option("words", c.words, "key=value: replaces a value of the configuration, as autoencoder.optim.learning_rate=1e-4");
}

struct training_settings : training_options {
  chosen which;
};
void training_options_of(CLI::App& app, training_settings& s) {
  configuration_options(app, s.which, true);
  app.add_option("--out", s.out, "folder for weights, checkpoint and log")->required();
  app.add_flag("--resume", s.resume, "go on from the checkpoint in the folder, if there is one");
  app.add_option("--device", s.device, "cpu or cuda");
}
template <class Train> void start(training_settings& s, run_options const& run, Train const& train) {
  s.seed = run.seed;
  examples::catch_interrupts();
  auto const whole = s.which.read();
  on_job([&](job const& ranks) { train(whole, s, ranks); });
}

command const train_encoder("train-autoencoder", "trains the autoencoder on ERA5 states", [](CLI::App& app, run_options const& run) {
  auto s = std::make_shared<training_settings>();
  training_options_of(app, *s);
  app.add_option("--data", s->data, "NetCDF files, as names or patterns; default: data.files")->delimiter(',');
  app.add_option("--statistics", s->statistics, "what `appa stats` wrote; default: data.statistics");
  app.callback([s, &run] { start(*s, run, train_autoencoder); });
});

command const train_prior("train-denoiser", "trains the denoiser of windows of latent states", [](CLI::App& app, run_options const& run) {
  auto s = std::make_shared<training_settings>();
  training_options_of(app, *s);
  app.add_option("--latents", s->latents, "folder that `appa encode` wrote; default: denoiser.latent_dump");
  app.callback([s, &run] { start(*s, run, train_denoiser); });
});

struct encode_settings : encode_options {
  chosen which;
};
command const encode_states("encode", "writes the latent states of all hours, with their statistics", [](CLI::App& app, run_options const&) {
  auto s = std::make_shared<encode_settings>();
  configuration_options(app, s->which, false);
  app.add_option("--model", s->model, "folder of `appa train-autoencoder`, or a file of weights")->required();
  app.add_option("--out", s->out, "folder to write")->required();
  app.add_option("--data", s->data, "NetCDF files, as names or patterns; default: data.files")->delimiter(',');
  app.add_option("--statistics", s->statistics, "what `appa stats` wrote; default: data.statistics");
  app.add_option("--device", s->device, "cpu or cuda");
  app.add_option("--workers", s->workers, "threads that encode")->check(CLI::PositiveNumber);
  app.add_option("--residuals", s->residuals, "hours of the training period at which what the autoencoder leaves is measured; 0: nowhere")
      ->check(CLI::NonNegativeNumber);
  app.callback([s] {
    examples::catch_interrupts();
    encode(s->which.read(), *s);
  });
});

}  // namespace
