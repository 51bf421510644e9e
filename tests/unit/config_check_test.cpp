#include "config/suggest.hpp"
#include "config_reading.hpp"

#include <doctest/doctest.h>

#include <functional>

using namespace config_reading;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

namespace {

/// A config that code would make: one upstream and one route to it.
gw::Config by_code() {
  gw::Config config;
  config.listen.push_back({"127.0.0.1:8000", {}});
  gw::UpstreamConfig upstream;
  upstream.name = "users";
  upstream.endpoints = {"10.0.0.1:8080"};
  config.upstreams.push_back(upstream);
  gw::RouteConfig route;
  route.action = gw::ForwardConfig{"users", {}};
  config.routes.push_back(route);
  return config;
}

Lines check(const gw::Config& config, gw::Problems problems = {}) {
  gw::config::check_references(config, problems);
  return lines(problems);
}

}  // namespace

TEST_CASE("config check: a config made by code is checked like a file, with paths for places") {
  const std::string no_time = "a duration must be above zero";
  const std::string passes_by = " cannot be switched to: the requests in it would pass by every route, stage and limit";
  const std::string no_protocol = " is no protocol: write a name such as websocket, or NAME/VERSION";
  const struct {
    std::function<void(gw::Config&)> edit;
    Lines problems;
  } cases[] = {
      {[](gw::Config&) {}, {}},
      {[](gw::Config& c) { c.workers = 1025; }, {"workers: expected a number from 0 to 1024, found 1025"}},
      {[](gw::Config& c) { c.timeouts.client_header = 0s; }, {"timeouts.client_header: " + no_time}},
      {[](gw::Config& c) { c.timeouts.client_idle = -1s; }, {"timeouts.client_idle: " + no_time}},
      {[](gw::Config& c) { c.timeouts.client_body = 0s; }, {"timeouts.client_body: " + no_time}},
      {[](gw::Config& c) { c.timeouts.client_write = 0s; }, {"timeouts.client_write: " + no_time}},
      {[](gw::Config& c) { c.timeouts.drain = 0s; }, {"timeouts.drain: " + no_time}},
      {[](gw::Config& c) { c.limits.head = 1023, c.limits.target = 1000; },
       {"limits.head: expected a number from 1024 to 1048576, found 1023"}},
      {[](gw::Config& c) { c.limits.fields = 0; }, {"limits.fields: expected a number from 1 to 10000, found 0"}},
      {[](gw::Config& c) { c.limits.target = 0; }, {"limits.target: expected a number from 1 to 1048576, found 0"}},
      {[](gw::Config& c) { c.limits.body = ~std::uint64_t{0}; },
       {"limits.body: expected a number from 0 to 1152921504606846976, found 18446744073709551615"}},
      {[](gw::Config& c) { c.limits.connections = 0; }, {"limits.connections: expected a number from 1 to 10000000, found 0"}},
      {[](gw::Config& c) { c.limits.trailers = 1; }, {"limits.trailers: expected a number from 2 to 1048576, found 1"}},
      {[](gw::Config& c) { c.limits.chunk_extensions = 2'000'000; }, {"limits.chunk_extensions: expected a number from 0 to 1048576, found 2000000"}},
      {[](gw::Config& c) { c.limits.connections_per_client = 10'000'001; },
       {"limits.connections_per_client: expected a number from 0 to 10000000, found 10000001"}},
      {[](gw::Config& c) { c.limits.requests_per_connection = 1'000'000'001; },
       {"limits.requests_per_connection: expected a number from 0 to 1000000000, found 1000000001"}},
      {[](gw::Config& c) { c.limits.body_rate = c.limits.write_rate = 2'000'000'000; },
       {"limits.body_rate: expected a number from 0 to 1073741824, found 2000000000",
        "limits.write_rate: expected a number from 0 to 1073741824, found 2000000000"}},
      {[](gw::Config& c) { c.limits.target = 20'000; }, {"limits: target (20000) must not be above head (16KiB), which contains it"}},
      {[](gw::Config& c) {
         c.listen.push_back({"localhost:1", {}});
       },
       {"listen[1]: \"localhost:1\" is no address to listen on: write IP:PORT, [IPv6]:PORT or :PORT"}},
      {[](gw::Config& c) {
         c.listen.push_back({":8000", {}, {.trusted = {"10.0.0.0/8", "10.0.0.0/9/9"}}});
       },
       {"listen[1].trusted[1]: \"10.0.0.0/9/9\" is no network: write an IP address, or one with the length of a prefix, such as 10.0.0.0/8",
        "listen[1]: the address \":8000\" is taken by listen[0]"}},
      {[](gw::Config& c) { c.name_servers = {"::1", "[::1]:53", "192.0.2.1", "192.0.2.1:0", "localhost"}; },
       {"name_servers[3]: \"192.0.2.1:0\" is no address of a name server: write IP, IP:PORT or [IPv6]:PORT",
        "name_servers[4]: \"localhost\" is no address of a name server: write IP, IP:PORT or [IPv6]:PORT"}},
      {[](gw::Config& c) { c.upstreams[0].endpoints.clear(); }, {"upstreams.users: an upstream needs an endpoint"}},
      {[](gw::Config& c) {
         c.upstreams[0].endpoints = {gw::EndpointOptions("h", 0), gw::EndpointOptions("i", 0)};
       },
       {"upstreams.users.endpoints: every endpoint has weight 0: none would get a request"}},
      {[](gw::Config& c) { c.upstreams[0].endpoints = {"10.0.0.1", "10.0.0.2", "http://10.0.0.1:80"}; },
       {"upstreams.users.endpoints[2]: the address \"http://10.0.0.1:80\" is there already, as endpoints[0]"}},
      {[](gw::Config& c) { c.upstreams[0].endpoints.emplace_back("h:0"); },
       {"upstreams.users.endpoints[1]: \"h:0\" is no address: write HOST, HOST:PORT, [IPv6]:PORT, srv:NAME or unix:/PATH, with a port from 1 to 65535"}},
      {[](gw::Config& c) { c.upstreams[0].endpoints.emplace_back("h", 70'000); },
       {"upstreams.users.endpoints[1].weight: expected a number from 0 to 65535, found 70000"}},
      {[](gw::Config& c) { c.upstreams[0].options.base_path = ""; },
       {"upstreams.users.base_path: \"\" is no base path: it begins with / and has no query"}},
      {[](gw::Config& c) {
         c.upstreams[0].options.timeouts = {0s, 0s, 0s, 0s, 0s};
       },
       {"upstreams.users.timeouts.connect: " + no_time, "upstreams.users.timeouts.first_byte: " + no_time,
        "upstreams.users.timeouts.body: " + no_time, "upstreams.users.timeouts.idle: " + no_time, "upstreams.users.timeouts.tunnel: " + no_time}},
      {[](gw::Config& c) { c.upstreams[0].options.connections = 0; },
       {"upstreams.users.connections: expected a number from 1 to 1000000, found 0"}},
      {[](gw::Config& c) { c.upstreams[0].options.idle_connections = 2'000'000; },
       {"upstreams.users.idle_connections: expected a number from 0 to 1000000, found 2000000"}},
      {[](gw::Config& c) { c.upstreams.push_back(c.upstreams[0]), c.upstreams.push_back(c.upstreams[0]); },
       {"upstreams.users: the name \"users\" is taken by another upstream"}},
      {[](gw::Config& c) { c.routes[0].action = {}; }, {"routes[0]: a route needs something to do: forward, redirect, reply or handler"}},
      {[](gw::Config& c) {
         c.routes[0].action = gw::ForwardConfig{"user", {}};
       },
       {"routes[0].forward: no upstream is named \"user\" (did you mean \"users\"?)"}},
      {[](gw::Config& c) { c.upstreams.clear(); }, {"routes[0].forward: no upstream is named \"users\""}},
      {[](gw::Config& c) {
         c.routes[0].action = gw::ForwardConfig{"https://h", {}};
       },
       {"routes[0].forward: https:// is not built yet in gw 0.1"}},
      {[](gw::Config& c) {
         c.routes[0].action = gw::ForwardConfig{"", {}};
       },
       {"routes[0].forward: nowhere to forward to"}},
      {[](gw::Config& c) {
         c.routes[0].action = gw::ForwardConfig{"http://h/base", {}};
       },
       {}},
      {[](gw::Config& c) { c.routes[0].rule.name = "a", c.routes.push_back(c.routes[0]); },
       {"routes[1].name: the name \"a\" is taken by routes[0]"}},
      {[](gw::Config& c) { c.routes[0].rule.name = "a\n"; }, {"routes[0].name: name \"a\\x0A\": control character U+000A is not allowed"}},
      {[](gw::Config& c) { c.routes[0].strip_prefix = c.routes[0].preserve_host = true; }, {}},
      {[](gw::Config& c) { c.routes[0].upgrade = {"websocket", "x/1", "h2c", "HTTP/2.0", "tls/1.2", "", "a b", "a/"}; },
       {"routes[0].upgrade[2]: \"h2c\"" + passes_by, "routes[0].upgrade[3]: \"HTTP/2.0\"" + passes_by, "routes[0].upgrade[4]: \"tls/1.2\"" + passes_by,
        "routes[0].upgrade[5]: \"\"" + no_protocol, "routes[0].upgrade[6]: \"a b\"" + no_protocol, "routes[0].upgrade[7]: \"a/\"" + no_protocol}},
      {[](gw::Config& c) {
         c.routes[0].upgrade = {};
         c.routes[0].action = gw::ReplyConfig{.status = 204};
       },
       {"routes[0].upgrade: is about an upstream, and this route does not forward"}},
      {[](gw::Config& c) { c.routes[0].timeouts.first_byte = 0s; }, {"routes[0].timeouts.first_byte: " + no_time}},
      {[](gw::Config& c) { c.routes[0].limits.body = ~std::uint64_t{0}; },
       {"routes[0].limits.body: expected a number from 0 to 1152921504606846976, found 18446744073709551615"}},
      {[](gw::Config& c) {
         c.routes[0].rewrite = gw::RewriteConfig{"/{x}", {}};
       },
       {"routes[0].rewrite: \"/{x}\" has \"{x}\", which stands for nothing; here are {rest}, {path}"}},
      {[](gw::Config& c) {
         c.routes[0].action = gw::RedirectConfig{.to = "", .status = 200};
       },
       {"routes[0].redirect: \"\" must start with \"/\", \"http://\" or \"https://\"",
        "routes[0].redirect.status: a redirect has the status 301, 302, 303, 307 or 308, not 200"}},
      {[](gw::Config& c) {
         c.routes[0].action = gw::ReplyConfig{.status = 304, .content = "x", .headers = {{"a", "b\n"}, {"TE", "x"}}};
       },
       {"routes[0].reply: a response with status 304 has no content", "routes[0].reply.headers.a: the value has a control character, or a space at an end",
        "routes[0].reply.headers.TE: TE belongs to gw: it frames the message or is about one connection"}},
      {[](gw::Config& c) {
         c.routes[0].action = gw::ReplyConfig{.status = 42};
       },
       {"routes[0].reply.status: a reply has a status from 200 to 599, not 42"}},
  };
  for (const auto& c : cases) {
    gw::Config config = by_code();
    c.edit(config);
    CHECK(join(check(config)) == join(c.problems));
  }
}

TEST_CASE("config check: nothing is said twice about one value, or about what contains it") {
  gw::Config config = by_code();
  config.routes[0].action = {};
  config.workers = 5000;
  CHECK(check(config, {{{"", 0, 0, "routes[0].forward"}, "x"}, {{"", 0, 0, "workers"}, "y"}}) ==
        Lines{"routes[0].forward: x", "workers: y"});
  CHECK(check(config, {{{"", 0, 0, "routes[0]"}, "x"}, {{"", 0, 0, "workers"}, "y"}}).size() == 2);
  // A problem elsewhere hides nothing.
  CHECK(check(config, {{{"", 0, 0, "routes[10].forward"}, "x"}, {{"", 0, 0, ""}, "y"}}).size() == 4);
}

TEST_CASE("config check: a suggestion is the nearest name, or none if nothing is near") {
  const std::vector<std::string> names{"bar", "users", "orders", "listen", "port"};
  const struct {
    std::string word;
    std::string nearest;
  } cases[] = {
      {"baz", "bar"},
      {"pot", "port"},
      {"Listen", "listen"},
      {"lissten", "listen"},
      {"lsiten", "listen"},
      {"user", "users"},
      {"odrers", "orders"},
      {"prot", "port"},
      {"xyz", ""},
      {"", ""},
      {"listener", "listen"},
      {"completely", ""},
      {std::string(1000, 'x'), ""},
  };
  for (const auto& c : cases) {
    CAPTURE(c.word);
    CHECK(gw::config::closest(c.word, names) == c.nearest);
  }
  CHECK(gw::config::did_you_mean("baz", names) == " (did you mean \"bar\"?)");
  CHECK(gw::config::did_you_mean("xyz", names) == "");
  CHECK(gw::config::edit_distance("kitten", "sitting") == 3);
  CHECK(gw::config::edit_distance("ab", "BA") == 1);
  CHECK(gw::config::closest("n1", std::vector<std::string>(1001, "n2")) == "");
}

TEST_CASE("config check: text in messages is one line of printable characters") {
  CHECK(gw::config::quote("a\nb\x01\xff\x7f") == "\"a\\x0Ab\\x01\\xFF\\x7F\"");
  CHECK(gw::config::quote("d\xc3\xa9j\xc3\xa0") == "\"d\xc3\xa9j\xc3\xa0\"");
  CHECK(gw::config::quote(std::string(81, 'x')) == "\"" + std::string(80, 'x') + "...\"");
  CHECK(gw::config::path_of("a", std::size_t{3}) == "a[3]");
  CHECK(gw::config::path_of("", "b") == "b");
  CHECK(gw::config::path_of("a", "x.y") == "a[\"x.y\"]");
}
