// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>
#include <sda/safetensors.hpp>

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// Python's pickles as PyTorch writes them (protocol 2): a program for a stack machine. This reader knows only what tensors,
// numbers, text, lists, tuples and dictionaries need. Names of functions are compared with a short list and never called.

namespace appa::pickle {

using sda::index_t;

struct object;
/// An object of a document; the document owns it. Documents may contain loops.
using reference = object const*;

struct none {};
/// torch.FloatStorage and its kin: where in the archive the elements of tensors lie.
struct storage {
  sda::safetensors::dtype type;
  std::string key;
  index_t elements;
};
/// A view of a storage, its sizes and strides in elements. Every element lies inside the storage.
struct tensor {
  storage of;
  index_t offset;
  std::vector<index_t> shape, strides;
};
struct list {
  std::vector<reference> items;  // a tuple or a list
};
struct dictionary {
  std::vector<std::pair<reference, reference>> items;
};
/// Something that a name stands for, one of the few that are known.
struct global {
  std::string name;
};

struct object {
  std::variant<none, bool, std::int64_t, double, std::string, list, dictionary, storage, tensor, global> value;
};

/// What a pickle describes.
struct document {
  std::deque<object> objects;
  reference root = nullptr;
};

/// Reads a pickle; sda::error for anything damaged, unknown, or too large: no more objects than bytes, no more nesting than the
/// reader of the document allows.
document parse(std::span<std::byte const> bytes);

}  // namespace appa::pickle
