// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/safetensors.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace appa {

/// Tensors of a file, by name, and what else it says. Tensors borrow from it.
class stored_tensors {
 public:
  using tensor = sda::safetensors::tensor;

  std::filesystem::path path;
  std::map<std::string, tensor> tensors;
  std::map<std::string, std::string> words;  // metadata of safetensors; numbers and text of a .pth

  bool contains(std::string const& name) const { return tensors.count(name) != 0; }
  /// sda::error that lists the names there are.
  tensor const& operator[](std::string const& name) const;

  /// What the tensors' bytes lie in.
  std::shared_ptr<void const> kept;
};

/// A state_dict, or any nest of dictionaries and lists with tensors in them, as torch.save writes it since PyTorch 1.6: a ZIP of a
/// pickle and the bytes of storages. Names of nested tensors are joined by dots. Nothing of the file is executed, and nothing it
/// claims is believed unchecked: what does not fit is an sda::error.
stored_tensors read_state_dict(std::filesystem::path const& file);

/// Tensors of a .safetensors file (mapped into memory) or a PyTorch file, told apart by their first bytes.
stored_tensors read_tensors(std::filesystem::path const& file);

}  // namespace appa
