#include <doctest/doctest.h>

#include <gw/middleware/access_log.hpp>

#include "middleware/json_log.hpp"
#include "support/temp_dir.hpp"
#include "unit/config_reading.hpp"

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

using gw::detail::ContextAccess, gw::detail::JsonLine, gw::detail::LogText;
using namespace std::chrono_literals;

namespace {

std::string line(const std::vector<std::string>& fields, const std::function<void(gw::Context&)>& fill) {
  gw::Context c;
  fill(c);
  LogText out;
  JsonLine(fields).put(out, c);
  return std::string(out.view());
}

/// A text as a string of JSON.
std::string json_string(std::string_view text) {
  std::string out;
  gw::detail::append_json_string(out, text);
  return out;
}

/// The same, byte by byte.
std::string plainly_quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    std::size_t length = 1;
    if (c == '"' || c == '\\') out.append({'\\', static_cast<char>(c)});
    else if (c >= 0x20 && c < 0x7f) out += static_cast<char>(c);
    else if (c < 0x80) {
      char escaped[7];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else if (const std::string_view euro = "\xe2\x82\xac"; text.starts_with(euro)) {
      out += euro;
      length = euro.size();
    } else out += "\\ufffd";
    text.remove_prefix(length);
  }
  return out + '"';
}

