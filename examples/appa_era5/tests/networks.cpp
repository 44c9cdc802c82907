// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include <sda/torch/tensors.hpp>

#include "network/cae.hpp"
#include "network/from_config.hpp"
#include "network/gae.hpp"
#include "network/graphdit.hpp"
#include "network/latent_prior.hpp"
#include "network/latent_space.hpp"
#include "network/on_gaussian.hpp"
#include "network/vidit.hpp"

using namespace appa;

namespace {

cae_options small_cae() {
  cae_options o;
  o.in_channels = 3, o.shape = {9, 16}, o.resize = 4, o.lat_channels = 2;
  o.hid_channels = {4, 6, 8}, o.hid_blocks = {1, 1, 1};
  return o;
}
vidit_options small_vidit() {
  vidit_options o;
  o.state = {3, 4, 2}, o.blanket_size = 4, o.mod_features = 8, o.hid_channels = 16, o.hid_blocks = 2, o.attention_heads = 2;
  return o;
}
at::Tensor some_dates(index_t n) { return at::tensor({2020, 2, 29, 12}, at::kLong).expand({n, 4}); }

}  // namespace

TEST_CASE("the published autoencoders have the published numbers of parameters and of latents") {
  cae_options o;
  cae const f32c64(o);  // memory is asked for, but never touched
  CHECK(numbers_in(f32c64) == 313'174'727);
  CHECK(sda::state_of(f32c64).size() == 208);
  CHECK(f32c64.cells() == std::array<index_t, 2>{23, 47});
  o.lat_channels = 128;
  CHECK(numbers_in(cae(o)) == 314'354'439);
  o.lat_channels = 256, o.resize = 64;
  o.hid_channels.push_back(1536), o.hid_blocks.push_back(3);
  cae const f64c256(o);
  CHECK(numbers_in(f64c256) == 687'147'911);
  CHECK(f64c256.cells() == std::array<index_t, 2>{12, 25});
}

