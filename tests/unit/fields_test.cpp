#include <doctest/doctest.h>

#include "proxy/fields.hpp"

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

using gw::Headers, gw::Request, gw::Response, gw::Version;
using gw::h1::Framing;
namespace proxy = gw::proxy;

namespace {

/// "a: 1|b: 2" as fields.
Headers fields_of(std::string_view text) {
  Headers headers;
  while (!text.empty()) {
    const std::string_view field = text.substr(0, text.find('|'));
    text.remove_prefix(std::min(text.size(), field.size() + 1));
    const std::size_t colon = field.find(": ");
    headers.add(field.substr(0, colon), field.substr(colon + 2));
  }
  return headers;
}

std::string text_of(const Headers& headers) {
  std::string text;
  for (const auto& [name, value] : headers) {
    if (!text.empty()) text += '|';
    text.append(name).append(": ").append(value);
  }
  return text;
}

/// What of a client's fields goes to an upstream, as "a: 1|b: 2".
std::string forwarded(std::string_view fields, const proxy::ForwardedFor& from, std::string_view upgrade = {}, Version version = Version::http11) {
  Request request(gw::Method::get, "/");
  request.version = version;
  request.headers = fields_of(fields);
  proxy::remove_nominated(request.headers);
  proxy::HeadText head;
  proxy::append_forwarded_fields(head, request, from, "gw-1", upgrade);
  const std::string_view out = head.text();
  std::string text;
  for (std::size_t at = 0; at < out.size();) {
    const std::size_t end = out.find("\r\n", at);
    REQUIRE(end != out.npos);
    if (!text.empty()) text += '|';
    text += out.substr(at, end - at);
    at = end + 2;
  }
  return text;
}

const proxy::ForwardedFor nobody{"", "", "http", 0, ""};
const proxy::ForwardedFor client{"192.0.2.7", "example.com:8000", "http", 8000, "192.0.2.7"};

std::string head_of(const Response& response, const proxy::ResponseFraming& framing) {
  proxy::HeadText out;
  proxy::append_response_head(out, response, framing, "Sun, 06 Nov 1994 08:49:37 GMT");
  return std::string(out.text());
}

}  // namespace

TEST_CASE("fields: what concerns one connection only does not go on") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"a: 1|b: 2", "a: 1|b: 2"},
      {"Connection: close|a: 1", "a: 1"},
      {"Connection: keep-alive|Keep-Alive: timeout=5|a: 1", "a: 1"},
      {"TE: trailers|Transfer-Encoding: chunked|Upgrade: websocket|Proxy-Connection: close|HTTP2-Settings: x|a: 1", "a: 1"},
      {"te: trailers|transfer-ENCODING: chunked|uPgrade: websocket", ""},
      // Trailer announces fields that go on (RFC 9110 6.6.2).
      {"Trailer: x|Transfer-Encoding: chunked", "Trailer: x"},
      {"Proxy: http://evil/|a: 1", "a: 1"},
      // What Connection names goes, wherever it stands; names compare without case.
      {"X-Hop: 1|Connection: x-hop, close|a: 1|x-HOP: 2", "a: 1"},
      {"Connection: x-one|Connection: close , x-two|X-One: 1|X-Two: 2|X-Three: 3", "X-Three: 3"},
      {"Connection: \"quoted\", , ,x-one|X-One: 1", ""},
      // A sender cannot take away what tells messages and their way apart.
      {"Connection: content-length, host, via, date, expect, x-forwarded-for|Content-Length: 5|Host: a|Via: 1.1 b|Date: d|Expect: e|X-Forwarded-For: c",
       "Content-Length: 5|Host: a|Via: 1.1 b|Date: d|Expect: e|X-Forwarded-For: c"},
      {"Content-Length: 5|Authorization: Basic x|Cookie: a=b", "Content-Length: 5|Authorization: Basic x|Cookie: a=b"},
      // Names that only look alike.
      {"Connections: 1|Keep: 2|Upgraded: 3|Te-x: 4|T: 5", "Connections: 1|Keep: 2|Upgraded: 3|Te-x: 4|T: 5"},
      {"", ""},
  };
  for (const auto& [in, out] : cases) {
    CAPTURE(in);
    Headers headers = fields_of(in);
    proxy::strip_hop_by_hop(headers);
    CHECK(text_of(headers) == out);
  }
}

