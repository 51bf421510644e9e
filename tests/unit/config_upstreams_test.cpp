#include "config/describe.hpp"
#include "config_reading.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using namespace config_reading;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

namespace {

/// Two upstreams, of which "u" has these keys.
Outcome read_upstream(const std::string& keys) { return read("upstreams: {o: i, u: {endpoints: h, " + keys + "}}"); }

/// A route to "a" and "b" that forwards so.
Outcome read_forward(const std::string& forward) {
  return read("upstreams: {a: h, b: i}\nroutes: [{prefix: /, forward: " + forward + "}]");
}

/// How the config is shown, without white space.
std::string shown(const gw::Config& config) {
  std::string text = gw::config::config_json(config);
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
  return text;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// What is wrong with the options of an upstream "u" that code has made.
std::string check(const std::function<void(gw::UpstreamOptions&)>& edit) {
  gw::Config config;
  gw::UpstreamConfig upstream{"u", {"h"}, {}, {}};
  config.upstreams.push_back({"o", {"i"}, {}, {}});
  edit(upstream.options);
  config.upstreams.push_back(upstream);
  gw::Problems problems;
  gw::config::check_references(config, problems);
  return join(lines(problems));
}

/// What is wrong with a route of code that forwards so.
std::string check(gw::ForwardConfig forward) {
  gw::Config config;
  config.upstreams = {{"a", {"h"}, {}, {}}, {"b", {"i"}, {}, {}}};
  config.routes.emplace_back().action = std::move(forward);
  gw::Problems problems;
  gw::config::check_references(config, problems);
  return join(lines(problems));
}

}  // namespace

TEST_CASE("config upstreams: each way to write an option is shown in full") {
  const std::string eject =
      R"("eject":{"failures":5,"error_rate":50,"requests":20,"window":"10s","time":"5s","longest":"60s","share":90}})";
  const struct {
    std::string keys, shown;
  } cases[] = {
      {"balance: random", R"("balance":"random","slow_start":"0s",)"},
      {"balance: maglev", R"("balance":"maglev","hash":"client_address","slow_start")"},
      {"balance: maglev, hash: client_address", R"("hash":"client_address",)"},
      {"balance: maglev, hash: path", R"("hash":"path",)"},
      {"balance: maglev, hash: {header: x-user}", R"("hash":{"header":"x-user"},)"},
      {"hash: {cookie: id}, balance: maglev", R"("hash":{"cookie":"id"},)"},
      {"sticky: {secret: 0123456789abcdef}", R"("sticky":{"cookie":"gw","secret":"<masked>"},)"},
      {"sticky: {cookie: node, secret: 0123456789abcdef, max_age: 90m}",
       R"("sticky":{"cookie":"node","secret":"<masked>","max_age":"5400s"},)"},
      {"slow_start: 0s", R"("slow_start":"0s",)"},
      {"slow_start: 1500ms", R"("slow_start":"1500ms",)"},
      {"balance: p2c", R"("health":{)" + eject},
      {"health: {}", R"("health":{)" + eject},
      {"health: {check: tcp}", R"("health":{"check":{"interval":"5s","timeout":"2s","healthy":1,"unhealthy":2},)" + eject},
      {"health: {check: {}}", R"("health":{"check":{"interval":"5s","timeout":"2s","healthy":1,"unhealthy":2},)" + eject},
      {"health: {check: /up}", R"("check":{"path":"/up","interval":"5s","timeout":"2s","healthy":1,"unhealthy":2},)"},
      {"health: {check: {path: /up, status: 204}}", R"("check":{"path":"/up","status":[204],"interval":"5s",)"},
      {"health: {check: {path: /up, status: [200, 404]}}", R"("status":[200,404],)"},
      {"health: {check: {interval: 3s, timeout: 3s}}", R"("check":{"interval":"3s","timeout":"3s",)"},
      {"health: {eject: {share: 0, time: 1m}}", R"("time":"60s","longest":"60s","share":0}})"},
      {"balance: p2c",
       R"("retries":{"max":2,"all_methods":false,"per_try":"2s","total":"30s","backoff":"25ms","body":65536,"budget":20,"floor":10},)"},
      {"retries: 0", R"("retries":{"max":0,"all_methods":false,)"},
      {"retries: {statuses: 503}", R"("retries":{"max":2,"statuses":[503],)"},
      {"retries: {statuses: [429, 503], all_methods: true}", R"("statuses":[429,503],"all_methods":true,)"},
      {"retries: {backoff: 0s, body: 16MiB}", R"("backoff":"0s","body":16777216,)"},
      {"balance: p2c", R"("connections":1024,"requests":0})"},
      {"requests: 7", R"("requests":7,"queue":{"length":0,"time":"1s"}})"},
      {"queue: {length: 9, time: 200ms}, requests: 7", R"("requests":7,"queue":{"length":9,"time":"200ms"}})"},
      {"breaker: {}", R"("breaker":{"error_rate":50,"requests":20,"window":"10s","open":"5s"})"},
      {"fallback: o", R"("fallback":"o"})"},
      {"fallback: {}", R"("fallback":{"status":200,"headers":{}}})"},
      {"fallback: {status: 503, json: {a: 1}, headers: {retry-after: 9, x-token: s3cr3t}}",
       R"("fallback":{"status":503,"text":"{\"a\":1}",)"
       R"("headers":{"content-type":"application/json","retry-after":"9","x-token":"<masked>"}}})"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.keys);
    const Outcome outcome = read_upstream(c.keys);
    CHECK(join(outcome.problems) == "");
    const std::string text = shown(outcome.config);
    CHECK_MESSAGE(has(text, c.shown), text);
    CHECK_FALSE(has(text, "0123456789abcdef"));
  }
}

TEST_CASE("config upstreams: what is shown is a configuration, and is shown the same") {
  const auto config = read(
      "upstreams:\n"
      "  u: {endpoints: h, balance: maglev, hash: path, health: {check: {path: /, status: 200}}, retries: {statuses: 503}, requests: 5,\n"
      "      queue: {length: 5}, breaker: {}, fallback: o}\n"
      "  o: {endpoints: i, health: {check: tcp}, fallback: {status: 503}}\n"
      "routes:\n"
      "- {prefix: /, forward: {split: {u: 1, \"http://h/base\": 2}, hash: {cookie: c}, chosen_by: {header: x}}}\n"
      "- {path: /a, forward: u}\n").config;
  const std::string text = gw::config::config_json(config);
  // Listeners and stages are empty lists, which a file does not have.
  const Outcome again = read("{" + text.substr(text.find("\"upstreams\"")), gw::Notation::json);
  CHECK(join(again.problems) == "");
  CHECK(gw::config::config_json(again.config) == text);
}

TEST_CASE("config upstreams: each mistake gives exactly its problem") {
  const std::string no_time = "a duration must be above zero";
  const struct {
    std::string keys;
    Lines problems;
  } cases[] = {
      // hash
      {"hash: path", {"gw:1:37: upstreams.u: hash is only for balance: maglev"}},
      {"hash: client_address, balance: random", {"gw:1:37: upstreams.u: hash is only for balance: maglev"}},
      {"hash: path, balance: maglef",
       {"gw:1:58: upstreams.u.balance: expected p2c, round_robin, least_requests, random or maglev, found \"maglef\" "
        "(did you mean \"maglev\"?)"}},
      {"balance: maglev, hash: pat",
       {"gw:1:60: upstreams.u.hash: expected client_address, path, {header: NAME} or {cookie: NAME}, found \"pat\" "
        "(did you mean \"path\"?)"}},
      {"balance: maglev, hash: [path]", {"gw:1:60: upstreams.u.hash: expected text, found a list"}},
      {"balance: maglev, hash: {}", {"gw:1:60: upstreams.u.hash: header or cookie is missing"}},
      {"balance: maglev, hash: {header: a, cookie: b}", {"gw:1:80: upstreams.u.hash.cookie: either a header or a cookie"}},
      {"balance: maglev, hash: {header: a b}", {"gw:1:69: upstreams.u.hash.header: \"a b\" is no header name"}},
      {"balance: maglev, hash: {cookie: a=b}", {"gw:1:69: upstreams.u.hash.cookie: \"a=b\" is no cookie name"}},
      {"balance: maglev, hash: {query: a}", {"gw:1:61: upstreams.u.hash: unknown key \"query\"; known are \"header\", \"cookie\""}},
      // sticky
      {"sticky: {}", {"gw:1:45: upstreams.u.sticky: secret is missing"}},
      {"sticky: {secret: fifteen-bytes..}", {"gw:1:54: upstreams.u.sticky.secret: a secret has 16 bytes or more, not 15"}},
      {"sticky: {secret: \"\"}", {"gw:1:54: upstreams.u.sticky.secret: expected text, found an empty text"}},
      {"sticky: {secret: 0123456789abcdef, cookie: a;b}", {"gw:1:80: upstreams.u.sticky.cookie: \"a;b\" is no cookie name"}},
      {"sticky: {secret: 0123456789abcdef, max_age: 0s}", {"gw:1:81: upstreams.u.sticky.max_age: " + no_time}},
      {"sticky: {secret: 0123456789abcdef, max_age: 1500ms}", {"gw:1:81: upstreams.u.sticky.max_age: a number of whole seconds is needed"}},
      {"sticky: true", {"gw:1:45: upstreams.u.sticky: expected a map of keys and values, found \"true\""}},
      // slow_start
      {"slow_start: 10", {"gw:1:49: upstreams.u.slow_start: \"10\" has no unit: write 10s or 10ms"}},
      {"slow_start: -1s",
       {"gw:1:49: upstreams.u.slow_start: expected a duration such as 10s: a whole number and ms, s, m or h, found \"-1s\""}},
      // health
      {"health: tcp", {"gw:1:45: upstreams.u.health: expected a map of keys and values, found \"tcp\""}},
      {"health: {check: http}", {"gw:1:53: upstreams.u.health.check: expected tcp, a path such as /health, or a map, found \"http\""}},
      {"health: {check: }", {"gw:1:46: upstreams.u.health.check: expected tcp, a path such as /health, or a map, found nothing"}},
      {"health: {check: \"/a b\"}",
       {"gw:1:53: upstreams.u.health.check: \"/a b\" is no path to ask for: it begins with / and has no space, # or bytes outside ASCII"}},
      {"health: {check: {path: a}}",
       {"gw:1:60: upstreams.u.health.check.path: \"a\" is no path to ask for: it begins with / and has no space, "
        "# or bytes outside ASCII"}},
      {"health: {check: {path: /, status: [200, 199]}}",
       {"gw:1:77: upstreams.u.health.check.status[1]: expected a whole number from 200 to 599, found \"199\""}},
      {"health: {check: {path: /, status: 2xx}}",
       {"gw:1:71: upstreams.u.health.check.status: expected a whole number from 200 to 599, found \"2xx\""}},
      {"health: {check: {status: 200}}", {"gw:1:53: upstreams.u.health.check: status needs a path: a TCP connection has none"}},
      {"health: {check: {interval: 1500ms}}", {"gw:1:53: upstreams.u.health.check: timeout (2s) must not be above interval (1500ms)"}},
      {"health: {check: {interval: 0s}}", {"gw:1:64: upstreams.u.health.check.interval: " + no_time}},
      {"health: {check: {healthy: 0, unhealthy: 1001}}",
       {"gw:1:63: upstreams.u.health.check.healthy: expected a whole number from 1 to 1000, found \"0\"",
        "gw:1:77: upstreams.u.health.check.unhealthy: expected a whole number from 1 to 1000, found \"1001\""}},
      {"health: {eject: false}", {"gw:1:53: upstreams.u.health.eject: expected a map of keys and values, found \"false\""}},
      {"health: {eject: {time: 61s}}", {"gw:1:53: upstreams.u.health.eject: time (61s) must not be above longest (60s)"}},
      {"health: {eject: {time: 61s, window: 0s}}", {"gw:1:73: upstreams.u.health.eject.window: " + no_time}},
      {"health: {eject: {failures: 1000001, error_rate: 101, requests: 0, share: 101}}",
       {"gw:1:64: upstreams.u.health.eject.failures: expected a whole number from 0 to 1000000, found \"1000001\"",
        "gw:1:85: upstreams.u.health.eject.error_rate: expected a whole number from 0 to 100, found \"101\"",
        "gw:1:100: upstreams.u.health.eject.requests: expected a whole number from 1 to 1000000, found \"0\"",
        "gw:1:110: upstreams.u.health.eject.share: expected a whole number from 0 to 100, found \"101\""}},
      // retries
      {"retries: 11", {"gw:1:46: upstreams.u.retries: expected a whole number from 0 to 10, found \"11\""}},
      {"retries: [1]", {"gw:1:46: upstreams.u.retries: expected a map of keys and values, found a list"}},
      {"retries: {statuses: [500, 302]}",
       {"gw:1:63: upstreams.u.retries.statuses[1]: expected a whole number from 400 to 599, found \"302\""}},
      {"retries: {statuses: []}", {"gw:1:57: upstreams.u.retries.statuses: the list is empty"}},
      {"retries: {max: 11, all_methods: 1, per_try: 0s, total: 0s}",
       {"gw:1:52: upstreams.u.retries.max: expected a whole number from 0 to 10, found \"11\"",
        "gw:1:69: upstreams.u.retries.all_methods: expected true or false, found \"1\"",
        "gw:1:81: upstreams.u.retries.per_try: " + no_time, "gw:1:92: upstreams.u.retries.total: " + no_time}},
      {"retries: {backoff: 1, body: 17MiB, budget: 101, floor: 1000001}",
       {"gw:1:56: upstreams.u.retries.backoff: \"1\" has no unit: write 1s or 1ms",
        "gw:1:65: upstreams.u.retries.body: expected a size from 0 to 16MiB, found \"17MiB\"",
        "gw:1:80: upstreams.u.retries.budget: expected a whole number from 0 to 100, found \"101\"",
        "gw:1:92: upstreams.u.retries.floor: expected a whole number from 0 to 1000000, found \"1000001\""}},
      // requests, queue, breaker
      {"requests: 1000001", {"gw:1:47: upstreams.u.requests: expected a whole number from 0 to 1000000, found \"1000001\""}},
      {"queue: {length: 5}", {"gw:1:37: upstreams.u: queue is only for an upstream with requests"}},
      {"requests: 0, queue: {length: 0}", {"gw:1:50: upstreams.u: queue is only for an upstream with requests"}},
      {"requests: x, queue: {length: 5}", {"gw:1:47: upstreams.u.requests: expected a whole number from 0 to 1000000, found \"x\""}},
      {"requests: 1, queue: {}", {"gw:1:57: upstreams.u.queue: length is missing"}},
      {"requests: 1, queue: {length: 1000001, time: 0s}",
       {"gw:1:66: upstreams.u.queue.length: expected a whole number from 0 to 1000000, found \"1000001\"",
        "gw:1:81: upstreams.u.queue.time: " + no_time}},
      {"breaker: {error_rate: 0, requests: 0, window: 0s, open: 0s}",
       {"gw:1:59: upstreams.u.breaker.error_rate: expected a whole number from 1 to 100, found \"0\"",
        "gw:1:72: upstreams.u.breaker.requests: expected a whole number from 1 to 1000000, found \"0\"",
        "gw:1:83: upstreams.u.breaker.window: " + no_time, "gw:1:93: upstreams.u.breaker.open: " + no_time}},
      {"breaker: true", {"gw:1:46: upstreams.u.breaker: expected a map of keys and values, found \"true\""}},
      // fallback
      {"fallback: oo", {"gw:1:19: upstreams.u.fallback: no upstream is named \"oo\" (did you mean \"o\"?)"}},
      {"fallback: \"http://other\"", {"gw:1:19: upstreams.u.fallback: no upstream is named \"http://other\""}},
      {"fallback: u", {"gw:1:19: upstreams.u.fallback: falls back to itself"}},
      {"fallback: [o]", {"gw:1:47: upstreams.u.fallback: expected the name of an upstream, or a map with a reply, found a list"}},
      {"fallback: {status: 99}", {"gw:1:56: upstreams.u.fallback.status: expected a whole number from 200 to 599, found \"99\""}},
      {"fallback: {status: 204, text: a}", {"gw:1:47: upstreams.u.fallback: a response with status 204 has no content"}},
      {"fallback: {headers: {te: a}}",
       {"gw:1:47: upstreams.u.fallback.headers.te: te belongs to gw: it frames the message or is about one connection"}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.keys);
    CHECK(join(read_upstream(c.keys).problems) == join(c.problems));
  }
}

TEST_CASE("config upstreams: fallbacks may follow each other, but not in a circle") {
  const struct {
    std::string upstreams;
    Lines problems;
  } cases[] = {
      {"a: {endpoints: h, fallback: b}, b: {endpoints: h, fallback: c}, c: h", {}},
      {"a: {endpoints: h, fallback: c}, b: {endpoints: h, fallback: c}, c: {endpoints: h, fallback: {status: 503}}", {}},
      {"a: {endpoints: h, fallback: b}, b: {endpoints: h, fallback: a}",
       {"gw:1:13: upstreams.a.fallback: falls back to itself, by way of \"b\""}},
      {"a: {endpoints: h, fallback: b}, b: {endpoints: h, fallback: c}, c: {endpoints: h, fallback: b}, d: {endpoints: h, fallback: d}",
       {"gw:1:45: upstreams.b.fallback: falls back to itself, by way of \"c\"", "gw:1:109: upstreams.d.fallback: falls back to itself"}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.upstreams);
    CHECK(join(read("upstreams: {" + c.upstreams + "}").problems) == join(c.problems));
  }
}

TEST_CASE("config upstreams: a route forwards to one upstream, or splits among several") {
  const struct {
    std::string forward, shown;
  } cases[] = {
      {"a", R"("forward":"a"})"},
      {"{split: {a: 95, b: 5}}", R"("forward":{"split":{"a":95,"b":5}}})"},
      {"{split: {a: 1, \"http://h:1/base\": 0}}", R"("forward":{"split":{"a":1,"http://h:1/base":0}}})"},
      {"{hash: client_address, split: {a: 1}}", R"("forward":{"split":{"a":1},"hash":"client_address"}})"},
      {"{split: {a: 1}, hash: {header: h}, chosen_by: {cookie: c}}",
       R"("forward":{"split":{"a":1},"hash":{"header":"h"},"chosen_by":{"cookie":"c"}}})"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.forward);
    const Outcome outcome = read_forward(c.forward);
    CHECK(join(outcome.problems) == "");
    const std::string text = shown(outcome.config);
    CHECK_MESSAGE(has(text, c.shown), text);
  }
  gw::Config config;
  config.routes.emplace_back().action = gw::ForwardConfig{.split = {{"http://user:s3cr3t@h"}}};
  CHECK(has(shown(config), R"("forward":{"split":{"http://<masked>@h":1}}})"));
}

TEST_CASE("config upstreams: each mistake of a split gives exactly its problem") {
  const std::string stray_hash = "hash is only for a split; an upstream has its own, with balance: maglev";
  std::string many;
  for (int i = 0; i < 65; ++i) many += (i ? ", " : "") + ("\"http://h:" + std::to_string(i + 1)) + "\": 1";
  const struct {
    std::string forward;
    Lines problems;
  } cases[] = {
      {"{}", {"gw:2:31: routes[0].forward: split is missing"}},
      {"{hash: path}", {"gw:2:32: routes[0].forward: " + stray_hash}},
      {"{chosen_by: {header: x}, hash: path}",
       {"gw:2:32: routes[0].forward: chosen_by is only for a split", "gw:2:56: routes[0].forward: " + stray_hash}},
      {"{to: a}", {"gw:2:32: routes[0].forward: unknown key \"to\"; known are \"split\", \"hash\", \"chosen_by\""}},
      {"[a, b]", {"gw:2:31: routes[0].forward: expected text, found a list"}},
      {"{split: a}", {"gw:2:39: routes[0].forward.split: expected a map of upstreams and their weights, found \"a\""}},
      {"{split: {}}", {"gw:2:39: routes[0].forward.split: a split needs a part"}},
      {"{split: {a: 0, b: 0}}", {"gw:2:39: routes[0].forward.split: every part has weight 0: none would get a request"}},
      {"{split: {a: 1, b: 65536}}", {"gw:2:49: routes[0].forward.split.b: expected a whole number from 0 to 65535, found \"65536\""}},
      {"{split: {a: 1, a: 2}}", {"gw:2:46: routes[0].forward.split: key \"a\" is there twice, first on line 2"}},
      {"{split: {a: 1, bb: x, cc: 1}}",
       {"gw:2:50: routes[0].forward.split.bb: expected a whole number from 0 to 65535, found \"x\"",
        "gw:2:31: routes[0].forward.split.cc: no upstream is named \"cc\""}},
      {"{split: {aa: 1, \"h:80\": 1}}",
       {"gw:2:31: routes[0].forward.split.aa: no upstream is named \"aa\" (did you mean \"a\"?)",
        "gw:2:31: routes[0].forward.split[\"h:80\"]: no upstream is named \"h:80\"; an address has http:// before it"}},
      {"{split: {\"https://h\": 1}}", {"gw:2:40: routes[0].forward.split[\"https://h\"]: https:// is not built yet in gw 0.1"}},
      {"{split: {" + many + "}}", {"gw:2:39: routes[0].forward.split: a split has at most 64 parts, not 65"}},
      {"{split: {a: 1}, hash: {header: \"\"}}", {"gw:2:62: routes[0].forward.hash.header: expected text, found an empty text"}},
      {"{split: {a: 1}, chosen_by: path}",
       {"gw:2:58: routes[0].forward.chosen_by: expected {header: NAME} or {cookie: NAME}, found \"path\""}},
      {"{split: {a: 1}, chosen_by: {header: x y}}", {"gw:2:67: routes[0].forward.chosen_by.header: \"x y\" is no header name"}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.forward);
    CHECK(join(read_forward(c.forward).problems) == join(c.problems));
  }
}

TEST_CASE("config upstreams: options made by code are checked like those of a file") {
  const std::string no_time = ": a duration must be above zero";
  const std::string negative = ": a duration must not be below zero";
  const auto range = [](const std::string& bounds, const std::string& found) {
    return ": expected a number from " + bounds + ", found " + found;
  };
  const std::string not_a_million = range("0 to 1000000", "2000000");
  using O = gw::UpstreamOptions;
  const struct {
    std::function<void(O&)> edit;
    Lines problems;  // behind "upstreams.u"
  } cases[] = {
      {[](O&) {}, {}},
      {[](O& o) { o.balance = gw::Balance::maglev, o.hash = gw::HashKey::cookie("id"); }, {}},
      {[](O& o) { o.hash = gw::HashKey::cookie("id"); }, {": hash is only for balance: maglev"}},
      {[](O& o) { o.balance = gw::Balance::maglev, o.hash = gw::HashKey::header(""); }, {".hash: \"\" is no header name"}},
      {[](O& o) { o.sticky = gw::StickyOptions{.secret = "0123456789abcdef", .max_age = 1h}; }, {}},
      {[](O& o) { o.sticky.emplace(); }, {".sticky: secret is missing"}},
      {[](O& o) { o.sticky = gw::StickyOptions{.cookie = "", .secret = "short", .max_age = 0s}; },
       {".sticky.cookie: \"\" is no cookie name", ".sticky.secret: a secret has 16 bytes or more, not 5", ".sticky.max_age" + no_time}},
      {[](O& o) { o.slow_start = -1s; }, {".slow_start" + negative}},
      {[](O& o) { o.health.check = gw::CheckOptions{.path = "up"}; },
       {".health.check.path: \"up\" is no path to ask for: it begins with / and has no space, # or bytes outside ASCII"}},
      {[](O& o) { o.health.check = gw::CheckOptions{.path = "/", .statuses = {200, 99}, .interval = 1s, .healthy = 0, .unhealthy = 0}; },
       {".health.check.status[1]" + range("200 to 599", "99"), ".health.check.healthy" + range("1 to 1000", "0"),
        ".health.check.unhealthy" + range("1 to 1000", "0"), ".health.check: timeout (2s) must not be above interval (1s)"}},
      {[](O& o) { o.health.check = gw::CheckOptions{.statuses = {200}}; },
       {".health.check: status needs a path: a TCP connection has none"}},
      {[](O& o) { o.health.check = gw::CheckOptions{.interval = 0s, .timeout = 0s}; },
       {".health.check.interval" + no_time, ".health.check.timeout" + no_time}},
      {[](O& o) { o.health.eject = {.failures = 2'000'000, .error_rate = 101, .requests = 0, .share = 101}; },
       {".health.eject.failures" + not_a_million, ".health.eject.error_rate" + range("0 to 100", "101"),
        ".health.eject.requests" + range("1 to 1000000", "0"), ".health.eject.share" + range("0 to 100", "101")}},
      {[](O& o) { o.health.eject = {.window = 0s, .time = 0s, .longest = 0s}; },
       {".health.eject.window" + no_time, ".health.eject.time" + no_time, ".health.eject.longest" + no_time}},
      {[](O& o) { o.health.eject.time = 2min; }, {".health.eject: time (120s) must not be above longest (60s)"}},
      {[](O& o) { o.retries = {.max = 11, .statuses = {399, 600}}; },
       {".retries.max" + range("0 to 10", "11"), ".retries.statuses[0]" + range("400 to 599", "399"),
        ".retries.statuses[1]" + range("400 to 599", "600")}},
      {[](O& o) { o.retries = {.per_try = 0s, .total = 0s, .backoff = -1ms}; },
       {".retries.per_try" + no_time, ".retries.total" + no_time, ".retries.backoff" + negative}},
      {[](O& o) { o.retries = {.body = 20'000'000, .budget = 101, .floor = 2'000'000}; },
       {".retries.body" + range("0 to 16777216", "20000000"), ".retries.budget" + range("0 to 100", "101"),
        ".retries.floor" + not_a_million}},
      {[](O& o) { o.requests = 2'000'000, o.queue = {2'000'000, 0s}; },
       {".requests" + not_a_million, ".queue.length" + not_a_million, ".queue.time" + no_time}},
      {[](O& o) { o.queue.length = 1; }, {": queue is only for an upstream with requests"}},
      {[](O& o) { o.breaker = gw::BreakerOptions{.error_rate = 0, .requests = 0, .window = 0s, .open = 0s}; },
       {".breaker.error_rate" + range("1 to 100", "0"), ".breaker.requests" + range("1 to 1000000", "0"), ".breaker.window" + no_time,
        ".breaker.open" + no_time}},
      {[](O& o) { o.fallback = "o"; }, {}},
      {[](O& o) { o.fallback = ""; }, {".fallback: no upstream is named \"\" (did you mean \"o\"?)"}},
      {[](O& o) { o.fallback = "u"; }, {".fallback: falls back to itself"}},
      {[](O& o) { o.fallback = gw::ReplyConfig{.status = 100}; }, {".fallback.status: a reply has a status from 200 to 599, not 100"}},
  };
  for (const auto& c : cases) {
    std::string expected;
    for (const std::string& problem : c.problems) expected += "upstreams.u" + problem + '\n';
    CHECK(check(c.edit) == expected);
  }
}

TEST_CASE("config upstreams: splits made by code are checked like those of a file") {
  const std::string at = "routes[0].forward";
  const gw::HashKey path{gw::HashKey::Kind::path};
  const struct {
    gw::ForwardConfig forward;
    std::string problems;
  } cases[] = {
      {{.split = {{"a", 95}, {"b", 0}}, .hash = path, .chosen_by = gw::HashKey::header("x")}, ""},
      {{.to = "a", .split = {{"b"}}}, at + ": either one upstream or a split\n"},
      {{.to = "a", .hash = path, .chosen_by = path},
       at + ": hash is only for a split; an upstream has its own, with balance: maglev\n" + at + ": chosen_by is only for a split\n"},
      {{.split = {{"a", 0}}}, at + ".split: every part has weight 0: none would get a request\n"},
      {{.split = {{"a"}, {"b", 65'536}, {"a"}}},
       at + ".split.b: expected a number from 0 to 65535, found 65536\n" + at + ".split.a: \"a\" is in the split already\n"},
      {{.split = {{""}, {"c"}}},
       at + ".split[\"\"]: nowhere to forward to\n" + at + ".split.c: no upstream is named \"c\" (did you mean \"a\"?)\n"},
      {{.split = {{"a"}}, .hash = gw::HashKey::cookie("a b"), .chosen_by = path},
       at + ".hash: \"a b\" is no cookie name\n" + at + ".chosen_by: only a header or a cookie can name a part\n"},
  };
  for (const auto& c : cases) CHECK(check(c.forward) == c.problems);
  const gw::ForwardConfig large{.split = std::vector<gw::SplitPart>(65, {"a"})};
  CHECK(has(check(large), at + ".split: a split has at most 64 parts, not 65\n"));
}
