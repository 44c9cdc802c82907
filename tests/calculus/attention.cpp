// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include <sda/calculus/attention.hpp>
#include <sda/core/random.hpp>

#include <cmath>

namespace {

using sda::index_t;

struct heads {
  index_t count, m, n, depth, width;
  std::vector<float> q, k, v;

  heads(index_t count_, index_t m_, index_t n_, index_t depth_, index_t width_, float size) : count(count_), m(m_), n(n_), depth(depth_), width(width_) {
    auto const draw = [&](index_t numbers, std::uint64_t which) {
      std::vector<float> out;
      for (index_t i = 0; i < numbers; ++i) out.push_back(size * float(2 * sda::uniform(sda::key{7}.fold(which), 0, i) - 1));
      return out;
    };
    q = draw(count * m * depth, 1), k = draw(count * n * depth, 2), v = draw(count * n * width, 3);
  }

  // The same in double, weight by weight.
  double expected(float scale, index_t h, index_t i, index_t c) const {
    std::vector<double> score;
    for (index_t j = 0; j < n; ++j) {
      score.push_back(0);
      for (index_t d = 0; d < depth; ++d)
        score.back() += double(scale) * double(q[std::size_t((h * m + i) * depth + d)]) * double(k[std::size_t((h * n + j) * depth + d)]);
    }
    double const top = *std::max_element(score.begin(), score.end());
    double sum = 0, total = 0;
    for (index_t j = 0; j < n; ++j) {
      double const weight = std::exp(score[std::size_t(j)] - top);
      sum += weight, total += weight * double(v[std::size_t((h * n + j) * width + c)]);
    }
    return total / sum;
  }

  template <class Attend> double error(float scale, Attend const& run) const {
    std::vector<float> out(std::size_t(count * m * width));
    run(out);
    double worst = 0;
    for (index_t h = 0; h < count; ++h)
      for (index_t i = 0; i < m; ++i)
        for (index_t c = 0; c < width; ++c)
          worst = std::max(worst, std::abs(double(out[std::size_t((h * m + i) * width + c)]) - expected(scale, h, i, c)));
    return worst;
  }
};

}  // namespace

TEST_CASE("attention in blocks is softmax(q k') v, for sizes that fill no block") {
  for (auto const& [count, m, n, depth, width] : {std::array<index_t, 5>{3, 101, 203, 24, 70}, {1, 1, 1, 1, 1}, {2, 97, 64, 5, 64}, {1, 6, 65, 3, 1}}) {
    heads const a(count, m, n, depth, width, 1);
    CHECK(a.error(0.5f, [&](std::vector<float>& out) {
      sda::attend(count, m, n, depth, width, 0.5f, a.q.data(), a.k.data(), a.v.data(), out.data());
    }) < 2e-6);
  }
}

TEST_CASE("attention in blocks withstands scores of thousands: weights are relative to the largest so far") {
  heads const a(1, 7, 150, 8, 3, 30);
  CHECK(a.error(1, [&](std::vector<float>& out) { sda::attend(1, 7, 150, 8, 3, 1, a.q.data(), a.k.data(), a.v.data(), out.data()); }) < 2e-2);
  heads const one(1, 5, 1, 4, 6, 1000);   // a single key has all the weight, whatever its score
  CHECK(one.error(1, [&](std::vector<float>& out) { sda::attend(1, 5, 1, 4, 6, 1, one.q.data(), one.k.data(), one.v.data(), out.data()); }) == 0);
}

TEST_CASE("attention is the same for vectors of every width that this processor has") {
  heads const a(1, 50, 130, 17, 66, 1);
  auto const panels = sda::detail::attention_panels_of(a.k.data(), a.v.data(), a.n, a.depth, a.width);
  std::vector<sda::detail::attend_function> all{sda::detail::attend_anywhere, sda::detail::attend_here()};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) all.push_back(sda::detail::attend_avx2);
#endif
  for (auto const attend_some : all)
    CHECK(a.error(0.3f, [&](std::vector<float>& out) { attend_some(panels, a.q.data(), a.m, 0.3f, out.data()); }) < 2e-6);
}
