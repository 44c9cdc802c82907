// SPDX-License-Identifier: Apache-2.0
#include "config.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <numeric>
#include <sstream>

namespace appa {
namespace {

using nlohmann::json;

// Every key that something reads. A section is a heading in brackets; `*` stands below for a list of sections.
char const* const known_keys = R"(
[data] files context context_files statistics variables levels grid train valid test step
[ae] name in_channels context_channels shape resize saturation saturation_bound noise_level lat_channels hid_channels hid_blocks
 pixel_shuffle ffn_factor dropout patch_size checkpointing identity_init latent_shape latent_channels heads ico_divisions
 self_attention_hops self_attention_blocks use_hop_pooling pooling_area use_xfa
[backbone] name arch state latent_shape blanket_size mod_features hid_channels hid_blocks ffn_factor attention_heads qk_norm rope gaussian_rank patch_size
 window_size dropout checkpointing hidden_channels hidden_blocks heads self_attention_hops cross_attention_hops input_channels use_xfa
[train] update_steps batch_element_per_gpu batch_size_per_step precision log_interval save_interval shuffle_training trajectory_size
 sub_pressure_levels standardize blanket_dt blanket_size noise_schedule sigma_min sigma_max inject_ae_noise workers average
[loss] error latitude_weighting level_weighting variable_weights l2_weight sigma_min_penalty
[background] lead latents error
[valid] log_interval num_samples denoising_steps
[optim] optimizer betas learning_rate weight_decay scheduler warmup precondition_frequency precondition_size merge_dims grad_clip
[assimilation] members mirrored hours lead start spin_up predictions all_at_once every cycles memory
 guidance.name guidance.solver guidance.solve_in guidance.optimiser guidance.iterations guidance.tolerance guidance.preconditioned guidance.warm guidance.covariance
 guidance.gamma guidance.zeta guidance.lambda guidance.rate guidance.around guidance.particles guidance.resample
 guidance.length guidance.neighbours guidance.reach guidance.nugget guidance.width
 sampler.name sampler.corrector sampler.steps sampler.ahead sampler.jump sampler.passes sampler.corrections sampler.order sampler.delta sampler.eta
 windows.join windows.start windows.overlap windows.passes windows.held
 residual.observations residual.members
[.] ae_run latent_dump latent_data icosphere
)";

// The known paths: the sections of a run alone, as published configurations have them, and below autoencoder and denoiser.
std::vector<std::string> known_paths() {
  std::vector<std::string> out{"observations"};  // a list, whose entries have readers of their own
  std::istringstream words(known_keys);
  std::string section;
  for (std::string word; words >> word;) {
    if (word.front() == '[') {
      section = word == "[.]" ? "" : word.substr(1, word.size() - 2) + ".";
      continue;
    }
    out.push_back(section + word);
    if (section != "data." && section != "assimilation.")
      for (std::string const run : {"autoencoder.", "denoiser."}) out.push_back(run + section + word);
  }
  return out;
}

// Letters to change, insert, leave out or swap with a neighbour.
std::size_t distance(std::string const& a, std::string const& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d.back().back();
}

void find_unknown(json const& tree, std::string const& path, std::vector<std::string> const& known, std::string& wrong) {
  for (auto const& [key, value] : tree.items()) {
    auto const here = path + key;
    if (std::find(known.begin(), known.end(), here) != known.end()) continue;
    bool const section = std::any_of(known.begin(), known.end(), [&](auto const& k) { return k.rfind(here + ".", 0) == 0; });
    if (section && value.is_object()) {
      find_unknown(value, here + ".", known, wrong);
      continue;
    }
    if (section && value.is_null()) continue;
    auto const nearest =
        *std::min_element(known.begin(), known.end(), [&](auto const& a, auto const& b) { return distance(here, a) < distance(here, b); });
    wrong += section ? "\n  " + here + " is a section, not a value" : "\n  there is no " + here + "; the nearest is " + nearest;
  }
}

json scalar(YAML::Node const& node) {
  auto const& s = node.Scalar();
  if (node.Tag() == "!") return s;  // it was quoted
  if (s.empty() || s == "~" || s == "null" || s == "Null" || s == "NULL") return nullptr;
  if (s == "true" || s == "True" || s == "TRUE") return true;
  if (s == "false" || s == "False" || s == "FALSE") return false;
  char const *begin = s.data() + (s.front() == '+'), *const end = s.data() + s.size();
  std::int64_t whole;
  if (auto const r = std::from_chars(begin, end, whole); r.ec == std::errc() && r.ptr == end) return whole;
  double number;
  if (auto const r = std::from_chars(begin, end, number, std::chars_format::general);
      r.ec == std::errc() && r.ptr == end && std::isdigit(*(end - 1) == '.' ? '0' : *(end - 1)))
    return number;
  return s;
}

// YAML's references can make a small text a huge tree, or an endless one.
json converted(YAML::Node const& node, int depth, int& left) {
  sda::require(depth < 32 && --left > 0, "a configuration of more than 32 levels or 100000 values");
  if (node.IsMap()) {
    json out = json::object();
    for (auto const& item : node) {
      sda::require(item.first.IsScalar(), "a configuration with a key that is no word");
      sda::require(!out.contains(item.first.Scalar()), "a configuration that names ", item.first.Scalar(), " twice");
      out[item.first.Scalar()] = converted(item.second, depth + 1, left);
    }
    return out;
  }
  if (node.IsSequence()) {
    json out = json::array();
    for (auto const& item : node) out.push_back(converted(item, depth + 1, left));
    return out;
  }
  return node.IsScalar() ? scalar(node) : json();
}
json load(std::string const& yaml, std::string const& what) {
  try {
    int left = 100'000;
    return converted(YAML::Load(yaml), 0, left);
  } catch (YAML::Exception const& e) { throw sda::error(what + " is no YAML: " + e.what()); }
}

void override(json& tree, std::string const& word) {
  auto const equals = word.find('=');
  sda::require(equals != std::string::npos && equals > 0, "\"", word, "\" is not of the form key=value");
  json* here = &tree;
  std::istringstream path(word.substr(0, equals));
  for (std::string step; std::getline(path, step, '.');) {
    sda::require(!step.empty() && (here->is_object() || here->is_null()), "\"", word, "\" leads through a value that is no section");
    here = &(*here)[step];
  }
  *here = load(word.substr(equals + 1), "\"" + word + "\"");
}

void emit(YAML::Emitter& out, json const& j) {
  if (j.is_object()) {
    out << YAML::BeginMap;
    for (auto const& [key, value] : j.items()) {
      out << YAML::Key << key << YAML::Value;
      emit(out, value);
    }
    out << YAML::EndMap;
  } else if (j.is_array()) {
    out << YAML::Flow << YAML::BeginSeq;
    for (auto const& value : j) emit(out, value);
    out << YAML::EndSeq;
  } else if (j.is_string()) {
    auto const text = j.get<std::string>();
    bool const plain = scalar(YAML::Node(text)).is_string();  // what would be read as something else is quoted
    out << (plain ? YAML::Auto : YAML::DoubleQuoted) << text;
  } else if (j.is_null()) {
    out << YAML::Null;
  } else {
    out << j.dump();
  }
}

}  // namespace