std::string problems(gw::AccessLogOptions options) {
  try {
    gw::access_log(std::move(options));
    return "";
  } catch (const gw::ConfigError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("json log: any bytes become a string of JSON") {
  const std::string bad = "\\ufffd";
  struct Case {
    std::string_view bytes;
    std::string expected;
  };
  const std::vector<Case> cases{
      {"", ""},
      {"plain /text?x=1&y={z}", "plain /text?x=1&y={z}"},
      {"\"\\", "\\\"\\\\"},
      {std::string_view("\0\x01\b\t\n\r\x1f\x7f", 8), "\\u0000\\u0001\\u0008\\u0009\\u000a\\u000d\\u001f\\u007f"},
      {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
      {"\xc2\x80 \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf", "\xc2\x80 \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"},
      {"\xff\xfe\x80", bad + bad + bad},
      {"\xc0\xaf", bad + bad},                          // too long for its character
      {"\xc1\xbf", bad + bad},
      {"\xe0\x9f\xbf", bad + bad + bad},
      {"\xf0\x8f\xbf\xbf", bad + bad + bad + bad},
      {"\xed\xa0\x80", bad + bad + bad},                // half of a surrogate pair
      {"\xf4\x90\x80\x80", bad + bad + bad + bad},      // above U+10FFFF
      {"\xf5\x80\x80\x80", bad + bad + bad + bad},
      {"a\xc3", "a" + bad},                             // cut off
      {"\xe2\x82", bad + bad},
      {"\xf0\x9f\x98", bad + bad + bad},
      {"\xe2\x82\"", bad + bad + "\\\""},
      {"\xc3\xa9\xc3", "\xc3\xa9" + bad},
  };
  for (const Case& one : cases) {
    std::string out = "x";
    gw::detail::append_json_string(out, one.bytes);
    CHECK(out == "x\"" + one.expected + '"');
  }
  std::string huge;
  gw::detail::append_json_string(huge, std::string(100'000, '\n'));
  CHECK(huge.size() == 600'002);
}

TEST_CASE("json log: what is no plain text is found at every place of a text of any length") {
  const std::vector<std::string_view> pieces{"\"", "\\", "\n", std::string_view("\0", 1), "\x1f", "\x7f", "\x80", "\xff", "\xe2\x82", "\xe2\x82\xac", "\xe2\x82\xac\xe2", "\"\""};
  for (std::size_t size = 0; size <= 50; ++size)
    for (std::size_t place = 0; place <= size; ++place)
      for (const std::string_view piece : pieces) {
        const std::string text = std::string(place, 'v') + std::string(piece) + std::string(size - place, 'w');
        INFO(size, " ", place, " ", plainly_quoted(piece));
        CHECK(json_string(text) == plainly_quoted(text));
      }
  // Each byte twice, so that one of them is in a later block.
  for (int byte = 0; byte < 256; ++byte) {
    std::string text = "0123456789abcdefghijklmnopqrstuvwxyz";
    text[3] = text[21] = static_cast<char>(byte);
    CHECK(json_string(text) == plainly_quoted(text));
  }
}

TEST_CASE("json log: times and durations") {
  const auto made = [](const std::function<char*(char*)>& put) {
    char bytes[64];
    return std::string(bytes, put(bytes));
  };
  const auto time = [&](std::chrono::milliseconds t) {
    return made([&](char* to) { return gw::detail::put_json_time(to, std::chrono::sys_time<std::chrono::milliseconds>(t)); });
  };
  CHECK(time(0ms) == "1970-01-01T00:00:00.000Z");
  CHECK(time(951'782'400'007ms) == "2000-02-29T00:00:00.007Z");
  CHECK(time(1'791'640'536'123ms) == "2026-10-10T13:55:36.123Z");
  CHECK(time(4'107'542'399'999ms) == "2100-02-28T23:59:59.999Z");
  const auto seconds = [&](std::chrono::nanoseconds t) { return made([&](char* to) { return gw::detail::put_seconds(to, t); }); };
  CHECK(seconds(0ns) == "0.000000");
  CHECK(seconds(999ns) == "0.000000");
  CHECK(seconds(1234567ns) == "0.001234");
  CHECK(seconds(61s + 5us) == "61.000005");
  CHECK(seconds(-1s) == "0.000000");
  CHECK(seconds(std::chrono::nanoseconds::max()) == "9223372036.854775");
}

TEST_CASE("json log: a line has every field, in their order") {
  const std::vector<std::string> fields{"client", "consumer", "method", "protocol", "host", "target", "path", "route", "status",
                                        "bytes", "failure", "request_id", "referer", "user_agent", "header:X-Foo"};
  CHECK(line(fields, [](gw::Context& c) {
          ContextAccess::begin(c, nullptr, 1, 1, "192.0.2.7");
          c.req = gw::Request(gw::Method::get, "/a/../foo?x=1");
          c.req.borrow_path("/foo");
          c.req.headers = {{"Host", "a.example"}, {"Referer", "http://a/"}, {"User-Agent", "curl/8.5"}, {"x-foo", "1"}};
          ContextAccess::set_route(c, "foo");
          c.set_consumer("alice");
          c.set_id("id-1");
          c.reply(200);
          ContextAccess::set_head_sent(c);
          ContextAccess::add_bytes_sent(c, 2326);
        }) == "{\"client\":\"192.0.2.7\",\"consumer\":\"alice\",\"method\":\"GET\",\"protocol\":\"HTTP/1.1\",\"host\":\"a.example\",\"target\":\"/a/../foo?x=1\","
              "\"path\":\"/foo\",\"route\":\"foo\",\"status\":200,\"bytes\":2326,\"failure\":null,\"request_id\":\"id-1\",\"referer\":\"http://a/\","
              "\"user_agent\":\"curl/8.5\",\"header:X-Foo\":\"1\"}\n");
  CHECK(line(fields, [](gw::Context& c) {
          c.req = gw::Request(gw::Method::delete_, "/");
          c.req.version = gw::Version::http10;
          c.set_id("id-2");
          c.fail(gw::Error::no_route);
        }) == "{\"client\":null,\"consumer\":null,\"method\":\"DELETE\",\"protocol\":\"HTTP/1.0\",\"host\":null,\"target\":\"/\",\"path\":\"/\",\"route\":null,"
              "\"status\":404,\"bytes\":0,\"failure\":\"no_route\",\"request_id\":\"id-2\",\"referer\":null,\"user_agent\":null,\"header:X-Foo\":null}\n");
}

TEST_CASE("json log: hostile, repeated and missing values stay inside their field") {
  CHECK(line({"header:x-foo", "status"}, [](gw::Context& c) {
          c.req.headers.borrow("X-Foo", "a");
          c.req.headers.borrow("x-foo", "\",\"status\":200}\n{\xff");
          c.req.headers.borrow("x-foo", "");
        }) == "{\"header:x-foo\":\"a, \\\",\\\"status\\\":200}\\u000a{\\ufffd, \",\"status\":499}\n");
  CHECK(line({"referer"}, [](gw::Context& c) { c.req.headers.borrow("referer", ""); }) == "{\"referer\":\"\"}\n");
}

TEST_CASE("json log: the default set of fields") {
  const std::string text = line({}, [](gw::Context& c) { c.req = gw::Request(gw::Method::get, "/"); });
  std::size_t at = 0;
  for (const char* name : {"{\"time\":\"2", "Z\",\"client\":", ",\"consumer\":", ",\"method\":", ",\"host\":", ",\"target\":", ",\"route\":", ",\"status\":",
                           ",\"bytes\":", ",\"duration\":0.", ",\"failure\":", ",\"request_id\":\"", ",\"referer\":", ",\"user_agent\":null}\n"}) {
    CAPTURE(name);
    const std::size_t found = text.find(name, at);
    REQUIRE(found != text.npos);
    at = found;
  }
}

TEST_CASE("json log: time is that of the beginning, the same in lines of one second") {
  gw::Context c;
  char time[gw::detail::json_time_size];
  gw::detail::put_json_time(time, std::chrono::floor<std::chrono::milliseconds>(c.started()));
  const std::string expected = "{\"time\":\"" + std::string(time, sizeof time) + "\"}\n";
  const JsonLine format({"time"});
  LogText out;
  format.put(out, c);
  CHECK(out.view() == expected);
  format.put(out, c);
  CHECK(out.view() == expected + expected);
}

TEST_CASE("json log: the id is that of the request, formatted or not, at any length") {
  gw::Context c;
  ContextAccess::begin(c, nullptr, 7, 9, "192.0.2.7");
  const JsonLine format({"request_id"});
  const auto made = [&] {
    LogText out;
    format.put(out, c);
    return std::string(out.view());
  };
  const std::string before = made();
  CHECK(before == "{\"request_id\":\"" + std::string(c.id()) + "\"}\n");
  CHECK(made() == before);
  for (const std::size_t size : {1, 31, 33, 128}) {
    c.set_id(std::string(size, 'i'));
    CHECK(made() == "{\"request_id\":\"" + std::string(size, 'i') + "\"}\n");
  }
}

TEST_CASE("json log: names and values of any length, in memory that grows") {
  for (std::size_t size = 1; size <= 80; ++size) {
    const std::string name(size, 'n'), value(40 * size, size % 2 == 0 ? 'v' : '\n');
    const std::string text = line({"header:" + name, "status", "header:x"}, [&](gw::Context& c) { c.req.headers.borrow(name, value); });
    INFO(size);
    CHECK(text == "{\"header:" + name + "\":" + plainly_quoted(value) + ",\"status\":499,\"header:x\":null}\n");
  }
}

TEST_CASE("json log: the stage writes lines of JSON") {
  const gw_test::TempDir dir;
  {
    const gw::Pipeline pipeline({gw::access_log({.file = dir / "log", .format = gw::AccessLogFormat::json, .fields = {"target", "status"}})});
    for (const char* target : {"/1", "/2"}) {
      gw::Context c;
      c.req = gw::Request(gw::Method::get, target);
      CHECK(pipeline.run_now(c, gw::Handler([](gw::Context&) { return 200; })));
      pipeline.done(c);
    }
  }
  CHECK(gw_test::content_of(dir / "log") == "{\"target\":\"/1\",\"status\":200}\n{\"target\":\"/2\",\"status\":200}\n");
}

TEST_CASE("json log: wrong fields are problems, and no file is opened") {
  const gw_test::TempDir dir;
  const auto json = [&](std::vector<std::string> fields) {
    return problems({.file = dir / "log", .format = gw::AccessLogFormat::json, .fields = std::move(fields)});
  };
  CHECK(json({"statos", ""}) == "fields: the access log has no field \"statos\"\nfields: the access log has no field \"\"");
  CHECK(json({"status", "bytes", "status"}) == "fields: the field status is there twice");
  CHECK(json({"header:", "header:a b"}) == "fields: \"\" is not a header name\nfields: \"a b\" is not a header name");
  CHECK(json({"header:Authorization"}) == "fields: Authorization holds credentials, which do not belong into a log");
  CHECK(json({"header:cookie"}) == "fields: cookie holds credentials, which do not belong into a log");
  CHECK(problems({.file = dir / "log", .fields = {"status"}}) == "fields: the combined format has fixed fields; choose the format json");
  CHECK(!std::filesystem::exists(dir / "log"));
}

TEST_CASE("json log: a configuration chooses the format and its fields") {
  gw::AccessLogOptions opened;
  gw::config::World world = config_reading::world();
  world.open_access_log = [&](gw::AccessLogOptions options) {
    opened = std::move(options);
    return gw::Stage(config_reading::NoLog{});
  };
  gw::Problems found;
  const auto read = [&](std::string_view options) {
    found.clear();
    gw::config::parse("use: [{access_log: " + std::string(options) + "}]", gw::Notation::yaml, "gw", found, world);
    return config_reading::lines(found);
  };
  CHECK(read("{format: json, fields: [time, \"header:x-foo\"]}") == std::vector<std::string>{});
  CHECK(opened.format == gw::AccessLogFormat::json);
  CHECK(opened.fields == std::vector<std::string>{"time", "header:x-foo"});
  CHECK(read("{format: combined}") == std::vector<std::string>{});
  CHECK(opened.format == gw::AccessLogFormat::combined);
  CHECK(read("{format: jso}") == std::vector<std::string>{"gw:1:29: use[0].access_log.format: expected combined or json, found \"jso\" (did you mean \"json\"?)"});
  CHECK(read("{format: json, fields: []}") == std::vector<std::string>{"gw:1:43: use[0].access_log.fields: the list is empty"});
}
