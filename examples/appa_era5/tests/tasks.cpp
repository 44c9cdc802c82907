// SPDX-License-Identifier: Apache-2.0
#include <temporary.hpp>
#include <torch_test.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assimilate/tasks.hpp"
#include "data/archive.hpp"
#include "data/state_file.hpp"
#include "evaluate/observed.hpp"
#include "network/cae.hpp"
#include "network/from_config.hpp"
#include "training/run.hpp"

#include <sda/torch/tensors.hpp>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <list>
#include <thread>

using namespace appa;
using nlohmann::json;
using sda_test::temporary_folder;
namespace fs = std::filesystem;

namespace {

channel_set const channels = select_channels({"t2m", "msl"}, {});
grid const where = parse_grid("16x9");
hours const start = hours_of({2019, 1, 1, 0});

// Networks of random weights, windows of 4 states, and two days of a travelling wave.
struct small_world {
  temporary_folder folder;
  std::string data = (folder / "era5.nc").string();

  small_world() {
    at::set_num_threads(1);  // children that are forked have no other threads
    json const ae = {{"name", "cae_test"},   {"resize", 2},         {"lat_channels", 2}, {"hid_channels", {4, 8}},
                     {"hid_blocks", {1, 1}}, {"noise_level", 0.01}, {"in_channels", 2},  {"shape", {9, 16}}};
    json const denoiser = {
        {"backbone",
         {{"name", "vit_test"}, {"mod_features", 8}, {"hid_channels", 16}, {"hid_blocks", 1}, {"attention_heads", 2}, {"patch_size", {2, 1, 1}}}},
        {"train", {{"blanket_size", 4}}}};
    cae encoder(ae.get<cae_options>());
    encoder.initialise(sda::key{1});
    fs::create_directories(folder / "latents" / "ae"), fs::create_directories(folder / "denoiser");
    sda::write_tensors(folder / "latents" / "ae" / "model.safetensors", sda::state_of(encoder),
                       provenance({{"data", {{"grid", "16x9"}, {"variables", {"t2m", "msl"}}}},
                                   {"autoencoder", {{"ae", ae}}},
                                   {"standard", {{"mean", {280.0, 101300.0}}, {"std", {5.0, 1000.0}}}}},
                                  0, 0));
    sda::write_tensors(folder / "latents" / "stats.safetensors", {{"mean", at::zeros({2})}, {"std", at::ones({2})}});
    auto const prior = backbone_from(with_latents({{"denoiser", denoiser}, {"hours", 1}}, encoder.where(), encoder.latents()));
    prior->initialise(sda::key{2});
    sda::write_tensors(folder / "denoiser" / "model_best.safetensors", sda::state_of(*prior),
                       provenance({{"denoiser", denoiser}, {"hours", 1}}, 0, 0));
    auto departing = denoiser;
    departing["background"] = {{"lead", 6}};
    json const told = {{"denoiser", departing}, {"hours", 1}, {"departures", {{"mean", {0.1, -0.1}}, {"std", {0.4, 0.6}}}}};
    auto const departures = backbone_from(with_latents(told, encoder.where(), encoder.latents()));
    departures->initialise(sda::key{3});
    fs::create_directories(folder / "departing");
    sda::write_tensors(folder / "departing" / "model_best.safetensors", sda::state_of(*departures), provenance(told, 0, 0));
    write_weather(data, {});
  }
  // Two days, without some hours.
  void write_weather(std::string const& path, std::vector<hours> const& without) const {
    state_writer out(path, {where, channels, "a wave", "a test", "a test"});
    for (hours t = 0; t < 48; ++t) {
      std::vector<float> x;
      for (double const mean : {280.0, 101300.0})
        for (index_t i = 0; i < where.points(); ++i)
          x.push_back(float(mean * (1 + 0.02 * std::cos(0.6 * double(i / 16)) * std::sin(0.39 * double(i % 16) - 0.2 * double(t)))));
      if (std::find(without.begin(), without.end(), t) == without.end()) out.append(start + t, x);
    }
    out.commit();
  }
  // What the autoencoder leaves: three waves about a mean.
  void leave(double correlation = 0.5) const {
    auto f = at::arange(864, at::kFloat).mul(0.7).sin().view({3, 144, 2});
    f -= f.mean(0);
    sda::write_tensors(folder / "latents" / "residuals.safetensors", {{"mean", at::full({144, 2}, 0.25)},
                                                                      {"fields", f},
                                                                      {"deviation", f.square().mean(c10::IntArrayRef{0, 1}).sqrt()},
                                                                      {"correlation", at::scalar_tensor(correlation, at::kFloat)}});
  }
  task_options options(std::string const& task, std::string const& out, std::string const& first) const {
    task_options o;
    o.task = task, o.model = {(folder / "latents").string(), (folder / "denoiser").string()}, o.data = {data};
    o.out = (folder / out).string(), o.first = {first}, o.seed = 3, o.line = "a test";
    return o;
  }
};

config const& asked(std::vector<std::string> const& words = {}) {
  static std::list<config> all;
  return all.emplace_back(config::parse(R"(
assimilation: {members: 3, hours: 6, lead: 5, sampler: {steps: 3, corrections: 1}}
observations: [{kind: stations, count: 20, error: 0.1}, {kind: random, share: 0.1, channels: [msl]}]
)",
                                        words));
}

