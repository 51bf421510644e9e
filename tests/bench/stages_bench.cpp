/// \file
/// What each stage adds to a request: nanoseconds over a pipeline without stages, and allocations. Without sockets and
/// parsing: a request is taken from constant text, answered by a handler that does nothing, and cleared.
///
///     script/bench micro
///
/// Each figure is the best of all repetitions, which are interleaved: noise of the machine only ever adds.
#include "allocations.hpp"

#include <gw/gw.hpp>

#include <benchmark/benchmark.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using gw::detail::ContextAccess;
using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

/// What a browser sends, roughly.
const Fields usual{{"Host", "api.example.com"}, {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
                   {"Accept", "application/json"}, {"Accept-Language", "en-US,en;q=0.5"}, {"Accept-Encoding", "gzip, deflate, br"},
                   {"Referer", "https://app.example/orders"}, {"Cache-Control", "no-cache"}};

/// A stage with requests that it lets pass.
struct Subject {
  std::string name;
  std::vector<gw::Stage> stages;
  Fields more = {};
  std::string_view target = "/users/7?full=1";
  bool waits = false;  ///< a coroutine: compared with an empty pipeline that is awaited
};

void begin(gw::Context& c, const Subject& subject) {
  static std::uint64_t number = 0;
  ContextAccess::begin(c, nullptr, 7, ++number, "192.0.2.7");
  const std::size_t mark = std::min(subject.target.find('?'), subject.target.size());
  c.req.borrow_target(subject.target, subject.target.substr(0, mark), subject.target.substr(std::min(mark + 1, subject.target.size())),
                      mark < subject.target.size(), {});
  for (const auto& [name, value] : usual) c.req.headers.borrow(name, value);
  for (const auto& [name, value] : subject.more) c.req.headers.borrow(name, value);
}

void answer(gw::Context& c) {
  c.res.headers.borrow("Content-Type", "application/json");
  c.res.headers.borrow("Server", "origin");
  ContextAccess::set_replied(c);
}

void end(gw::Context& c, const gw::Pipeline& pipeline) {
  if (c.failure()) std::abort();
  ContextAccess::set_head_sent(c);
  ContextAccess::add_bytes_sent(c, 2326);
  ContextAccess::set_ended(c);
  pipeline.done(c);
  ContextAccess::end(c);
}

gw::Task<> awaited(benchmark::State& state, const gw::Pipeline& pipeline, const gw::Handler& handler, gw::Context& c, const Subject& subject) {
  for (auto _ : state) {
    begin(c, subject);
    co_await pipeline.run(c, handler);
    end(c, pipeline);
  }
}

void measure(benchmark::State& state, const Subject& subject) {
  const gw::Pipeline pipeline(subject.stages);
  const gw::Handler handler(&answer);
  gw::Context c;
  // What is allocated once is there after two requests.
  asio::io_context io;
  for (int i = 0; i < 2 && !subject.waits; ++i) {
    begin(c, subject);
    pipeline.run_now(c, handler);
    end(c, pipeline);
  }
  const std::size_t before = gw_bench::allocations;
  if (subject.waits) {
    asio::co_spawn(io, awaited(state, pipeline, handler, c, subject), [](std::exception_ptr e) {
      if (e) std::abort();
    });
    io.run();
  } else {
    for (auto _ : state) {
      begin(c, subject);
      pipeline.run_now(c, handler);
      end(c, pipeline);
    }
  }
  state.counters["allocations"] = benchmark::Counter(static_cast<double>(gw_bench::allocations - before), benchmark::Counter::kAvgIterations);
}

/// Keeps the best run of each subject, and prints them in the end.
class Best : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration) continue;
      const double time = run.GetAdjustedCPUTime(), count = run.counters.at("allocations");
      auto& best = best_.try_emplace(run.run_name.function_name, time, count).first->second;
      best = {std::min(best.first, time), std::min(best.second, count)};
    }
  }
  void print(const std::vector<Subject>& subjects) {
    std::printf("%-28s %8s %8s %12s\n", "stage", "ns", "added", "allocations");
    for (const Subject& subject : subjects) {
      const auto found = best_.find(subject.name);
      const auto empty = best_.find(subject.waits ? "empty, awaited" : "empty");
      if (found == best_.end() || empty == best_.end()) continue;
      const auto [time, count] = found->second;
      std::printf("%-28s %8.0f %+8.0f %+12.2f\n", subject.name.c_str(), time, time - empty->second.first, count - empty->second.second);
    }
  }

 private:
  std::map<std::string, std::pair<double, double>> best_;
};

