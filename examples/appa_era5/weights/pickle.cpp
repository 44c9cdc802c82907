// SPDX-License-Identifier: Apache-2.0
#include "pickle.hpp"

#include <sda/core/error.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <optional>

namespace appa::pickle {
namespace {

using sda::require;
using sda::safetensors::dtype;

std::map<std::string, dtype> const storages{{"torch FloatStorage", dtype::f32}, {"torch DoubleStorage", dtype::f64},
                                            {"torch HalfStorage", dtype::f16},  {"torch BFloat16Storage", dtype::bf16},
                                            {"torch LongStorage", dtype::i64},  {"torch IntStorage", dtype::i32},
                                            {"torch ShortStorage", dtype::i16}, {"torch CharStorage", dtype::i8},
                                            {"torch ByteStorage", dtype::u8},   {"torch BoolStorage", dtype::boolean}};
char const* const callables[] = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "torch Size",
                                 "torch.jit._pickle restore_type_tag"};

// The stack machine. Opcodes are those of Python's pickle documentation.
class machine {
 public:
  explicit machine(std::span<std::byte const> bytes) : bytes_(bytes) {}

  document run() {
    for (;;) {
      auto const opcode = take<std::uint8_t>();
      if (opcode == '.') break;
      step(opcode);
    }
    out_.root = pop();
    return std::move(out_);
  }

 private:
  std::span<std::byte const> bytes_;
  std::size_t at_ = 0;
  document out_;
  std::vector<reference> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint32_t, reference> memo_;

  template <class T> T take() {
    T x;
    std::memcpy(&x, raw(sizeof(T)).data(), sizeof(T));
    return x;
  }
  std::span<std::byte const> raw(std::size_t n) {
    require(n <= bytes_.size() - at_, "pickle: ends within an instruction at byte ", at_);
    at_ += n;
    return bytes_.subspan(at_ - n, n);
  }
  std::string text(std::size_t n) {
    auto const b = raw(n);
    return {reinterpret_cast<char const*>(b.data()), n};
  }
  std::string line() {
    auto const rest = bytes_.subspan(at_);
    auto const end = std::find(rest.begin(), rest.begin() + std::ptrdiff_t(std::min<std::size_t>(rest.size(), 200)), std::byte('\n'));
    require(end != rest.end() && *end == std::byte('\n'), "pickle: a name without end at byte ", at_);
    auto out = text(std::size_t(end - rest.begin()));
    ++at_;
    return out;
  }

