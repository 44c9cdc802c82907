// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include <sda/torch.hpp>

struct make_tensor {
  static at::Tensor make(sda::index_t r, sda::index_t c) { return at::zeros({r, c}); }
  static void threads(int n) {
#if defined(_OPENMP)
    omp_set_num_threads(n);
#else
    (void)n;
#endif
  }
};

#define SDA_TEST_MAKERS make_tensor
#include "../conformance/algebra.hpp"

namespace {

using namespace sda;

struct blend {
  template <class T> SDA_HD T operator()(T const& x, T const& y) const { return x * y + x; }
};

template <class T> at::Tensor tensor_of(host_array<T> const& x) {
  return at::from_blob(const_cast<T*>(x.data()), {x.rows(), x.cols()}, c10::CppTypeToScalarType<T>::value).clone();
}
template <class T> host_array<T> array_of(at::Tensor const& x) {
  host_array<T> out(x.size(0), x.numel() / x.size(0));
  algebra<at::Tensor>::store(x, std::span<T>(out.data(), std::size_t(out.size())));
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("a tensor on the CPU computes what the reference computes, to the bit", "", float, double) {
  using T = TestType;
  auto const x = sda_test::normals<T>(4, 900, key{1}), y = sda_test::normals<T>(4, 900, key{2}), w = sda_test::normals<T>(1, 900, key{3});
  auto const m = sda_test::normals<T>(900, 30, key{4});
  auto const tx = tensor_of(x), ty = tensor_of(y), tw = tensor_of(w), tm = tensor_of(m);
  std::vector<std::int64_t> const picks{2, 0, 2};

  auto const c = dot(x, y);
  auto const tc = dot(tx, ty);
  CHECK((array_of<double>(tc) == c).all());
  host_array<T> sum(4, 900), spread = x, product(4, 30);
  at::Tensor tsum = zeros_like(tx), tspread = sda::clone(tx), tproduct = zeros(tx, 4, 30);
  auto const i = indices_like(x, picks);
  auto const ti = indices_like(tx, picks);
  lincomb(sum, term{-each{c}, x}, weighted{0.3, w, y}, gathered{each{c}, x, i, 300}, noise{2.0, key{5}});
  lincomb(tsum, term{-each{tc}, tx}, weighted{0.3, tw, ty}, gathered{each{tc}, tx, ti, 300}, noise{2.0, key{5}});
  CHECK((array_of<T>(tsum) == sum).all());
  transform(sum, blend{}, x, w);
  transform(tsum, blend{}, tx, tw);
  CHECK((array_of<T>(tsum) == sum).all());
  scatter_add(spread, y, i, 300);
  scatter_add(tspread, ty, ti, 300);
  CHECK((array_of<T>(tspread) == spread).all());
  multiply(product, x, m);
  multiply(tproduct, tx, tm);
  CHECK((array_of<T>(tproduct) == product).all());
}

TEST_CASE("rows keep their shape, and strided tensors are as good as others") {
  auto const image = at::arange(48, at::kDouble).view({2, 4, 6});
  CHECK((rows(image) == 2 && columns(image) == 24));
  CHECK(zeros(image, 5, 24).sizes() == at::IntArrayRef{5, 4, 6});
  CHECK(zeros(image, 5, 7).sizes() == at::IntArrayRef{5, 7});
  at::Tensor const turned = image.transpose(1, 2);
  at::Tensor out = at::zeros({2, 4, 6}, at::kDouble).transpose(1, 2);
  lincomb(out, term{2.0, turned}, term{1.0, out});
  CHECK(at::equal(out, 2 * turned));
  copy_block(out, 1, 0, turned, 0, 0, 1, 24);
  CHECK(at::equal(out[1], turned[0]));
}

TEST_CASE("half and bfloat16 are computed in float and rounded once") {
  for (auto type : {at::kHalf, at::kBFloat16}) {
    auto const x = at::randn({3, 50}).to(type), y = at::randn({3, 50}).to(type);
    at::Tensor out = at::zeros({3, 50}, type), exact = at::zeros({3, 50});
    lincomb(out, term{0.3, x}, term{1.7, y}, noise{0.1, key{2}});
    lincomb(exact, term{0.3, x}, term{1.7, y}, noise{0.1, key{2}});
    CHECK(at::equal(out, exact.to(type)));
  }
}

TEST_CASE("arithmetic on states leaves no trace in autograd") {
  auto const x = at::ones({2, 3}).requires_grad_();
  at::Tensor out = at::zeros({2, 3});
  lincomb(out, term{1.0, x});
  CHECK_FALSE(out.requires_grad());
  CHECK_FALSE(zeros_like(x).requires_grad());
  CHECK_FALSE(dot(x, x).requires_grad());
}
