// SPDX-License-Identifier: Apache-2.0
#include "golden_torch.hpp"

#include "network/cae.hpp"
#include "network/gae.hpp"
#include "network/graphdit.hpp"
#include "network/latent_prior.hpp"
#include "network/vidit.hpp"

using namespace appa;
using namespace sda_test;

namespace {

/// Every file of a kind, in double and in float: f(file, type).
template <class F> void each_file(std::string const& kind, F const& f) {
  auto const files = sda_test::golden_files(kind);
  if (files.empty()) SDA_SKIP("no " + kind + "* reference values");
  for (auto const& path : files)
    for (auto const type : {at::kDouble, at::kFloat}) f(golden(path), type);
}

void compare_gradients(golden const& file, std::string const& prefix, at::Tensor const& loss, torch::nn::Module const& net) {
  std::vector<at::Tensor> parameters;
  for (auto const& p : net.named_parameters()) parameters.push_back(p.value());
  auto const gradients = torch::autograd::grad({loss}, parameters);
  std::size_t i = 0;
  for (auto const& p : net.named_parameters()) compare(file, prefix + p.key(), gradients[i++]);
}

vidit_options transformer_of(golden const& file) {
  auto options = file.config["backbone"].get<vidit_options>();
  file.config["latent_shape"].get_to(options.state);
  return options;
}

/// The posterior mean of all rows at sigma, and products with its Jacobian.
template <class Net> void compare_denoiser(golden const& file, std::shared_ptr<Net> const& net, at::ScalarType type) {
  auto const input = [&](char const* name) { return stored(file, std::string("inputs/") + name, type); };
  auto const d = latent_prior{net, at::kCPU, type}.at(input("date"));
  auto const sigma = file["inputs/sigma"].as<double>();
  for (std::size_t k = 0; k < sigma.size(); ++k) {
    auto const number = std::to_string(k);
    auto const at_x = sda::linearize(d, input("x") + sigma[k] * input("noise"), sda::level{1, sigma[k]});
    compare(file, "denoised_" + number, at_x.value());
    compare(file, "denoised_vjp_" + number, at_x.vjp(input("cotangent")));
    if (file.contains("inputs/tangent")) compare(file, "denoised_jvp_" + number, at_x.jvp(input("tangent")));
  }
}

}  // namespace

TEST_CASE("golden: the convolutional autoencoder, step by step, with its derivatives") {
  each_file("cae_", [](golden const& file, at::ScalarType type) {
    auto options = file.config["ae"].get<cae_options>();
    for (bool const checkpointing : {false, true}) {
      options.checkpointing = checkpointing;
      cae net(options);
      load_weights(net, file, type);
      auto const input = [&](char const* name) { return stored(file, std::string("inputs/") + name, type); };
      auto const x = input("x"), z = input("z");

      auto const padded = net.pad(cae::image(x, options.shape));
      compare(file, "padded", padded);
      auto const raw = cae::tokens(net.descend(padded));
      compare(file, "latent_unsaturated", raw);
      compare(file, "latent", net.encode(x));
      compare(file, "decoded_full", cae::tokens(net.ascend(cae::image(z, net.cells()))));
      compare(file, "decoded", net.decode(z));
      compare(file, "reconstruction", net.decode(net.encode(x)));
      for (char const* const kind : {"softclip", "softclip2", "tanh", "asinh"})
        compare(file, std::string("saturate_") + kind, saturation{kind, options.saturate.bound}(input("saturation_points")));
      compare(file, "saturate_rmsnorm", saturation{"rmsnorm"}(z));

      sda::traced const encoding([&](at::Tensor const& a) { return net.encode(a); }, x),
          decoding([&](at::Tensor const& a) { return net.decode(a); }, z);
      compare(file, "encode_vjp", encoding.vjp(input("z_cotangent")));
      compare(file, "encode_jvp", encoding.jvp(input("x_tangent")));
      compare(file, "decode_vjp", decoding.vjp(input("x_cotangent")));
      compare(file, "decode_jvp", decoding.jvp(input("z_tangent")));

      auto const weights = stored(file, "outputs/latitude_weights", type).view({-1, 1, 1});
      auto const error = (net.decode(net.encode(x)) - x).view({x.size(0), options.shape[0], options.shape[1], -1});
      auto const loss = (weights * error.square()).mean();
      compare(file, "loss_mse", loss);
      compare(file, "loss_mae", (weights * error.abs()).mean());
      compare_gradients(file, "loss_mse_grad/", loss, net);
    }
  });
}

