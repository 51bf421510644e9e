#include <gw/path.hpp>

#include <doctest/doctest.h>
#include <rapidjson/document.h>
#include <rapidjson/istreamwrapper.h>

#include <fstream>
#include <random>
#include <string>
#include <string_view>

namespace {

/// The normal form, or "bad".
std::string normal(std::string_view raw, bool keep_slashes = false) {
  std::string scratch;
  const auto path = gw::normalize_path(raw, scratch, keep_slashes);
  return path ? std::string(*path) : "bad";
}

std::string joined(std::string_view base, std::string_view path, std::size_t strip = 0) {
  std::string out;
  gw::join_path(out, base, path, strip);
  return out;
}

}  // namespace

TEST_CASE("path: normalising gives one spelling") {
  struct Case {
    std::string_view raw, path;
  };
  const Case cases[] = {
      {"/", "/"},
      {"/a/b", "/a/b"},
      {"/a/b/", "/a/b/"},
      // Unreserved characters are decoded, nothing else; digits become upper case (RFC 3986 6.2.2).
      {"/%61%5A%30%2D%2e%5f%7E", "/aZ0-._~"},
      {"/a%2fb", "/a%2Fb"},
      {"/a%2Fb", "/a%2Fb"},
      {"/%c3%a9", "/%C3%A9"},
      {"/%20%3f%23%25", "/%20%3F%23%25"},
      {"/%252e%252E/", "/%252e%252E/"},
      {"/a+b;c=d@e:f!$&'()*,[]{}|^`\"<>", "/a+b;c=d@e:f!$&'()*,[]{}|^`\"<>"},
      // Dot segments (RFC 3986 5.2.4), escaped as well.
      {"/.", "/"},
      {"/..", "/"},
      {"/./", "/"},
      {"/../", "/"},
      {"/../../a", "/a"},
      {"/a/.", "/a/"},
      {"/a/..", "/"},
      {"/a/../", "/"},
      {"/a/./b", "/a/b"},
      {"/a/../b", "/b"},
      {"/a/b/..", "/a/"},
      {"/a/b/../..", "/"},
      {"/a/b/c/./../../g", "/a/g"},
      {"/mid/content=5/../6", "/mid/6"},
      {"/a/%2e%2e/b", "/b"},
      {"/a/%2E./b", "/b"},
      {"/a/.%2e", "/"},
      {"/a/%2e/b", "/a/b"},
      {"/a%2F../b", "/a%2F../b"},
      {"/a/..%2Fb", "/a/..%2Fb"},
      {"/...", "/..."},
      {"/.a/..b/c./d../e", "/.a/..b/c./d../e"},
      {"/a/.../b", "/a/.../b"},
      {"/..;/a", "/..;/a"},
      // Slashes.
      {"//", "/"},
      {"///a//b///", "/a/b/"},
      {"/a//../b", "/b"},
      {"/a/.//b", "/a/b"},
      {"/a/..//b", "/b"},
      {"//../b", "/b"},
      // Refused.
      {"", "bad"},
      {"a", "bad"},
      {"*", "bad"},
      {"http://a/b", "bad"},
      {"/a b", "bad"},
      {"/a\tb", "bad"},
      {std::string_view("/a\0b", 4), "bad"},
      {"/a\x7f", "bad"},
      {"/caf\xc3\xa9", "bad"},
      {"/a\\b", "bad"},
      {"/a%5cb", "bad"},
      {"/a%5Cb", "bad"},
      {"/a?b", "bad"},
      {"/a#b", "bad"},
      {"/%00", "bad"},
      {"/%0a", "bad"},
      {"/%1F", "bad"},
      {"/%7f", "bad"},
      {"/%", "bad"},
      {"/%2", "bad"},
      {"/%zz", "bad"},
      {"/%2g", "bad"},
      {"/%%20", "bad"},
      {"/a/../%00", "bad"},
      {"//%5c", "bad"},
      {"//\\", "bad"},
      {"//%2", "bad"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.raw);
    CHECK(normal(c.raw) == c.path);
    if (c.path != "bad") CHECK(normal(c.path) == c.path);
  }
}

TEST_CASE("path: keep_slashes keeps empty segments, which dot segments then remove one by one") {
  struct Case {
    std::string_view raw, path;
  };
  const Case cases[] = {
      {"//", "//"}, {"//a///b//", "//a///b//"}, {"/a//../b", "/a/b"}, {"/a///..", "/a//"}, {"/a/.//b", "/a//b"},
      {"//..", "/"}, {"/../..//b", "//b"},      {"/%61//b", "/a//b"}, {"/a//%2e%2e/b", "/a/b"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.raw);
    CHECK(normal(c.raw, true) == c.path);
    CHECK(normal(c.path, true) == c.path);
  }
}

