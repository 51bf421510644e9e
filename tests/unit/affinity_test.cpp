#include <doctest/doctest.h>

#include "proxy/affinity.hpp"

#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using gw::HashKey, gw::StickyOptions;

TEST_CASE("affinity: the value of a cookie") {
  struct Case {
    std::vector<std::string> fields;
    std::optional<std::string> value;  // of "id"
  };
  const Case cases[] = {
      {{}, std::nullopt},
      {{""}, std::nullopt},
      {{"id=7"}, "7"},
      {{"id="}, ""},
      {{"id"}, std::nullopt},
      {{"a=1; id=7; b=2"}, "7"},
      {{"a=1;id=7"}, "7"},
      {{"a=1;   id=7  ;b"}, "7"},
      {{"id=7; id=8"}, "7"},
      {{"a=1", "id=7"}, "7"},
      {{"xid=7"}, std::nullopt},
      {{"idx=7"}, std::nullopt},
      {{"ID=7"}, std::nullopt},
      {{"a=id=7"}, std::nullopt},
      {{"id=a=b"}, "a=b"},
      {{"id=\"q\""}, "\"q\""},
      {{";;;id=7;"}, "7"},
      {{"id =7"}, std::nullopt},
      {{"a=\xc3\xa4; id=\xff"}, "\xff"},
      {{std::string(100'000, ';') + "id=" + std::string(10'000, 'v')}, std::string(10'000, 'v')},
  };
  for (const Case& c : cases) {
    gw::Headers headers;
    for (const std::string& field : c.fields) headers.borrow("Cookie", field);
    CAPTURE(c.fields);
    const auto value = gw::proxy::cookie_of(headers, "id");
    CHECK(value.has_value() == c.value.has_value());
    if (value && c.value) CHECK(*value == *c.value);
  }
}

TEST_CASE("affinity: the value of a key") {
  gw::Context c;
  c.req.headers.add("X-User", "ada");
  c.req.headers.add("Cookie", "id=7");
  CHECK(gw::proxy::value_of(HashKey::header("x-user"), c) == "ada");
  CHECK(gw::proxy::value_of(HashKey::cookie("id"), c) == "7");
  CHECK_FALSE(gw::proxy::value_of(HashKey::header("x-nobody"), c).has_value());
  CHECK_FALSE(gw::proxy::value_of(HashKey::cookie("nobody"), c).has_value());
}

TEST_CASE("affinity: the cookie of an endpoint depends on its address and on the secret, and tells neither") {
  const StickyOptions options{.secret = "0123456789abcdef"};
  StickyOptions other = options;
  other.secret.back() = 'g';
  const std::string value = gw::proxy::sticky_value(options, "10.0.0.1:8080");
  // echo -n 10.0.0.1:8080 | openssl dgst -sha256 -hmac 0123456789abcdef
  CHECK(value == "998e97972888772cf1f1b86113f1f30c");
  CHECK(gw::proxy::sticky_value(options, "10.0.0.2:8080") != value);
  CHECK(gw::proxy::sticky_value(other, "10.0.0.1:8080") != value);
}

TEST_CASE("affinity: the field that sets it") {
  StickyOptions options{.cookie = "stay", .secret = "0123456789abcdef"};
  CHECK(gw::proxy::sticky_cookie(options, "v", false) == "stay=v; Path=/; HttpOnly; SameSite=Lax");
  options.max_age = 90s;
  CHECK(gw::proxy::sticky_cookie(options, "v", true) == "stay=v; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=90");
}
