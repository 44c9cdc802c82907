// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/safetensors.hpp>
#include <sda/torch/parameters.hpp>

#include <torch/torch.h>

namespace sda {

namespace detail {

inline constexpr std::pair<safetensors::dtype, at::ScalarType> torch_types[] = {
    {safetensors::dtype::boolean, at::kBool}, {safetensors::dtype::u8, at::kByte},       {safetensors::dtype::i8, at::kChar},
    {safetensors::dtype::i16, at::kShort},    {safetensors::dtype::i32, at::kInt},       {safetensors::dtype::i64, at::kLong},
    {safetensors::dtype::f16, at::kHalf},     {safetensors::dtype::bf16, at::kBFloat16}, {safetensors::dtype::f32, at::kFloat},
    {safetensors::dtype::f64, at::kDouble}};

}  // namespace detail

/// A stored tensor in memory of its own, on the CPU.
inline at::Tensor to_torch(safetensors::tensor const& t) {
  for (auto const& [stored, type] : detail::torch_types)
    if (stored == t.type) {
      auto out = at::empty(std::vector<std::int64_t>(t.shape.begin(), t.shape.end()), type);
      if (!t.bytes.empty()) std::memcpy(out.data_ptr(), t.bytes.data(), t.bytes.size());
      return out;
    }
  throw error(detail::text("to_torch: LibTorch has no tensors of ", safetensors::name(t.type)));
}

/// Writes tensors from any device, atomically; `metadata` as safetensors has it.
inline void write_tensors(std::filesystem::path const& path, named_tensors const& tensors, std::map<std::string, std::string> const& metadata = {}) {
  std::map<std::string, safetensors::tensor> out;
  std::vector<at::Tensor> kept;  // what the bytes below are borrowed from
  for (auto const& [name, t] : tensors) {
    auto const& host = kept.emplace_back(t.detach().to(at::kCPU).contiguous());
    auto const type =
        std::find_if(std::begin(detail::torch_types), std::end(detail::torch_types), [&](auto const& p) { return p.second == host.scalar_type(); });
    require(type != std::end(detail::torch_types), "write_tensors: \"", name, "\" is of a type safetensors has not");
    auto const sizes = host.sizes();
    out[name] = {type->first, {sizes.begin(), sizes.end()}, {static_cast<std::byte const*>(host.data_ptr()), std::size_t(host.nbytes())}};
  }
  safetensors::write(path, out, metadata);
}

/// Copies stored tensors into those of the same names, which say the shapes: every difference of names, shapes and kinds of
/// numbers (whole or not) is reported in one sda::error on `file`. `prefix` picks stored tensors and is not part of their names.
inline void read_tensors(std::string const& file, std::map<std::string, safetensors::tensor> const& stored, named_tensors const& into,
                         std::string const& prefix = "") {
  torch::NoGradGuard const off;
  std::string wrong;
  for (auto const& [name, t] : into)
    if (auto const found = stored.find(prefix + name); found == stored.end()) wrong += "\n  missing: " + prefix + name;
    else if (auto const& s = found->second; s.shape != t.sizes().vec())
      wrong += detail::text("\n  ", prefix, name, ": stored as ", c10::str(at::IntArrayRef(s.shape)), ", needed as ", c10::str(t.sizes()));
    else if (t.is_floating_point() != (s.type >= safetensors::dtype::f16))
      wrong += detail::text("\n  ", prefix, name, ": stored as ", safetensors::name(s.type), ", needed as ", at::toString(t.scalar_type()));
  for (auto const& [name, t] : stored)
    if (name.starts_with(prefix) && !into.count(name.substr(prefix.size()))) wrong += "\n  not needed: " + name;
  require(wrong.empty(), file, " does not fit:", wrong);
  for (auto const& [name, t] : into) at::Tensor(t).copy_(to_torch(stored.at(prefix + name)));
}
inline void read_tensors(safetensors::archive const& from, named_tensors const& into, std::string const& prefix = "") {
  read_tensors(from.path().string(), from.tensors(), into, prefix);
}

/// The parameters and buffers of a module, by name.
inline named_tensors state_of(torch::nn::Module const& module) {
  named_tensors out;
  for (auto const& p : module.named_parameters()) out[p.key()] = p.value();
  for (auto const& b : module.named_buffers()) out[b.key()] = b.value();
  return out;
}

}  // namespace sda