std::string bytes(fs::path const& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
// Every file below a folder.
std::map<std::string, std::string> contents(fs::path const& folder) {
  std::map<std::string, std::string> out;
  for (auto const& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) out[fs::relative(entry.path(), folder).string()] = bytes(entry.path());
  return out;
}
void check_same(fs::path const& a, fs::path const& b) {
  auto const x = contents(a), y = contents(b);
  CHECK(x.size() > 0);
  for (auto const& [name, text] : y) {
    INFO(name);
    CHECK(x.count(name) == 1);
  }
  for (auto const& [name, text] : x) {
    INFO(name);
    REQUIRE(y.count(name) == 1);
    CHECK((y.at(name) == text));
  }
}
// Runs f in n processes, one after the other, each killed at a random moment before `longest`; how many had not ended by then.
template <class Time, class F> int killed_at_random(std::uint32_t n, Time longest, sda::key k, F const& f) {
  int out = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    pid_t const child = ::fork();
    if (child == 0) {
      ::close(2);
      f();
      ::_exit(0);
    }
    std::this_thread::sleep_for(longest * sda::uniform(k, i, 0));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    out += WIFSIGNALED(status);
  }
  return out;
}
std::vector<float> read(fs::path const& file, hours t) {
  std::vector<float> x(std::size_t(channels.size() * where.points()));
  archive({file.string()}, channels).read(t, 1, 1, x.data());
  return x;
}
// What f writes to a stream: 1 or 2.
template <class F> std::string told(int stream, F const& f) {
  temporary_folder const folder;
  auto const file = (folder / "told").string();
  std::fflush(nullptr);
  int const kept = ::dup(stream), into = ::open(file.c_str(), O_CREAT | O_WRONLY, 0600);
  ::dup2(into, stream), ::close(into);
  auto const back = [&] { std::fflush(nullptr), ::dup2(kept, stream), ::close(kept); };
  try {
    f();
  } catch (...) {
    back();
    throw;
  }
  back();
  return bytes(file);
}
std::vector<hours> times(fs::path const& file) { return archive({file.string()}, channels).times(); }

}  // namespace

TEST_CASE("members depend on their number alone: not on how many, on workers, or on when they were drawn") {
  small_world const w;
  w.leave();
  auto o = w.options("reanalyse", "at once", "2019-01-01T03");
  run_task(asked(), o, {});
  o.out = (w.folder / "one by one").string(), o.workers = 2;
  run_task(asked({"assimilation.members=1"}), o, {});
  run_task(asked(), o, {});
  check_same(w.folder / "at once", w.folder / "one by one");
  CHECK(times(w.folder / "at once" / "mean.nc").front() == start + 3);
  CHECK(times(w.folder / "at once" / "mean.nc").size() == 6);
  CHECK(read(w.folder / "at once" / "members" / "member_001.nc", start + 4) != read(w.folder / "at once" / "members" / "member_002.nc", start + 4));
}

