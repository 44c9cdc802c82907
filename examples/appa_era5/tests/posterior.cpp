// SPDX-License-Identifier: Apache-2.0
#include "small_system.hpp"

#include "assimilate/chain.hpp"
#include "network/graphdit.hpp"

#include <sda/trajectory/thread_communicator.hpp>

#include <set>

using namespace appa;
using namespace sda_test;
using sda::key;

namespace {

hours const first = hours_of({2020, 2, 28, 20});

conditions seen_here_and_there(trained_system const& s, index_t states) {
  conditions c;
  c.seen.resize(std::size_t(states));
  for (index_t t = 0; t < states; t += 3) c.seen[std::size_t(t)] = some_sight(s, 7, key{20}.fold(std::uint64_t(t)));
  c.known[1] = normal_tensor(1, s.numbers(), key{21}, at::kFloat).view({s.tokens(), s.latents()});
  return c;
}
drawing quick(std::string const& sampler, index_t steps) {
  drawing d;
  d.sampler.name = sampler, d.sampler.steps = steps;
  return d;
}

// The published system: 128 latent channels, the large transformer, stations and a satellite's swath every hour.
planned_run published(index_t states, bool checkpointing = false) {
  planned_run run;
  cae_options ae;
  ae.lat_channels = 128, ae.checkpointing = checkpointing;
  vidit_options vit;
  vit.state = {23, 47, 128};
  run.space = std::make_shared<cae>(ae), run.net = std::make_shared<vidit>(vit);  // memory is asked for, but never touched
  run.states = states;
  run.observations.assign(std::size_t(states), 3'958'000);  // 95 million in 24 hours
  return run;
}

}  // namespace

TEST_CASE("a published window costs 96 denoised windows, 288 products back through the denoiser, 192 forward through the decoder") {
  auto const s = small_system();
  conditions c;
  c.seen.resize(4);
  c.seen[2] = some_sight(s, 7, key{1});
  for (std::string const where : {"observations", "states"}) {
    auto const spent = std::make_shared<tally>();
    drawing d;
    d.guidance.solve_in = where;
    draw(s, first, 4, c, d, key{2}, sda::solo{}, {}, spent);
    CHECK(spent->denoised == 96);
    CHECK(spent->denoiser_vjps == 288);
    CHECK(spent->denoiser_jvps == 0);
    CHECK(spent->decoded == 96);  // of the one state that was seen, not of the others
    CHECK(spent->decoder_vjps == 288);
    CHECK(spent->decoder_jvps == 192);
  }
  auto const spent = std::make_shared<tally>();
  draw(s, first, 4, {}, {}, key{2}, sda::solo{}, {}, spent);
  CHECK(spent->denoised == 96);
  CHECK((spent->decoded == 0 && spent->denoiser_vjps == 0));
}

TEST_CASE("ranks change no bit of a trajectory, however its windows are joined") {
  auto const s = small_system(at::kFloat, false, false);
  index_t const states = 7;
  auto const c = seen_here_and_there(s, states);
  for (std::string const join : {"symmetrical", "causal", "average", "alternating"}) {
    auto d = quick("pc", 2);
    d.windows.join = join, d.windows.passes = 1;
    auto const alone = draw(s, first, states, c, d, key{3});
    CHECK(alone.sizes() == at::IntArrayRef({states, s.tokens(), s.latents()}));
    CHECK(at::isfinite(alone).all().item<bool>());
    for (int const size : {2, 3}) {
      std::vector<char> equal(std::size_t(size), 0);
      sda::on_threads(
          size, [&](sda::thread_communicator ranks) { equal[std::size_t(ranks.rank())] = draw(s, first, states, c, d, key{3}, ranks).equal(alone); });
      for (char const e : equal) CHECK(e);
    }
    CHECK(!draw(s, first, states, c, d, key{4}).equal(alone));
  }
  auto d = quick("ddpm", 3);
  d.guidance.particles = 3, d.guidance.resample = 1;
  auto const alone = draw(s, first, states, c, d, key{3});
  sda::on_threads(2, [&](sda::thread_communicator ranks) { CHECK(draw(s, first, states, c, d, key{3}, ranks).equal(alone)); });
}

