// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include <golden.hpp>
#include <sda/torch/optimise.hpp>
#include <sda/torch/tensors.hpp>

using namespace sda;

TEST_CASE("golden AdamW runs are reproduced step by step, with their learning rates and clipping") {
  auto const files = sda_test::golden_files("optimizers_");
  if (files.empty()) SDA_SKIP("no stored optimiser runs");
  for (auto const& file : files) {
    sda_test::golden const g(file);
    auto const read = [&](std::string const& name) { return to_torch(g[name]).to(at::kDouble); };
    std::vector<std::string> parameters;
    for (auto const& [name, t] : g.tensors())
      if (name.rfind("inputs/", 0) == 0 && name.size() > 6 && name.substr(name.size() - 6) == "_start") parameters.push_back(name.substr(7, name.size() - 13));
    for (auto const& [run, how] : g.config.at("runs").items()) {
      if (how.at("optimizer") != "adamw") continue;
      INFO(file.filename().string() << " " << run);
      auto const rates = g.array("outputs/" + run + "/learning_rates"), norms = g.array("outputs/" + run + "/gradient_norms");
      bool const linear = how.at("scheduler") == "linear";
      learning_rate const rate{how.at("learning_rate"), 0, how.at("warmup"), how.at("update_steps"),
                               linear ? learning_rate::shape::linear : learning_rate::shape::constant};
      double const limit = how.at("grad_clip").is_null() ? HUGE_VAL : how.at("grad_clip").get<double>();
      adamw const optimiser{how.at("betas")[0], how.at("betas")[1], 1e-8, how.at("weight_decay")};

      std::vector<at::Tensor> pieces;
      for (auto const& p : parameters) pieces.push_back(read("inputs/" + p + "_start").flatten());
      auto const values = at::cat(pieces);
      auto memory = optimiser.memory(values);
      for (int k = 0; k < g.config.at("steps").get<int>(); ++k) {
        std::vector<at::Tensor> slopes;
        std::int64_t offset = 0;
        for (auto const& p : parameters) {
          auto const a = read("inputs/" + p + "_A"), b = read("inputs/" + p + "_b");
          slopes.push_back(at::mv(a.t(), at::mv(a, values.narrow(0, offset, a.size(1))) - b[k]));
          offset += a.size(1);
        }
        auto const gradient = at::cat(slopes);
        CHECK(clip_gradients(gradient, limit) == Approx(norms(0, k)).epsilon(g.tolerance()));
        if (how.at("scheduler").is_null() || linear) CHECK(rate(k) == Approx(rates(0, k)).epsilon(1e-12));
        optimiser.step(values, gradient, memory, rates(0, k));
        offset = 0;
        for (auto const& p : parameters) {
          auto const name = "outputs/" + run + "/" + p + "_step" + std::to_string(k + 1);
          auto const length = read("inputs/" + p + "_start").numel();
          if (g.contains(name)) {
            auto const want = read(name).flatten();
            double const scale = want.abs().max().item<double>();
            CHECK((values.narrow(0, offset, length) - want).abs().max().item<double>() <= g.tolerance() * scale);
          }
          offset += length;
        }
      }
    }
  }
}