TEST_CASE("mirrored members: the second of a pair begins at the opposite noise, whatever is drawn beside it") {
  small_world const w;
  std::string const sampler = "assimilation.sampler={name: lms, steps: 3}";
  auto const member = [&](char const* out, int m) { return read(w.folder / out / "members" / ("member_00" + std::to_string(m) + ".nc"), start + 4); };
  auto o = w.options("reanalyse", "plain", "2019-01-01T03");
  run_task(asked({sampler}), o, {});
  o.out = (w.folder / "off").string();
  run_task(asked({sampler, "assimilation.mirrored=false"}), o, {});
  auto const mirrored = [&](char const* out, std::string const& members, int workers) {
    o.out = (w.folder / out).string(), o.workers = workers;
    run_task(asked({sampler, "assimilation.mirrored=true", "assimilation.members=" + members}), o, {});
  };
  mirrored("at once", "4", 1), mirrored("one by one", "1", 1), mirrored("one by one", "2", 1), mirrored("one by one", "4", 2);
  check_same(w.folder / "at once", w.folder / "one by one");
  for (int const m : {1, 2, 3}) CHECK(member("off", m) == member("plain", m));
  CHECK(member("at once", 1) == member("plain", 1));  // the first of a pair is a plain member of the pair's number
  CHECK(member("at once", 3) == member("plain", 2));
  CHECK(member("at once", 2) != member("plain", 2));
  CHECK(member("at once", 4) != member("at once", 3));

  o.out = (w.folder / "plain").string();
  CHECK_THROWS_WITH(run_task(asked({sampler, "assimilation.mirrored=true"}), o, {}), Catch::Contains("mirrored: nothing there, true here"));
  CHECK_THROWS_WITH(run_task(asked({sampler, "assimilation.mirrored=2"}), o, {}), Catch::Contains("assimilation.mirrored is 2, not true or false"));
  CHECK_THROWS_WITH(run_task(asked({"assimilation.mirrored=true", "assimilation.guidance.particles=3", "assimilation.sampler.name=ddpm"}), o, {}),
                    Catch::Contains("do not go with mirrored members"));
}

TEST_CASE("a filter's state is the last of the reanalysis up to it") {
  small_world const w;
  w.leave();
  run_task(asked(), w.options("reanalyse", "all", "2019-01-01T03"), {});
  run_task(asked(), w.options("filter", "last", "2019-01-01T08"), {});
  CHECK(times(w.folder / "last" / "mean.nc") == std::vector<hours>{start + 8});
  for (auto const* file : {"mean.nc", "spread.nc", "members/member_002.nc"})
    CHECK(read(w.folder / "all" / file, start + 8) == read(w.folder / "last" / file, start + 8));
}

TEST_CASE("forecasts begin where they were told to and go on as far") {
  small_world const w;
  auto const made = [&](std::vector<std::string> words, std::string const& out) {
    words.push_back("assimilation.hours=2");
    run_task(asked(words), w.options("forecast", out, "2019-01-02T00"), {});
    CHECK(times(w.folder / out / "mean.nc").front() == start + 22);
    CHECK(times(w.folder / out / "mean.nc").back() == start + 28);
    return w.folder / out / "members" / "member_001.nc";
  };
  auto const full = made({"assimilation.start=full"}, "full");
  auto o = w.options("persistence", "persistence", "2019-01-02T00");
  run_task(asked(), o, {});
  auto const still = w.folder / "persistence" / "members" / "member_001.nc";
  for (hours t = start + 23; t < start + 29; ++t) CHECK(read(still, t) == read(full, start + 23));
  CHECK_FALSE(fs::exists(w.folder / "persistence" / "members" / "member_002.nc"));

  auto single = w.options("forecast", "single", "2019-01-02T00");
  run_task(asked({"assimilation.start=full", "assimilation.hours=1"}), single, {});
  CHECK(times(w.folder / "single" / "mean.nc") == std::vector<hours>{start + 23, start + 24, start + 25, start + 26, start + 27, start + 28});
  CHECK(read(w.folder / "single" / "members" / "member_001.nc", start + 23) == read(full, start + 23));
  CHECK(read(w.folder / "single" / "members" / "member_001.nc", start + 25) != read(full, start + 25));

  auto const seen = made({"assimilation.start=observations"}, "observations");
  CHECK(read(seen, start + 25) != read(full, start + 25));
  made({"assimilation.start=reanalysis", "assimilation.spin_up=8"}, "reanalysis");
  made({"assimilation.all_at_once=true"}, "at once");

  auto begun = w.options("forecast", "from", "2019-01-02T00");
  begun.from = (w.folder / "full").string();
  run_task(asked({"assimilation.hours=2"}), begun, {});
  CHECK(read(w.folder / "from" / "members" / "member_001.nc", start + 23) == read(full, start + 23));
}

