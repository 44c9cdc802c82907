// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>

#include <functional>

namespace sda {

namespace detail {

using tensor_list = torch::autograd::variable_list;

using tensor_function = std::function<at::Tensor(tensor_list const&)>;

struct recomputed : torch::CustomClassHolder {
  tensor_function f, twice;  // the same function, the second one differentiable twice
  recomputed(tensor_function g, tensor_function h) : f(std::move(g)), twice(std::move(h)) {}
};

struct checkpoint : torch::autograd::Function<checkpoint> {
  // `all` are the arguments of f, then the parameters that it uses.
  static at::Tensor forward(torch::autograd::AutogradContext* context, c10::intrusive_ptr<recomputed> const& what, std::int64_t arguments,
                            at::TensorList all) {
    context->save_for_backward(all.vec());
    context->saved_data["what"] = at::IValue::make_capsule(what);
    context->saved_data["arguments"] = arguments;
    return what->f(all.slice(0, std::size_t(arguments)).vec());
  }

  static tensor_list backward(torch::autograd::AutogradContext* context, tensor_list const& u) {
    bool const again = at::GradMode::is_enabled();  // the gradient itself shall be differentiable
    auto all = context->get_saved_variables();
    auto const arguments = std::size_t(context->saved_data["arguments"].toInt());
    auto const what = c10::static_intrusive_pointer_cast<recomputed>(context->saved_data["what"].toCapsule());

    torch::AutoGradMode const on(true);
    for (std::size_t i = 0; i < arguments; ++i)  // names of their own: no gradient may pass from one argument to another
      all[i] = again ? all[i].view_as(all[i]) : all[i].detach().requires_grad_(all[i].requires_grad());
    at::Tensor const y = (again ? what->twice : what->f)({all.begin(), all.begin() + std::ptrdiff_t(arguments)});

    tensor_list wanted, out(2 + all.size());  // nothing for `what` and `arguments`
    for (auto const& x : all)
      if (x.requires_grad()) wanted.push_back(x);
    auto const gradients = torch::autograd::grad({y}, wanted, u, /*retain_graph=*/again, /*create_graph=*/again, /*allow_unused=*/true);
    for (std::size_t i = 0, next = 0; i < all.size(); ++i)
      if (all[i].requires_grad()) out[2 + i] = gradients[next++];
    return out;
  }
};

}  // namespace detail

/// f(arguments), a tensor, of which autograd keeps the arguments alone: what f makes on its way is made again when a gradient is
/// wanted (Chen et al., 2016), which may be differentiated in turn. `parameters` are the tensors that f holds whose gradients are
/// wanted too. f must do the same the second time: let it draw nothing, give it what was drawn. Where f can be differentiated only
/// once, `twice` takes its place in gradients of gradients.
inline at::Tensor checkpointed(detail::tensor_function f, std::vector<at::Tensor> const& arguments, std::vector<at::Tensor> const& parameters = {},
                               detail::tensor_function twice = {}) {
  if (!at::GradMode::is_enabled()) return f(arguments);
  auto all = arguments;
  all.insert(all.end(), parameters.begin(), parameters.end());
  if (!twice) twice = f;
  auto const what = c10::make_intrusive<detail::recomputed>(std::move(f), std::move(twice));
  return detail::checkpoint::apply(what, std::int64_t(arguments.size()), at::TensorList(all));
}

}  // namespace sda
