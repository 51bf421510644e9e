#include <doctest/doctest.h>

#include <gw/context.hpp>
#include <gw/upstream.hpp>

#include "support/fake_host.hpp"

#include <set>
#include <string>
#include <thread>
#include <vector>

using gw::Context;
using gw::detail::ContextAccess;

namespace {

std::string id_of(std::uint64_t seed, std::uint64_t number) {
  Context c;
  ContextAccess::begin(c, nullptr, seed, number, {});
  return std::string(c.id());
}

}  // namespace

TEST_CASE("context: the consumer is a copy of the last name that was set, and nobody after the end") {
  Context c;
  CHECK(c.consumer().empty());
  std::string name = "alice";
  c.set_consumer(name);
  name = "mallory";
  const std::string_view first = c.consumer();
  CHECK(first == "alice");
  c.set_consumer("bob");
  CHECK(c.consumer() == "bob");
  CHECK(first == "alice");
  ContextAccess::end(c);
  CHECK(c.consumer().empty());
}

TEST_CASE("context: a reply is the response, and a later one replaces it") {
  Context c;
  CHECK_FALSE(c.has_reply());
  c.reply(404, "first");
  CHECK(c.has_reply());
  CHECK(c.res.status == 404);
  CHECK(c.res.body.text() == "first");
  c.res.headers.set("x-old", "1");
  c.reply("second");
  CHECK(c.res.status == 200);
  CHECK(c.res.body.text() == "second");
  CHECK_FALSE(c.res.headers.has("x-old"));
  CHECK_FALSE(c.failure().has_value());
}

TEST_CASE("context: a failure is answered with its status and message, and remembered") {
  for (const gw::Error error : {gw::Error::no_route, gw::Error::upstream_timeout, gw::Error::overloaded}) {
    Context c;
    c.fail(gw::Failure(error, gw::Origin::upstream));
    const gw::Response expected = gw::Response::error(gw::status_of(error), gw::message_of(error));
    CHECK(c.has_reply());
    CHECK(c.res.status == expected.status);
    CHECK(c.res.body.text() == expected.body.text());
    CHECK(c.failure()->code == error);
    CHECK(c.failure()->origin == gw::Origin::upstream);
    c.reply(200);
    CHECK(c.failure()->code == error);
  }
}

TEST_CASE("context: after the head was sent a reply is ignored and logged") {
  gw_test::FakeHost host;
  Context c;
  ContextAccess::begin(c, &host, 1, 1, {});
  c.set_id("id");
  c.reply(200, "sent");
  ContextAccess::set_head_sent(c);
  CHECK(c.is_head_sent());
  c.reply(404);
  CHECK(c.res.status == 200);
  CHECK(c.res.body.text() == "sent");
  CHECK(host.logged == "warning: reply 404 ignored: the head of the response has been sent (request id)\n");
  c.fail(gw::Error::upstream_reset);
  CHECK(c.res.status == 200);
  CHECK(c.failure()->code == gw::Error::upstream_reset);
}

TEST_CASE("context: an id has 32 hexadecimal digits and never repeats") {
  std::set<std::string> seen, heads, tails;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
    for (std::uint64_t number = 0; number < 5000; ++number) {
      const std::string id = id_of(seed, number);
      CHECK(id.size() == 32);
      CHECK(id.find_first_not_of("0123456789abcdef") == id.npos);
      seen.insert(id);
      heads.insert(id.substr(0, 16));
      tails.insert(id.substr(16));
    }
  }
  CHECK(seen.size() == 15000);
  // Neither half betrays the counter.
  CHECK(heads.size() == 15000);
  CHECK(tails.size() == 15000);
  CHECK(id_of(7, 9) == id_of(7, 9));
}

TEST_CASE("context: set_id takes up to 128 token characters and ignores the rest") {
  struct Case {
    std::string id;
    bool is_taken;
  };
  const std::vector<Case> cases{{"a", true}, {"7b1c-55_x.~", true}, {std::string(128, 'x'), true}, {std::string(129, 'x'), false},
                                {"", false}, {"a b", false},         {"a\r\nset-cookie: x", false}, {"a,b", false},
                                {"\"a\"", false}, {"caf\xc3\xa9", false}};
  for (const Case& one : cases) {
    CAPTURE(one.id);
    Context c;
    const std::string_view made = c.id();
    const std::string copy(made);
    c.set_id(one.id);
    CHECK(c.id() == (one.is_taken ? one.id : copy));
    CHECK(made == copy);  // the view of the old one is still good
  }
  Context c;
  c.set_id("early");
  c.set_id(c.id().substr(1));
  CHECK(c.id() == "arly");
}

TEST_CASE("context: a slot holds one value per type") {
  struct User {
    std::string name = "nobody";
  };
  Context c;
  CHECK(c.find_slot<User>() == nullptr);
  CHECK(c.find_slot<int>() == nullptr);
  User& user = c.slot<User>();
  CHECK(user.name == "nobody");
  user.name = "ada";
  c.slot<int>() = 7;
  for (int i = 0; i < 10; ++i) c.slot<std::vector<int>>().push_back(i);
  CHECK(c.slot<int>() == 7);
  CHECK(&c.slot<User>() == &user);
  const Context& read_only = c;
  CHECK(read_only.find_slot<User>()->name == "ada");
  CHECK(read_only.find_slot<std::vector<int>>()->size() == 10);
}