  template <class T> reference make(T value) { return &out_.objects.emplace_back(object{std::move(value)}); }
  template <class T> void push(T value) { stack_.push_back(make(std::move(value))); }
  reference pop() {
    require(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "pickle: takes from an empty stack at byte ", at_);
    auto const top = stack_.back();
    stack_.pop_back();
    return top;
  }
  std::vector<reference> pop_mark() {
    require(!marks_.empty(), "pickle: lacks a mark at byte ", at_);
    std::vector<reference> items(stack_.begin() + std::ptrdiff_t(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  // What stands on top of the stack, to be added to: everything is owned by out_, which is not const.
  template <class T> T& top(char const* what) {
    require(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "pickle: takes from an empty stack at byte ", at_);
    auto* const held = std::get_if<T>(&const_cast<object*>(stack_.back())->value);
    require(held != nullptr, "pickle: adds to what is no ", what, " at byte ", at_);
    return *held;
  }
  template <class T> T const& as(reference o, char const* what) const {
    auto const* const held = std::get_if<T>(&o->value);
    require(held != nullptr, "pickle: has something else where ", what, " belongs, at byte ", at_);
    return *held;
  }

  void remember(std::uint32_t key) {
    require(!stack_.empty(), "pickle: remembers nothing at byte ", at_);
    memo_[key] = stack_.back();
  }
  void recall(std::uint32_t key) {
    auto const found = memo_.find(key);
    require(found != memo_.end(), "pickle: recalls what it never saw at byte ", at_);
    stack_.push_back(found->second);
  }
  void tuple(std::size_t n) {
    list items;
    for (std::size_t i = 0; i < n; ++i) items.items.push_back(pop());
    std::reverse(items.items.begin(), items.items.end());
    push(std::move(items));
  }
  void set_items(std::vector<reference> const& items) {
    require(items.size() % 2 == 0, "pickle: a key without a value at byte ", at_);
    auto& d = top<dictionary>("dictionary");
    for (std::size_t i = 0; i < items.size(); i += 2) d.items.emplace_back(items[i], items[i + 1]);
  }

  void step(std::uint8_t opcode) {
    switch (opcode) {
      case 0x80: {
        auto const protocol = take<std::uint8_t>();
        require(protocol <= 2, "pickle: is of protocol ", int(protocol), ", which weights are not written in");
        return;
      }
      case '(': return marks_.push_back(stack_.size());
      case '0': return void(pop());
      case 'N': return push(none{});
      case 0x88: return push(true);
      case 0x89: return push(false);
      case 'J': return push(std::int64_t(take<std::int32_t>()));
      case 'K': return push(std::int64_t(take<std::uint8_t>()));
      case 'M': return push(std::int64_t(take<std::uint16_t>()));
      case 0x8a: return push(long_integer(take<std::uint8_t>()));
      case 'G': return push(std::bit_cast<double>(__builtin_bswap64(take<std::uint64_t>())));
      case 'X': return push(text(take<std::uint32_t>()));
      case 'U': return push(text(take<std::uint8_t>()));
      case ']': return push(list{});
      case ')': return push(list{});
      case '}': return push(dictionary{});
      case 'a': {
        auto const item = pop();
        return top<list>("list").items.push_back(item);
      }
      case 'e': {
        auto const items = pop_mark();
        auto& l = top<list>("list");
        return void(l.items.insert(l.items.end(), items.begin(), items.end()));
      }
      case 's': {
        auto const value = pop(), key = pop();
        return set_items({key, value});
      }
      case 'u': return set_items(pop_mark());
      case 't': return push(list{pop_mark()});
      case 0x85: return tuple(1);
      case 0x86: return tuple(2);
      case 0x87: return tuple(3);
      case 'q': return remember(take<std::uint8_t>());
      case 'r': return remember(take<std::uint32_t>());
      case 'h': return recall(take<std::uint8_t>());
      case 'j': return recall(take<std::uint32_t>());
      case 'c': return name();
      case 'Q': return persistent();
      case 'R': return reduce();
      case 'b': {  // attributes of a dictionary (`_metadata` of a state_dict) say nothing of its tensors
        pop();
        return void(top<dictionary>("dictionary"));
      }
      default: throw sda::error(sda::detail::text("pickle: the instruction ", int(opcode), " at byte ", at_ - 1, " is none that weights need"));
    }
  }

  std::int64_t long_integer(std::size_t n) {
    require(n <= 8, "pickle: a number of ", n, " bytes at byte ", at_);
    auto const b = raw(n);
    std::int64_t x = n > 0 && (b[n - 1] & std::byte{0x80}) != std::byte{} ? -1 : 0;
    std::memcpy(&x, b.data(), n);
    return x;
  }
  void name() {
    auto const module = line(), what = line();
    auto const whole = module + " " + what;
    require(storages.count(whole) || std::find(std::begin(callables), std::end(callables), whole) != std::end(callables), "pickle: names ", module,
            ".", what, ", which is not among the few things weights are made of; it is refused, nothing of the file was run");
    push(global{whole});
  }
  // ("storage", type, key, device, elements)
  void persistent() {
    auto const id = pop();
    auto const& items = as<list>(id, "the description of a storage").items;
    require(items.size() >= 5 && as<std::string>(items[0], "the word storage") == "storage",
            "pickle: refers to something that is no storage, at byte ", at_);
    auto const type = storages.find(as<global>(items[1], "the type of a storage").name);
    require(type != storages.end(), "pickle: has a storage of no known type at byte ", at_);
    auto const n = as<std::int64_t>(items[4], "the length of a storage");
    require(n >= 0 && n < (std::int64_t{1} << 48), "pickle: has a storage of ", n, " elements at byte ", at_);
    push(storage{type->second, as<std::string>(items[2], "the key of a storage"), n});
  }
  void reduce() {
    auto const arguments = pop(), function = pop();
    auto const& f = as<global>(function, "the name of a function").name;
    auto const& given = as<list>(arguments, "arguments").items;
    if (f == "collections OrderedDict") return ordered(given);
    if (f == "torch._utils _rebuild_tensor_v2") return rebuild(given);
    require(!given.empty() && storages.count(f) == 0, "pickle: calls ", f, " with nothing, at byte ", at_);
    stack_.push_back(given[0]);  // a parameter is its tensor; a size or a tagged value is itself
  }
  void ordered(std::vector<reference> const& given) {
    dictionary d;
    if (!given.empty())
      for (auto const pair : as<list>(given[0], "a list of pairs").items) {
        auto const& p = as<list>(pair, "a pair").items;
        require(p.size() == 2, "pickle: has a pair of ", p.size(), " at byte ", at_);
        d.items.emplace_back(p[0], p[1]);
      }
    push(std::move(d));
  }
  std::vector<index_t> sizes(reference o) const {
    std::vector<index_t> out;
    for (auto const item : as<list>(o, "sizes").items) out.push_back(as<std::int64_t>(item, "a size"));
    require(out.size() <= 16, "pickle: has a tensor of ", out.size(), " dimensions at byte ", at_);
    return out;
  }
  // (storage, offset, sizes, strides, requires_grad, hooks)
  void rebuild(std::vector<reference> const& given) {
    require(given.size() >= 4, "pickle: describes a tensor by ", given.size(), " things at byte ", at_);
    tensor t{as<storage>(given[0], "a storage"), as<std::int64_t>(given[1], "an offset"), sizes(given[2]), sizes(given[3])};
    require(t.shape.size() == t.strides.size() && t.offset >= 0, "pickle: has a tensor of ", t.shape.size(), " sizes and ", t.strides.size(),
            " strides at byte ", at_);
    index_t last = t.offset, elements = 1;
    for (std::size_t d = 0; d < t.shape.size(); ++d) {
      index_t reach = 0;
      bool const fits = t.shape[d] >= 0 && t.strides[d] >= 0 && !__builtin_mul_overflow(elements, t.shape[d], &elements) &&
                        !__builtin_mul_overflow(std::max<index_t>(t.shape[d] - 1, 0), t.strides[d], &reach) &&
                        !__builtin_add_overflow(last, reach, &last);
      require(fits, "pickle: has a tensor of impossible sizes at byte ", at_);
    }
    require(elements == 0 || last < t.of.elements, "pickle: has a tensor that reaches to element ", last, " of a storage of ", t.of.elements,
            ", at byte ", at_);
    require(elements <= t.of.elements, "pickle: has a tensor of ", elements, " elements made of ", t.of.elements, ", at byte ", at_);
    push(std::move(t));
  }
};

}  // namespace

document parse(std::span<std::byte const> bytes) { return machine(bytes).run(); }

}  // namespace appa::pickle