TEST_CASE("fields: what Connection names is gone before stages add fields of that name") {
  Request request(gw::Method::get, "/");
  request.headers = fields_of("Connection: close, x-tenant, host|X-Tenant: mine|Host: a");
  proxy::remove_nominated(request.headers);
  CHECK(text_of(request.headers) == "Connection: close, x-tenant, host|Host: a");
  request.headers.set("X-Tenant", "blue");
  proxy::HeadText out;
  proxy::append_forwarded_fields(out, request, {}, "gw-1", {});
  CHECK(out.text() == "X-Tenant: blue\r\nVia: 1.1 gw-1\r\n");
}

TEST_CASE("fields: Upgrade stays where a 101 needs it") {
  Headers headers = fields_of("Connection: Upgrade, x-hop|Upgrade: websocket|X-Hop: 1|Sec-WebSocket-Accept: x");
  proxy::strip_hop_by_hop(headers, true);
  CHECK(text_of(headers) == "Upgrade: websocket|Sec-WebSocket-Accept: x");
}

TEST_CASE("fields: an upstream gets the client's fields without Host, framing and hop-by-hop fields, and a Via") {
  struct Case {
    std::string_view in, out;
  };
  const Case cases[] = {
      {"a: 1|Host: x|Content-Length: 5|b: 2", "a: 1|b: 2|Via: 1.1 gw-1"},
      {"Transfer-Encoding: chunked|Connection: close, x-hop|X-Hop: 1|a: 1", "a: 1|Via: 1.1 gw-1"},
      {"Via: 1.0 fred, 1.1 p.example.net|Date: d|Expect: 100-continue",
       "Via: 1.0 fred, 1.1 p.example.net|Date: d|Expect: 100-continue|Via: 1.1 gw-1"},
      {"Connection: date, via|Date: d|Via: 1.1 a", "Date: d|Via: 1.1 a|Via: 1.1 gw-1"},
      // TE goes on only as far as gw keeps its promise: trailers.
      {"TE: trailers", "Via: 1.1 gw-1|Connection: TE|TE: trailers"},
      {"TE: gzip;q=0.5, Trailers", "Via: 1.1 gw-1|Connection: TE|TE: trailers"},
      {"TE: gzip", "Via: 1.1 gw-1"},
      {"TE: trailers|Connection: TE", "Via: 1.1 gw-1|Connection: TE|TE: trailers"},
      // What the client wants to switch to is not what is offered.
      {"Upgrade: websocket|Connection: upgrade", "Via: 1.1 gw-1"},
      {"Proxy: x|Proxy-Connection: close|HTTP2-Settings: y|Keep-Alive: 1", "Via: 1.1 gw-1"},
      {"Trailer: z|Transfer-Encoding: chunked", "Trailer: z|Via: 1.1 gw-1"},
      // A request of the gateway itself may say for whom it asks.
      {"X-Forwarded-For: 1.2.3.4|Forwarded: for=1.2.3.4", "X-Forwarded-For: 1.2.3.4|Forwarded: for=1.2.3.4|Via: 1.1 gw-1"},
      {"", "Via: 1.1 gw-1"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.in);
    CHECK(forwarded(c.in, nobody) == c.out);
  }
}

TEST_CASE("fields: an upstream that reads _ as - is not told twice what gw or a stage vouches for") {
  const std::string own = "|Via: 1.1 gw-1|X-Forwarded-For: 192.0.2.7|X-Forwarded-Proto: http|X-Forwarded-Host: example.com:8000|X-Forwarded-Port: 8000";
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"X_Forwarded_For: 1.2.3.4|x-forwarded_proto: https|a: 1", "a: 1"},
      {"transfer_encoding: chunked|proxy_connection: x|http2_settings: y|a: 1", "a: 1"},
      // What a stage may have added, since the client's own is gone.
      {"X-Consumer: alice|X_Consumer: bob|x_CONSUMER: eve", "X-Consumer: alice"},
      // All else is the client's.
      {"X_Consumer: bob|a_b: 1|_: 2", "X_Consumer: bob|a_b: 1|_: 2"},
  };
  for (const auto& [in, out] : cases) {
    CAPTURE(in);
    CHECK(forwarded(in, client) == std::string(out) + own);
  }
  CHECK(forwarded("X_Forwarded_For: 1.2.3.4", nobody) == "X_Forwarded_For: 1.2.3.4|Via: 1.1 gw-1");
  CHECK(forwarded("", nobody, {}, Version::http10) == "Via: 1.0 gw-1");
}

