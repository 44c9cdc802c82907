// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include <golden.hpp>
#include <sda/torch/soap.hpp>
#include <sda/torch/tensors.hpp>

using namespace sda;

namespace {

at::Tensor read(sda_test::golden const& g, std::string const& name) { return to_torch(g[name]).to(at::kDouble); }

// The parameters of the stored problems, those whose inputs are called ..._start.
flat_layout layout_of(sda_test::golden const& g) {
  flat_layout out;
  std::string const begin = "inputs/", end = "_start";
  for (auto const& [name, t] : g.tensors())
    if (name.size() > begin.size() + end.size() && name.rfind(begin, 0) == 0 && name.substr(name.size() - end.size()) == end)
      out.parts.push_back({name.substr(begin.size(), name.size() - begin.size() - end.size()), {t.shape.begin(), t.shape.end()}});
  return out;
}

// The gradient of ½|A vec(p) - b|² for every parameter p.
at::Tensor slopes(sda_test::golden const& g, flat_layout const& layout, at::Tensor const& values, int step) {
  std::vector<at::Tensor> out;
  for (auto const& [name, p] : layout.named(values)) {
    auto const a = read(g, "inputs/" + name + "_A"), b = read(g, "inputs/" + name + "_b");
    out.push_back(at::mv(a.t(), at::mv(a, p.flatten()) - b[step]));
  }
  return at::cat(out);
}

using optimiser = one_of<adamw, soap>;
optimiser made(nlohmann::json const& how) {
  if (how.at("optimizer") == "adamw") return {adamw{how.at("betas")[0], how.at("betas")[1], 1e-8, how.at("weight_decay")}};
  require(how.at("optimizer") == "soap" && !how.at("merge_dims").get<bool>(), "unknown optimiser ", how.dump());
  return {soap{how.at("betas")[0], how.at("betas")[1], how.at("betas")[2], 1e-8, how.at("weight_decay"), how.at("precondition_frequency"),
               how.at("precondition_size")}};
}
learning_rate rates_of(nlohmann::json const& how) {
  using shape = learning_rate::shape;
  std::map<std::string, shape> const shapes{{"linear", shape::linear}, {"cosine", shape::cosine}, {"exponential", shape::exponential}};
  return {how.at("learning_rate"), 0, how.at("warmup").is_null() ? 0 : how.at("warmup").get<std::int64_t>(), how.at("update_steps"),
          how.at("scheduler").is_null() ? shape::constant : shapes.at(how.at("scheduler"))};
}

}  // namespace

TEST_CASE("golden AdamW and SOAP runs are reproduced step by step, with their learning rates and clipping") {
  auto const files = sda_test::golden_files("optimizers_");
  if (files.empty()) SDA_SKIP("no stored optimiser runs");
  for (auto const& file : files) {
    sda_test::golden const g(file);
    auto const layout = layout_of(g);
    for (auto const& [run, how] : g.config.at("runs").items()) {
      INFO(file.filename().string() << " " << run);
      auto const rates = g.array("outputs/" + run + "/learning_rates"), norms = g.array("outputs/" + run + "/gradient_norms");
      double const limit = how.at("grad_clip").is_null() ? HUGE_VAL : how.at("grad_clip").get<double>();
      auto const rate = rates_of(how);
      auto const method = made(how);

      std::vector<at::Tensor> pieces;
      for (auto const& p : layout.parts) pieces.push_back(read(g, "inputs/" + p.name + "_start").flatten());
      auto const values = at::cat(pieces);
      auto memory = method.memory(layout, values);
      for (int k = 0; k < g.config.at("steps").get<int>(); ++k) {
        auto const gradient = slopes(g, layout, values, k);
        CHECK(clip_gradients(gradient, limit) == Approx(norms(0, k)).epsilon(g.tolerance()));
        CHECK(rate(k) == Approx(rates(0, k)).epsilon(1e-12));
        method.step(values, gradient, memory, rates(0, k));
        for (auto const& [name, p] : layout.named(values)) {
          auto const stored = "outputs/" + run + "/" + name + "_step" + std::to_string(k + 1);
          if (!g.contains(stored)) continue;
          auto const want = read(g, stored);
          CHECK((p - want).abs().max().item<double>() <= g.tolerance() * want.abs().max().item<double>());
        }
      }
      for (auto const& [name, factor] : memory.state(layout)) {  // factor/matrix/0
        auto const slash = name.rfind('/');
        auto const stored =
            "outputs/" + run + "/" + name.substr(name.find('/') + 1, slash - name.find('/') - 1) + "_factor" + name.substr(slash + 1) + "_final";
        if (name.rfind("factor/", 0) == 0 && g.contains(stored))
          CHECK((factor - read(g, stored)).abs().max().item<double>() <= g.tolerance() * factor.abs().max().item<double>());
      }
    }
  }
}
