// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/prior/denoiser.hpp>
#include <sda/state/matrix.hpp>

#include <vector>

// The exact denoiser of N(m, D + UᵀU), D diagonal, U a few rows. With r = x_t − α m, S = α² D + σ² and the small matrix
// K = I + α² U S⁻¹ Uᵀ (Woodbury),
//
//   E[x_0|x_t] = m + α (D/S) r + α (σ²/S) Uᵀ K⁻¹ U S⁻¹ r
//
// in which nothing is subtracted, so that precision is full at any signal-to-noise ratio.

namespace sda {

namespace detail {
struct low_rank_gain {  // α D / S
  double alpha, noise;
  template <class T> SDA_HD T operator()(T const& d) const { return alpha * d / (alpha * alpha * d + noise); }
};
struct low_rank_over {  // numerator / S
  double signal, noise, numerator;
  template <class T> SDA_HD T operator()(T const& d) const { return numerator / (signal * d + noise); }
};
struct low_rank_reciprocal {
  template <class T> SDA_HD T operator()(T const& x) const { return 1.0 / x; }
};

// The inverse of a small symmetric positive definite matrix by Gauss-Jordan elimination, which needs no pivoting there;
// it runs where the state lives and nothing returns to the host.
template <State S> S inverse_positive(S matrix, S const& identity) {
  S inverse = clone(identity);
  for (index_t j = 0; j < rows(matrix); ++j) {
    S const unit = take_rows(identity, j, j + 1);
    S pivot = take_rows(matrix, j, j + 1), image = take_rows(inverse, j, j + 1);
    scalars_t<S> const column = dot(matrix, unit);
    scalars_t<S> scale = dot(pivot, unit);
    transform(scale, low_rank_reciprocal{}, scale);
    lincomb(pivot, term{each{scale}, pivot});
    lincomb(image, term{each{scale}, image});
    lincomb(matrix, term{1.0, matrix}, term{-each{column}, pivot});
    lincomb(inverse, term{1.0, inverse}, term{-each{column}, image});
    copy_block(matrix, j, 0, pivot, 0, 0, 1, columns(matrix));
    copy_block(inverse, j, 0, image, 0, 0, 1, columns(inverse));
  }
  return inverse;
}
}  // namespace detail

/// A low-rank Gaussian seen through noise at one point: posterior mean and its symmetric Jacobian. Borrows U and Uᵀ.
template <State S> class low_rank_at {
 public:
  low_rank_at(S const& mean, S const& diagonal, S const& factor, S const& transposed, S const& identity, S const& x, level l)
      : factor_(&factor), transposed_(&transposed), precision_(zeros_like(diagonal)), direct_(zeros_like(diagonal)), lifted_(zeros_like(diagonal)),
        inverse_(zeros_like(identity)), value_(zeros_like(x)) {
    double const signal = l.alpha * l.alpha, noise = l.sigma * l.sigma;
    transform(precision_, detail::low_rank_over{signal, noise, 1.0}, diagonal);
    transform(direct_, detail::low_rank_gain{l.alpha, noise}, diagonal);
    transform(lifted_, detail::low_rank_over{signal, noise, l.alpha * noise}, diagonal);

    S scaled = zeros_like(factor);
    lincomb(scaled, weighted{1.0, precision_, factor});
    lincomb(inverse_, term{1.0, identity}, term{signal, product(scaled, transposed)});
    inverse_ = detail::inverse_positive(std::move(inverse_), identity);

    lincomb(value_, term{1.0, x}, term{-l.alpha, mean});
    lincomb(value_, term{1.0, mean}, term{1.0, jvp(value_)});
  }

  S const& value() const& { return value_; }
  S value() && { return std::move(value_); }
  S jvp(S const& v) const {
    S out = zeros_like(v);
    lincomb(out, weighted{1.0, precision_, v});
    out = product(product(product(out, *transposed_), inverse_), *factor_);
    lincomb(out, weighted{1.0, direct_, v}, weighted{1.0, lifted_, out});
    return out;
  }
  S vjp(S const& u) const { return jvp(u); }

 private:
  S const *factor_, *transposed_;
  S precision_, direct_, lifted_;  // 1/S, α D/S, α σ²/S
  S inverse_;                      // K⁻¹
  S value_;
};

/// The exact denoiser of N(mean, diag(diagonal) + factorᵀ factor): `factor` holds k directions of d numbers, k ≪ d. A new
/// level costs O(d k²), a product O(d k) a row. `diagonal` is ≥ 0, and > 0 where σ may be 0.
template <State S> class gaussian_low_rank {
 public:
  gaussian_low_rank(S mean, S diagonal, S factor)
      : mean_(std::move(mean)), diagonal_(std::move(diagonal)), factor_(std::move(factor)), transposed_(transpose(factor_)),
        identity_(zeros(factor_, rows(factor_), rows(factor_))) {
    require(columns(mean_) == columns(factor_) && columns(diagonal_) == columns(factor_) && rows(diagonal_) == 1, "gaussian_low_rank: a mean of ",
            columns(mean_), " numbers, a diagonal of ", rows(diagonal_), " x ", columns(diagonal_), ", a factor of ", rows(factor_), " x ",
            columns(factor_));
    std::vector<value_t<S>> eye(std::size_t(rows(factor_) * rows(factor_)));
    for (std::size_t i = 0; i < eye.size(); i += std::size_t(rows(factor_)) + 1) eye[i] = 1;
    load(identity_, std::span<value_t<S> const>(eye));
  }

  S operator()(S const& x, level l) const { return linearize(x, l).value(); }
  low_rank_at<S> linearize(S const& x, level l) const { return {mean_, diagonal_, factor_, transposed_, identity_, x, l}; }

 private:
  S mean_, diagonal_, factor_, transposed_, identity_;
};

}  // namespace sda