TEST_CASE("fields: what a client says about where it comes from is gone before stages see it") {
  Headers headers = fields_of(
      "a: 1|X-Forwarded-For: 6.6.6.6|x-forwarded-proto: https|X-FORWARDED-HOST: evil|X-Forwarded-Port: 1|X-Forwarded-Prefix: /p|"
      "Forwarded: for=6.6.6.6|X-Forwarded-Ssl: on|X-Forwarded-Scheme: https|X-Forwarded-User: root|X-Forwarded-: 1|X-Forwarded: 1|X-Real-IP: 1|Forwarded-X: 1");
  proxy::remove_forwarded(headers);
  CHECK(text_of(headers) == "a: 1|X-Forwarded: 1|X-Real-IP: 1|Forwarded-X: 1");
}

TEST_CASE("fields: an upstream learns who the client is, and what stages say about that") {
  const std::string from = "|X-Forwarded-For: 192.0.2.7|X-Forwarded-Proto: http|X-Forwarded-Host: example.com:8000|X-Forwarded-Port: 8000";
  CHECK(forwarded("a: 1", client) == "a: 1|Via: 1.1 gw-1" + from);
  CHECK(forwarded("X-Forwarded-Prefix: /p|X-Forwarded-User: me", client) ==
        "Via: 1.1 gw-1|X-Forwarded-Prefix: /p|X-Forwarded-User: me|X-Forwarded-For: 192.0.2.7|X-Forwarded-Port: 8000|X-Forwarded-Proto: http|"
        "X-Forwarded-Host: example.com:8000");
  // HTTP/1.0 without Host.
  CHECK(forwarded("", {"192.0.2.7", "", "http", 80, "192.0.2.7"}) == "Via: 1.1 gw-1|X-Forwarded-For: 192.0.2.7|X-Forwarded-Proto: http|X-Forwarded-Port: 80");
  // A request of the program's own may say what it likes.
  CHECK(forwarded("X-Forwarded-User: me|X-Real-IP: 1.1.1.1", nobody) == "X-Forwarded-User: me|X-Real-IP: 1.1.1.1|Via: 1.1 gw-1");
}

TEST_CASE("fields: what a trusted peer says goes on, with the peer added and the rest filled in") {
  const proxy::ForwardedFor silent{"10.0.0.1", "a", "http", 8000, "10.0.0.1"};
  const proxy::ForwardedFor telling{"10.0.0.1", "a", "https", 8000, "192.0.2.7"};
  const proxy::ForwardedFor over_v6{"2001:db8::1", "a", "https", 8000, "192.0.2.7"};
  const struct {
    std::string_view in;
    proxy::ForwardedFor from;
    std::string_view out;
  } cases[] = {
      {"a: 1", silent, "a: 1|Via: 1.1 gw-1|X-Forwarded-For: 10.0.0.1|X-Forwarded-Proto: http|X-Forwarded-Host: a|X-Forwarded-Port: 8000"},
      {"X-Forwarded-For: 6.6.6.6, 192.0.2.7", telling,
       "Via: 1.1 gw-1|X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.0.0.1|X-Forwarded-Port: 8000|X-Forwarded-Proto: https|X-Forwarded-Host: a"},
      {"X-Forwarded-For: 6.6.6.6|x-forwarded-for: |X-Forwarded-For: 192.0.2.7|X-Forwarded-Proto: https|X-Forwarded-Host: shop|X-Forwarded-Port: 443|"
       "X-Forwarded-Prefix: /p",
       telling,
       "Via: 1.1 gw-1|X-Forwarded-Proto: https|X-Forwarded-Host: shop|X-Forwarded-Port: 443|X-Forwarded-Prefix: /p|"
       "X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.0.0.1"},
      // The port of this listener is not that of the proxy's.
      {"X-Forwarded-For: 192.0.2.7|X-Forwarded-Proto: https", telling,
       "Via: 1.1 gw-1|X-Forwarded-Proto: https|X-Forwarded-For: 192.0.2.7, 10.0.0.1|X-Forwarded-Host: a"},
      {"Forwarded: for=192.0.2.7;proto=https", telling,
       "Via: 1.1 gw-1|Forwarded: for=192.0.2.7;proto=https|X-Forwarded-For: 192.0.2.7, 10.0.0.1|Forwarded: for=10.0.0.1|X-Forwarded-Proto: https|"
       "X-Forwarded-Host: a"},
      {"Forwarded: for=192.0.2.7", over_v6,
       "Via: 1.1 gw-1|Forwarded: for=192.0.2.7|X-Forwarded-For: 192.0.2.7, 2001:db8::1|Forwarded: for=\"[2001:db8::1]\"|X-Forwarded-Proto: https|"
       "X-Forwarded-Host: a"},
      // Beside X-Forwarded-For it is not believed, and does not go on.
      {"Forwarded: for=6.6.6.6|X-Forwarded-For: 192.0.2.7", telling,
       "Via: 1.1 gw-1|X-Forwarded-For: 192.0.2.7, 10.0.0.1|X-Forwarded-Port: 8000|X-Forwarded-Proto: https|X-Forwarded-Host: a"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.in);
    CHECK(forwarded(c.in, c.from) == c.out);
  }
}