TEST_CASE("a cycle killed twenty times at random moments leaves the files of one that was not") {
  small_world const w;
  w.leave();
  auto const words = std::vector<std::string>{"assimilation.members=2", "assimilation.cycles=3"};
  auto o = w.options("cycle", "whole", "2019-01-01T08");
  auto const before = std::chrono::steady_clock::now();
  run_task(asked(words), o, {});
  auto const whole = std::chrono::steady_clock::now() - before;
  o.out = (w.folder / "killed").string();
  int const killed = killed_at_random(20, 0.3 * whole, sda::key{7}, [&] { run_task(asked(words), o, {}); });
  CHECK(killed > 0);
  run_task(asked(words), o, {});
  check_same(w.folder / "whole", w.folder / "killed");
  for (auto const* cycle : {"2019-01-01T10", "2019-01-01T12"}) CHECK(times(w.folder / "whole" / cycle / "analysis" / "increments.nc").size() == 2);
}

TEST_CASE("a cycle whose analyses depart from forecasts: killed, gone on with, by one worker or two") {
  small_world const w;
  auto const words = std::vector<std::string>{"assimilation.members=2", "assimilation.cycles=2", "assimilation.guidance.name=diffda",
                                              "assimilation.sampler={name: repaint, steps: 4, jump: 2, passes: 2}"};
  auto o = w.options("cycle", "whole", "2019-01-01T08");
  o.analysis = (w.folder / "departing").string();
  auto const before = std::chrono::steady_clock::now();
  run_task(asked(words), o, {});
  auto const whole = std::chrono::steady_clock::now() - before;
  CHECK(times(w.folder / "whole" / "2019-01-01T10" / "analysis" / "increments.nc").size() == 2);
  o.out = (w.folder / "killed").string();
  killed_at_random(3, 0.6 * whole, sda::key{8}, [&] { run_task(asked(words), o, {}); });
  o.workers = 2;
  run_task(asked(words), o, {});
  check_same(w.folder / "whole", w.folder / "killed");
}

TEST_CASE("a denoiser of departures draws from an earlier run or from files, and says what it lacks") {
  small_world const w;
  run_task(asked({"assimilation.start=full", "assimilation.hours=2", "assimilation.lead=8"}), w.options("forecast", "before", "2019-01-01T05"), {});
  auto o = w.options("reanalyse", "after", "2019-01-01T05");
  o.model.model = (w.folder / "departing").string();
  CHECK_THROWS_WITH(run_task(asked(), o, {}), Catch::Contains("there is none: --background"));
  o.background = {(w.folder / "before").string()};
  run_task(asked(), o, {});
  CHECK(times(w.folder / "after" / "increments.nc").size() == 6);
  auto late = w.options("reanalyse", "late", "2019-01-01T08");
  late.model = o.model, late.background = o.background;
  CHECK_THROWS_WITH(run_task(asked(), late, {}), Catch::Contains("does not cover") && Catch::Contains("2019-01-01T08 to 2019-01-01T13"));
  auto files = w.options("reanalyse", "files", "2019-01-01T05");
  files.model = o.model, files.background = {w.data};
  run_task(asked(), files, {});
  CHECK(read(w.folder / "files" / "mean.nc", start + 6) != read(w.folder / "after" / "mean.nc", start + 6));
  auto forecast = w.options("forecast", "ahead", "2019-01-01T05");
  forecast.model = o.model;
  CHECK_THROWS_WITH(run_task(asked(), forecast, {}), Catch::Contains("--analysis-denoiser"));
  auto plain = w.options("reanalyse", "plain", "2019-01-01T05");
  plain.background = o.background;
  CHECK_THROWS_WITH(run_task(asked(), plain, {}), Catch::Contains("no denoiser takes one"));
}

