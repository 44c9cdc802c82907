// SPDX-License-Identifier: Apache-2.0
// A^{-1/2} = (2/π) ∫ (t² + A)^{-1} dt over t > 0. With t = √low sc(u), sc the quotient of Jacobi's elliptic functions of parameter
// 1 - low/high, the midpoint rule in u is geometrically exact on spectra within [low, high] (Hale, Higham & Trefethen, 2008):
//   A^{-1/2} ≈ Σ_j weight_j (shift_j + A)^{-1},   8 terms to rounding where high/low = 4, 13 where it is 100.
// On the tridiagonal form of A a term costs one sweep down and one up: no eigenvectors are needed, and nothing iterates.
#pragma once
#include <sda/calculus/tridiagonal.hpp>

#include <numbers>

namespace sda {

/// x^{-1/2} ≈ Σ_j weight_j / (shift_j + x) for x in [1, 4^k], to rounding.
struct inverse_root_rule {
  std::vector<double> shift, weight;

  /// Of the smallest k such that 4^k is not below `ratio`; made once for each k.
  static inverse_root_rule const& up_to(double ratio) {
    static std::vector<inverse_root_rule> const rules = [] {
      std::vector<inverse_root_rule> all;
      for (int k = 1; k <= 40; ++k) all.emplace_back(std::ldexp(1.0, 2 * k));
      return all;
    }();
    require(ratio <= std::ldexp(1.0, 80), "inverse_root: a condition of ", ratio, " is beyond 2^80");
    std::size_t k = 0;
    for (double reach = 4; reach < ratio; reach *= 4) ++k;
    return rules[k];
  }

  explicit inverse_root_rule(double ratio) {
    using std::numbers::pi;
    int const pairs = int(std::ceil(37 * std::log(4 * std::sqrt(ratio)) / (2 * pi * pi)));   // error exp(-π² terms / ln(4 √ratio))
    // Landen's descending transformation: a_(i+1) = (a_i + b_i)/2, b_(i+1) = √(a_i b_i), c_(i+1) = (a_i - b_i)/2
    std::vector<double> a{1}, b{1 / std::sqrt(ratio)}, c{std::sqrt(1 - 1 / ratio)};
    while (c.back() > 1e-9 * a.back()) {   // the next c would be c²/4a
      double const x = a.back(), y = b.back();
      a.push_back((x + y) / 2), b.push_back(std::sqrt(x * y)), c.push_back((x - y) / 2);
    }
    double const quarter = pi / (2 * a.back()), step = quarter / (2 * pairs);
    for (int j = 0; j < pairs; ++j) {   // u in the lower half of [0, quarter]; the upper half mirrors it: sc(K - u) sc(u) = √ratio
      double phi = std::ldexp((j + 0.5) * step * a.back(), int(a.size()) - 1);
      for (std::size_t i = a.size() - 1; i > 0; --i) {   // sin(2 φ_(i-1) - φ_i) = c_i/a_i sin φ_i; the cosine with c² = a² - b²
        double const sine = std::sin(phi), cosine = std::cos(phi);
        phi = (phi + std::atan2(c[i] * sine, std::hypot(a[i] * cosine, b[i] * sine))) / 2;
      }
      double const sn = std::sin(phi), cn = std::cos(phi), dn = std::sqrt(cn * cn + sn * sn / ratio), scale = 2 / pi * step;
      shift.push_back(sn * sn / (cn * cn)), weight.push_back(scale * dn / (cn * cn));
      shift.push_back(ratio * cn * cn / (sn * sn)), weight.push_back(scale * std::sqrt(ratio) * dn / (sn * sn));
    }
  }
};

namespace detail {

/// The lower triangle of Σ_j weight_j (above_j + tridiagonal)⁻¹ is added to `out`, four terms at a time, one a lane. An inverse is
/// L⁻ᵀ D⁻¹ L⁻¹, L with slopes l below its diagonal: element (i, j), j <= i, is g_i Π_(j < m <= i) (-l_m) with g_i = 1/D_i + l_(i+1)² g_(i+1).
class sum_of_inverses {
 public:
  static constexpr index_t terms = 4;
  sum_of_inverses(std::vector<double> const& d, std::vector<double> const& e)
      : d_(d), e_(e), slope_(d.size() * terms), pivot_(slope_), chain_(std::size_t(filled_up(index_t(d.size())) * terms)) {}

