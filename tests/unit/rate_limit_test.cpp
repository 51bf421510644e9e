#include <doctest/doctest.h>

#include <gw/gateway.hpp>
#include <gw/middleware/rate_limit.hpp>

#include "support/http_client.hpp"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using gw::RateLimitBy, gw::RateLimitOptions;
using gw::detail::ContextAccess;

namespace {

std::chrono::steady_clock::time_point present{1h};
std::chrono::steady_clock::time_point test_clock() { return present; }

/// What a client sees of one request: "200 5/4/1" are status, limit, remaining and reset.
std::string ask(const gw::Pipeline& pipeline, const std::function<void(gw::Context&)>& edit = {}, std::string_view peer = "192.0.2.7") {
  gw::Context c;
  ContextAccess::begin(c, nullptr, 1, 1, peer);
  if (edit) edit(c);
  CHECK(pipeline.run_now(c, gw::Handler([](gw::Context&) { return 200; })));
  std::string text = std::to_string(c.res.status) + ' ';
  text.append(c.res.headers["ratelimit-limit"]).append("/").append(c.res.headers["ratelimit-remaining"]).append("/");
  text.append(c.res.headers["ratelimit-reset"]);
  for (const char* name : {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"}) CHECK(c.res.headers.count(name) == 1);
  if (c.res.headers.has("retry-after")) text.append(" after ").append(c.res.headers["retry-after"]);
  if (c.failure()) CHECK((c.failure()->code == gw::Error::rate_limited && c.failure()->origin == gw::Origin::client));
  return text;
}

/// Whether a request of `edit` is counted together with one of the same stage that came before.
bool are_counted_together(RateLimitOptions options, const std::function<void(gw::Context&)>& first, const std::function<void(gw::Context&)>& second,
                          std::string_view first_peer = "192.0.2.7", std::string_view second_peer = "192.0.2.7") {
  options.rate = 1;
  options.per = 1h;
  options.now = &test_clock;
  const gw::Pipeline pipeline({gw::rate_limit(options)});
  CHECK(ask(pipeline, first, first_peer).starts_with("200"));
  return ask(pipeline, second, second_peer).starts_with("429");
}

std::function<void(gw::Context&)> field(std::string value) {
  return [value = std::move(value)](gw::Context& c) { c.req.headers.add("x-api-key", value); };
}

std::string problems(RateLimitOptions options) {
  try {
    gw::rate_limit(std::move(options));
    return "";
  } catch (const gw::ConfigError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("rate_limit: what is too much is refused, and every answer says how much is left") {
  present = std::chrono::steady_clock::time_point(1h);
  const gw::Pipeline pipeline({gw::rate_limit({.rate = 2, .per = 1s, .burst = 3, .now = &test_clock})});
  CHECK(pipeline.stages()[0].name() == "rate_limit");
  CHECK(ask(pipeline) == "200 3/2/1");
  CHECK(ask(pipeline) == "200 3/1/1");
  CHECK(ask(pipeline) == "200 3/0/2");
  CHECK(ask(pipeline) == "429 3/0/2 after 1");
  CHECK(ask(pipeline, {}, "192.0.2.8") == "200 3/2/1");
  present += 499ms;
  CHECK(ask(pipeline) == "429 3/0/2 after 1");
  present += 1ms;
  CHECK(ask(pipeline) == "200 3/0/2");
  present += 10s;
  CHECK(ask(pipeline) == "200 3/2/1");
  // The gateway's numbers replace those of an upstream.
  gw::Context c;
  CHECK(pipeline.run_now(c, gw::Handler([](gw::Context&) {
    gw::Response response(200);
    response.headers.add("RateLimit-Limit", "99");
    return response;
  })));
  CHECK(c.res.headers.count("ratelimit-limit") == 1);
  CHECK(c.res.headers["ratelimit-limit"] == "3");
}

TEST_CASE("rate_limit: of several limits the tightest is told, whichever refuses") {
  present = std::chrono::steady_clock::time_point(1h);
  const gw::Stage wide = gw::rate_limit({.rate = 10, .per = 1h, .now = &test_clock}), narrow = gw::rate_limit({.rate = 2, .per = 1h, .now = &test_clock});
  const gw::Pipeline one({wide, narrow}), other({narrow, wide});
  CHECK(ask(one) == "200 2/1/1800");
  CHECK(ask(other) == "200 2/0/3600");
  CHECK(ask(one) == "429 2/0/3600 after 1800");
  CHECK(ask(other) == "429 2/0/3600 after 1800");
  CHECK(ask(gw::Pipeline({wide})) == "200 10/6/1440");
}

TEST_CASE("rate_limit: whose requests are counted together") {
  const auto nothing = [](gw::Context&) {};
  const auto consumer = [](std::string name) { return [name = std::move(name)](gw::Context& c) { c.set_consumer(name); }; };
  const RateLimitOptions by_client{}, by_consumer{.by = RateLimitBy::consumer}, by_header{.by = RateLimitBy::header, .header = "X-API-Key"};

  CHECK(are_counted_together(by_client, nothing, nothing));
  CHECK_FALSE(are_counted_together(by_client, nothing, nothing, "192.0.2.7", "192.0.2.8"));
  CHECK(are_counted_together(by_client, field("a"), consumer("b")));
  // A subscriber has the last 64 bits of an IPv6 address.
  CHECK(are_counted_together(by_client, nothing, nothing, "2001:db8::1", "2001:db8::ffff:1"));
  CHECK_FALSE(are_counted_together(by_client, nothing, nothing, "2001:db8::1", "2001:db8:0:1::1"));
  CHECK_FALSE(are_counted_together(by_client, nothing, nothing, "::1", "10.0.0.1"));
  // What the process itself asks for has no address.
  CHECK(are_counted_together(by_client, nothing, nothing, "", ""));
  // Who speaks for others is not the client.
  CHECK_FALSE(are_counted_together(by_client, nothing, [](gw::Context& c) { ContextAccess::set_client(c, gw::IpAddress::v4(1), "http"); }));
  CHECK(are_counted_together(by_client, field("a"), [](gw::Context& c) { c.req.headers.add("x-forwarded-for", "6.6.6.6"); }));

  CHECK(are_counted_together(by_consumer, consumer("ada"), consumer("ada"), "192.0.2.7", "192.0.2.8"));
  CHECK_FALSE(are_counted_together(by_consumer, consumer("ada"), consumer("eve")));
  CHECK_FALSE(are_counted_together(by_consumer, consumer("ada"), nothing));
  CHECK(are_counted_together(by_consumer, nothing, nothing));
  CHECK_FALSE(are_counted_together(by_consumer, nothing, nothing, "192.0.2.7", "192.0.2.8"));

  CHECK(are_counted_together(by_header, field("k"), field("k"), "192.0.2.7", "192.0.2.8"));
  CHECK_FALSE(are_counted_together(by_header, field("k"), field("K")));
  CHECK_FALSE(are_counted_together(by_header, field("k"), nothing));
  CHECK(are_counted_together(by_header, field(""), nothing));                          // an empty one is none
  CHECK_FALSE(are_counted_together(by_header, field(""), nothing, "192.0.2.7", "192.0.2.8"));
  CHECK(are_counted_together(by_header, field("caf\xc3\xa9"), field("caf\xc3\xa9")));
  CHECK_FALSE(are_counted_together(by_header, field("caf\xc3\xa9"), field("caf\xc3")));
  CHECK(are_counted_together(by_header, field(std::string(15000, 'x')), field(std::string(15000, 'x'))));
  CHECK_FALSE(are_counted_together(by_header, field(std::string(15000, 'x')), field(std::string(14999, 'x') + "y")));
  // Of several the first counts.
  CHECK(are_counted_together(by_header, field("k"), [](gw::Context& c) {
    c.req.headers.add("X-Api-Key", "k");
    c.req.headers.add("X-Api-Key", "other");
  }));
  // A value that looks like an address is not that client.
  CHECK_FALSE(are_counted_together(by_header, nothing, field("192.0.2.7")));
}

TEST_CASE("rate_limit: everything that is wrong with the options is said") {
  CHECK(problems({.rate = 100, .per = 1s}) == "");
  CHECK(problems({}) == "rate_limit needs a rate from 1 to 1000000000");
  CHECK(problems({.rate = 1'000'000'001, .per = 0s, .burst = 1'000'000'001, .header = "x", .size = 0}) ==
        "rate_limit needs a rate from 1 to 1000000000\n"
        "per must be above zero and at most 8760h\n"
        "burst is at most 1000000000\n"
        "size must be from 1 to 10000000\n"
        "a header is named, but requests are not counted by it");
  CHECK(problems({.rate = 1, .per = 8761h}) == "per must be above zero and at most 8760h");
  CHECK(problems({.rate = 1, .per = -1s}) == "per must be above zero and at most 8760h");
  CHECK(problems({.rate = 1, .by = RateLimitBy::header}) == "\"\" is not a header name");
  CHECK(problems({.rate = 1, .by = RateLimitBy::header, .header = "x y"}) == "\"x y\" is not a header name");
  CHECK(problems({.rate = 999'983, .per = 24h}) == "burst times per is too large to be counted exactly: choose a rate that divides per");
  CHECK(problems({.rate = 1'000'000, .per = 24h}) == "");
}

TEST_CASE("rate_limit: the counts of a place go to the stage that takes it") {
  present = std::chrono::steady_clock::time_point(1h);
  const RateLimitOptions options{.rate = 2, .per = 1h, .now = &test_clock};
  const gw::Stage old = gw::rate_limit(options);
  CHECK(ask(gw::Pipeline({old})) == "200 2/1/1800");
  RateLimitOptions more = options, by_other = options, larger = options;
  more.rate = 4;
  by_other.by = RateLimitBy::consumer;
  larger.size = 7;
  const gw::Stage same = gw::rate_limit(options);
  REQUIRE(same.can_inherit(old));
  CHECK(ask(gw::Pipeline({same.inherit(old)})) == "200 2/0/3600");
  CHECK(ask(gw::Pipeline({same})) == "200 2/1/1800");
  CHECK(ask(gw::Pipeline({gw::rate_limit(more).inherit(old)})) == "429 4/0/3600 after 900");
  CHECK(ask(gw::Pipeline({gw::rate_limit(by_other).inherit(old)})) == "200 2/1/1800");
  CHECK(ask(gw::Pipeline({gw::rate_limit(larger).inherit(old)})) == "200 2/1/1800");
  CHECK(old.inherit(old).identity() == old.identity());
  struct Other {
    void request(gw::Context&) const {}
  };
  CHECK_FALSE(same.can_inherit(Other{}));
  CHECK_FALSE(gw::Stage(Other{}).can_inherit(old));
}

TEST_CASE("rate_limit: counts follow the name of a route through a reload, and end with it") {
  gw::Gateway app;
  const auto limited = [&](std::vector<std::pair<std::string, std::uint64_t>> routes) {
    gw::Config next = app.config();
    next.routes.clear();
    next.use = {gw::StageConfig(gw::rate_limit({.rate = 100, .per = 1h}))};
    for (const auto& [name, rate] : routes) {
      gw::RouteConfig route;
      route.rule.name = name;
      route.rule.pattern = '/' + name;
      route.action = gw::HandlerConfig{"", gw::Handler([](gw::Context&) { return 200; }), {}};
      // Before it stands another one, which must not be taken for it.
      route.use = {gw::StageConfig(gw::rate_limit({.rate = 1000, .per = 1h})), gw::StageConfig(gw::rate_limit({.rate = rate, .per = 1h}))};
      next.routes.push_back(route);
    }
    app.apply(next);
  };
  const auto left = [&](const std::string& target) {
    const gw::Response response = app.dispatch(gw::Method::get, target);
    return std::to_string(response.status) + ' ' + std::string(response.headers["ratelimit-remaining"]);
  };
  limited({{"a", 3}, {"b", 50}});
  const gw::Server server = app.start("127.0.0.1:0");
  CHECK(left("/a") == "200 2");
  CHECK(left("/b") == "200 49");
  limited({{"b", 50}, {"a", 3}, {"c", 9}});
  CHECK(left("/a") == "200 1");
  CHECK(left("/b") == "200 48");
  CHECK(left("/c") == "200 8");
  limited({{"b", 50}});
  CHECK(left("/b") == "200 47");
  CHECK(left("/a") == "404 93");  // the gateway's own limit counts on: 100 less six and this one
  limited({{"a", 3}, {"b", 50}});
  CHECK(left("/a") == "200 2");   // a route that was gone begins anew
  // The same stages in another place keep what they have counted.
  gw::Config swapped = app.config();
  std::swap(swapped.routes[0].use[0], swapped.routes[0].use[1]);
  app.apply(swapped);
  CHECK(left("/a") == "200 1");
}

// GW_RATE_LIMIT_SECONDS=10 runs it for longer, and says what came out.
TEST_CASE("rate_limit: eight clients at two workers get what the rate allows and nothing else, across reloads") {
  using Clock = std::chrono::steady_clock;
  const char* wanted = std::getenv("GW_RATE_LIMIT_SECONDS");
  const auto duration = std::chrono::milliseconds(wanted ? 1000 * std::atoi(wanted) : 2000);
  constexpr double rate = 500, burst = 500;

  std::string directory = (std::filesystem::temp_directory_path() / "gw-test-XXXXXX").string();
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  const std::string file = directory + "/gw.yaml";
  std::ofstream(file) << "listen: 127.0.0.1:0\nworkers: 2\nlimits: {requests_per_connection: 0}\nroutes:\n"
                         "  - {path: /limited, use: [{rate_limit: {rate: 500, per: 1s}}], handler: pong}\n";
  gw::Gateway app = gw::Gateway::from_file(file);
  app.define_handler("pong", [](gw::Context&) { return "pong"; });
  const gw::Server server = app.start();

  struct Counted {
    std::uint64_t granted = 0, refused = 0, other = 0;
    Clock::time_point first_granted = Clock::time_point::max(), last_refused{};
  };
  std::vector<Counted> counted(8);
  std::atomic<bool> is_over = false;
  const Clock::time_point begin = Clock::now();
  std::vector<std::thread> clients;
  for (Counted& mine : counted) {
    clients.emplace_back([&mine, &is_over, port = server.port()] {
      gw_test::HttpClient client(port);
      // Each ends with a request that is refused: then nothing is left to be granted.
      for (bool is_refused = false; !is_over || !is_refused;) {
        const Clock::time_point sent = Clock::now();
        const int status = client.get("/limited").status;
        is_refused = status == 429;
        mine.granted += status == 200;
        mine.refused += is_refused;
        mine.other += status != 200 && !is_refused;
        if (status == 200) mine.first_granted = std::min(mine.first_granted, Clock::now());
        if (is_refused) mine.last_refused = sent;
      }
    });
  }
  for (int i = 1; i <= 5; ++i) {
    while (Clock::now() < begin + duration * i / 6) std::this_thread::yield();
    app.reload();
  }
  while (Clock::now() < begin + duration) std::this_thread::yield();
  is_over = true;
  for (std::thread& t : clients) t.join();
  const Clock::time_point end = Clock::now();
  std::filesystem::remove_all(directory);

  Counted all;
  for (const Counted& c : counted) {
    all.granted += c.granted;
    all.refused += c.refused;
    all.other += c.other;
    all.first_granted = std::min(all.first_granted, c.first_granted);
    all.last_refused = std::max(all.last_refused, c.last_refused);
  }
  const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
  // The first was granted between `begin` and the answer to it; when the last was refused, there was less than one left.
  const double most = burst + rate * seconds(end - begin) + 1;
  const double least = burst + rate * seconds(all.last_refused - all.first_granted) - 1;
  if (wanted) MESSAGE(all.granted << " granted of " << all.granted + all.refused << ", allowed from " << least << " to " << most);
  CHECK(all.other == 0);
  CHECK(static_cast<double>(all.granted) <= most);
  CHECK(static_cast<double>(all.granted) >= least);
}