TEST_CASE("of a linear posterior every mirrored pair has the mean, and the spread of the posterior") {
  auto const s = small_system();  // N(0, 1), and the decoder is affine
  auto const mirrored_pair = [&](index_t states, conditions const& c, drawing d, key k) {
    auto const x = draw(s, first, states, c, d, k);
    d.mirrored = true;
    auto const y = draw(s, first, states, c, d, k);
    return std::pair{(x + y) / 2, (x - y) / 2};
  };
  SECTION("from any noise the mean is one, however windows are joined") {
    auto const c = seen_here_and_there(s, 7);
    for (auto const* join : {"symmetrical", "causal", "average", "alternating"}) {
      auto d = quick("lms", 6);
      d.guidance.name = "sda", d.windows.join = join, d.windows.passes = 1;  // linear in what was seen, unlike so many iterations of a solver
      auto const [mean, spread] = mirrored_pair(7, c, d, key{50});
      auto const [other, unlike] = mirrored_pair(7, c, d, key{51});
      INFO(join);
      CHECK((mean - other).abs().max().item<double>() < 1e-3);  // rounding: 3e-5
      CHECK((spread - unlike).abs().mean().item<double>() > 0.3);
    }
  }
  SECTION("which is the posterior's, as is the spread of pairs") {
    conditions c;
    c.known[1] = normal_tensor(1, s.numbers(), key{52}, at::kFloat).view({s.tokens(), s.latents()});
    c.variance = at::full({2}, 0.25);
    double variance = 0, free = 0;
    int const pairs = 4;
    for (int p = 0; p < pairs; ++p) {
      auto const [mean, spread] = mirrored_pair(4, c, quick("lms", 64), key{53}.fold(std::uint64_t(p)));
      CHECK((mean[1] - c.known[1] / 1.25).abs().max().item<double>() < 0.05);
      CHECK(mean[2].abs().max().item<double>() < 1e-5);
      variance += spread[1].square().mean().item<double>() / pairs, free += spread[2].square().mean().item<double>() / pairs;
    }
    double const error = 4 * std::sqrt(2.0 / double(pairs * s.numbers()));  // four standard errors
    CHECK(variance == Approx(0.2).epsilon(error + 0.05));
    CHECK(free == Approx(1).epsilon(error + 0.05));
  }
}

TEST_CASE("what mirrored draws take within their steps is their own, on any ranks") {
  auto const s = small_system();
  for (auto const* name : {"ddpm", "pc", "repaint"}) {
    auto d = quick(name, 3), other = d;
    other.mirrored = true;
    auto const x = draw(s, first, 7, {}, d, key{54}), y = draw(s, first, 7, {}, other, key{54});
    CHECK((x + y).abs().mean().item<double>() > 0.1);
    CHECK((x - y).abs().mean().item<double>() > 0.1);
    sda::on_threads(2, [&](sda::thread_communicator ranks) { CHECK(draw(s, first, 7, {}, other, key{54}, ranks).equal(y)); });
  }
}

TEST_CASE("around the trajectory guidance agrees with guidance of its one window") {
  auto const s = small_system(at::kFloat, false, false);
  auto const c = seen_here_and_there(s, 4);
  auto d = quick("ddim", 4);
  auto const inside = draw(s, first, 4, c, d, key{5});
  d.guidance.around = "trajectory";
  CHECK(at::allclose(draw(s, first, 4, c, d, key{5}), inside, 1e-4, 1e-4));
  CHECK(at::isfinite(draw(s, first, 6, c, d, key{5})).all().item<bool>());
}

