// Endpoints that are names, in a gateway: `Dns` itself is tested in dns_test, dns_names_test and dns_watch_test.
#include <doctest/doctest.h>

#include "support/dns_server.hpp"
#include "support/http_client.hpp"
#include "support/service.hpp"

#include <gw/gw.hpp>

#include <chrono>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using gw_test::DnsServer;
using gw_test::HttpClient;
using gw_test::Service;
using namespace std::chrono_literals;

namespace {

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
using Answers = std::map<std::string, int>;

std::string text_of(const Answers& answers) {
  std::string text;
  for (const auto& [answer, count] : answers) text += std::to_string(count) + " x " + answer + '\n';
  return text;
}

/// A gateway whose upstream is one name, "users.test." unless it is told another, of a server that the test changes.
class Named {
 public:
  explicit Named(std::vector<gw::EndpointOptions> endpoints, gw::UpstreamOptions options = {}) {
    options.balance = gw::Balance::round_robin;
    app.config().workers = 2;
    app.config().name_servers = {dns.address()};
    up.emplace(app.upstream("up", std::move(endpoints), std::move(options)));
    app.prefix("/").forward(*up);
  }

  void start() {
    client_.reset();
    server_.reset();
    server_.emplace(app.start("127.0.0.1:0"));
    client_.emplace(server_->port());
  }
  gw_test::Reply ask() {
    client_->send(get);
    return client_->read_reply();
  }
  /// How often each service answered so many requests.
  Answers ask(int count) {
    Answers answers;
    for (int i = 0; i < count; ++i) ++answers[ask().body];
    return answers;
  }
  /// Asks until the answers to so many requests are these.
  void ask_until(const Answers& expected) {
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    int count = 0;
    for (const auto& [answer, times] : expected) count += times;
    Answers answers;
    while ((answers = ask(count)) != expected && std::chrono::steady_clock::now() < give_up) client_.emplace(server_->port());
    CHECK(text_of(answers) == text_of(expected));
  }

  DnsServer dns;
  gw::Gateway app;
  std::optional<gw::Upstream> up;

 private:
  std::optional<gw::Server> server_;
  std::optional<HttpClient> client_;  // asks a limited number of times
};

std::string at(const char* host, std::uint16_t port) { return std::string(host) + ':' + std::to_string(port); }

}  // namespace

TEST_CASE("names: every address of a name is an endpoint, with the name as Host and the weight of the name") {
  Service one("one", "127.0.0.1:0", true), two("two", at("127.0.0.2", one.port()), true), three("three", at("127.0.0.3", one.port()), true);
  const std::string host = at("users.test.", one.port());
  Named named(std::vector<gw::EndpointOptions>{{host, 2}, {at("127.0.0.3", one.port()), 1}});
  named.dns.set("users.test", DnsServer::a, {"127.0.0.1", "127.0.0.2"});
  named.start();
  const std::string said = at("users.test", one.port());
  named.ask_until({{"one " + said, 2}, {"two " + said, 2}, {"three " + at("127.0.0.3", one.port()), 1}});

  const gw::Explanation explained = named.app.explain(gw::Request(gw::Method::get, "/"));
  CHECK(explained.endpoints == std::vector<std::string>{at("127.0.0.1", one.port()) + " (users.test.)", at("127.0.0.2", one.port()) + " (users.test.)",
                                                         at("127.0.0.3", one.port())});
  CHECK(named.app.endpoints(*named.up).size() == 2);  // what is configured
}

TEST_CASE("names: addresses come and go when the time to live is over") {
  Service one("one"), two("two", at("127.0.0.2", one.port()));
  Named named(std::vector<gw::EndpointOptions>{{at("users.test.", one.port())}});
  named.dns.set("users.test", DnsServer::a, {"127.0.0.1"}, 1);
  named.start();
  CHECK(text_of(named.ask(4)) == text_of(Answers{{"one", 4}}));
  named.dns.set("users.test", DnsServer::a, {"127.0.0.1", "127.0.0.2"}, 1);
  named.ask_until({{"one", 2}, {"two", 2}});
  named.dns.set("users.test", DnsServer::a, {"127.0.0.2"}, 1);
  named.ask_until({{"two", 4}});
}

