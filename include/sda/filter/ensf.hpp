// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/schedule.hpp>
#include <sda/core/fill_normal.hpp>
#include <sda/core/parallel_dealt.hpp>
#include <sda/filter/ensemble.hpp>
#include <sda/filter/ensf_scalar.hpp>
#include <sda/observation/masked.hpp>
#include <sda/observation/pointwise.hpp>
#include <sda/prior/ensemble.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/sampler/stochastic.hpp>

#include <algorithm>

namespace sda {

/// EnSF's guidance: the likelihood's gradient at x_t itself, counted by 1 - t, of levels that are linear in α and σ²:
///   x̂ + (σ²/α) (1 - t) Aᵀ R⁻¹ (y - A(x_t)),   t = (σ² - ε_σ) / (1 - ε_σ)
/// A heuristic: at the data's end prior and observation are both counted in full, on the way the latter by halves.
template <class D, class O> struct damped_likelihood {
  D denoiser;
  O seen;
  double eps_sigma = 0.025;

  template <State S> S operator()(S const& x, level l) const {
    S out = denoiser(x, l);
    auto const sight = linearize(seen.op, x);
    auto innovation = clone(sight.value());
    lincomb(innovation, term{1.0, seen.y}, term{-1.0, sight.value()});
    double const t = (l.sigma * l.sigma - eps_sigma) / (1 - eps_sigma);
    lincomb(out, term{1.0, out}, term{l.sigma * l.sigma / l.alpha * (1 - t), sight.vjp(seen.error.solve(innovation))});
    return out;
  }
};
template <class D, class O> damped_likelihood(D, O, double) -> damped_likelihood<D, O>;

namespace detail {

// What the one-scalar walk needs of an operator that sees components one by one: the function, and values put back in place.
template <class A> struct component_sight;
template <class A> concept sees_components = requires { sizeof(component_sight<A>); };
template <class F> struct component_sight<pointwise<F>> {
  static F const& function(pointwise<F> const& a) { return a.f; }
  template <State S> static S in_place(pointwise<F> const&, S const& v) { return clone(v); }
};
template <class S> struct component_sight<masked<S>> {
  static identity_function function(masked<S> const&) { return {}; }
  static S in_place(masked<S> const& a, S const& v) { return a.adjoint(v); }
};
template <class F, class S> struct component_sight<composed<pointwise<F>, masked<S>>> {
  static F const& function(composed<pointwise<F>, masked<S>> const& a) { return a.g.f; }
  static S in_place(composed<pointwise<F>, masked<S>> const& a, S const& v) { return a.f.adjoint(v); }
};
// g(f(x)): components seen one by one through a pointwise decoder are so still.
template <class G, class F> struct chained_function {
  G g;
  F f;
  template <class T> SDA_HD T operator()(T const& x) const { return g(f(x)); }
  template <class T> SDA_HD T slope(T const& x) const { return g.slope(f(x)) * f.slope(x); }
};
template <class G, class F> chained_function(G, F) -> chained_function<G, F>;
template <sees_components A, class F> struct component_sight<composed<A, pointwise<F>>> {
  using outer = component_sight<A>;
  static auto function(composed<A, pointwise<F>> const& a) { return chained_function{outer::function(a.g), a.f.f}; }
  template <State S> static S in_place(composed<A, pointwise<F>> const& a, S const& v) { return outer::in_place(a.g, v); }
};

struct standardise {
  template <class T> SDA_HD T operator()(T const& z, T const& mean, T const& variance) const {
    using std::sqrt;
    return (z - mean) / sqrt(variance + 1e-30);
  }
};

/// `n` neighbouring columns, at most numbers_at_once, of one row through all steps, on the host: every operation in vectors.
template <class T, class H>
void ensf_walk_run(vectors with, T* z, T const* x, T const* y, T const* precision, H const& h, std::span<ensf_step<T> const> steps, index_t row,
                   index_t first, index_t n) {
  with_vectors(with, [&](auto v) __attribute__((always_inline)) {
    T xi[numbers_at_once], value[numbers_at_once], slope[numbers_at_once];
    for (auto const& s : steps) {
      fill_normal_by<v()>(xi, s.draw, row, first, n);
      // two loops: in one, each number's chain of operations would be longer than what a processor looks ahead
      SDA_ELEMENTWISE
      for (index_t c = 0; c < n; ++c) {
        with_slope<T> const sight = value_and_slope(h, z[c]);
        value[c] = sight.value, slope[c] = sight.slope;
      }
      SDA_ELEMENTWISE
      for (index_t c = 0; c < n; ++c) z[c] = ensf_move(z[c], x[c], y[c], precision[c], {value[c], slope[c]}, s, xi[c]);
    }
  });
}

}  // namespace detail

/// Ensemble score filter (Bao, Zhang & Zhang, 2023, arXiv:2309.00983): every member of the analysis is sampled by the reverse
/// SDE from noise, prior score from the forecast members, likelihood damped. As released (J = 1) each particle sees one member:
/// then nothing couples components or members, unseen components keep their forecast, and the gain depends on R alone
/// (docs/filters.md). Or each sees all members (J = N), or `batch` of them, others at every level. With operators that see
/// components one by one and a diagonal R the first is a walk of single scalars: on a device in registers, on the host in
/// vectors and threads, nothing but the ensemble in memory.
struct ensf {
  enum class scores { own_member, all_members, mini_batch };  // J = 1, N, batch

  int steps = 500;
  double eps_alpha = 0.5, eps_sigma = 0.025;
  scores from = scores::own_member;
  bool standardised = true;  // the start noise has mean 0 and variance 1 over the members, component by component
  index_t batch = 4;         // members in a mini-batch