TEST_CASE("known latents are found again by every sampler, and by guidance that solves for them") {
  auto const s = small_system();  // the prior is N(0, 1)
  conditions c;
  c.known[1] = normal_tensor(1, s.numbers(), key{6}, at::kFloat).view({s.tokens(), s.latents()});
  c.variance = at::full({2}, 1e-4);
  auto const distance = [&](drawing const& d) {
    auto const x = draw(s, first, 4, c, d, key{7});
    auto const rest = at::cat({x[0], x[2], x[3]});
    INFO(d.sampler.name << ", " << d.guidance.name);
    CHECK(rest.square().mean().item<double>() > 0.6);                                             // the others are as the prior has them
    CHECK(rest.square().mean().item<double>() < (d.sampler.name == "euler_maruyama" ? 3 : 1.4));  // whose first steps are too long for it
    return (x[1] - c.known[1]).abs().mean().item<double>();
  };
  for (auto const* name : {"pc", "ddim", "ddpm", "ito", "euler_maruyama", "heun", "lms", "adams_bashforth", "velocity", "exponential_eps",
                           "exponential_x", "rotation", "rewind", "repaint"}) {
    auto d = quick(name, 32);
    d.sampler.eta = std::string(name) == "ito" || std::string(name) == "repaint" ? 1 : 0;
    d.sampler.ahead = 3, d.sampler.jump = 8, d.sampler.passes = 2;
    CHECK(distance(d) < 0.05);
  }
  for (auto const* corrector : {"langevin", "adaptive", "renoising"}) {
    auto d = quick("pc", 32);
    d.sampler.corrector = corrector;
    CHECK(distance(d) < 0.05);
  }
  for (auto const* name : {"sda", "w2c", "pigdm", "tmpd", "jfps", "diffpir", "latent_optimization", "daps"}) {
    auto d = quick(std::string(name) == "daps" ? "annealing" : "ddim", 32);
    d.guidance.name = name, d.guidance.iterations = 4, d.guidance.lambda = 1, d.guidance.gamma = 1;
    CHECK(distance(d) < 0.15);
  }
  for (auto const* solver : {"gmres", "cg", "bicgstab"}) {
    auto d = quick("ddim", 32);
    d.guidance.solver = solver;
    CHECK(distance(d) < 0.05);
  }
  for (auto const* optimiser : {"gauss_newton", "lbfgs", "adam", "gradient_descent"}) {
    auto d = quick("ddim", 32);
    d.guidance.name = "latent_optimization", d.guidance.optimiser = optimiser, d.guidance.iterations = 20;
    CHECK(distance(d) < 0.15);
  }
}

namespace {

// A prior of departures, N(0, 1) in their own units.
trained_system departing_system(at::ScalarType type = at::kFloat) {
  auto s = small_system(type);
  auto o = std::dynamic_pointer_cast<vidit>(s.net)->options;
  o.context_channels = 2;
  s.net = std::make_shared<vidit>(o);
  s.net->initialise(key{2});
  torch::NoGradGuard const off;
  for (auto const& p : s.net->named_parameters()) {
    if (p.key().find("out_proj") == 0) p.value().zero_();
    p.value().set_requires_grad(false);
  }
  convert(*s.net, at::kCPU, type);
  s.where = regular_grid(64, 45, false), s.channels = select_channels({"t2m", "msl", "u10"}, {});
  s.departures = {at::tensor({0.3, -0.1}, at::kFloat), at::tensor({0.5, 0.7}, at::kFloat), 0};
  return s;
}

}  // namespace