TEST_CASE("fields: an offer to switch protocols is passed on") {
  CHECK(forwarded("Connection: Upgrade|Upgrade: h2c, websocket|Sec-WebSocket-Key: k", nobody, "websocket") ==
        "Sec-WebSocket-Key: k|Via: 1.1 gw-1|Connection: upgrade|Upgrade: websocket");
  CHECK(forwarded("Connection: Upgrade, TE|Upgrade: websocket|TE: trailers", nobody, "websocket") ==
        "Via: 1.1 gw-1|Connection: upgrade, TE|Upgrade: websocket|TE: trailers");
}

TEST_CASE("fields: an offer may be longer than what it comes from") {
  std::string wanted = "x", offer = "x";
  for (int i = 0; i < 5000; ++i) wanted += ",x", offer += ", x";
  CHECK(proxy::offer_of(fields_of("Upgrade: " + wanted), {"x"}) == offer);
  CHECK(forwarded("Upgrade: " + wanted, nobody, offer) == "Via: 1.1 gw-1|Connection: upgrade|Upgrade: " + offer);
}

TEST_CASE("fields: of what a client wants to switch to only what is allowed is offered") {
  const struct {
    std::string_view in;
    std::string_view offer;
  } cases[] = {
      {"", ""},
      {"Upgrade: websocket", "websocket"},
      {"UPGRADE: WebSocket", "WebSocket"},
      {"Upgrade: h2c, websocket", "websocket"},
      {"Upgrade: h2c", ""},
      {"Upgrade: chat/2, ,websocket,", "chat/2, websocket"},
      {"Upgrade: websocket|Upgrade: CHAT/2", "websocket, CHAT/2"},
      // Another version is another protocol.
      {"Upgrade: chat, chat/1, chat/20, websocket/13", ""},
      {"Upgrade: \"websocket\"", ""},
      {"Upgrade: websocket h2c", ""},
      {"X-Upgrade: websocket", ""},
  };
  for (const auto& c : cases) {
    CAPTURE(c.in);
    CHECK(proxy::offer_of(fields_of(c.in), {"websocket", "chat/2"}) == c.offer);
  }
  CHECK(proxy::offer_of(fields_of("Upgrade: websocket"), {}) == "");
}