/// Requests of one user, whose password has been verified.
Subject warm_basic_auth() {
  // Of "secret", by `openssl passwd -6`.
  const gw::Stage stage = gw::basic_auth(
      {.users = {{"alice", "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG."}}, .remember = std::chrono::hours(1)});
  const Fields credentials{{"Authorization", "Basic YWxpY2U6c2VjcmV0"}};
  gw::Gateway app;
  app.use(stage);
  app.get("/", [](gw::Context&) { return 200; });
  gw::Request request(gw::Method::get, "/");
  request.headers.add(credentials[0].first, credentials[0].second);
  if (app.dispatch(std::move(request)).status != 200) std::abort();
  return {"basic_auth, remembered", {stage}, credentials, "/users/7?full=1", true};
}

std::vector<Subject> subjects() {
  gw::KeyAuthOptions keys{.keys = {{"alice", "93a8e9d5a4b7ebfb0b8a3bcef09bdf4ae2b5ec9f5b9c3d2f30a8c5f43b1c7c11"}}};
  // Of "0123456789abcdef0123456789abcdef".
  keys.keys.emplace_back("bob", "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9");
  gw::KeyAuthOptions query = keys, bearer = keys;
  query.query = "key";
  bearer.bearer = true;
  const std::string_view key = "0123456789abcdef0123456789abcdef";
  const gw::CorsOptions cors{.origins = {"https://app.example"}, .credentials = true};

  std::vector<Subject> all;
  all.push_back({"empty", {}});
  all.push_back({"request_id", {gw::request_id()}});
  all.push_back({"headers, one set each way", {gw::headers({.request = {.set = {{"x-tenant", "blue"}}}, .response = {.set = {{"x-frame-options", "DENY"}}}})}});
  all.push_back({"key_auth, header", {gw::key_auth(keys)}, {{"X-Api-Key", key}}});
  all.push_back({"key_auth, bearer", {gw::key_auth(bearer)}, {{"Authorization", "Bearer 0123456789abcdef0123456789abcdef"}}});
  all.push_back({"key_auth, query", {gw::key_auth(query)}, {}, "/users/7?key=0123456789abcdef0123456789abcdef&full=1"});
  all.push_back({"cors, same origin", {gw::cors(cors)}});
  all.push_back({"cors, other origin", {gw::cors(cors)}, {{"Origin", "https://app.example"}}});
  all.push_back({"ip_filter", {gw::ip_filter({.allow = {"192.0.2.0/24"}, .deny = {"192.0.2.66"}})}});
  all.push_back({"rate_limit, by client", {gw::rate_limit({.rate = 1'000'000'000})}});
  all.push_back({"rate_limit, by header", {gw::rate_limit({.rate = 1'000'000'000, .by = gw::RateLimitBy::header, .header = "X-Api-Key"})}, {{"X-Api-Key", key}}});
  all.push_back({"body_limit", {gw::body_limit({.size = 1024})}});
  all.push_back({"access_log, combined", {gw::access_log({.file = "/dev/null"})}});
  all.push_back({"access_log, json", {gw::access_log({.file = "/dev/null", .format = gw::AccessLogFormat::json})}});
  all.push_back({"empty, awaited", {}, {}, "/users/7?full=1", true});
  all.push_back(warm_basic_auth());
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv, argv + argc);
  for (const char* usual_option : {"--benchmark_repetitions=15", "--benchmark_min_time=0.05", "--benchmark_enable_random_interleaving=true"})
    arguments.insert(arguments.begin() + 1, usual_option);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return 2;

  const std::vector<Subject> all = subjects();
  for (const Subject& subject : all)
    benchmark::RegisterBenchmark(subject.name.c_str(), [&subject](benchmark::State& state) { measure(state, subject); });
  Best best;
  benchmark::RunSpecifiedBenchmarks(&best);
  best.print(all);
}
