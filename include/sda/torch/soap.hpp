// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/torch/optimise.hpp>

#include <atomic>
#include <future>

// SOAP (Vyas et al., ICLR 2025): Adam in the eigenbasis of Shampoo's factors. A parameter with dimensions d_1 ... d_n and the
// gradient G has for each dimension L_i = running mean of G_(i) G_(i)ᵀ (unfolded along i), L_i = Q_i Λ_i Q_iᵀ, and moves by
//   G' = G rotated by every Q_iᵀ,   m <- lerp(m, G', 1 - β1),   v <- lerp(v, G'², 1 - β2),   x <- x - η m / √(v + ε²) rotated by every Q_i.

namespace sda {

/// SOAP with decoupled weight decay. The running means start at the first values they see (their β are bias-corrected), the
/// first step only finds the bases; afterwards one power iteration and a QR factorisation every `frequency` steps follow the
/// factors. Dimensions longer than `largest` are not rotated, nor are parameters of one dimension. `threads` share the parameters
/// among them; that changes nothing else.
struct soap {
  double beta1 = 0.9, beta2 = 0.99, factor_beta = 0.99, epsilon = 1e-8, weight_decay = 0;
  std::int64_t frequency = 16, largest = 4096;
  std::size_t threads = 1;

  struct memory_type {
    flat_layout layout;
    at::Tensor mean, square;                              // in the eigenbases
    std::vector<std::vector<at::Tensor>> factors, bases;  // by parameter and dimension; undefined where none
    std::int64_t steps = 0;

    /// All of it by name, as views: what a checkpoint holds.
    named_tensors state(flat_layout const& where) const {
      auto out = where.named(mean, "mean/");
      out.merge(where.named(square, "square/"));
      for (std::size_t p = 0; p < factors.size(); ++p)
        for (std::size_t d = 0; d < factors[p].size(); ++d)
          if (factors[p][d].defined()) {
            auto const name = where.parts[p].name + "/" + std::to_string(d);
            out["factor/" + name] = factors[p][d], out["basis/" + name] = bases[p][d];
          }
      return out;
    }
  };
  memory_type memory(flat_layout const& layout, at::Tensor const& values) const {
    memory_type m{layout, at::zeros_like(values), at::zeros_like(values), {}, {}};
    for (auto const& p : layout.parts) {
      std::vector<at::Tensor> square(p.shape.size());
      for (std::size_t d = 0; d < square.size(); ++d)
        if (p.shape.size() > 1 && p.shape[d] <= largest) square[d] = at::zeros({p.shape[d], p.shape[d]}, values.options());
      m.factors.push_back(square);
      for (auto& q : square)
        if (q.defined()) q = at::zeros_like(q);
      m.bases.push_back(std::move(square));
    }
    return m;
  }

  void step(at::Tensor values, at::Tensor const& gradients, memory_type& m, double learning_rate) const {
    torch::NoGradGuard const off;
    auto const x = m.layout.views(values), g = m.layout.views(gradients), mean = m.layout.views(m.mean), square = m.layout.views(m.square);
    auto const t = m.steps++;
    auto const move = [&](std::size_t p) {
      if (t > 0) {
        auto const seen = rotated(g[p], m.bases[p], 0);
        at::Tensor(mean[p]).lerp_(seen, fresh(beta1, t));
        at::Tensor(square[p]).lerp_(seen.square(), fresh(beta2, t));
        at::Tensor(x[p]).sub_(rotated(mean[p] * (square[p] + epsilon * epsilon).rsqrt_(), m.bases[p], 1), learning_rate);
      }
      for (std::size_t d = 0; d < m.factors[p].size(); ++d)
        if (m.factors[p][d].defined()) {
          auto const unfolded = g[p].movedim(std::int64_t(d), 0).flatten(1);
          m.factors[p][d].lerp_(at::mm(unfolded, unfolded.t()), fresh(factor_beta, t + 1));
        }
      if (t == 0) find_bases(m, p);
      else if (t % frequency == 0) follow(m, p, mean[p]);
    };
    std::atomic<std::size_t> next = 0;
    auto const work = [&] {
      torch::NoGradGuard const off_here;   // each thread has its own
      for (std::size_t p; (p = next++) < x.size();) move(p);
    };
    std::vector<std::future<void>> others;
    for (std::size_t i = 1; i < threads; ++i) others.push_back(std::async(std::launch::async, work));
    work();
    for (auto& o : others) o.get();
    if (t > 0) values.mul_(1 - learning_rate * weight_decay);
  }

 private:
  // The weight of the newest of n values in a mean whose β is corrected for its short past.
  static double fresh(double beta, std::int64_t n) { return (1 - beta) / (1 - std::pow(beta, double(n))); }

  // Every dimension contracted with that dimension (0: by Qᵀ, 1: by Q) of its basis, if it has one. Each contraction puts its
  // dimension last, so after all of them the order is the first again.
  static at::Tensor rotated(at::Tensor x, std::vector<at::Tensor> const& bases, std::int64_t along) {
    for (auto const& q : bases) x = q.defined() ? at::tensordot(x, q, {0}, {along}) : x.movedim(0, -1);
    return x;
  }
  static void find_bases(memory_type& m, std::size_t p) {
    for (std::size_t d = 0; d < m.bases[p].size(); ++d)
      if (auto const& l = m.factors[p][d]; l.defined()) {
        auto const shifted = l + 1e-12 * at::eye(l.size(0), l.options());
        m.bases[p][d].copy_(std::get<1>(at::linalg_eigh(shifted)));
      }
  }
  // Orthogonalises L Q from its largest Rayleigh quotient down; each column stays where it was, so `square` still fits.
  static void follow(memory_type& m, std::size_t p, at::Tensor mean) {
    auto const plain = rotated(mean, m.bases[p], 1);
    for (std::size_t d = 0; d < m.bases[p].size(); ++d)
      if (auto const& l = m.factors[p][d]; l.defined()) {
        at::Tensor q = m.bases[p][d];
        auto const image = at::mm(l, q);
        auto const order = (q * image).sum(0).argsort(0, /*descending=*/true);
        q.index_copy_(1, order, std::get<0>(at::linalg_qr(image.index_select(1, order))));
      }
    mean.copy_(rotated(plain, m.bases[p], 0));
  }
};

}  // namespace sda