TEST_CASE("departures from a background are drawn as a plain prior of their own units draws them") {
  auto const s = departing_system(at::kDouble);  // its decoder is affine
  auto plain = small_system(at::kDouble);
  plain.scale.mean = s.scale.restored(s.departures.mean), plain.scale.deviation = s.scale.deviation * s.departures.deviation;
  auto seen = seen_here_and_there(s, 6);
  seen.background = normal_tensor(1, 6 * s.numbers(), key{30}, at::kFloat).view({6, s.tokens(), s.latents()});
  auto told = seen;
  told.background = at::Tensor();
  auto const nothing = at::zeros({1, s.numbers()});
  for (index_t const t : {0, 3}) {
    auto& look = told.seen[std::size_t(t)];
    latent_scale const there{s.scale.restored(seen.background[t] + s.departures.mean), plain.scale.deviation, 0};
    auto const shift = seen_state(plain, look)(nothing) - seen_state(s, look, 0, there)(nothing);
    for (std::size_t i = 0; i < look.values.size(); ++i) look.values[i] += shift[0][index_t(i)].item<float>();
  }
  told.known[1] = s.departures.standardised(seen.known[1] - seen.background[1]);
  for (char const* const join : {"symmetrical", "alternating"}) {
    auto d = quick("ddim", 3);
    d.windows.join = join, d.windows.passes = 1;
    auto const r = draw(plain, first, 6, told, d, key{31}), x = draw(s, first, 6, seen, d, key{31});
    CHECK(at::allclose(x, seen.background + s.departures.restored(r), 1e-3, 1e-3));
  }
}

TEST_CASE("diffda puts what was seen everywhere in place, and leaves what was not seen to the prior") {
  auto const s = departing_system();
  auto d = quick("repaint", 4);
  d.guidance.name = "diffda", d.sampler.jump = 2, d.sampler.passes = 2;
  conditions c;
  c.background = normal_tensor(1, 4 * s.numbers(), key{32}, at::kFloat).view({4, s.tokens(), s.latents()});
  auto const free = draw(s, first, 4, c, d, key{33});
  auto const truth = s.decode(normal_tensor(1, s.numbers(), key{34}, at::kFloat).view({1, s.tokens(), s.latents()}), first).contiguous();
  sight everything;
  for (index_t i = 0; i < truth.numel(); ++i) everything.columns.push_back(i);
  everything.values.assign(truth.data_ptr<float>(), truth.data_ptr<float>() + truth.numel());
  everything.variances.assign(everything.values.size(), 0.01f);
  c.seen = {{}, {}, everything};
  auto const x = draw(s, first, 4, c, d, key{33});
  auto const wanted = c.background[2] + (s.encode(truth, first) - s.encode(s.decode(c.background.narrow(0, 2, 1), first), first))[0];
  CHECK((x[2] - wanted).abs().max().item<double>() < 0.01);
  for (index_t const t : {0, 1, 3}) CHECK(x[t].equal(free[t]));  // this prior's states know nothing of each other
  sda::on_threads(2, [&](sda::thread_communicator ranks) { CHECK(draw(s, first, 4, c, d, key{33}, ranks).equal(x)); });
}

TEST_CASE("on a graph, too, cells take what was seen among their points, and a background beside them") {
  auto s = small_graph_system();
  s.where = parse_grid("16x9"), s.channels = select_channels({"t2m", "msl", "u10"}, {});
  auto fields = at::zeros({1, 144, 3});
  fields[0][40][1] = 2;  // 45 degrees north, 180 east
  auto const pooled = s.pooled(fields);
  CHECK(pooled.sizes() == at::IntArrayRef({1, 12, 3}));
  CHECK(pooled.sum().item<double>() == 2);
  auto d = quick("repaint", 2);
  d.guidance.name = "diffda";
  conditions c;
  auto const free = draw(s, first, 4, c, d, key{35});
  c.seen = {some_sight(s, 7, key{36})};
  auto const x = draw(s, first, 4, c, d, key{35});
  CHECK(at::isfinite(x).all().item<bool>());
  CHECK(!x.equal(free));
  graphdit_options o;
  o.icosphere = 0, o.input_channels = 2, o.context_channels = 2, o.blanket_size = 4, o.hidden_channels = 8, o.hidden_blocks = 1, o.mod_features = 8,
  o.heads = 2;
  o.self_attention_hops = 1;
  graphdit net(o);
  net.initialise(key{37});
  auto const z = normal_tensor(1, 96, key{38}, at::kFloat), b = normal_tensor(1, 96, key{39}, at::kFloat).view({1, 48, 2});
  auto const told = net.forward(beside(z, b), at::zeros({1}), s.dates(first, 4));
  CHECK(told.sizes() == z.sizes());
  CHECK(!told.equal(net.forward(beside(z, 2 * b), at::zeros({1}), s.dates(first, 4))));
}