TEST_CASE("golden: the space-time vision transformer, step by step, its denoiser and its training loss") {
  each_file("vidit_", [](golden const& file, at::ScalarType type) {
    auto options = transformer_of(file);
    for (bool const checkpointing : {false, true}) {
      options.checkpointing = checkpointing;
      auto const net = std::make_shared<vidit>(options);
      load_weights(*net, file, type);
      auto const input = [&](char const* name) { return stored(file, std::string("inputs/") + name, type); };
      auto const x = input("x"), dates = input("date"), time = input("backbone_time"), where = net->coordinates().to(type);

      compare(file, "date_channels", date_channels(dates).to(type));
      compare(file, "token_coordinates", where);
      compare(file, "positional_embedding", net->embedding(where));
      compare(file, "modulation_input", net->level_features(time)[0]);
      if (file.contains("outputs/attention_mask")) {
        auto mask = at::zeros({where.size(0), where.size(0)}, at::kLong);
        for (auto const& g : net->seen().groups) mask.index_put_({g.queries.unsqueeze(1), g.keys}, at::ones({}, at::kLong));
        CHECK(at::equal(mask, stored(file, "outputs/attention_mask").to(at::kLong)));
      }
      auto const& block = *net->blocks().front();
      compare(file, "block0_modulation", block.modulation(net->level_features(time))[0].view({4, -1}));
      compare(file, "backbone_output", net->forward(x, time, dates));
      compare_denoiser(file, net, type);

      auto const sigma = file["inputs/sigma_per_item"].as<double>();
      std::vector<sda::level> levels;
      for (double const s : sigma) levels.push_back({1, s});
      auto const f = [&](at::Tensor const& a, at::Tensor const& c) { return net->forward(a, c, dates); };
      auto const loss = sda::denoising_loss(f, preconditioning, sda::weight_of_f{}, x, input("noise"), levels);
      compare(file, "loss", loss);
      compare_gradients(file, "loss_grad/", loss, *net);
    }
  });
}

TEST_CASE("golden: the graph autoencoder and its decoder's derivatives") {
  each_file("gae_", [](golden const& file, at::ScalarType type) {
    std::vector<std::array<double, 2>> pixels;
    auto const grid = file["inputs/pixel_grid"].as<double>();
    for (std::size_t i = 0; i + 1 < grid.size(); i += 2) pixels.push_back({grid[i], grid[i + 1]});
    auto const input = [&](char const* name) { return stored(file, std::string("inputs/") + name, type); };
    auto const dates = input("date"), fields = input("context"), z = input("z");
    for (bool const checkpointing : {false, true}) {
      auto options = file.config["ae"].get<gae_options>();
      options.checkpointing = checkpointing;
      gae net(options, pixels);
      fit_edges(net, file, "weights/");
      load_weights(net, file, type);
      compare(file, "date_features", net.date_features(dates).to(type));
      compare(file, "latent", net.encode(input("x"), dates, fields));
      sda::traced const decoding([&](at::Tensor const& a) { return net.decode(a, dates, fields); }, z);
      compare(file, "decoded", decoding.value());
      compare(file, "decode_vjp", decoding.vjp(input("x_cotangent")));
      compare(file, "decode_jvp", decoding.jvp(input("z_tangent")));
    }
  });
}

TEST_CASE("golden: the space-time graph transformer and its denoiser") {
  each_file("graphdit_", [](golden const& file, at::ScalarType type) {
    auto options = file.config["backbone"].get<graphdit_options>();
    file.config["icosphere"].get_to(options.icosphere);
    file.config["train"]["blanket_size"].get_to(options.blanket_size);
    for (bool const checkpointing : {false, true}) {
      options.checkpointing = checkpointing;
      auto const net = std::make_shared<graphdit>(options);
      fit_edges(*net, file, "weights/");
      load_weights(*net, file, type);
      auto const input = [&](char const* name) { return stored(file, std::string("inputs/") + name, type); };
      compare(file, "context_features_first_item", net->context(input("date"))[0].to(type));
      compare(file, "backbone_output", net->forward(input("x"), input("backbone_time"), input("date")));
      compare_denoiser(file, net, type);

      auto const named = sda::state_of(*net);
      index_t const nodes = named.at("grid_coord").size(0), all = options.blanket_size * nodes;
      auto const edges = edges_in_time(named.at("blocks.0.self_edges"), named.at("blocks.0.cross_edges"), options.blanket_size, nodes);
      auto const sorted = std::get<0>(at::sort(edges.select(1, 0) * all + edges.select(1, 1)));
      CHECK(at::equal(sorted, stored(file, "outputs/spatio_temporal_edges_sorted").to(at::kLong)));
    }
  });
}
