#include <gw/detail/address.hpp>

#include <doctest/doctest.h>

#include <string>

namespace d = gw::detail;

namespace {

std::string text(const std::optional<d::HostPort>& address) { return address ? address->host + ' ' + std::to_string(address->port) : "-"; }
std::string text(const std::optional<d::UpstreamUrl>& url) { return url ? text(url->address) + ' ' + url->base_path : "-"; }

}  // namespace

TEST_CASE("address: a host and a port, the port optional") {
  const struct {
    std::string text;
    std::string expected;
  } cases[] = {
      {"10.0.0.1:8080", "10.0.0.1 8080"},
      {"10.0.0.1", "10.0.0.1 80"},
      {"users.internal", "users.internal 80"},
      {"Users_1.internal.:1", "Users_1.internal. 1"},
      {"a", "a 80"},
      {"1a", "1a 80"},
      {"xn--bcher-kva.example:65535", "xn--bcher-kva.example 65535"},
      {"h:0", "h 0"},
      {"h:007", "h 7"},
      {"[::1]:8080", "::1 8080"},
      {"[::1]", "::1 80"},
      {"[2001:db8::7]:1", "2001:db8::7 1"},
      {"[::ffff:10.0.0.1]:1", "::ffff:10.0.0.1 1"},
      {"", "-"},
      {":80", "-"},
      {"h:", "-"},
      {"h:65536", "-"},
      {"h:000080", "-"},
      {"h:-1", "-"},
      {"h:+1", "-"},
      {"h:80x", "-"},
      {"h:80:90", "-"},
      {"::1", "-"},
      {"[::1", "-"},
      {"[::1]80", "-"},
      {"[::1]:", "-"},
      {"[]:80", "-"},
      {"[10.0.0.1]:80", "-"},
      {"[fe80::1%eth0]:80", "-"},
      {"10.0.0.256", "-"},
      {"10.0.0", "-"},
      {"10.0.0.01", "-"},
      {"1.2.3.4.5", "-"},
      {"127", "-"},
      {"a..b", "-"},
      {".a", "-"},
      {".", "-"},
      {"-a", "-"},
      {"a-", "-"},
      {"a b", "-"},
      {"user@h", "-"},
      {"h/x", "-"},
      {"d\xc3\xa9", "-"},
      {std::string("h\0", 2), "-"},
      {std::string(64, 'a'), "-"},
      {std::string(63, 'a'), std::string(63, 'a') + " 80"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(text(d::parse_host_port(c.text, 80)) == c.expected);
  }
  std::string longest;
  while (longest.size() < 252) longest += "a.";
  CHECK(d::is_host_name(longest + "a"));
  CHECK_FALSE(d::is_host_name(longest + "aa"));
}

TEST_CASE("address: an IPv6 address has eight groups or one gap") {
  for (const char* good : {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "a:B::c:D", "1:2:3:4:5:6:1.2.3.4",
                           "::1.2.3.4", "1::2:1.2.3.4"}) {
    CAPTURE(good);
    CHECK(d::is_ipv6(good));
  }
  for (const char* bad : {"", ":", ":::", "1", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "1::2::3",
                          "12345::", "g::", "1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "::1.2.3.4:1", "1 ::"}) {
    CAPTURE(bad);
    CHECK_FALSE(d::is_ipv6(bad));
  }
}

TEST_CASE("address: an upstream URL is http, an address and a base path") {
  const struct {
    const char* text;
    const char* expected;
  } cases[] = {
      {"http://h", "h 80 /"},
      {"http://h/", "h 80 /"},
      {"HTTP://h:81", "h 81 /"},
      {"http://[::1]:5001/v1", "::1 5001 /v1"},
      {"http://h/a/b/", "h 80 /a/b"},
      {"http://h/a%20b", "h 80 /a%20b"},
      {"http://h//", "h 80 /"},
      {"https://h", "-"},
      {"http:/h", "-"},
      {"http://", "-"},
      {"http:///a", "-"},
      {"http://u:p@h", "-"},
      {"http://h?x", "-"},
      {"http://h/?x", "-"},
      {"http://h/#x", "-"},
      {"http://h/a b", "-"},
      {"http://h:0", "-"},
      {"h:80", "-"},
      {"", "-"},
      {"http://h\\x", "-"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(text(d::parse_upstream_url(c.text)) == c.expected);
  }
}

TEST_CASE("address: an endpoint is a host with a port above zero and no path, a service, or a Unix socket") {
  const auto endpoint = [](std::string_view address) -> std::string {
    const auto parsed = d::parse_endpoint(address);
    if (!parsed) return "-";
    constexpr const char* kinds[] = {"host", "service", "path"};
    return std::string(kinds[static_cast<int>(parsed->kind)]) + ' ' + parsed->name + (parsed->port ? ' ' + std::to_string(parsed->port) : "");
  };
  const std::string longest = '/' + std::string(d::longest_socket_path - 1, 'x');
  const struct {
    std::string text, expected;
  } cases[] = {
      {"h", "host h 80"},
      {"http://h:81", "host h 81"},
      {"http://h:81/", "host h 81"},
      {"[::1]:81", "host ::1 81"},
      {"srv", "host srv 80"},
      {"unix", "host unix 80"},
      {"srv:_http._tcp.users.internal", "service _http._tcp.users.internal"},
      {"srv:users.service.consul.", "service users.service.consul."},
      {"unix:/run/users.sock", "path /run/users.sock"},
      {"unix:/run/a b:80", "path /run/a b:80"},
      {"unix:" + longest, "path " + longest},
      {"unix:" + longest + "x", "-"},
      {"unix:", "-"},
      {"unix:/", "-"},
      {"unix:run/users.sock", "-"},
      {std::string("unix:/run/\0", 11), "-"},
      {"srv:", "-"},
      {"srv:10.0.0.1", "-"},
      {"srv:::1", "-"},
      {"srv:-bad.h", "-"},
      {"srv:h/x", "-"},
      {"srv:h:8080", "-"},
      {"h:0", "-"},
      {"http://h/x", "-"},
      {"https://h", "-"},
      {"", "-"},
      {"ftp://h", "-"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(endpoint(c.text) == c.expected);
  }
}

TEST_CASE("address: a listener has an IP address and a port") {
  CHECK(text(d::parse_listen("127.0.0.1:8000")) == "127.0.0.1 8000");
  CHECK(text(d::parse_listen("0.0.0.0:0")) == "0.0.0.0 0");
  CHECK(text(d::parse_listen("[::]:8000")) == ":: 8000");
  CHECK(text(d::parse_listen(":8000")) == "127.0.0.1 8000");
  for (const char* bad : {"", ":", "8000", "127.0.0.1", "[::1]", "localhost:8000", "*:8000", "::1:8000", ":8000:1", "127.0.0.1:"}) {
    CAPTURE(bad);
    CHECK(text(d::parse_listen(bad)) == "-");
  }
}
