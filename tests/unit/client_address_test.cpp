#include <doctest/doctest.h>

#include "proxy/client_address.hpp"
#include "support/memory_world.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace {

/// "a: 1|b: 2" as fields.
gw::Headers fields_of(std::string_view text) {
  gw::Headers headers;
  while (!text.empty()) {
    const std::string_view field = text.substr(0, text.find('|'));
    text.remove_prefix(std::min(text.size(), field.size() + 1));
    const std::size_t colon = field.find(": ");
    headers.add(field.substr(0, colon), field.substr(colon + 2));
  }
  return headers;
}

gw::Networks networks(const std::vector<std::string>& texts) {
  std::vector<gw::Network> all;
  for (const std::string& text : texts) all.push_back(*gw::Network::parse(text));
  return gw::Networks(all);
}

/// "192.0.2.7 http": what the peer 10.0.0.1 says, where 10.0.0.0/8 and 2001:db8::/32 are trusted.
std::string client(std::string_view fields) {
  static const gw::Networks trusted = networks({"10.0.0.0/8", "2001:db8::/32"});
  const gw::Headers headers = fields_of(fields);
  const gw::proxy::ClaimedClient claimed = gw::proxy::claimed_client(headers, "10.0.0.1", trusted);
  return claimed.address.to_string() + ' ' + std::string(claimed.scheme);
}

/// A handler that tells whom it sees.
std::string who(gw::Context& c) {
  std::string text(c.client_address());
  text.append(" ").append(c.client_scheme()).append(" by ").append(c.peer_address()).append(c.is_peer_trusted() ? " trusted" : " unknown");
  return text;
}

/// The bodies that a client reads, in order.
std::vector<std::string> bodies(std::string_view bytes) {
  std::vector<std::string> all;
  for (const gw_test::Message& m : gw_test::read_responses(bytes)) all.push_back(m.body);
  return all;
}

}  // namespace

TEST_CASE("client_address: the first hop from the right that is not trusted is the client") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "10.0.0.1 http"},
      {"X-Forwarded-For: 192.0.2.7", "192.0.2.7 http"},
      {"x-forwarded-FOR: 192.0.2.7", "192.0.2.7 http"},
      {"X-Forwarded-For: 6.6.6.6, 192.0.2.7", "192.0.2.7 http"},
      {"X-Forwarded-For: 6.6.6.6,192.0.2.7\t,  10.9.9.9", "192.0.2.7 http"},
      {"X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.0.0.3, 2001:db8::5, ::ffff:10.0.0.2", "192.0.2.7 http"},
      // Who is trusted all the way is the client himself.
      {"X-Forwarded-For: 10.0.0.3, 10.0.0.2", "10.0.0.3 http"},
      // Several fields are one list.
      {"X-Forwarded-For: 6.6.6.6|X-Forwarded-For: 192.0.2.7|a: 1|X-Forwarded-For: 10.0.0.2", "192.0.2.7 http"},
      {"X-Forwarded-For: 192.0.2.7|X-Forwarded-For: 6.6.6.6", "6.6.6.6 http"},
      // With ports and brackets.
      {"X-Forwarded-For: 192.0.2.7:4711", "192.0.2.7 http"},
      {"X-Forwarded-For: [2001:db9::7]:4711", "2001:db9::7 http"},
      {"X-Forwarded-For: [2001:db9::7]", "2001:db9::7 http"},
      {"X-Forwarded-For: 2001:DB9:0::7", "2001:db9::7 http"},
      {"X-Forwarded-For: ::ffff:192.0.2.7", "192.0.2.7 http"},
  };
  for (const auto& [fields, expected] : cases) {
    CAPTURE(fields);
    CHECK(client(fields) == expected);
  }
}

TEST_CASE("client_address: an element that is no address ends the walk, and the last good one counts") {
  for (const std::string bad : {"", "unknown", "_hidden", "localhost", "192.0.2", "192.0.2.256", "192.0.2.7 6.6.6.6", "192.0.2.7:", "192.0.2.7:123456",
                                "192.0.2.7:8x", "[192.0.2.7]", "[2001:db9::7", "2001:db9::7]", "[2001:db9::7]x", "[2001:db9::7]:", "[fe80::1%eth0]",
                                "fe80::1%eth0", "\"192.0.2.7\"", "for=192.0.2.7", "caf\xc3\xa9", "192.0.2.7;proto=https", "-"}) {
    CAPTURE(bad);
    CHECK(client("X-Forwarded-For: " + bad) == "10.0.0.1 http");
    CHECK(client("X-Forwarded-For: 6.6.6.6, " + bad + ", 10.0.0.2") == "10.0.0.2 http");
    CHECK(client("X-Forwarded-For: " + bad + ", 192.0.2.7, 10.0.0.2") == "192.0.2.7 http");
  }
  CHECK(client("X-Forwarded-For: 192.0.2.7,") == "10.0.0.1 http");
  CHECK(client("X-Forwarded-For: " + std::string(60000, ',')) == "10.0.0.1 http");
  CHECK(client("X-Forwarded-For: " + std::string(60000, '1')) == "10.0.0.1 http");
  std::string hops = "192.0.2.7";
  for (int i = 0; i < 5000; ++i) hops += ",10.0.0.2";
  CHECK(client("X-Forwarded-For: " + hops) == "192.0.2.7 http");
}