TEST_CASE("fields: a 101 has to say that it switches, and to something that was offered") {
  const struct {
    std::string_view in;
    std::string_view offered;
    bool is_switch;
  } cases[] = {
      {"Connection: Upgrade|Upgrade: websocket", "websocket", true},
      {"Connection: keep-alive, upgrade|Upgrade: WebSocket", "websocket", true},
      {"Connection: keep-alive|Connection: upgrade|Upgrade: chat", "websocket, chat", true},
      // Protocols on top of each other.
      {"Connection: upgrade|Upgrade: chat, websocket", "websocket, chat", true},
      {"Connection: upgrade|Upgrade: websocket", "", false},
      {"Connection: upgrade|Upgrade: h2c", "websocket", false},
      {"Connection: upgrade|Upgrade: websocket, h2c", "websocket", false},
      {"Connection: upgrade|Upgrade: websocket|Upgrade: h2c", "websocket", false},
      {"Connection: upgrade|Upgrade: ", "websocket", false},
      {"Connection: upgrade", "websocket", false},
      {"Connection: keep-alive|Upgrade: websocket", "websocket", false},
      {"Upgrade: websocket", "websocket", false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.in);
    CHECK(proxy::is_switch_to(fields_of(c.in), c.offered) == c.is_switch);
  }
}

TEST_CASE("fields: a request that came through this gateway before is a loop") {
  const std::pair<std::string_view, bool> cases[] = {
      {"", false},
      {"Via: 1.1 gw-1", true},
      {"via: 1.1 other, 1.1 gw-1 (gw/0.1)", true},
      {"Via: 1.1 other|Via: HTTP/1.1 gw-1", true},
      {"Via: 1.1  \t gw-1", true},
      {"Via: 1.1 gw-2", false},
      {"Via: 1.1 gw-11", false},
      {"Via: gw-1", false},
      {"Via: 1.1 other (1.1 gw-1)", false},
      {"Via: 1.1 a \"x, 1.1 gw-1\"", false},
      {"Via: 1.1", false},
      {"X-Via: 1.1 gw-1", false},
  };
  for (const auto& [fields, expected] : cases) {
    CAPTURE(fields);
    Request request(gw::Method::get, "/");
    request.headers = fields_of(fields);
    CHECK(proxy::is_loop(request, "gw-1") == expected);
  }
}