TEST_CASE("the published transformers have the published numbers of parameters, blocks and tokens") {
  vidit_options o;
  vidit const large(o);
  CHECK(numbers_in(large) == 222'951'552);
  CHECK(numbers_in(*large.blocks().front()) == 13'709'056);
  CHECK(sda::state_of(large).size() == 200);
  CHECK(large.coordinates().size(0) == 12'972);
  o.state[2] = 128;
  CHECK(numbers_in(vidit(o)) == 223'213'824);
}

TEST_CASE("the published graph autoencoders have the published numbers of parameters") {
  std::vector<std::array<double, 2>> pixels;  // which pixels there are changes no weight
  for (double latitude = 90; latitude >= -90; latitude -= 45)
    for (double longitude = 0; longitude < 360; longitude += 45) pixels.push_back({latitude, longitude});
  auto const millions = [&](gae_options const& g) { return std::round(double(numbers_in(gae(g, pixels))) / 1e5) / 10; };
  gae_options o;
  o.self_attention_hops.clear(), o.use_hop_pooling = false;
  o.ico_divisions = {4, 3, 2, 1, 0}, o.pooling_area = {2, 2, 2, 2, 2};  // spheres as coarse as possible: nodes have no weights
  CHECK(millions(o) == 549.9);
  o.latent_channels = 1024, o.hid_channels = {128, 512, 1024, 2048}, o.heads = {2, 4, 4, 8}, o.self_attention_blocks = {1, 2, 3, 3};
  o.ico_divisions = {4, 3, 2, 1}, o.pooling_area = {2, 2, 2, 2};
  CHECK(millions(o) == 574.2);
  o.latent_channels = 256, o.hid_channels = {192, 512, 1024}, o.heads = {3, 4, 4}, o.self_attention_blocks = {1, 2, 3};
  o.ico_divisions = {4, 3, 2}, o.pooling_area = {2, 2, 2};
  CHECK(millions(o) == 133.3);
  o.latent_channels = 64, o.hid_channels = {192, 512}, o.heads = {3, 4}, o.self_attention_blocks = {2, 3};
  o.ico_divisions = {3, 2}, o.pooling_area = {2, 2};
  CHECK(millions(o) == 30.3);
}

TEST_CASE("the graph transformers have the published numbers of parameters") {
  auto const millions = [](index_t width, index_t blocks) {
    return std::round(double(numbers_in(graphdit({.icosphere = 2, .hidden_channels = width, .hidden_blocks = blocks}))) / 1e5) / 10;
  };
  CHECK(millions(512, 8) == 33.4);
  CHECK(millions(1024, 16) == 249.4);
  CHECK(millions(2048, 16) == 967.5);
}

TEST_CASE("a graph autoencoder at a date is an Encoder; a graph transformer is a prior, full attention or not") {
  gae_options o;
  o.in_channels = 3, o.latent_channels = 2, o.context_channels = 1, o.hid_channels = {8, 8}, o.heads = {2, 2}, o.self_attention_blocks = {1, 1};
  o.ico_divisions = {1, 0}, o.self_attention_hops = {1, 1};
  std::vector<std::array<double, 2>> pixels;
  for (double latitude = 90; latitude >= -90; latitude -= 30)
    for (double longitude = 0; longitude < 360; longitude += 30) pixels.push_back({latitude, longitude});
  auto const net = std::make_shared<gae>(o, pixels);
  net->initialise(sda::key{1});
  auto const bound = std::make_shared<autoencoder_at>(autoencoder_at{net, some_dates(1)[0]});
  latent_space<autoencoder_at> const space{bound, at::kCPU, at::kFloat, {}, {}};
  static_assert(sda::Encoder<latent_space<autoencoder_at>, at::Tensor>);
  CHECK_THROWS_WITH(space.encode(at::randn({2, 84 * 3})), Catch::Contains("1 fields of context"));
  net->surroundings = [](at::Tensor const&) { return at::zeros({1, 84, 1}); };
  CHECK(space.encode(at::randn({2, 84 * 3})).sizes() == at::IntArrayRef({2, 12 * 2}));
  CHECK(sda::linearize(space.decoder(), at::randn({2, 24})).jvp(at::randn({2, 24})).sizes() == at::IntArrayRef({2, 84 * 3}));

  for (int const hops : {0, 1}) {
    graphdit_options g{
        .icosphere = 0, .input_channels = 2, .blanket_size = 3, .hidden_channels = 8, .hidden_blocks = 1, .mod_features = 8, .heads = 2};
    g.self_attention_hops = hops, g.cross_attention_hops = hops;
    auto const backbone = std::make_shared<graphdit>(g);
    backbone->initialise(sda::key{1});
    auto const x = at::randn({2, 72});
    CHECK(sda::linearize(latent_prior{backbone}.at(some_dates(3)), x, sda::level{1, 1}).vjp(x).sizes() == x.sizes());
  }
}

TEST_CASE("padding wraps longitudes around, and cropping undoes it") {
  cae const net(small_cae());
  auto const x = at::randn({2, 3, 9, 16}), wide = net.pad(x);
  CHECK(wide.sizes() == at::IntArrayRef({2, 3, 12, 24}));
  CHECK(net.crop(wide).equal(x));
  CHECK(wide.narrow(3, 0, 8).equal(wide.narrow(3, 16, 8)));
}

TEST_CASE("a fresh autoencoder passes on what it sees, and its latents keep within their bound") {
  cae net(small_cae());
  net.initialise(sda::key{1});
  torch::NoGradGuard const off;
  auto const named = sda::state_of(net);
  auto const down = named.at("encoder.descent.1.0.1.weight"), residual = named.at("encoder.descent.1.1.ffn.3.weight");
  auto rest = down.clone();
  for (index_t o = 0; o < 6; ++o) rest[o][o][1][1] -= 1;
  CHECK(rest.abs().max().item<double>() < 1e-2 / std::sqrt(16 * 9.) * 1.001);
  CHECK(residual.abs().max().item<double>() < 1e-2 / std::sqrt(6 * 9.) * 1.001);
  CHECK(net.encode(100 * at::randn({2, 144, 3})).abs().max().item<double>() <= 5);
}

TEST_CASE("an autoencoder is an Encoder, whose decoder's products agree: <u, J v> = <J' u, v>") {
  auto const net = std::make_shared<cae>(small_cae());
  net->initialise(sda::key{1});
  convert(*net, at::kCPU, at::kDouble);
  latent_space<cae> const space{net, at::kCPU, at::kDouble, {}, {}};
  using array = sda::host_array<double>;
  static_assert(sda::Encoder<latent_space<cae>, array> && sda::Encoder<latent_space<cae>, at::Tensor>);
  auto const z = sda_test::normals(2, 36, sda::key{2}), v = sda_test::normals(2, 36, sda::key{3}), u = sda_test::normals(2, 9 * 16 * 3, sda::key{4});
  auto const at_z = sda::linearize(space.decoder(), z);
  CHECK((u * at_z.jvp(v)).sum() == Approx((at_z.vjp(u) * v).sum()).epsilon(1e-12));
  CHECK(sda::columns(space.encode(at_z.value())) == 36);
}

TEST_CASE("a window of other dates is another prior, and rows may have dates of their own") {
  auto const net = std::make_shared<vidit>(small_vidit());
  net->initialise(sda::key{1});
  torch::NoGradGuard const off;
  latent_prior const prior{net};
  auto const x = at::randn({2, 96});
  auto const winter = some_dates(4), summer = at::tensor({2020, 7, 1, 0}, at::kLong).expand({4, 4});
  auto const a = prior.at(winter)(x, {1, 1}), b = prior.at(summer)(x, {1, 1}), both = prior.at(at::stack({winter, summer}))(x, {1, 1});
  CHECK(!at::allclose(a, b, 1e-3, 1e-4));
  CHECK(at::allclose(both[0], a[0], 1e-5, 1e-6));
  CHECK(at::allclose(both[1], b[1], 1e-5, 1e-6));
}

TEST_CASE("on a Gaussian, a network that says nothing is the posterior mean of what held windows vary by along the basis of fitted ones") {
  torch::NoGradGuard const off;
  index_t const rank = GENERATE(24, 10);
  auto o = small_vidit();
  o.context_channels = 2;
  auto const net = std::make_shared<on_gaussian>(std::make_shared<vidit>(o), 12, 2, rank);
  for (auto const& p : net->parameters()) p.zero_();
  auto const g = sda::generator(sda::key{5}, at::kCPU);
  auto const random = [&](at::IntArrayRef shape) { return at::empty(shape).normal_(0, 1, g); };
  auto const in_time = random({4, 4}), in_space = random({24, 24}) * at::pow(0.8, at::arange(24));
  auto const windows = [&](index_t n) { return 0.3 + at::matmul(in_time, at::matmul(random({n, 4, 24}), in_space.t())); };
  auto const fitted = windows(300), held = windows(200);
  net->estimate([&](auto const& f) { f(fitted.narrow(0, 0, 100)), f(fitted.narrow(0, 100, 200)); }, [&](auto const& f) { f(held); });

  convert(*net, at::kCPU, at::kDouble);
  auto const b = net->named_buffers();
  auto const mean = b["mean"].repeat({4}), q = b["time"], v = b["space"], outside = at::eye(24, at::kDouble) - at::mm(v, v.t());
  CHECK(at::allclose(b["mean"], fitted.mean(c10::IntArrayRef{0, 1}).to(at::kDouble), 1e-5, 1e-6));
  auto const varies = (held.view({-1, 96}).to(at::kDouble) - mean).square().sum(1).mean();
  CHECK((b["variance"].sum() + double(24 - rank) * b["rest"].sum()).item<double>() == Approx(varies.item<double>()).epsilon(1e-5));
  auto covariance = at::zeros({96, 96}, at::kDouble);
  for (index_t t = 0; t < 4; ++t) {
    auto const space = at::mm(v * b["variance"][t], v.t()) + b["rest"][t] * outside;
    covariance += at::kron(at::outer(q.select(1, t), q.select(1, t)), space);
  }
  double const alpha = 0.8, sigma = 0.5;
  auto const x = at::randn({2, 96}, at::kDouble);
  auto const gain = at::mm(covariance, at::inverse(covariance + sigma * sigma / (alpha * alpha) * at::eye(96, at::kDouble)));
  auto const expected = mean + at::mm(x / alpha - mean, gain.t());
  auto const found = latent_prior{net, at::kCPU, at::kDouble}.at(some_dates(4))(x, {alpha, sigma});
  CHECK((found - expected).abs().max().item<double>() < 2e-5);  // the basis was found in floats
  auto const spread = (sigma * sigma / (alpha * alpha)) * at::mm(x, gain.t());
  CHECK((net->spread(x, {alpha, sigma}) - spread).abs().max().item<double>() < 2e-5);
}

TEST_CASE("options that make no network are errors") {
  auto c = small_cae();
  c.resize = 8;
  CHECK_THROWS_AS(cae(c), sda::error);
  auto v = small_vidit();
  v.attention_heads = 3;
  CHECK_THROWS_AS(vidit(v), sda::error);
  vidit const net(small_vidit());
  CHECK_THROWS_AS(net.forward(at::zeros({1, 95}), at::zeros({1}), some_dates(4)), sda::error);
  CHECK_THROWS_AS(net.forward(at::zeros({1, 96}), at::zeros({1}), some_dates(5)), sda::error);
  CHECK_THROWS_AS((saturation{"soft", 5}(at::zeros({1}))), sda::error);
  CHECK_THROWS_WITH(
      autoencoder_from({{"ae", {{"name", "ico1"}, {"context_channels", 1}}}, {"data", {{"grid", "16x9"}, {"context", {"lsm", "tisr"}}}}}),
      Catch::Contains("context_channels is 1"));
}
