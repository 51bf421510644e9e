/// \file
/// What the parts of a request's way cost by themselves, in nanoseconds and allocations: the router, fields, the codec. Pipelines and stages
/// are in stages_bench.cpp.
///
///     script/bench micro
#include "allocations.hpp"

#include "h1/codec.hpp"
#include "proxy/fields.hpp"

#include <gw/gw.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

/// Runs `work` again and again, and reports time and allocations of each of the `count` things that one run does. What `work` allocates
/// once is there after two runs.
template <class F>
void measure(benchmark::State& state, std::size_t count, F&& work) {
  for (int i = 0; i < 2; ++i) work();
  const std::size_t before = gw_bench::allocations;
  for (auto _ : state) work();
  const auto done = static_cast<double>(state.iterations()) * static_cast<double>(count);
  state.counters["allocations"] = static_cast<double>(gw_bench::allocations - before) / done;
  state.counters["each"] = benchmark::Counter(done, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/// A request head as browsers write it.
const std::string request_head =
    "GET /users/7?full=1 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: application/json\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nReferer: https://app.example/orders\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nCache-Control: no-cache\r\n\r\n";
const std::string response_head =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: application/json\r\nContent-Length: 41\r\n"
    "Connection: keep-alive\r\nETag: \"65f1c2a7-29\"\r\nCache-Control: max-age=60\r\n\r\n";

struct Ask {
  gw::Method method;
  std::string path;
};

/// The 203 routes of GitHub's API, and a request for each.
std::pair<gw::Router<std::size_t>, std::vector<Ask>> github() {
  gw::RouterBuilder<std::size_t> builder;
  std::vector<Ask> asks;
  std::ifstream file(GW_TEST_DATA "/github_api_routes.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t space = line.find(' ');
    const gw::Method method = *gw::parse_method(line.substr(0, space));
    const std::string pattern = line.substr(space + 1);
    builder.add({.kind = gw::RouteRule::Kind::path, .pattern = pattern, .methods = {method}}, asks.size());
    std::string path;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      if (pattern[i] == '{') {
        path += "value";
        i = pattern.find('}', i);
      } else {
        path += pattern[i];
      }
    }
    asks.push_back({method, path});
  }
  if (asks.size() != 203) std::abort();
  return {std::move(builder.build().router), std::move(asks)};
}

void router_github(benchmark::State& state) {
  const auto [router, asks] = github();
  measure(state, asks.size(), [&] {
    for (const Ask& ask : asks) {
      const auto match = router.match({.method = ask.method, .path = ask.path});
      if (!match) std::abort();
      benchmark::DoNotOptimize(match.index);
    }
  });
}

void router_many(benchmark::State& state) {
  gw::RouterBuilder<std::size_t> builder;
  const auto count = static_cast<std::size_t>(state.range(0));
  for (std::size_t i = 0; i < count; ++i) builder.add({.kind = gw::RouteRule::Kind::path, .pattern = "/service" + std::to_string(i) + "/items/{id}"}, i);
  const auto router = std::move(builder.build().router);
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < 256; ++i) paths.push_back("/service" + std::to_string(i * 2654435761u % count) + "/items/7");
  measure(state, paths.size(), [&] {
    for (const std::string& path : paths) benchmark::DoNotOptimize(router.match({.path = path}).index);
  });
}

void normalize(benchmark::State& state) {
  std::string scratch;
  measure(state, 1, [&] { benchmark::DoNotOptimize(gw::normalize_path("/users/7/orders", scratch)); });
}

void codec_request(benchmark::State& state) {
  gw::h1::RequestCodec codec{gw::Limits()};
  gw::Request request;
  measure(state, 1, [&] {
    codec.reset();
    if (!codec.head(request_head, request)) std::abort();
  });
}

void codec_response(benchmark::State& state) {
  gw::h1::ResponseCodec codec{gw::Limits()};
  gw::Response response;
  measure(state, 1, [&] {
    codec.reset(gw::Method::get);
    if (!codec.head(response_head, response)) std::abort();
  });
}

void headers_find(benchmark::State& state) {
  gw::h1::RequestCodec codec{gw::Limits()};
  gw::Request request;
  if (!codec.head(request_head, request)) std::abort();
  measure(state, 4, [&] {
    for (const std::string_view name : {"host", "cookie", "authorization", "x-request-id"}) benchmark::DoNotOptimize(request.headers[name]);
  });
}

void headers_forward(benchmark::State& state) {
  gw::h1::RequestCodec codec{gw::Limits()};
  gw::Request request;
  if (!codec.head(request_head, request)) std::abort();
  gw::proxy::HeadText out;
  measure(state, 1, [&] {
    out.clear();
    gw::proxy::append_forwarded_fields(out, request, {"10.0.0.1", request.authority(), "http", 80, {}}, "gw", "");
  });
}

BENCHMARK(router_github)->Name("router, GitHub's 203 routes");
BENCHMARK(router_many)->Name("router, routes")->Arg(10)->Arg(10'000)->Arg(100'000);
BENCHMARK(normalize)->Name("path, normal already");
BENCHMARK(codec_request)->Name("codec, request head of 8 fields");
BENCHMARK(codec_response)->Name("codec, response head of 7 fields");
BENCHMARK(headers_find)->Name("fields, find one of 8");
BENCHMARK(headers_forward)->Name("fields, those that go upstream");

}  // namespace

BENCHMARK_MAIN();