TEST_CASE("weighed particles draw from the posterior, whatever guides them") {
  any_denoiser const prior = [](at::Tensor const& x, sda::level l) { return l.alpha / (l.alpha * l.alpha + l.sigma * l.sigma) * x; };
  any_denoiser const wrong = [&](at::Tensor const& x, sda::level l) { return prior(x, l) + 0.3 * l.sigma / (l.alpha + l.sigma); };
  auto const y = at::full({1, 1}, 1.5), variance = at::full({1, 1}, 0.25);
  window_observation const seen{window_sight({{0, {}}}, 1, 1), y, sda::diagonal_error(variance)};
  sampler_options o;
  o.name = "ddpm", o.steps = 24;
  auto const levels = levels_of(o, sda::rectified{1e-3, 1e3});
  for (any_denoiser const* guide : {&prior, &wrong}) {
    index_t const n = 150;
    auto draws = at::zeros({n});
    for (index_t i = 0; i < n; ++i)
      draws[i] = run_particles({}, levels, prior, *guide, seen, at::zeros({16, 1}), key{40}.fold(std::uint64_t(i)), {})[0][0];
    CHECK(draws.mean().item<double>() == Approx(1.2).margin(0.15));  // 4 standard errors
    CHECK(draws.var().item<double>() == Approx(0.2).margin(0.1));
  }
}

TEST_CASE("the covariance of the Gaussian beneath a network that says nothing is that network's own; a warm start ends where a cold one does") {
  auto s = small_system();
  vidit_options o;
  o.state = {s.space->where().image[0], s.space->where().image[1], 2};
  o.blanket_size = 4, o.context_channels = 2, o.patch_size = {2, 3, 3}, o.mod_features = 8, o.hid_channels = 16, o.hid_blocks = 1,
  o.attention_heads = 2;
  auto const net = std::make_shared<on_gaussian>(std::make_shared<vidit>(o), s.tokens(), s.latents(), 8);
  torch::NoGradGuard const off;
  for (auto const& p : net->parameters()) p.zero_();
  auto buffers = net->named_buffers();
  buffers["variance"].copy_(at::linspace(2, 0.2, 4 * 8).view({4, 8})), buffers["rest"].fill_(0.3);
  s.net = net;
  auto const c = seen_here_and_there(s, 6);
  auto const drawn = [&](auto const& change) {
    auto d = quick("lms", 8);
    d.guidance.iterations = 40, d.guidance.tolerance = 1e-5;
    change(d.guidance);
    auto const spent = std::make_shared<tally>();
    auto const x = draw(s, first, 6, c, d, key{8}, sda::solo{}, {}, spent);
    if (d.guidance.covariance == "gaussian") CHECK(spent->denoiser_vjps == 0);
    return x;
  };
  for (auto const* around : {"windows", "trajectory"}) {
    auto const own = drawn([&](guidance_options& g) { g.around = around; });
    auto const other = drawn([&](guidance_options& g) { g.around = around, g.covariance = "gaussian"; });
    auto const warm = drawn([&](guidance_options& g) { g.around = around, g.covariance = "gaussian", g.warm = true; });
    CHECK((own - other).abs().max().item<double>() < 1e-3);
    CHECK((own - warm).abs().max().item<double>() < 1e-3);
  }
}