  template <State X, class A, State Y, class R>
    requires ObservationOperator<A, X, Y>
  void analyse(X& e, observation<A, Y, R> const& o, key k) const {
    if constexpr (std::same_as<X, Y> && detail::sees_components<A>)
      if (from == scores::own_member) return walk(e, o, k);
    analyse_by_composition(e, o, k);
  }

  /// The definition: Euler-Maruyama on ensf_linear levels, the damped likelihood about a Monte-Carlo denoiser. The walk equals
  /// it to rounding but where the score is beyond 1000, at which it is clipped.
  template <State X, class O> void analyse_by_composition(X& e, O const& seen, key k) const {
    auto const levels = uniform_grid(ensf_linear{eps_alpha, eps_sigma}, steps);
    auto const run = [&](auto prior) {
      return sample_from(euler_maruyama{}, damped_likelihood{std::move(prior), seen, eps_sigma}, std::span<level const>(levels), start(e, k), k);
    };
    e = from == scores::own_member  ? run(paired_ensemble{clone(e)})
      : from == scores::all_members ? run(ensemble_denoiser<X>(e))
                                    : run(ensemble_batch_denoiser<X>(e, batch, k.fold(~std::uint64_t{0})));
  }

 private:
  template <State X> X start(X const& like, key k) const {
    X z = zeros_like(like);
    lincomb(z, noise{1.0, k.fold(0)});
    if (!standardised || rows(like) < 2) return z;
    X const mean = ensemble_mean(z);
    X squares = anomalies(z, mean);
    lincomb(squares, weighted{double(rows(z)) / double(rows(z) - 1), squares, squares});
    transform(z, detail::standardise{}, z, mean, ensemble_mean(squares));
    return z;
  }

  template <State X, class A, class R> void walk(X& e, observation<A, X, R> const& o, key k) const {
    using sight = detail::component_sight<A>;
    require(rows(o.y) == 1, "ensf: observations of ", rows(o.y), " rows, not 1");
    X const y = sight::in_place(o.op, o.y), precision = sight::in_place(o.op, precisions(o.error, o.y));
    require(columns(y) == columns(e), "ensf: observations of states of ", columns(y), " columns for ", columns(e));
    auto const h = sight::function(o.op);
    auto const path = ensf_steps(steps, k, eps_alpha, eps_sigma);
    if constexpr (requires(X& z) { algebra<X>::ensf_walk(z, e, y, precision, h, std::span<ensf_step<double> const>(path)); }) {
      X z = start(e, k);
      algebra<X>::ensf_walk(z, e, y, precision, h, std::span<ensf_step<double> const>(path));
      e = std::move(z);
    } else {
      walk_on_host(e, y, precision, h, path, k.fold(0));
    }
  }

  /// Slab by slab of columns, in each run by run of every row.
  template <State X, class H> void walk_on_host(X& e, X const& y, X const& precision, H const& h, std::vector<ensf_step<double>> const& path,
                                                key first_key) const {
    using T = std::conditional_t<std::same_as<value_t<X>, double>, double, float>;
    constexpr index_t run = detail::numbers_at_once, slab = 64 * run;
    std::vector<ensf_step<T>> rounded;
    for (auto const& s : path) rounded.push_back({T(s.alpha), T(s.precision), T(s.trust), T(s.keep), T(s.push), T(s.kick), s.draw});
    auto const seen = on_host_of<T>(y), weight = on_host_of<T>(precision);
    index_t const n = rows(e), m = columns(e);
    for (index_t first = 0; first < m; first += slab) {
      index_t const width = std::min(slab, m - first), runs = (width + run - 1) / run;
      X part = zeros(e, n, width);
      copy_block(part, 0, 0, e, 0, first, n, width);
      auto const own = on_host_of<T>(part);
      std::vector<T> z(own.size());
      parallel_for(runs, n * width * steps, [&](index_t i) {
        index_t const c = i * run, count = std::min(run, width - c);
        for (index_t r = 0; r < n; ++r) fill_normal(z.data() + r * width + c, first_key, r, first + c, count);
        if (standardised && n > 1) standardise(z.data() + c, n, width, count);
      });
      parallel_dealt(n * runs, n * width * steps, [&](index_t i) {
        index_t const r = i / runs, c = i % runs * run, at = r * width + c;
        detail::ensf_walk_run(widest_vectors(), z.data() + at, own.data() + at, seen.data() + first + c, weight.data() + first + c, h,
                              std::span<ensf_step<T> const>(rounded), r, first + c, std::min(run, width - c));
      });
      std::vector<value_t<X>> const numbers(z.begin(), z.end());
      load(part, std::span<value_t<X> const>(numbers));
      copy_block(e, 0, first, part, 0, 0, n, width);
    }
  }
  template <class T> static void standardise(T* z, index_t n, index_t stride, index_t count) {
    for (index_t c = 0; c < count; ++c) {
      double mean = 0, squares = 0;
      for (index_t r = 0; r < n; ++r) mean += double(z[r * stride + c]) / double(n);
      for (index_t r = 0; r < n; ++r) squares += (double(z[r * stride + c]) - mean) * (double(z[r * stride + c]) - mean);
      double const scale = 1 / std::sqrt(squares / double(n - 1) + 1e-30);
      for (index_t r = 0; r < n; ++r) z[r * stride + c] = T((double(z[r * stride + c]) - mean) * scale);
    }
  }
  template <class T, State S> static std::vector<T> on_host_of(S const& x) {
    std::vector<value_t<S>> raw(std::size_t(rows(x) * columns(x)));
    store(x, std::span<value_t<S>>(raw));
    if constexpr (std::same_as<T, value_t<S>>) return raw;
    else return {raw.begin(), raw.end()};
  }
};

}  // namespace sda