TEST_CASE("gross errors are told by the run before, for evaluation too, and departures from it are kept") {
  small_world const w;
  run_task(asked({"assimilation.start=full", "assimilation.hours=2", "assimilation.lead=8"}), w.options("forecast", "before", "2019-01-01T05"), {});
  auto const mean = read(w.folder / "before" / "mean.nc", start + 6), spread = read(w.folder / "before" / "spread.nc", start + 6);
  auto const at = std::min_element(spread.begin() + 16, spread.begin() + 128) - spread.begin();  // of t2m, away from the poles
  double const s = spread[std::size_t(at)], far = double(mean[std::size_t(at)]) + 10 * s;
  REQUIRE(std::abs(far - 280) < 5 * 5);  // no gross error by the climate, 280 ± 5 K
  std::ofstream(w.folder / "reports.csv") << "time,lat,lon,variable,value,error\n2019-01-01T06," << where.latitudes[std::size_t(at / 16)] << ","
                                          << where.longitudes[std::size_t(at % 16)] << ",t2m," << far << "," << s / 10 << "\n";
  auto const words = "observations=[{kind: file, gross_error: 5, file: " + (w.folder / "reports.csv").string() + "}]";
  auto const made = [&](std::string const& out, bool departs) {
    auto o = w.options("reanalyse", out, "2019-01-01T05");
    if (departs) o.model.model = (w.folder / "departing").string(), o.background = {(w.folder / "before").string()};
    run_task(asked({words}), o, {});
    return json::parse(bytes(w.folder / out / "run.json"));
  };
  CHECK(made("plain", false)["observations"]["assimilated"] == 1);
  auto const about = made("after", true);
  CHECK(about["observations"]["assimilated"] == 0);
  CHECK(about["observations"]["prior"] == "../before");
  auto const anew = observed_by(about, std::make_shared<archive const>(std::vector{w.data}, channels), {channels, {280, 101300}, {5, 1000}},
                                (w.folder / "after").string());
  CHECK(anew.assimilated(start + 6).count() == 0);
  CHECK((anew.at(start + 6).fates == std::vector{fate::gross_error}));

  sda::netcdf::reader const file((w.folder / "after" / "observations.nc").string());
  CHECK(file.read("background")[0] == Approx(mean[std::size_t(at)]).epsilon(1e-5));
  CHECK(file.read("background_spread")[0] == Approx(s).epsilon(1e-3));
}

TEST_CASE("members' states are decoded latents with a draw of what the autoencoder leaves, and observations have it as error, or not") {
  small_world const w;
  auto const made = [&](std::string const& out, std::vector<std::string> const& words) {
    run_task(asked(words), w.options("reanalyse", out, "2019-01-01T03"), {});
    return [folder = w.folder / out](char const* file, hours t) { return read(folder / "members" / file, t); };
  };
  std::string const observations = "assimilation.residual.observations=false", members = "assimilation.residual.members=false";
  auto const before = made("before", {});
  w.leave();
  auto const without = made("without", {observations, members}), only_members = made("members", {observations}),
             only_observations = made("observations", {members});
  CHECK(bytes(w.folder / "before" / "latents" / "member_002.safetensors") == bytes(w.folder / "without" / "latents" / "member_002.safetensors"));
  auto const left = read_residuals(w.folder / "latents", 144, 2);
  REQUIRE(left);
  for (hours t = start + 3; t < start + 9; ++t) {
    auto const x = before("member_002.nc", t), y = only_members("member_002.nc", t);
    CHECK(without("member_002.nc", t) == x);
    CHECK(only_observations("member_002.nc", t) != x);
    auto const d = left->drawn(sda::key{3}.fold(2).fold(1), t, 1).t().contiguous();  // its number is 1, counted from 0
    double worst = 0;                                                                // in float's steps
    for (std::size_t i = 0; i < x.size(); ++i)
      worst = std::max(worst, std::abs(x[i] + (i < 144 ? 5 : 1000) * double(d.data_ptr<float>()[i]) - y[i]) / y[i] / 6e-8);
    CHECK(worst < 8);
  }

  std::string const mirrored = "assimilation.mirrored=true";
  auto const pairs = made("pairs", {observations, mirrored}), decoded = made("decoded", {observations, members, mirrored});
  auto const added = [&](char const* member, std::size_t i) { return double(pairs(member, start + 5)[i]) - decoded(member, start + 5)[i]; };
  for (std::size_t const i : {0, 77, 143})  // opposite in a pair, about the mean of 0.25 deviations of 5 K
    CHECK(added("member_001.nc", i) + added("member_002.nc", i) == Approx(2.5).margin(2e-4));

  auto o = w.options("persistence", "kept", "2019-01-01T09");
  o.from = (w.folder / "members").string();
  run_task(asked({observations}), o, {});
  for (hours t = start + 8; t < start + 14; ++t)
    CHECK(read(w.folder / "kept" / "members" / "member_002.nc", t) == only_members("member_002.nc", start + 8));

  CHECK_THROWS_WITH(read_residuals(w.folder / "latents", 143, 2), Catch::Contains("of states of 143 points"));
  w.leave(1);
  CHECK_THROWS_WITH(made("wrong", {}), Catch::Contains("the correlation is 1"));
}