TEST_CASE("client_address: Forwarded says the same where there is no X-Forwarded-For") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"Forwarded: for=192.0.2.7", "192.0.2.7 http"},
      {"Forwarded: For=\"192.0.2.7:4711\";by=10.0.0.9", "192.0.2.7 http"},
      {"Forwarded: for=\"[2001:db9::7]:4711\"", "2001:db9::7 http"},
      {"Forwarded: proto=https; for=192.0.2.7 ;host=\"a, b; c\"", "192.0.2.7 https"},
      {"Forwarded: for=6.6.6.6;proto=https, for=192.0.2.7;proto=HTTP, for=10.0.0.2;proto=https", "192.0.2.7 http"},
      {"Forwarded: for=6.6.6.6|Forwarded: for=192.0.2.7;proto=https|Forwarded: for=10.0.0.2", "192.0.2.7 https"},
      {"Forwarded: for=192.0.2.7;proto=gopher", "192.0.2.7 http"},
      // What names no address ends the walk.
      {"Forwarded: for=unknown", "10.0.0.1 http"},
      {"Forwarded: for=_hidden, for=10.0.0.2;proto=https", "10.0.0.2 https"},
      {"Forwarded: proto=https", "10.0.0.1 http"},
      {"Forwarded: for=192.0.2.7;for=6.6.6.6", "10.0.0.1 http"},
      {"Forwarded: for=192.0.2.7;proto=https;proto=http", "10.0.0.1 http"},
      {"Forwarded: for=192.0.2.7;x", "10.0.0.1 http"},
      {"Forwarded: for=192.0.2.7;;", "10.0.0.1 http"},
      {"Forwarded: for=\"192.0.2.7", "10.0.0.1 http"},
      {"Forwarded: for=\"192.0.2.\\7\"", "10.0.0.1 http"},
      {"Forwarded: ,", "10.0.0.1 http"},
      // A quotation that the client leaves open does not swallow what a proxy has appended.
      {"Forwarded: for=\"6.6.6.6, for=192.0.2.7", "192.0.2.7 http"},
      {"Forwarded: for=\"6.6.6.6\\, for=192.0.2.7", "192.0.2.7 http"},
      {"Forwarded: for=6.6.6.6;a=\"x\\\", for=192.0.2.7;a=\"y, z\"", "192.0.2.7 http"},
      // X-Forwarded-For wins, even where it says nothing good.
      {"Forwarded: for=6.6.6.6;proto=https|X-Forwarded-For: 192.0.2.7", "192.0.2.7 http"},
      {"Forwarded: for=6.6.6.6|X-Forwarded-For: ", "10.0.0.1 http"},
  };
  for (const auto& [fields, expected] : cases) {
    CAPTURE(fields);
    CHECK(client(fields) == expected);
  }
}

TEST_CASE("client_address: the scheme is the last that X-Forwarded-Proto has, if it is one") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"X-Forwarded-Proto: https", "10.0.0.1 https"},
      {"X-Forwarded-Proto: HTTPS|X-Forwarded-For: 192.0.2.7", "192.0.2.7 https"},
      {"X-Forwarded-Proto: http, https", "10.0.0.1 https"},
      {"X-Forwarded-Proto: https|X-Forwarded-Proto: http", "10.0.0.1 http"},
      {"X-Forwarded-Proto: https,", "10.0.0.1 http"},
      {"X-Forwarded-Proto: wss", "10.0.0.1 http"},
      {"X-Forwarded-Proto: ", "10.0.0.1 http"},
      {"X-Forwarded-Proto: http|Forwarded: for=192.0.2.7;proto=https", "192.0.2.7 http"},
  };
  for (const auto& [fields, expected] : cases) {
    CAPTURE(fields);
    CHECK(client(fields) == expected);
  }
}

TEST_CASE("client_address: a stage sees the client of a trusted peer, and the peer where it is not trusted") {
  gw_test::World world([](gw::Config& config) { config.routes[0].action = gw::HandlerConfig{"", gw::Handler(who), {}}; });
  const std::string ask = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 198.51.100.1\r\nX-Forwarded-Proto: https\r\n\r\n";
  const std::string plain = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const auto client = world.client();
  std::size_t answered = 0;
  const auto asked = [&](const std::string& request) {
    client->receive(request);
    ++answered;
    world.run_until([&] { return bodies(client->written()).size() == answered && !bodies(client->written()).back().empty(); });
    return bodies(client->written()).back();
  };
  CHECK(asked(ask) == "192.0.2.7 http by 192.0.2.7 unknown");
  // A reload may change whom the listener trusts; connections that are open see it with their next request.
  world.listener->trust(std::make_shared<const gw::Networks>(networks({"192.0.2.0/24"})));
  CHECK(asked(ask) == "198.51.100.1 https by 192.0.2.7 trusted");
  CHECK(asked(plain) == "192.0.2.7 http by 192.0.2.7 trusted");
  world.listener->trust(std::make_shared<const gw::Networks>(networks({"192.0.3.0/24", "198.51.100.1"})));
  CHECK(asked(ask) == "192.0.2.7 http by 192.0.2.7 unknown");
  world.listener->trust(nullptr);
  CHECK(asked(ask) == "192.0.2.7 http by 192.0.2.7 unknown");
  client->receive_end();
  world.run();
}