config config::parse(std::string const& yaml, std::vector<std::string> const& overrides, bool strict) {
  auto tree = load(yaml, "the configuration");
  if (tree.is_null()) tree = json::object();
  sda::require(tree.is_object(), "a configuration is a map of sections");
  for (auto const& word : overrides) override(tree, word);
  std::string wrong;
  static auto const known = known_paths();
  if (strict) find_unknown(tree, "", known, wrong);
  sda::require(wrong.empty(), "the configuration has unknown keys:", wrong);
  return config(std::move(tree));
}

config config::read(std::filesystem::path const& file, std::vector<std::string> const& overrides) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  sda::require(in.good(), "cannot read ", file.string());
  try {
    return parse(text.str(), overrides);
  } catch (sda::error const& e) { throw sda::error(file.string() + ": " + e.what()); }
}

std::string config::yaml() const {
  YAML::Emitter out;
  emit(out, tree_);
  return std::string(out.c_str()) + "\n";
}

nlohmann::json const* config::find(std::string const& path) const {
  nlohmann::json const* here = &tree_;
  std::istringstream steps(path);
  for (std::string step; std::getline(steps, step, '.');) {
    auto const found = here->is_object() ? here->find(step) : here->end();
    if (found == here->end()) return nullptr;
    here = &*found;
  }
  return here->is_null() ? nullptr : here;
}

}  // namespace appa