TEST_CASE("weighed particles are the same on one worker and on two") {
  small_world const w;
  std::vector<std::string> const words{"assimilation.members=2", "assimilation.guidance.particles=3", "assimilation.sampler={name: ddpm, steps: 4}"};
  auto o = w.options("reanalyse", "one", "2019-01-01T03");
  run_task(asked(words), o, {});
  o.out = (w.folder / "two").string(), o.workers = 2;
  run_task(asked(words), o, {});
  check_same(w.folder / "one", w.folder / "two");
}

TEST_CASE("what cannot be done is said, and nothing is lost") {
  small_world const w;
  auto o = w.options("reanalyse", "a", "2019-01-01T03");
  run_task(asked(), o, {});
  auto const there = contents(w.folder / "a");
  o.seed = 4;
  CHECK_THROWS_WITH(run_task(asked(), o, {}), Catch::Contains("made by another run") && Catch::Contains("seed: 3 there, 4 here"));
  o.seed = 3;
  CHECK_THROWS_WITH(run_task(asked({"assimilation.sampler.steps=4"}), o, {}), Catch::Contains("steps: 3 there, 4 here"));
  CHECK(contents(w.folder / "a") == there);
  o.seed = 4, o.resume = false;
  run_task(asked(), o, {});
  CHECK(contents(w.folder / "a").size() == there.size());
  CHECK(contents(w.folder / "a") != there);

  auto const gap = (w.folder / "gap.nc").string();
  w.write_weather(gap, {5, 6});
  o.data = {gap}, o.out = (w.folder / "b").string();
  CHECK_THROWS_WITH(run_task(asked(), o, {}), Catch::Contains("2019-01-01T05..2019-01-01T06"));
  CHECK_FALSE(fs::exists(w.folder / "b"));
  o.data = {w.data}, o.out = (w.folder / "era5.nc" / "b").string();
  CHECK_THROWS_WITH(run_task(asked(), o, {}), Catch::Contains("cannot make the folder"));
  CHECK_THROWS_WITH(config::parse("assimilation: {sampler: {step: 3}}"), Catch::Contains("assimilation.sampler.steps"));
}

TEST_CASE("a dry run says what it would take, and needs neither data nor weights") {
  small_world const w;
  auto o = w.options("reanalyse", "dry", "2019-01-01T03");
  o.dry = true, o.data.clear();
  std::string const counts = "2 windows, 12 evaluations of the denoiser, 36 products back through it; 48 decoded states";
  auto const printed = told(1, [&] { run_task(asked(), o, {}); });
  CHECK_THAT(printed, Catch::Contains(counts + ", 144 products back and 96 forward") && Catch::Contains("3 members on 1 rank"));
  CHECK_FALSE(fs::exists(o.out));
  auto full = w.options("forecast", "dry", "2019-01-01T03");
  full.dry = true, full.data.clear();
  CHECK_THAT(told(1, [&] { run_task(asked({"assimilation.start=full"}), full, {}); }), Catch::Contains("3 members on 1 rank"));
  o.model = {};
  CHECK_THROWS_WITH(run_task(asked(), o, {}), Catch::Contains("no model is given"));
  auto const graph = asked({"data={grid: 16x9, variables: [t2m, msl]}",
                            "autoencoder.ae={name: ico1to0, latent_channels: 2, ico_divisions: [1, 0], hid_channels: [8, 8], heads: [2, 2],"
                            " self_attention_blocks: [1, 1], self_attention_hops: [1, 1]}",
                            "denoiser.backbone={name: graphdit, blanket_size: 4, hidden_channels: 8, hidden_blocks: 1, heads: 2, mod_features: 8,"
                            " self_attention_hops: 1, cross_attention_hops: 1}"});
  CHECK_THAT(told(1, [&] { run_task(graph, o, {}); }), Catch::Contains(counts + " (whole ones: a graph has no tiles), 144 products"));
  job const ten{0, 10, {}, {}};
  CHECK_THAT(told(1, [&] { run_task(graph, o, ten); }), Catch::Contains("3 members on 10 ranks, which share windows"));
}

