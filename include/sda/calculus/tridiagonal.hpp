// SPDX-License-Identifier: Apache-2.0
// A = Q t Qᵀ, t tridiagonal, Q = Π_k (1 - v_k v_kᵀ) (Householder), on rows filled up to whole registers. Down: the rank-two update of one
// reflection and the product with the next share a pass over the matrix. Back: eight reflections at a time, 1 - V T Vᵀ (Schreiber &
// Van Loan, 1989), in matrix products.
#pragma once
#include <sda/calculus/small_matrix.hpp>

namespace sda::detail {

inline constexpr index_t reflections_at_once = 8;
/// n filled up to a multiple of what matrix products take at once.
inline index_t filled_up(index_t n) { return (n + 7) / 8 * 8; }

/// H rows, `stride` apart, of `packs` registers: each r -= a u + b w, and sum += c r.
template <int H>
void update_and_sum(double* r, index_t stride, index_t packs, double const* a, double const* u, double const* b, double const* w, double const* c,
                    double* sum) {
  using P = host::packed<double>;
  double along[H], across[H], weight[H];   // nothing that is written below could be one of these
  for (int h = 0; h < H; ++h) along[h] = a[h], across[h] = b[h], weight[h] = c[h];
  for (index_t j = 0; j < packs; ++j) {
    auto const x = P::at(u)[j], y = P::at(w)[j];
    auto total = P::at(sum)[j];
    for (int h = 0; h < H; ++h) {
      auto& element = P::at(r + h * stride)[j];
      auto const moved = element - (along[h] * x + across[h] * y);
      element = moved;
      total += weight[h] * moved;
    }
    P::at(sum)[j] = total;
  }
}

/// Of the symmetric `a`: t in `diagonal` and `off`; row k of the result is v_k, 0 up to column k, |v_k|² = 2 or 0.
inline small_matrix reflect_to_tridiagonal(small_matrix const& a, std::vector<double>& diagonal, std::vector<double>& off) {
  index_t const n = a.height, wide = filled_up(n);
  small_matrix s(n, wide), reflectors(wide, wide);
  for (index_t i = 0; i < n; ++i) std::copy_n(a[i], n, s[i]);
  std::vector<double> const none(static_cast<std::size_t>(wide));
  std::vector<double> q(none), next(none);   // a -= v qᵀ + q vᵀ, q = a v - ½ (vᵀ a v) v
  double const* before = none.data();        // the v to which q belongs
  for (index_t k = 0; k < n; ++k) {
    index_t const start = k / 4 * 4, length = wide - start, packs = length / 4;
    double* const v = reflectors[k] + start;
    double unused[1] = {0};
    update_and_sum<1>(s[k] + start, 0, packs, before + k, q.data() + start, q.data() + k, before + start, unused, next.data() + start);
    diagonal[std::size_t(k)] = s[k][k];
    off[std::size_t(k)] = k + 1 < n ? s[k][k + 1] : 0;
    if (k + 2 < n) {
      std::copy_n(s[k] + start, length, v);
      std::fill(v, reflectors[k] + k + 1, 0.0);
      double const norm = std::sqrt(inner_product_of(v, v, length)), head = s[k][k + 1];
      if (norm > 0) {
        double const alpha = head > 0 ? -norm : norm, scale = 1 / std::sqrt(norm * (norm + std::abs(head)));
        reflectors[k][k + 1] -= alpha;
        for (index_t i = 0; i < length; ++i) v[i] *= scale;
        off[std::size_t(k)] = alpha;
      }
    }
    std::fill(next.begin() + start, next.end(), 0.0);
    index_t i = k + 1;
    for (; i + 4 <= n; i += 4)
      update_and_sum<4>(s[i] + start, wide, packs, before + i, q.data() + start, q.data() + i, before + start, reflectors[k] + i, next.data() + start);
    for (; i < n; ++i)
      update_and_sum<1>(s[i] + start, wide, packs, before + i, q.data() + start, q.data() + i, before + start, reflectors[k] + i, next.data() + start);
    std::fill(next.begin(), next.begin() + k + 1, 0.0);
    add_scaled(next.data() + start, -0.5 * inner_product_of(next.data() + start, v, length), v, length);
    std::swap(q, next);
    before = reflectors[k];
  }
  return reflectors;
}

/// Q from the reflections, the last block first: block by block 1 - V T Vᵀ, V n x 8.
class back_transformation {
 public:
  back_transformation(small_matrix const& reflectors, index_t n)
      : reflectors_(reflectors), n_(n), wide_(reflectors.width), left_(n, 2 * b), right_(2 * b, wide_), along_(b, wide_) {}