TEST_CASE("names: the records of a service say ports and weights") {
  Service one("one", "127.0.0.1:0", true), two("two", "127.0.0.1:0", true), spare("spare");
  Named named(std::vector<gw::EndpointOptions>{{"srv:_http._tcp.users.test."}});
  named.dns.set("_http._tcp.users.test", DnsServer::srv,
                {"1 3 " + std::to_string(one.port()) + " a.test", "1 1 " + std::to_string(two.port()) + " a.test", "2 1 " + std::to_string(spare.port()) + " a.test"}, 1);
  named.dns.set("a.test", DnsServer::a, {"127.0.0.1"}, 1);
  named.start();
  CHECK(text_of(named.ask(8)) == text_of(Answers{{"one users.test", 6}, {"two users.test", 2}}));
  named.dns.set("_http._tcp.users.test", DnsServer::srv, {"1 0 " + std::to_string(two.port()) + " a.test"}, 1);
  named.ask_until({{"two users.test", 4}});
  // "." says that there is no such service (RFC 2782).
  named.dns.set("_http._tcp.users.test", DnsServer::srv, {"0 0 0 ."}, 1);
  named.ask_until({{R"({"message":"no endpoint of the upstream is available"})", 4}});
}

TEST_CASE("names: what was known stays in use while name servers fail, through reloads, too") {
  Service one("one");
  Named named(std::vector<gw::EndpointOptions>{{at("users.test.", one.port())}});
  named.dns.set("users.test", DnsServer::a, {"127.0.0.1"}, 1);
  named.start();
  CHECK(text_of(named.ask(4)) == text_of(Answers{{"one", 4}}));
  for (const auto bad : {DnsServer::Mood::servfail, DnsServer::Mood::refused, DnsServer::Mood::garbage}) {
    named.dns.mood(bad);
    named.dns.wait_until_asked("users.test", DnsServer::a, named.dns.asked("users.test", DnsServer::a) + 2);
    CHECK(text_of(named.ask(4)) == text_of(Answers{{"one", 4}}));
    named.app.reload();
    CHECK(text_of(named.ask(4)) == text_of(Answers{{"one", 4}}));
  }
  // Other name servers: they know nothing yet.
  DnsServer other;
  named.app.config().name_servers = {other.address()};
  named.app.reload();
  other.wait_until_asked("users.test", DnsServer::a, 1);
  CHECK(text_of(named.ask(4)) == text_of(Answers{{"one", 4}}));
}

TEST_CASE("names: one that is not known is 503, and served as soon as it is") {
  Service one("one");
  Named named(std::vector<gw::EndpointOptions>{{at("users.test.", one.port())}}, {.timeouts = {.connect = 20s}});
  std::promise<std::string> warning;
  named.app.log_to([&](gw::LogLevel level, std::string_view line) {
    if (level == gw::LogLevel::warning) warning.set_value(std::string(line));  // once
  });
  named.start();
  CHECK(named.ask().status == 503);
  CHECK(warning.get_future().get() == "upstream up: users.test. cannot be looked up; it is no endpoint until it can");
  named.dns.set("users.test", DnsServer::a, {"127.0.0.1"});
  named.ask_until({{"one", 4}});
}

TEST_CASE("names: a request waits for the first answer no longer than for a connection") {
  Service one("one"), two("two");
  Named named(std::vector<gw::EndpointOptions>{{at("users.test.", one.port())}}, {.timeouts = {.connect = 100ms}});
  named.dns.mood(DnsServer::Mood::silent);
  named.start();
  CHECK(named.ask().status == 503);
  // Nobody waits for a name where another endpoint is known.
  named.app.set_endpoint(*named.up, {two.address()});
  CHECK(text_of(named.ask(4)) == text_of(Answers{{"two", 4}}));
}

TEST_CASE("names: endpoints that are set at run time may be names") {
  Service one("one"), two("two", at("127.0.0.2", one.port()));
  Named named(std::vector<gw::EndpointOptions>{{at("127.0.0.1", one.port())}});
  named.dns.set("users.test", DnsServer::a, {"127.0.0.2"});
  named.start();
  CHECK(text_of(named.ask(4)) == text_of(Answers{{"one", 4}}));
  named.app.set_endpoint(*named.up, {at("users.test.", one.port())});
  named.ask_until({{"one", 2}, {"two", 2}});
  named.app.set_endpoint(*named.up, {at("users.test.", one.port()), 0});
  CHECK(text_of(named.ask(4)) == text_of(Answers{{"one", 4}}));
  named.app.remove_endpoint(*named.up, at("users.test.", one.port()));
  CHECK(text_of(named.ask(4)) == text_of(Answers{{"one", 4}}));
}

