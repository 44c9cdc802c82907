// SPDX-License-Identifier: Apache-2.0
#include <sda/guidance/mmps.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/linear.hpp>
#include <sda/observation/masked.hpp>
#include <sda/torch/tensors.hpp>

#include "commands.hpp"
#include "config.hpp"
#include "network/from_config.hpp"
#include "network/gae.hpp"
#include "network/latent_prior.hpp"
#include "network/read_weights.hpp"

#include <cstdio>
#include <fstream>
#include <sstream>

// One module on tensors of a file: how weights are ported and checked.

namespace {

using namespace appa;

struct settings {
  std::string config, weights, module, inputs, outputs, device = "cpu", precision = "float32";
  int iterations = 2;
};

/// A run: what it was given, and what it has made.
class application {
 public:
  explicit application(settings const& s)
      : weights_(read_tensors(s.weights)), inputs_(read_tensors(s.inputs)), device_(s.device), type_(s.precision == "float64"    ? at::kDouble
                                                                                                     : s.precision == "bfloat16" ? at::kBFloat16
                                                                                                                                 : at::kFloat) {
    if (s.config.empty()) {
      sda::require(weights_.words.count("config") != 0, s.weights, " holds no configuration: give one with --config");
      config_ = nlohmann::json::parse(weights_.words.at("config"));
    } else {
      std::ifstream file(s.config);
      sda::require(file.good(), s.config, " cannot be read");
      std::stringstream text;
      text << file.rdbuf();
      config_ = appa::config::parse(text.str(), {}, false).json();
    }
  }

  bool given(std::string const& name) const { return inputs_.contains("inputs/" + name) || inputs_.contains(name); }
  at::Tensor input(std::string const& name) const {
    auto const t = sda::to_torch(inputs_.contains(name) ? inputs_[name] : inputs_["inputs/" + name]);
    return t.is_floating_point() ? t.to(device_, type_) : t;
  }
  std::vector<double> numbers(std::string const& name) const {
    auto const t = input(name).to(at::kCPU, at::kDouble).contiguous();
    return {t.data_ptr<double>(), t.data_ptr<double>() + t.numel()};
  }
  void output(std::string const& name, at::Tensor const& t) { made_["outputs/" + name] = t; }

  /// The autoencoder; one on a graph takes its points, date and context from the inputs.
  autoencoder_at ae() const {
    std::vector<std::array<double, 2>> points;
    auto const grid = given("pixel_grid") ? numbers("pixel_grid") : std::vector<double>();
    for (std::size_t i = 0; i + 1 < grid.size(); i += 2) points.push_back({grid[i], grid[i + 1]});
    auto const net = loaded(autoencoder_from(config_, points), "ae");
    if (auto const graph = std::dynamic_pointer_cast<gae>(net); graph && given("context"))
      graph->surroundings = [fields = input("context")](at::Tensor const&) { return fields; };
    return {net, given("date") ? input("date") : at::Tensor()};
  }
  /// The denoiser at the dates given.
  auto denoiser() const { return latent_prior{loaded(backbone_from(config_), "denoiser"), device_, type_}.at(input("date")); }
  /// f(x_t, level, k) for each noise level sigma[k]: x is a clean window if there is noise to add, else x_t.
  template <class F> void each_level(F const& f) const {
    auto const x = input("x");
    auto const sigma = numbers("sigma");
    for (std::size_t k = 0; k < sigma.size(); ++k) f(given("noise") ? x + sigma[k] * input("noise") : x, sda::level{1, sigma[k]}, std::to_string(k));
  }

  void write(std::string const& path) const {
    sda::write_tensors(path, made_, {{"config", config_.dump()}});
    std::printf("%s:", path.c_str());
    for (auto const& [name, t] : made_) std::printf(" %s", name.c_str());
    std::printf("\n");
  }

 private:
  // Weights stand alone in their file, or below weights/, or below weights/ae/ and weights/denoiser/.
  template <class Net> std::shared_ptr<Net> loaded(std::shared_ptr<Net> net, std::string const& of) const {
    auto const begins = [&](std::string const& prefix) {
      auto const at = weights_.tensors.lower_bound(prefix);
      return at != weights_.tensors.end() && at->first.starts_with(prefix);
    };
    auto const own = "weights/" + of + "/";
    read_weights(*net, weights_, begins(own) ? own : begins("weights/") ? "weights/" : "");
    convert(*net, device_, type_);
    net->eval();
    for (auto& p : net->parameters()) p.set_requires_grad(false);
    return net;
  }