TEST_CASE("path: a normal path is returned as it is and the scratch is not touched") {
  std::string scratch = "untouched";
  for (std::string_view raw : {"/", "/foo/bar", "/a%2Fb/%C3%A9/", "/.well-known/a..b/..."}) {
    CAPTURE(raw);
    const auto path = gw::normalize_path(raw, scratch);
    REQUIRE(path);
    CHECK(path->data() == raw.data());
    CHECK(path->size() == raw.size());
    CHECK(scratch == "untouched");
  }
}

TEST_CASE("path: random spellings end up normal, and stay so") {
  std::mt19937 random(7);
  const std::string_view pieces[] = {"/", "/", ".", "..", "%2e", "%2E", "%2f", "%41", "%c3", "a", "b", "%25", "%5c", "~"};
  for (int round = 0; round < 20000; ++round) {
    std::string raw = "/";
    for (unsigned i = random() % 12; i > 0; --i) raw += pieces[random() % std::size(pieces)];
    for (bool keep_slashes : {false, true}) {
      const std::string path = normal(raw, keep_slashes);
      if (path == "bad") continue;
      CAPTURE(raw);
      REQUIRE(normal(path, keep_slashes) == path);
      REQUIRE(path.front() == '/');
      REQUIRE((path + '/').find("/./") == std::string::npos);
      REQUIRE((path + '/').find("/../") == std::string::npos);
      if (!keep_slashes) REQUIRE(path.find("//") == std::string::npos);
    }
  }
}

TEST_CASE("path: percent_decode decodes every escape and leaves broken ones") {
  struct Case {
    std::string_view raw, text;
  };
  const Case cases[] = {
      {"", ""},         {"abc", "abc"}, {"a%2Fb", "a/b"},    {"%C3%A9", "\xc3\xa9"}, {"%25%32%35", "%25"}, {"a+b", "a+b"},
      {"100%", "100%"}, {"%2", "%2"},   {"%zz%41", "%zzA"}, {"%%41", "%A"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.raw);
    CHECK(gw::percent_decode(c.raw) == c.text);
    CHECK(gw::detail::equals_decoded(c.raw, c.text));
    CHECK_FALSE(gw::detail::equals_decoded(c.raw, std::string(c.text) + 'x'));
    CHECK_FALSE(gw::detail::equals_decoded(std::string(c.raw) + 'x', c.text));
  }
}

TEST_CASE("path: joining puts exactly one slash between base and rest") {
  struct Case {
    std::string_view base, path;
    std::size_t strip;
    std::string_view result;
  };
  const Case cases[] = {
      {"", "/", 0, "/"},
      {"", "/a/b/", 0, "/a/b/"},
      {"/", "/a", 0, "/a"},
      {"/srv", "/", 0, "/srv"},
      {"/srv/", "/", 0, "/srv/"},
      {"/srv//", "/a", 0, "/srv/a"},
      {"", "/foo", 4, "/"},
      {"", "/foo/", 4, "/"},
      {"/srv", "/foo/x/y/", 4, "/srv/x/y/"},
      {"/srv", "/foo/x", 99, "/srv"},
      // A rest that begins with slashes or dots cannot climb, nor become a host.
      {"", "/foo//evil.example/x", 4, "/evil.example/x"},
      {"/srv", "/foo..", 4, "/srv"},
      {"/srv", "/foo.", 4, "/srv"},
      {"/srv", "/foo../", 4, "/srv/"},
      {"/srv", "/foo../..x", 4, "/srv/..x"},
      {"/srv", "/foo.../x", 4, "/srv/.../x"},
      {"/srv", "/foo.hidden", 4, "/srv/.hidden"},
      // keep_slashes without stripping changes nothing.
      {"/srv", "//a//b", 0, "/srv//a//b"},
      {"", "//a", 0, "//a"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.base);
    CAPTURE(c.path);
    CHECK(joined(c.base, c.path, c.strip) == c.result);
  }
}

TEST_CASE("path: joining appends to what is there") {
  std::string out = "GET ";
  gw::join_path(out, "/srv", "/foo/x", 4);
  CHECK(out == "GET /srv/x");
}

TEST_CASE("path: joining follows every v0 row of Kong's table") {
  std::ifstream file(GW_TEST_DATA "/kong_path_handling.json");
  RAPIDJSON_NAMESPACE::IStreamWrapper stream(file);
  RAPIDJSON_NAMESPACE::Document document;
  REQUIRE_FALSE(document.ParseStream(stream).HasParseError());
  int rows = 0;
  for (const auto& row : document["cases"].GetArray()) {
    if (std::string_view(row["path_handling"].GetString()) != "v0") continue;
    ++rows;
    const std::string path = normal(row["request_path"].GetString());
    // Kong takes a route's path as a string, whether segments end there or not.
    const std::string_view route = row["route_path"].GetString();
    REQUIRE(path.starts_with(route));
    CAPTURE(route);
    CAPTURE(path);
    CAPTURE(row["service_path"].GetString());
    const std::size_t strip = row["strip_path"].GetBool() ? route.size() : 0;
    CHECK(joined(row["service_path"].GetString(), path, strip) == row["upstream_path"].GetString());
  }
  CHECK(rows == 88);
}