TEST_CASE("fields: the head of a response") {
  struct Case {
    const char* what;
    int status;
    std::string_view fields;
    proxy::ResponseFraming framing;
    std::string_view head;
  };
  const std::string_view date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  const Case cases[] = {
      {"a known length", 200, "a: 1", {Framing::length, 5, true, Version::http11}, "200 OK\r\na: 1\r\n{date}Content-Length: 5\r\n\r\n"},
      {"no content is a length, too", 200, "", {Framing::length, 0, true, Version::http11}, "200 OK\r\n{date}Content-Length: 0\r\n\r\n"},
      {"chunked", 200, "", {Framing::chunked, 0, true, Version::http11}, "200 OK\r\n{date}Transfer-Encoding: chunked\r\n\r\n"},
      {"the last one", 200, "", {Framing::chunked, 0, false, Version::http11},
       "200 OK\r\n{date}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"},
      {"until the end", 200, "", {Framing::until_close, 0, false, Version::http10}, "200 OK\r\n{date}Connection: close\r\n\r\n"},
      {"1.0 that goes on says so", 200, "", {Framing::length, 1, true, Version::http10},
       "200 OK\r\n{date}Content-Length: 1\r\nConnection: keep-alive\r\n\r\n"},
      {"1.0 that ends", 200, "", {Framing::length, 1, false, Version::http10}, "200 OK\r\n{date}Content-Length: 1\r\nConnection: close\r\n\r\n"},
      {"framing belongs to gw", 200, "Content-Length: 99|Transfer-Encoding: gzip|Connection: x|Keep-Alive: 3|TE: x",
       {Framing::length, 5, true, Version::http11}, "200 OK\r\n{date}Content-Length: 5\r\n\r\n"},
      {"a Date of its own", 200, "date: today", {Framing::length, 0, true, Version::http11}, "200 OK\r\ndate: today\r\nContent-Length: 0\r\n\r\n"},
      {"HEAD describes what GET would have got", 200, "Content-Length: 99", {Framing::none, 0, true, Version::http11},
       "200 OK\r\n{date}Content-Length: 99\r\n\r\n"},
      {"HEAD of an unknown length", 200, "a: 1", {Framing::none, 0, true, Version::http11}, "200 OK\r\na: 1\r\n{date}\r\n"},
      {"304 may describe", 304, "Content-Length: 99|ETag: \"x\"", {Framing::none, 0, true, Version::http11},
       "304 Not Modified\r\nETag: \"x\"\r\n{date}Content-Length: 99\r\n\r\n"},
      {"304 need not", 304, "", {Framing::none, 0, true, Version::http11}, "304 Not Modified\r\n{date}\r\n"},
      {"204 has no length", 204, "Content-Length: 0", {Framing::none, 0, true, Version::http11}, "204 No Content\r\n{date}\r\n"},
      {"interim responses have no Date and no framing", 103, "Link: </a>; rel=preload|Content-Length: 5", {}, "103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"},
      {"100", 100, "", {}, "100 Continue\r\n\r\n"},
      {"101 keeps Upgrade", 101, "Upgrade: websocket|Connection: upgrade", {},
       "101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"},
      {"426 keeps it, too", 426, "Upgrade: websocket", {Framing::length, 0, true, Version::http11},
       "426 Upgrade Required\r\nUpgrade: websocket\r\n{date}Content-Length: 0\r\nConnection: upgrade\r\n\r\n"},
      {"426 of the last one", 426, "Upgrade: websocket", {Framing::length, 0, false, Version::http11},
       "426 Upgrade Required\r\nUpgrade: websocket\r\n{date}Content-Length: 0\r\nConnection: close, upgrade\r\n\r\n"},
      {"other responses do not", 200, "Upgrade: h2c", {Framing::length, 0, true, Version::http11}, "200 OK\r\n{date}Content-Length: 0\r\n\r\n"},
      {"a status without a phrase keeps the space", 299, "", {Framing::length, 0, true, Version::http11}, "299 \r\n{date}Content-Length: 0\r\n\r\n"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    Response response;
    response.status = c.status;
    response.headers = fields_of(c.fields);
    std::string expected = "HTTP/1.1 " + std::string(c.head);
    if (const std::size_t at = expected.find("{date}"); at != expected.npos) expected.replace(at, 6, date);
    CHECK(head_of(response, c.framing) == expected);
  }
}

TEST_CASE("fields: the end of a chunked body carries the trailers") {
  std::string out;
  proxy::append_last_chunk(out, Headers{});
  CHECK(out == "0\r\n\r\n");
  out.clear();
  proxy::append_last_chunk(out, fields_of("Checksum: abc|b: 2"));
  CHECK(out == "0\r\nChecksum: abc\r\nb: 2\r\n\r\n");
}

TEST_CASE("fields: a length of any size is written whole") {
  proxy::HeadText out;
  proxy::append_request_framing(out, gw::Method::post, true, 0);
  CHECK(out.text() == "Content-Length: 0\r\n\r\n");
  out.clear();
  proxy::append_request_framing(out, gw::Method::post, true, 18446744073709551615u);
  CHECK(out.text() == "Content-Length: 18446744073709551615\r\n\r\n");
}

TEST_CASE("fields: a line is written alike, however it was received") {
  Request request(gw::Method::get, "/");
  // Names and values lie in the text that was received, with other bytes between and behind them.
  const std::string_view received = "A: 1\r\nB:\t2\r\nC:3\r\nD:   4\r\nE: \r\nF:";
  for (const auto& [name, value] : {std::pair{0, 3}, {6, 9}, {12, 14}, {17, 22}, {25, 28}, {30, 32}})
    request.headers.borrow(received.substr(static_cast<std::size_t>(name), 1), received.substr(static_cast<std::size_t>(value), name < 25 ? 1 : 0));
  proxy::HeadText out;
  proxy::append_forwarded_fields(out, request, {}, "gw-1", {});
  CHECK(out.text() == "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: \r\nF: \r\nVia: 1.1 gw-1\r\n");
}

TEST_CASE("fields: a text of any size is put whole") {
  proxy::HeadText out;
  const std::string piece(1000, 'x');
  std::string all;
  for (int i = 0; i < 20; ++i) {
    out.put("<", piece, "", std::string_view(), ">");
    all += "<" + piece + ">";
  }
  CHECK(out.text() == all);
  const char* const where = out.text().data();
  proxy::HeadText taken = std::move(out);
  CHECK(taken.text() == all);
  CHECK(taken.text().data() == where);
  CHECK(out.text().empty());
  out.put("next");
  CHECK(out.text() == "next");
  CHECK(taken.text() == all);
}