TEST_CASE("what cannot be drawn is said") {
  auto const s = small_system();
  auto const refused = [&](auto const& change) {
    drawing d;
    change(d);
    CHECK_THROWS_AS(draw(s, first, 4, seen_here_and_there(s, 4), d, key{}), sda::error);
  };
  refused([](drawing& d) { d.guidance.name = "mnps"; });
  refused([](drawing& d) { d.guidance.solver = "lu"; });
  refused([](drawing& d) { d.guidance.solve_in = "space"; });
  refused([](drawing& d) { d.guidance.around = "all"; });
  refused([](drawing& d) { d.guidance.covariance = "static"; });
  refused([](drawing& d) { d.guidance.covariance = "gaussian"; });  // there is none
  refused([](drawing& d) { d.guidance.name = "daps"; });
  refused([](drawing& d) { d.sampler.name = "euler"; });
  refused([](drawing& d) { d.sampler.corrector = "none"; });
  refused([](drawing& d) { d.sampler.steps = 0; });
  refused([](drawing& d) { d.windows.join = "glued"; });
  refused([](drawing& d) { d.windows.overlap = 4; });
  refused([](drawing& d) { d.windows.join = "alternating", d.guidance.name = "none"; });
  refused([](drawing& d) { d.guidance.name = "diffda"; });
  refused([](drawing& d) { d.guidance.particles = 4; });
  refused([](drawing& d) { d.guidance.particles = 4, d.sampler.name = "ddpm", d.mirrored = true; });
  conditions with;
  with.background = at::zeros({4, s.tokens(), s.latents()});
  CHECK_THROWS_WITH(draw(s, first, 4, with, {}, key{}), Catch::Contains("trained without"));
  CHECK_THROWS_WITH(draw(departing_system(), first, 4, {}, {}, key{}), Catch::Contains("there is none"));
  CHECK_THROWS_WITH(draw(departing_system(), first, 6, with, {}, key{}), Catch::Contains("for 6 states"));
  conditions c;
  c.seen.resize(5);
  CHECK_THROWS_AS(draw(s, first, 4, c, {}, key{}), sda::error);
  c.seen.clear(), c.known[4] = at::zeros({s.tokens(), s.latents()});
  CHECK_THROWS_AS(draw(s, first, 4, c, {}, key{}), sda::error);
}

TEST_CASE("a drawing is read from a configuration, and what it does not say keeps its default") {
  auto const d = nlohmann::json::parse(R"({"guidance": {"name": "sda", "gamma": 0.1}, "sampler": {"name": "lms", "steps": 64, "order": 2},
                                           "windows": {"join": "alternating", "passes": 3}, "memory": 8})")
                     .get<drawing>();
  CHECK((d.guidance.name == "sda" && d.guidance.gamma == 0.1 && d.guidance.iterations == 2));
  CHECK((d.sampler.name == "lms" && d.sampler.steps == 64 && d.sampler.order == 2 && d.sampler.delta == 0.1));
  CHECK((d.windows.join == "alternating" && d.windows.passes == 3 && d.windows.overlap == -1 && d.memory == 8));
  CHECK_THROWS_AS(nlohmann::json::parse(R"({"sampler": {"steps": "many"}})").get<drawing>(), sda::error);
}

TEST_CASE("networks cost the published numbers of operations") {
  auto const run = published(24);
  CHECK(run.space->decoding().maps * 1e-12 == Approx(3.12).epsilon(0.01));
  CHECK(run.net->denoising().attention * 1e-12 == Approx(11.0).epsilon(0.01));
  CHECK(run.net->denoising().maps * 1e-12 == Approx(5.3).epsilon(0.01));
}