  /// m ← Q m, m of n filled-up rows
  void from_left(small_matrix& m) {
    for (index_t k = last(); k >= 0; k -= b) {
      prepare(k, m);
      clear(right_);
      host::add_product(right_[0], wide_, minus_t_, b, along_[0], wide_, b, b, wide_);
      host::add_product(m[first_], wide_, left_[first_], 2 * b, right_[0], wide_, n_ - first_, b, wide_);
    }
  }
  /// m ← Q m Qᵀ for a symmetric m: block by block m -= V Pᵀ + P Vᵀ, Pᵀ = T Vᵀ m - ½ T (Vᵀ m V) Tᵀ Vᵀ
  void around(small_matrix& m) {
    for (index_t k = last(); k >= 0; k -= b) {
      prepare(k, m);
      clear(right_);
      double inner[b * b] = {}, once[b * b] = {}, half[b * b] = {}, turned[b * b];
      host::add_product(inner, b, along_[0] + first_, wide_, left_[first_], 2 * b, b, n_ - first_, b);
      for (index_t i = 0; i < b * b; ++i) turned[i % b * b + i / b] = 0.5 * minus_t_[i];
      host::add_product(once, b, minus_t_, b, inner, b, b, b, b);
      host::add_product(half, b, once, b, turned, b, b, b, b);
      host::add_product(right_[0], wide_, minus_t_, b, along_[0], wide_, b, b, wide_);                // -Pᵀ above -Vᵀ
      host::add_product(right_[0], wide_, half, b, reflectors_[k], wide_, b, b, wide_);
      for (index_t i = 0; i < b * wide_; ++i) right_[b][i] = -reflectors_[k][i];
      turn_into(left_[0] + b, right_[0], n_, -1);                                                     // V beside P
      index_t const start = first_ / b * b;
      host::add_product(m[first_], wide_, left_[first_], 2 * b, right_[0], wide_, n_ - first_, 2 * b, wide_);
      host::add_product(m[0] + start, wide_, left_[0] + b, 2 * b, right_[b] + start, wide_, first_, b, wide_ - start);
    }
  }

 private:
  static constexpr index_t b = reflections_at_once;
  static void clear(small_matrix& m) { std::fill(m.elements.begin(), m.elements.end(), 0.0); }
  /// b columns of `out`, which is 2 b wide, from b rows of x
  void turn_into(double* out, double const* x, index_t m, double sign) const {
    for (index_t i = 0; i < m; ++i)
      for (index_t j = 0; j < b; ++j) out[i * 2 * b + j] = sign * x[j * wide_ + i];
  }
  index_t last() const { return n_ > 2 ? (n_ - 3) / b * b : -1; }

  /// V of reflections k, ..., k + 7, which begin below row k; -T; and Vᵀ m.
  void prepare(index_t k, small_matrix const& m) {
    first_ = k + 1;
    index_t const size = n_ - first_;
    turn_into(left_[first_], reflectors_[k] + first_, size, 1);
    double products[b * b] = {};
    host::add_product(products, b, reflectors_[k] + first_, wide_, left_[first_], 2 * b, b, size, b);
    std::fill_n(minus_t_, b * b, 0.0);
    for (index_t j = 0; j < b; ++j) {   // of one reflection more: its column of T is -T Vᵀ v
      for (index_t i = 0; i < j; ++i)
        for (index_t l = i; l < j; ++l) minus_t_[i * b + j] -= minus_t_[i * b + l] * products[l * b + j];
      minus_t_[j * b + j] = -1;
    }
    clear(along_);
    host::add_product(along_[0], wide_, reflectors_[k] + first_, wide_, m[first_], wide_, b, size, wide_);
  }

  small_matrix const& reflectors_;
  index_t n_, wide_, first_ = 0;
  small_matrix left_, right_, along_;
  double minus_t_[b * b];
};

}  // namespace sda::detail
