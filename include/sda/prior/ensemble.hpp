// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/softmax.hpp>
#include <sda/core/error.hpp>
#include <sda/prior/denoiser.hpp>
#include <sda/state/matrix.hpp>

#include <algorithm>
#include <bit>
#include <numeric>

// Denoisers of an ensemble, without training: N members x_j (rows) stand for N Diracs (Bao, Zhang & Zhang, 2023, EnSF,
// arXiv:2309.00983):
//
//   E[x_0|x_t] = Σ_j w_j x_j,   w = softmax_j(−‖x_t − α x_j‖² / 2σ²),   ∂/∂x_t = (α/σ²) Cov_w(x)
//
// What all members share drops out of the softmax, so distances come from one matrix product of centred states.

namespace sda {

namespace detail {
struct ensemble_logit {  // factor ⟨x_t, x_j⟩ − offset
  double factor, offset;
  template <class T> SDA_HD T operator()(T const& x) const { return factor * x - offset; }
};

// N members around their mean, ready for products from both sides.
template <State S> struct centred_members {
  S mean;                             // 1 x d
  S deviations, transposed;           // N x d, d x N
  S one_hot;                          // N x N, the identity
  std::vector<double> squared_norms;  // of the deviations

  index_t size() const { return rows(deviations); }
};

template <State S> centred_members<S> centred(S const& members) {
  index_t const n = rows(members);
  require(n > 0, "an ensemble of 0 members");
  S one_hot = zeros(members, n, n), weights = zeros(members, 1, n), mean = zeros(members, 1, columns(members));
  std::vector<value_t<S>> eye(std::size_t(n * n)), equal(std::size_t(n), value_t<S>(1.0 / double(n)));
  for (std::size_t i = 0; i < eye.size(); i += std::size_t(n) + 1) eye[i] = 1;
  load(one_hot, std::span<value_t<S> const>(eye));
  load(weights, std::span<value_t<S> const>(equal));
  multiply(mean, weights, members);

  S deviations = zeros_like(members);
  lincomb(deviations, term{1.0, members}, term{-1.0, mean});
  std::vector<double> squared_norms(static_cast<std::size_t>(n));
  algebra<S>::store(dot(deviations, deviations), std::span<double>(squared_norms));
  S transposed = transpose(deviations);
  return {std::move(mean), std::move(deviations), std::move(transposed), std::move(one_hot), std::move(squared_norms)};
}

// `chosen` of the members, in that order; deviations stay those from the mean of all.
template <State S> centred_members<S> subset(centred_members<S> const& all, std::span<std::int64_t const> chosen) {
  index_t const j = index_t(chosen.size()), d = columns(all.mean);
  S deviations = zeros(all.mean, j, d), transposed = zeros(all.mean, d, j), one_hot = zeros(all.mean, j, j);
  indices_t<S> const at = indices_like(all.mean, chosen);
  lincomb(transposed, gathered{1.0, all.transposed, at});
  copy_block(one_hot, 0, 0, all.one_hot, 0, 0, j, j);
  std::vector<double> squared_norms;
  for (index_t i = 0; i < j; ++i) {
    copy_block(deviations, i, 0, all.deviations, chosen[std::size_t(i)], 0, 1, d);
    squared_norms.push_back(all.squared_norms[std::size_t(chosen[std::size_t(i)])]);
  }
  return {clone(all.mean), std::move(deviations), std::move(transposed), std::move(one_hot), std::move(squared_norms)};
}

// w, a weight for each row of x_t and each member. Beyond σ = 1e-30 the nearest member has it all.
template <State S> S responsibilities(centred_members<S> const& of, S const& x, level l) {
  require(columns(x) == columns(of.mean), "an ensemble of ", columns(of.mean), " columns, x_t of ", columns(x));
  S centred_x = zeros_like(x);
  lincomb(centred_x, term{1.0, x}, term{-l.alpha, of.mean});
  S const products = product(centred_x, of.transposed);

  double const precision = 1 / std::max(l.sigma * l.sigma, 1e-60);
  std::vector<scalars_t<S>> w;
  for (index_t j = 0; j < of.size(); ++j) {
    w.push_back(dot(products, take_rows(of.one_hot, j, j + 1)));
    double const offset = l.alpha * l.alpha * of.squared_norms[std::size_t(j)] / 2;
    transform(w.back(), ensemble_logit{l.alpha * precision, offset * precision}, w.back());
  }
  softmax(w);
  S out = zeros_like(products);
  for (index_t j = 0; j < of.size(); ++j) lincomb(out, term{1.0, out}, term{each{w[std::size_t(j)]}, take_rows(of.one_hot, j, j + 1)});
  return out;
}
}  // namespace detail

/// An ensemble seen through noise at one point: its weighted mean, the weights (a row of N for each row of x_t) and the
/// symmetric Jacobian in closed form. Borrows the members (M: what it keeps of them).
template <State S, class M> class ensemble_at {
 public:
  ensemble_at(M members, S const& x, level l)
      : members_(std::move(members)), weights_(detail::responsibilities<S>(*members_, x, l)), value_(product(weights_, members_->deviations)),
        factor_(l.alpha / std::max(l.sigma * l.sigma, 1e-60)) {
    lincomb(value_, term{1.0, value_}, term{1.0, members_->mean});
  }

  S const& value() const& { return value_; }
  S value() && { return std::move(value_); }
  S const& weights() const { return weights_; }
  S jvp(S const& v) const {  // (α/σ²) Σ_j w_j (⟨x_j, v⟩ − Σ_i w_i ⟨x_i, v⟩) x_j
    S along = product(v, members_->transposed), one = zeros(v, 1, members_->size());
    transform(one, detail::ensemble_logit{0.0, -1.0}, one);
    scalars_t<S> const average = dot(weights_, along);
    lincomb(along, term{1.0, along}, term{-each{average}, one});
    lincomb(along, weighted{factor_, weights_, along});
    return product(along, members_->deviations);
  }
  S vjp(S const& u) const { return jvp(u); }

 private:
  M members_;
  S weights_, value_;
  double factor_;
};

/// The Monte-Carlo denoiser of all N members: every row of x_t is weighed against each (EnSF with J = N). Safe down to
/// σ = 0, where the nearest member is the answer. Three copies of the ensemble in memory; two products of n x d x N a call.
template <State S> class ensemble_denoiser {
 public:
  explicit ensemble_denoiser(S const& members) : members_(detail::centred(members)) {}
  S operator()(S const& x, level l) const { return linearize(x, l).value(); }
  auto linearize(S const& x, level l) const { return ensemble_at<S, detail::centred_members<S> const*>(&members_, x, l); }

 private:
  detail::centred_members<S> members_;
};

/// ... of J members only, drawn without replacement anew at every level: which ones is a function of the key and the level
/// (EnSF's mini-batch). J = N is ensemble_denoiser.
template <State S> class ensemble_batch_denoiser {
 public:
  ensemble_batch_denoiser(S const& members, index_t batch, key k) : members_(detail::centred(members)), batch_(batch), key_(k) {
    require(batch >= 1 && batch <= members_.size(), "ensemble_batch_denoiser: ", batch, " of ", members_.size(), " members");
  }
  S operator()(S const& x, level l) const { return linearize(x, l).value(); }
  auto linearize(S const& x, level l) const { return ensemble_at<S, owned>(owned{detail::subset<S>(members_, chosen(l))}, x, l); }

  /// The members that count at a level, ascending.
  std::vector<std::int64_t> chosen(level l) const {
    key const k = key_.fold(std::bit_cast<std::uint64_t>(l.alpha)).fold(std::bit_cast<std::uint64_t>(l.sigma));
    index_t const n = members_.size();
    std::vector<std::int64_t> at(static_cast<std::size_t>(n));
    std::iota(at.begin(), at.end(), std::int64_t{0});
    for (index_t i = 0; i < batch_; ++i) std::swap(at[std::size_t(i)], at[std::size_t(i + index_t(uniform(k, 0, i) * double(n - i)))]);
    at.resize(std::size_t(batch_));
    std::sort(at.begin(), at.end());
    return at;
  }

 private:
  struct owned {
    detail::centred_members<S> of;
    detail::centred_members<S> const& operator*() const { return of; }
    detail::centred_members<S> const* operator->() const { return &of; }
  };
  detail::centred_members<S> members_;
  index_t batch_;
  key key_;
};

/// One member for each row of x_t and no other (EnSF with J = 1, as released): E[x_0|x_t] is that member, whatever x_t.
template <State S> struct paired_ensemble {
  S members;

  S operator()(S const& x, level) const {
    require(rows(x) == rows(members) && columns(x) == columns(members), "paired_ensemble: ", rows(members), " x ", columns(members), " members for ",
            rows(x), " x ", columns(x));
    return clone(members);
  }
  auto linearize(S const& x, level l) const {
    struct at {
      S y;
      S const& value() const { return y; }
      S jvp(S const& v) const { return zeros_like(v); }
      S vjp(S const& u) const { return zeros_like(u); }
    };
    return at{(*this)(x, l)};
  }
};
template <class S> paired_ensemble(S) -> paired_ensemble<S>;

}  // namespace sda