TEST_CASE("the published reanalysis of 24 hours fits into 40 GB, at the published counts") {
  for (bool const checkpointing : {false, true}) {
    auto const run = published(24, checkpointing);
    auto const e = estimate_of(run);
    CHECK(e.windows == 1);
    CHECK(e.denoised == 96);
    CHECK(e.denoiser_vjps == 288);
    CHECK(e.decoded == 96 * 24);
    CHECK(e.decoder_vjps == 288 * 24);
    CHECK(e.decoder_jvps == 192 * 24);
    CHECK(e.memory() < 40e9);
    CHECK(e.memory() > e.weights + 95e6 * 4 * 5);
    INFO(text(e, 1e14, {10}));
    // 11 decoded states' worth an evaluation and state, 14 where blocks are made again; about 1 PFLOP an evaluation
    double const decoder = (checkpointing ? 14 : 11) * 24 * run.space->decoding().maps,
                 denoiser = run.net->denoising().maps + run.net->denoising().attention;
    CHECK(e.operations / 96 > decoder + 10 * denoiser);
    CHECK(e.operations / 96 < decoder + 20 * denoiser);
  }
  auto run = published(24);
  run.how.guidance.solve_in = "states";
  auto const pushed = estimate_of(run);
  CHECK(pushed.operations == estimate_of([&] {
                               auto other = run;
                               other.how.guidance.solve_in = "observations";
                               return other;
                             }())
                                 .operations);
  CHECK(pushed.vectors < 5e9);
}

TEST_CASE("longer runs have more windows, ranks share them, and what is not seen costs nothing") {
  for (auto const& [states, windows] : {std::pair{24, 1}, {36, 2}, {40, 3}, {48, 3}, {72, 5}, {96, 7}})
    CHECK(estimate_of(published(states)).windows == windows);
  auto run = published(72);
  auto const e = estimate_of(run);
  CHECK(e.decoded == 96 * 5 * 24);
  CHECK(e.seconds(1e14, {1, 5}) == Approx(e.seconds(1e14) / 5));
  CHECK(e.seconds(1e14, {1, 50}) == Approx(e.seconds(1e14) / 5));
  run.observations.clear();
  CHECK(estimate_of(run).decoded == 0);
  CHECK(estimate_of(run).denoiser_vjps == 0);
  run.known = {0, 1};
  CHECK(estimate_of(run).denoiser_vjps == 288);  // the first window alone knows them
  run.how.guidance.around = "trajectory", run.observations.assign(72, 100);
  CHECK(estimate_of(run).decoded == 96 * 72);
}

TEST_CASE("what is estimated is what is spent, for every guidance and sampler") {
  auto const s = small_system();
  conditions c;
  c.seen.resize(6);
  for (std::size_t const t : {0, 3, 5}) c.seen[t] = some_sight(s, 7, sda::key{t});
  planned_run run{s.space, s.net, {}, 6, 1, {7, 0, 0, 7, 0, 7}};
  auto const compare = [&] {
    auto const spent = std::make_shared<tally>();
    draw(s, 0, 6, c, run.how, sda::key{1}, sda::solo{}, {}, spent);
    auto const e = estimate_of(run);
    INFO(run.how.sampler.name << ", " << run.how.guidance.name << ", " << run.how.windows.join << ", " << run.how.guidance.around);
    CHECK(spent->denoised == e.denoised);
    CHECK(spent->denoiser_vjps == e.denoiser_vjps);
    CHECK(spent->decoded == e.decoded);
    CHECK(spent->decoder_vjps == e.decoder_vjps);
    CHECK(spent->decoder_jvps == e.decoder_jvps);
  };
  for (auto const* name : {"mmps", "sda", "w2c", "dps", "pigdm", "tmpd", "jfps", "diffpir", "none"}) {
    run.how = {}, run.how.sampler.steps = 1, run.how.guidance.name = name;
    compare();
  }
  for (auto const* name : {"ddim", "heun", "lms", "adams_bashforth", "exponential_x", "rewind"}) {
    run.how = {}, run.how.sampler.name = name, run.how.sampler.steps = 6, run.how.sampler.ahead = 2;
    compare();
  }
  for (auto const* join : {"causal", "alternating"}) {
    run.how = {}, run.how.sampler.steps = 1, run.how.windows.join = join;
    compare();
  }
  run.how = {}, run.how.sampler.steps = 1, run.how.guidance.around = "trajectory";
  compare();
  for (auto const* name : {"mmps", "tmpd", "jfps"}) {
    run.how = {}, run.how.sampler.steps = 1, run.how.guidance.name = name, run.how.guidance.warm = true;
    compare();
  }
  for (auto const* name : {"mmps", "none"}) {
    run.how = {}, run.how.sampler = {.name = "ddpm", .steps = 2}, run.how.guidance.name = name, run.how.guidance.particles = 3;
    compare();
  }

  auto const cropped = estimate_of(run);
  auto const g = small_graph_system();
  run.space = g.space, run.net = g.net;
  auto const whole = estimate_of(run);
  CHECK((whole.decoded == cropped.decoded && whole.denoiser_vjps == cropped.denoiser_vjps));
  CHECK(text(cropped, 1e9, {}).find("whole ones") == std::string::npos);
  CHECK(text(whole, 1e9, {}).find("whole ones") != std::string::npos);
}