TEST_CASE("names: dispatch looks them up, without a server") {
  Service one("one");
  Named named(std::vector<gw::EndpointOptions>{{at("users.test.", one.port())}});
  named.dns.set("users.test", DnsServer::a, {"127.0.0.1"});
  CHECK(named.app.dispatch(gw::Request(gw::Method::get, "/")).body.text() == "one");
}

TEST_CASE("names: a request waits for the second name if the first cannot be looked up") {
  Service one("one");
  Named named(std::vector<gw::EndpointOptions>{{at("nobody.test.", one.port())}, {at("users.test.", one.port())}}, {.timeouts = {.connect = 20s}});
  named.dns.mood("users.test", DnsServer::a, DnsServer::Mood::silent);
  named.dns.set("users.test", DnsServer::a, {"127.0.0.1"});
  named.start();
  std::thread helper([&] {
    named.dns.wait_until_asked("nobody.test", DnsServer::a, 1);
    named.dns.mood("users.test", DnsServer::a, DnsServer::Mood::well);  // c-ares asks again after a second
  });
  CHECK(named.ask().body == "one");
  helper.join();
}

TEST_CASE("names: an endpoint that drains does not keep a request from waiting for a name") {
  Service one("one");
  Named named(std::vector<gw::EndpointOptions>{{"127.0.0.1:1", 0}, {at("users.test.", one.port())}}, {.timeouts = {.connect = 20s}});
  named.dns.set("users.test", DnsServer::a, {"127.0.0.1"});
  named.start();
  CHECK(named.ask().body == "one");
}

TEST_CASE("names: hundreds are all looked up at once") {
  Service one("one");
  std::vector<gw::EndpointOptions> endpoints;
  for (int i = 0; i < 400; ++i) endpoints.emplace_back(at(("h" + std::to_string(i) + ".test.").c_str(), one.port()));
  Named named(endpoints);
  for (int i = 0; i < 400; ++i) named.dns.set("h" + std::to_string(i) + ".test", DnsServer::a, {"127.0.0.1"});
  named.start();
  const auto give_up = std::chrono::steady_clock::now() + 20s;
  while (named.app.explain(gw::Request(gw::Method::get, "/")).endpoints.size() < 400 && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  CHECK(named.app.explain(gw::Request(gw::Method::get, "/")).endpoints.size() == 400);
  // No reply was lost, so none was asked for again.
  int asked = 0;
  for (int i = 0; i < 400; ++i) asked += named.dns.asked("h" + std::to_string(i) + ".test", DnsServer::a);
  CHECK(asked == 400);
}

TEST_CASE("names: large weights of a name and its records keep their proportion") {
  Service one("one"), two("two");
  Named named(std::vector<gw::EndpointOptions>{{"srv:_http._tcp.users.test.", 65'535}});
  named.dns.set("_http._tcp.users.test", DnsServer::srv, {"1 60000 " + std::to_string(one.port()) + " a.test", "1 20000 " + std::to_string(two.port()) + " a.test"});
  named.dns.set("a.test", DnsServer::a, {"127.0.0.1"});
  named.start();
  CHECK(text_of(named.ask(8)) == text_of(Answers{{"one", 6}, {"two", 2}}));
}

TEST_CASE("names: what is known late of the first configuration does not start slowly") {
  Service one("one"), two("two", at("127.0.0.2", one.port()));
  Named named(std::vector<gw::EndpointOptions>{{at("127.0.0.1", one.port())}, {at("users.test.", one.port())}}, {.slow_start = 60s});
  named.dns.set("users.test", DnsServer::a, {"127.0.0.2"}, 1);
  named.start();
  named.ask_until({{"one", 2}, {"two", 2}});
}

TEST_CASE("names: nobody asks for them when the gateway has stopped, and again when it has started") {
  Service one("one");
  const std::vector<gw::EndpointOptions> endpoints{{at("users.test.", one.port())}};
  Named named(endpoints), other(endpoints);
  for (Named* each : {&named, &other}) {
    each->dns.set("users.test", DnsServer::a, {"127.0.0.1"}, 1);
    each->start();
    CHECK(each->ask().body == "one");
  }
  named.app.stop();
  const int asked = named.dns.asked("users.test", DnsServer::a);
  // Once the other has asked twice, the time to live has passed for both.
  other.dns.wait_until_asked("users.test", DnsServer::a, other.dns.asked("users.test", DnsServer::a) + 2);
  CHECK(named.dns.asked("users.test", DnsServer::a) == asked);
  named.start();
  CHECK(named.ask().body == "one");
  named.dns.wait_until_asked("users.test", DnsServer::a, asked + 2);
}
