// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/observation/interpolating.hpp>
#include <sda/observation/linear.hpp>
#include <sda/observation/pointwise.hpp>
#include <sda/observation/steps.hpp>
#include <sda/observation/values.hpp>
#include <sda/prior/ensemble.hpp>
#include <sda/prior/ensemble_gaussian.hpp>
#include <sda/prior/mixture.hpp>
#include <sda_test.hpp>

// Everything of floor 3 once, on a state of any kind, to be held against the same on host arrays.

namespace sda_test {

/// Numbers of results, one after the other.
struct record {
  std::vector<double> numbers;

  template <class S> void operator()(S const& x) {
    std::vector<sda::value_t<S>> host(std::size_t(sda::rows(x) * sda::columns(x)));
    sda::store(x, std::span<sda::value_t<S>>(host));
    numbers.insert(numbers.end(), host.begin(), host.end());
  }
};

template <class S> S drawn(S const& like, sda::index_t r, sda::index_t c, std::uint64_t seed) {
  S x = sda::zeros(like, r, c);
  sda::lincomb(x, sda::noise{1.0, sda::key{seed}});
  return x;
}

template <class S> void record_denoiser(record& out, auto const& d, S const& like) {
  sda::level const l{0.8, 0.6};
  S const x = drawn(like, 3, 6, 1), v = drawn(like, 3, 6, 2);
  out(d(x, l));
  auto const at = sda::linearize(d, x, l);
  out(at.jvp(v));
  out(at.vjp(v));
}
template <class S> void record_operator(record& out, auto const& a, S const& like) {
  S const x = drawn(like, 3, 6, 1), v = drawn(like, 3, 6, 2);
  auto const at = sda::linearize(a, x);
  out(a(x));
  out(at.jvp(v));
  out(at.vjp(a(x)));
}

template <class S> record priors_and_operators(S const& like) {
  using namespace sda;
  record out;
  small_matrix time = identity_matrix(3, 2.0), space = identity_matrix(2);
  time[0][1] = time[1][0] = 0.7, space[0][1] = space[1][0] = -0.4;
  auto const mean = [&] { return drawn(like, 1, 6, 3); };
  auto const variance = [&] {
    S v = drawn(like, 1, 6, 4);
    transform(v, square{}, v);
    return v;
  };
  record_denoiser(out, gaussian{mean(), variance()}, like);
  record_denoiser(out, gaussian_full(mean(), identity_matrix(6, 0.5)), like);
  record_denoiser(out, gaussian_kronecker(mean(), time, space), like);
  record_denoiser(out, gaussian_ar1(mean(), 3, 2, 0.9), like);
  record_denoiser(out, gaussian_low_rank(mean(), variance(), drawn(like, 2, 6, 5)), like);
  std::vector<gaussian<S>> parts;
  for (int k = 0; k < 2; ++k) parts.push_back({drawn(like, 1, 6, 6 + std::uint64_t(k)), variance()});
  record_denoiser(out, mixture({0.4, 0.6}, std::move(parts)), like);
  S const members = drawn(like, 5, 6, 8);
  record_denoiser(out, ensemble_denoiser(members), like);
  record_denoiser(out, ensemble_batch_denoiser(members, 3, key{9}), like);
  record_denoiser(out, paired_ensemble{drawn(like, 3, 6, 10)}, like);
  record_denoiser(out, localised_ensemble_gaussian(members, ring_taper{6, 1.5}), like);

  std::vector<std::int64_t> const at{4, 0, 5};
  std::vector<double> const positions{0.5, 5.75}, values{1, 2, 3}, variances{0.1, 0.2, 0.3};
  record_operator(out, masked(like, at, 6), like);
  record_operator(out, linear(drawn(like, 4, 6, 11)), like);
  record_operator(out, interpolating(like, line_stencil(positions, 6, true), 6), like);
  record_operator(out, pointwise{arctan{}}, like);
  record_operator(out, pointwise{saturation{}}, like);
  record_operator(out, pointwise{absolute{}}, like);
  record_operator(out, composed{pointwise{scale{2}}, masked(like, at, 6)}, like);
  record_operator(out, every_step<composed<pointwise<square>, linear<S>>>{{{}, linear(drawn(like, 1, 2, 12))}, 2}, like);
  std::vector<linear<S>> each_step;
  for (index_t t = 0; t < 3; ++t) each_step.emplace_back(drawn(like, t, 2, 13));
  record_operator(out, steps(std::move(each_step), 2), like);

  auto const seen = observed(like, 6, {at, values, variances}, missing::is_error);
  S const v = drawn(like, 2, 3, 14);
  auto const record_error = [&](auto const& r) { out(r.apply(v)), out(r.solve(v)), out(r.draw(key{15}, v)); };
  record_error(seen.error);
  record_error(scalar_error(0.3).inflated(seen.y));
  record_error(scalar_error(0.3));
  record_error(full_error(like, time));
  return out;
}

/// The largest difference of two records, of numbers of order one.
inline double distance(record const& a, record const& b) {
  if (a.numbers.size() != b.numbers.size()) return std::numeric_limits<double>::infinity();
  double worst = 0;
  for (std::size_t i = 0; i < a.numbers.size(); ++i) worst = std::max(worst, std::abs(a.numbers[i] - b.numbers[i]) / (1 + std::abs(b.numbers[i])));
  return worst;
}

}  // namespace sda_test