TEST_CASE("a dry draw counts decoders as far as they are cropped, those on graphs whole, and a rank's share of the windows") {
  auto const dry = [](trained_system const& s, index_t observed, int ranks) {
    estimate all;
    job const some{0, ranks, {}, {}};
    drawing d;
    d.guidance.around = "trajectory";
    sight one;
    for (index_t i = 0; i < observed; ++i) one.columns.push_back(i), one.values.push_back(0), one.variances.push_back(1);
    chain{s, d, [&](hours) { return one; }, some, 2, {}, &all}.joint(first, 12, {first, first + 11}, key{});
    return all;
  };
  auto const s = small_system();
  auto const little = dry(s, 1, 1), everything = dry(s, 45 * 64 * 3, 1);
  CHECK((little.windows == 5 && little.decoded == everything.decoded && little.denoised == everything.denoised));
  CHECK(little.operations < 0.7 * everything.operations);
  CHECK(little.decoder < 0.7 * everything.decoder);
  CHECK(dry(s, 1, 5).denoiser * 5 == Approx(little.denoiser));
  CHECK_FALSE(little.whole_states);
  CHECK(dry(small_graph_system(), 1, 1).whole_states);
}

TEST_CASE("members are dealt to ranks, and windows to those that members are too few for") {
  estimate e;
  e.windows = 5, e.operations = 1e12;
  for (auto const& [all, seconds] : {std::pair{crew{10, 1}, 10.0},
                                     {{10, 10}, 1.0},
                                     {{10, 4}, 3.0},
                                     {{1, 5}, 0.2},
                                     {{1, 2}, 0.6},
                                     {{2, 50}, 0.4},
                                     {{10, 1, 4}, 12.0},
                                     {{2, 1, 4}, 2.0}})
    CHECK(e.seconds(1e12, all) == Approx(seconds));
  e.weights = 10, e.denoiser = 3, e.decoder = 2, e.vectors = 1, e.read = 4, e.residuals = 1;
  CHECK((e.memory() == 25 && e.memory(2) == 35));
  CHECK(product_rate(at::kCPU, 2, 64) > 0);
}

TEST_CASE("a draw tells of every step, and within it of every window") {
  auto const s = small_system();
  for (auto const& [join, windows] : {std::pair{"symmetrical", 3}, {"alternating", 6}}) {
    auto d = quick("ddim", 2);
    d.windows.join = join, d.windows.passes = 1;
    std::set<std::array<index_t, 2>> seen;
    draw(s, first, 8, {}, d, key{3}, sda::solo{}, [&](headway const& h) {
      if (h.window > 0) seen.insert({h.done, h.window});
      CHECK((h.of > 0 && h.done <= h.of && h.window <= windows && h.windows == windows));
    });
    INFO(join);
    for (index_t w = 1; w <= windows; ++w) CHECK(std::any_of(seen.begin(), seen.end(), [&](auto const& one) { return one[1] == w; }));
  }
}