TEST_CASE("what was observed, what could not be used, and that nothing was, is said and kept") {
  small_world const w;
  std::ofstream(w.folder / "late.csv") << "time,lat,lon,variable,value,error\n2019-01-03T06,10,10,t2m,281,1\n2019-01-03T07,95,10,t2m,281,1\n";
  std::ofstream(w.folder / "list.csv") << "lat,lon\n10,10\n-30,200\nnowhere,10\n";
  auto const made = [&](std::string const& out, std::string const& instrument) {
    auto const words = told(2, [&] { run_task(asked({"observations=[" + instrument + "]"}), w.options("reanalyse", out, "2019-01-01T03"), {}); });
    return std::pair{words, json::parse(bytes(w.folder / out / "run.json"))};
  };
  auto const [late, none] = made("late", "{kind: file, file: " + (w.folder / "late.csv").string() + "}");
  CHECK_THAT(late, Catch::Contains("0 are assimilated in the 6 states of 2019-01-01T03..2019-01-01T08"));
  CHECK_THAT(none["reading"].get<std::string>(), Catch::Contains("2 observations, 1 of them usable") && Catch::Contains("2019-01-03T06"));
  auto const [listed, some] = made("listed", "{kind: stations, file: " + (w.folder / "list.csv").string() + "}");
  CHECK_THAT(listed, !Catch::Contains("0 are assimilated"));
  CHECK_THAT(some["reading"].get<std::string>(), Catch::Contains("observations[0]: 3 stations at 2 points; 1 lines without a place, 0 places off"));
  for (auto const* file : {"mean.nc", "members/member_002.nc", "observations.nc"}) {
    auto const kept = sda::netcdf::reader((w.folder / "listed" / file).string()).text("", "observations");
    REQUIRE(kept);
    CHECK(json::parse(*kept) == some["observations"]);
    CHECK(json::parse(*kept)["assimilated"] == 24);
  }
}

TEST_CASE("each rank of a machine has a card of its own") {
  std::vector<std::string> const words{"LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"};
  for (auto const& word : words) ::unsetenv(word.c_str());
  CHECK(own_card(4) == 0);
  for (auto const& word : words) {
    ::setenv(word.c_str(), "3", 1);
    CHECK((own_card(4) == 3 && own_card(2) == 1));
    ::unsetenv(word.c_str());
  }
}

#if defined(APPA_PROGRAM)
TEST_CASE("two ranks, which share members or windows, write the files of one") {
  small_world const w;
  for (char const* const word : {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_rmaps_base_oversubscribe"})
    ::setenv(word, "1", 1);
  auto const made = [&](std::string const& launcher, std::string const& out, std::string const& members) {
    auto const command = launcher + " " + APPA_PROGRAM + " reanalyse --threads 1 --model " + w.folder.path.string() + " --data " + w.data +
                         " --first 2019-01-01T03 --hours 8 --members " + members + " --out " + (w.folder / out).string() +
                         " assimilation.sampler.steps=3 'observations=[{kind: stations, count: 20}]' > /dev/null 2>&1";
    INFO(command);
    REQUIRE(std::system(command.c_str()) == 0);
    return w.folder / out;
  };
  std::string const two = std::string(APPA_MPIEXEC) + " -n 2";
  for (std::string const members : {"2", "1"}) {
    auto const by_two = made(two, "two" + members, members), by_one = made("", "one" + members, members);
    for (auto const* file : {"mean.nc", "members/member_001.nc"})
      for (hours t = start + 3; t < start + 11; ++t) CHECK(read(by_two / file, t) == read(by_one / file, t));
  }
}
#endif