  void operator()(small_matrix& out, double const* above, double const* weight) {
    using P = host::packed<double>;
    std::size_t const n = d_.size();
    auto *const l = P::at(slope_.data()), *const g = P::at(pivot_.data());
    auto const lowest = *P::at(above);
    l[0] = lowest - lowest, g[0] = 1 / (lowest + d_[0]);
    for (std::size_t i = 1; i < n; ++i) {
      l[i] = e_[i - 1] * g[i - 1];
      g[i] = 1 / (lowest + d_[i] - l[i] * e_[i - 1]);
    }
    for (std::size_t i = n - 1; i-- > 0;) g[i] += l[i + 1] * l[i + 1] * g[i + 1];
    std::fill(chain_.begin(), chain_.end(), 0.0);
    auto* const z = P::at(chain_.data());   // of every four columns a register for each term
    for (std::size_t i = 0; i < n; ++i) {
      auto* const row = P::at(out[index_t(i)]);
      auto const share = g[i] * *P::at(weight), back = -l[i];
      for (std::size_t j = 0; j < (i + 3) / 4; ++j) {
        auto total = row[j];
        for (int t = 0; t < terms; ++t) {
          auto const moved = back[t] * z[terms * j + std::size_t(t)];
          z[terms * j + std::size_t(t)] = moved;
          total += share[t] * moved;
        }
        row[j] = total;
      }
      for (std::size_t t = 0; t < terms; ++t) chain_[(i / 4 * terms + t) * 4 + i % 4] = 1;
      out[index_t(i)][i] += (share[0] + share[1]) + (share[2] + share[3]);
    }
  }

 private:
  std::vector<double> const &d_, &e_;
  std::vector<double> slope_, pivot_, chain_;
};

}  // namespace detail

/// (low + S)^{-1/2} for a symmetric positive semi-definite S, low > 0.
inline small_matrix inverse_root(small_matrix const& s, double low) {
  require(s.height == s.width && low > 0, "inverse_root: ", s.height, " x ", s.width, " above ", low);
  index_t const n = s.height;
  if (n == 0) return s;
  std::vector<double> d(static_cast<std::size_t>(n)), e(d);
  small_matrix const reflectors = detail::reflect_to_tridiagonal(s, d, e);
  double highest = low;
  for (index_t i = 0; i < n; ++i) {
    double const around = (i > 0 ? std::abs(e[std::size_t(i - 1)]) : 0) + std::abs(e[std::size_t(i)]);
    highest = std::max(highest, low + d[std::size_t(i)] + around);   // Gershgorin
  }
  auto const& rule = inverse_root_rule::up_to(highest / low);
  constexpr std::size_t together = detail::sum_of_inverses::terms;
  small_matrix m(n, reflectors.width);
  detail::sum_of_inverses add(d, e);
  for (std::size_t term = 0; term < rule.shift.size(); term += together) {
    double above[together], weight[together];
    for (std::size_t t = 0; t < together; ++t) {
      bool const counts = term + t < rule.shift.size();
      above[t] = low * (1 + (counts ? rule.shift[term + t] : 0)), weight[t] = counts ? rule.weight[term + t] * std::sqrt(low) : 0;
    }
    add(m, above, weight);
  }
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j < i; ++j) m[j][i] = m[i][j];
  detail::back_transformation(reflectors, n).around(m);
  small_matrix out(n, n);
  for (index_t i = 0; i < n; ++i) std::copy_n(m[i], n, out[i]);
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j < i; ++j) out[i][j] = out[j][i];   // they differ by rounding
  return out;
}

}  // namespace sda