TEST_CASE("context: what ends drops bodies before slots") {
  struct Order {
    std::string* text;
    std::string word;
    Order() : text(nullptr) {}
    ~Order() { if (text) *text += word; }
  };
  struct Source : gw::Body::Source {
    std::string* text;
    explicit Source(std::string* t) : text(t) {}
    ~Source() override { *text += " body"; }
    gw::Task<gw::Result<gw::Chunk>> read() override { co_return gw::Chunk{}; }
  };
  for (const bool by_destructor : {false, true}) {
    std::string order;
    {
      Context c;
      c.slot<Order>().text = &order;
      c.slot<Order>().word = " slot";
      c.res.body = gw::Body(std::make_unique<Source>(&order));
      if (!by_destructor) ContextAccess::end(c);
    }
    CHECK(order == " body slot");
  }
}

TEST_CASE("context: a context that ended is as good as a new one") {
  const std::vector<std::string> names{"id"};
  gw::Params raw;
  raw.push("7");
  raw.borrow_names(names);
  Context c;
  ContextAccess::begin(c, nullptr, 1, 1, "10.0.0.1");
  c.req.headers.set("x", "1");
  ContextAccess::set_route(c, "users");
  ContextAccess::set_params(c, raw);
  c.slot<int>() = 1;
  c.fail(gw::Error::no_route);
  ContextAccess::set_head_sent(c);
  ContextAccess::set_complete(c);
  ContextAccess::add_bytes_sent(c, 10);
  ContextAccess::add_bytes_received(c, 20);
  const std::string id(c.id());
  CHECK(c.client_address() == "10.0.0.1");
  CHECK(c.peer_address() == "10.0.0.1");
  CHECK_FALSE(c.is_peer_trusted());
  ContextAccess::set_client(c, *gw::IpAddress::parse("::ffff:192.0.2.7"), "https");
  CHECK(c.client_address() == "192.0.2.7");
  CHECK(c.client_scheme() == "https");
  CHECK(c.peer_address() == "10.0.0.1");
  CHECK(c.is_peer_trusted());
  CHECK(c.route() == "users");
  CHECK(c.bytes_sent() == 10);
  CHECK(c.bytes_received() == 20);
  CHECK(c.final_status() == 404);
  CHECK(c.is_complete());

  ContextAccess::end(c);
  ContextAccess::add_bytes_received(c, 5);  // of content that was dropped behind the response
  ContextAccess::begin(c, nullptr, 1, 2, "10.0.0.2");
  CHECK(c.req.headers.empty());
  CHECK(c.params.empty());
  CHECK(c.route() == "");
  CHECK(c.find_slot<int>() == nullptr);
  CHECK_FALSE(c.failure().has_value());
  CHECK_FALSE(c.has_reply());
  CHECK_FALSE(c.is_head_sent());
  CHECK_FALSE(c.is_complete());
  CHECK(c.bytes_sent() == 0);
  CHECK(c.bytes_received() == 0);
  CHECK(c.final_status() == 499);
  CHECK(c.res.status == 200);
  CHECK(c.client_address() == "10.0.0.2");
  CHECK(c.client_scheme() == "http");
  CHECK(c.peer_address() == "10.0.0.2");
  CHECK_FALSE(c.is_peer_trusted());
  CHECK(c.id() != id);
  CHECK(c.elapsed() >= std::chrono::nanoseconds(0));
}

TEST_CASE("context: the duration stands still once the response has ended") {
  gw::Context c;
  ContextAccess::begin(c, nullptr, 1, 1, "192.0.2.7");
  ContextAccess::set_ended(c);
  const auto once = c.elapsed();
  while (std::chrono::steady_clock::now() - ContextAccess::received(c) <= once) {}
  CHECK(c.elapsed() == once);
  ContextAccess::end(c);
  ContextAccess::begin(c, nullptr, 1, 2, "192.0.2.7");
  while (c.elapsed() <= std::chrono::nanoseconds(0)) {}
  const auto apart = c.started() - std::chrono::system_clock::now();
  CHECK(std::chrono::abs(apart) < std::chrono::seconds(10));
  ContextAccess::end(c);
}

TEST_CASE("context: parameters arrive decoded, the others as they are") {
  const std::vector<std::string> names{"name", "plain", "slash", "broken"};
  const std::string_view plain = "plain";
  gw::Params raw;
  for (const std::string_view value : std::vector<std::string_view>{"J%C3%BCrgen", plain, "a%2Fb", "100%"}) raw.push(value);
  raw.borrow_names(names);
  Context c;
  ContextAccess::set_params(c, raw);
  CHECK(c.params["name"] == "J\xc3\xbcrgen");
  CHECK(c.params["plain"].data() == plain.data());
  CHECK(c.params["slash"] == "a/b");
  CHECK(c.params["broken"] == "100%");
  CHECK(c.params["none"] == "");
}

TEST_CASE("context: a line in the log has the request's id and cannot forge a second line") {
  gw_test::FakeHost host;
  Context c;
  c.log(gw::LogLevel::error, "nobody listens");
  ContextAccess::begin(c, &host, 1, 1, {});
  c.set_id("7");
  c.log(gw::LogLevel::info, "a\r\nb\tc\x7f");
  CHECK(host.logged == "info: a  b c  (request 7)\n");
}

TEST_CASE("context: send asks the gateway, and fails where there is none") {
  gw_test::FakeHost host;
  const gw::Upstream users("users");
  Context c;
  CHECK(gw_test::run(c.send(users, gw::Request(gw::Method::get, "/a"))).error().code == gw::Error::no_endpoint);
  ContextAccess::begin(c, &host, 1, 1, {});
  auto answer = gw_test::run(c.send(users, gw::Request(gw::Method::get, "/users/7?x")));
  CHECK(answer.value().body.text() == "/users/7");
}