  stored_tensors weights_, inputs_;
  nlohmann::json config_;
  at::Device device_;
  at::ScalarType type_;
  sda::named_tensors made_;
};

void encode(application& a) {
  torch::NoGradGuard const off;
  a.output("latent", a.ae().encode(a.input("x")));
}

void decode(application& a) {
  auto const f = [ae = a.ae()](at::Tensor const& z) { return ae.decode(z); };
  auto const z = a.input("z");
  if (a.given("x_cotangent")) a.output("decode_vjp", sda::traced(f, z).vjp(a.input("x_cotangent")));
  if (a.given("z_tangent")) a.output("decode_jvp", sda::traced(f, z).jvp(a.input("z_tangent")));
  torch::NoGradGuard const off;
  a.output("decoded", f(z));
}

void reconstruct(application& a) {
  torch::NoGradGuard const off;
  auto const ae = a.ae();
  a.output("reconstruction", ae.decode(ae.encode(a.input("x"))));
}

void denoise(application& a) {
  auto const d = a.denoiser();
  a.each_level([&](at::Tensor const& x, sda::level l, std::string const& k) {
    a.output("denoised_" + k, d(x, l));
    if (a.given("cotangent")) a.output("denoised_vjp_" + k, sda::linearize(d, x, l).vjp(a.input("cotangent")));
    if (a.given("tangent")) a.output("denoised_jvp_" + k, sda::linearize(d, x, l).jvp(a.input("tangent")));
  });
}

void guided_denoise(application& a, int iterations) {
  auto const error = [&](std::string const& name, at::Tensor const& y) {
    return sda::diagonal_error(a.input(name).reshape({1, -1}).expand({1, y.numel()}).contiguous());
  };
  auto const d = a.denoiser();
  auto const guided = [&](std::string const& name, auto const& op) {
    auto const y = a.input("y_" + name).reshape({1, -1});
    sda::observation const seen{op, y, error("var_y_" + name, y)};
    a.each_level([&](at::Tensor const& x, sda::level l, std::string const& k) {
      a.output(name + "/posterior_" + k + "_it" + std::to_string(iterations), sda::mmps{d, seen, sda::gmres{iterations}}(x, l));
    });
  };
  sda::require(a.given("y_mask") || a.given("y_dense"), "guided-denoise: neither y_mask with mask_indices nor y_dense with dense_operator are given");
  if (a.given("y_mask")) {
    auto const columns = a.input("mask_indices").contiguous();
    guided("mask", sda::masked(a.input("x"), {columns.data_ptr<std::int64_t>(), std::size_t(columns.numel())}, sda::columns(a.input("x"))));
  }
  if (a.given("y_dense")) guided("dense", sda::linear(a.input("dense_operator")));
}

command const apply("apply", "one module on tensors of a file: to port weights and to check them", [](CLI::App& app, run_options const& run) {
  auto s = std::make_shared<settings>();
  app.add_option("--module", s->module,
                 "encode: x -> latent; decode: z -> decoded; reconstruct: x -> reconstruction;\n"
                 "denoise: x, noise, sigma, date -> denoised_k; guided-denoise: also mask_indices, y_mask, var_y_mask")
      ->required()
      ->check(CLI::IsMember({"encode", "decode", "reconstruct", "denoise", "guided-denoise"}));
  app.add_option("--config", s->config, "YAML that describes the networks; none: what the weights say")->check(CLI::ExistingFile);
  app.add_option("--weights", s->weights, "safetensors or PyTorch file")->required()->check(CLI::ExistingFile);
  app.add_option("--inputs", s->inputs, "safetensors or PyTorch file")->required()->check(CLI::ExistingFile);
  app.add_option("--outputs", s->outputs, "safetensors file to write")->required();
  app.add_option("--device", s->device, "cpu or cuda");
  app.add_option("--precision", s->precision, "what is computed in")->check(CLI::IsMember({"float32", "float64"}));
  app.add_option("--iterations", s->iterations, "of GMRES, where guided")->check(CLI::PositiveNumber);
  app.callback([s, &run] {
    if (run.threads > 0) at::set_num_threads(run.threads);
    application a(*s);
    if (s->module == "encode") encode(a);
    else if (s->module == "decode") decode(a);
    else if (s->module == "reconstruct") reconstruct(a);
    else if (s->module == "denoise") denoise(a);
    else guided_denoise(a, s->iterations);
    a.write(s->outputs);
  });
});

}  // namespace
