#include "config_reading.hpp"

#include <doctest/doctest.h>

using namespace config_reading;
using Lines = std::vector<std::string>;

namespace {

/// The name of the first route of a text.
std::string first_name(std::string_view text, gw::Notation notation = gw::Notation::yaml) {
  const auto outcome = read(text, notation);
  CHECK(join(outcome.problems) == "");
  REQUIRE(outcome.config.routes.size() == 1);
  return outcome.config.routes[0].rule.name;
}

std::string repeat(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("config text: a text adds to what there is: settings one by one, lists behind") {
  gw::Problems problems;
  const auto parse = [&](std::string_view text, gw::Config base) { return gw::parse_config(text, gw::Notation::yaml, "gw", problems, std::move(base)); };
  const gw::Config first = parse(
      "listen: ':1'\nworkers: 2\ntimeouts: {drain: 5s, client_idle: 9s}\nlimits: {head: 20000, fields: 20}\nname_servers: [127.0.0.1]\nadmin: {listen: '127.0.0.1:2'}\n"
      "use: [request_id]\nupstreams: {one: [\"a:1\"]}\nroutes: [{path: /one, forward: one}]",
      {});
  const gw::Config both = parse(
      "listen: ':3'\ntimeouts: {drain: 30s}\nlimits: {fields: 30}\nname_servers: [127.0.0.2]\nadmin: {listen: '127.0.0.1:4'}\n"
      "use: [access_log]\nupstreams: {two: [\"b:1\"]}\nroutes: [{path: /two, forward: two}]",
      first);
  CHECK(problems.empty());
  CHECK(both.workers == 2);
  CHECK(both.timeouts.drain == std::chrono::seconds(30));  // though that is the default
  CHECK(both.timeouts.client_idle == std::chrono::seconds(9));
  CHECK(both.limits.head == 20000);
  CHECK(both.limits.fields == 30);
  CHECK(both.name_servers == std::vector<std::string>{"127.0.0.2"});
  CHECK(both.admin.address == "127.0.0.1:4");
  REQUIRE(both.listen.size() == 2);
  CHECK(both.listen[1].address == ":3");
  REQUIRE(both.use.size() == 2);
  CHECK(both.use[1].name() == "access_log");
  REQUIRE(both.upstreams.size() == 2);
  CHECK(both.upstreams[1].name == "two");
  REQUIRE(both.routes.size() == 2);
  CHECK(both.routes[1].rule.pattern == "/two");

  CHECK(parse("workers: x", first).timeouts.drain == std::chrono::seconds(5));
  CHECK(problems.size() == 1);
}

TEST_CASE("config text: a YAML text that is wrong gives one clear problem at its place") {
  const struct {
    std::string text;
    std::string problem;
  } cases[] = {
      {"listen:\n\t- \":1\"", "gw:2:2: a tab cannot indent YAML: use spaces"},
      {"\tlisten: x", "gw:1:8: a tab cannot indent YAML: use spaces"},
      {"use: [a, b\nworkers: 2", "gw:2:8: expected \",\" or \"]\"; text with { } [ ] or , must be quoted inside [ ]"},
      {"use: [a]]", "gw:1:9: \"}\" or \"]\" without its beginning"},
      {"listen: a: b", "gw:1:10: \":\" is not expected here: check the indentation, and quote text that has \": \" in it"},
      {"workers: 1\n  listen: a", "gw:2:9: \":\" is not expected here: check the indentation, and quote text that has \": \" in it"},
      {"limits:\n    head: 1KiB\n  body: 1", "gw:3:3: the indentation does not fit any line above"},
      {"listen: - a", "gw:1:9: \"- \" is not expected here: a list begins on a line of its own"},
      {"listen: @a", "gw:1:9: this cannot begin a value; text that begins with @ ` or % must be quoted"},
      {"listen: *", "gw:1:10: not YAML: alias not found after *"},
      {"listen: *a", "gw:1:9: the alias repeats an anchor that is not there; text that begins with * must be quoted"},
      {"listen: &a [*a]", "gw:1:13: the alias is inside the value that it repeats"},
      {"listen: \"a\nworkers: 1\n", "gw:2:11: the quotation mark that ends a text is missing"},
      {"listen: 'a\nworkers: 1\n", "gw:2:11: the quotation mark that ends a text is missing"},
      {"listen: \"\\q\"", "gw:1:12: not YAML: unknown escape character: q"},
      {"workers: 1\n---\nworkers: 2\n", "gw:2:1: a second document begins here; a file has one (check \"---\" and the indentation)"},
      {"- a\nworkers: 2\n", "gw:2:1: a second document begins here; a file has one (check \"---\" and the indentation)"},
      {"workers: 1\nlisten: \x04", "gw:2:9: control character U+0004 is not allowed"},
      {std::string("a\0b", 3), "gw:1:2: control character U+0000 is not allowed"},
      {"a: \xc3\xa9 \xe9", "gw:1:7: not UTF-8: byte 0xE9"},
      {"\xff\xfe"
       "a",
       "gw:1:1: not UTF-8: byte 0xFF"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(join(read(c.text).problems) == c.problem + '\n');
  }
}

TEST_CASE("config text: a JSON text that is wrong gives one clear problem at its place") {
  const struct {
    std::string text;
    std::string problem;
  } cases[] = {
      {"", "gw:1:1: nothing is configured: the file is empty"},
      {" \n null", "gw:1:1: nothing is configured: the file is empty"},
      {"{} {}", "gw:1:4: text after the end of the configuration"},
      {"// c\n{}", "gw:1:1: not a JSON value: text must be in \" \", and JSON has no comments and no comma before ] or }"},
      {"{\n  // c\n}", "gw:2:3: expected a key in \" \": JSON has no comments and no comma before }"},
      {"{\"use\": [\"a\",]}", "gw:1:14: not a JSON value: text must be in \" \", and JSON has no comments and no comma before ] or }"},
      {"{\"use\": [],}", "gw:1:12: expected a key in \" \": JSON has no comments and no comma before }"},
      {"{\"use\" []}", "gw:1:8: expected \":\" after the key"},
      {"{\"use\": [] \"b\": 1}", "gw:1:12: expected \",\" or \"}\""},
      {"{\"use\": [\"a\" \"b\"]}", "gw:1:14: expected \",\" or \"]\""},
      {"{\"listen\": \"a\n\"}", "gw:1:14: a line end or tab inside a text: write \\n or \\t"},
      {"{\"listen\": \"a", "gw:1:14: the quotation mark that ends a text is missing"},
      {"{\"listen\": \"\\q\"}", "gw:1:13: unknown escape: \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX are known"},
      {"{\"listen\": \"\\ud800x\"}", "gw:1:13: half of a surrogate pair"},
      {"{\"listen\": \"\\udc00\"}", "gw:1:12: listen: not UTF-8: byte 0xED"},
      {"{\"workers\": 01}", "gw:1:14: expected \",\" or \"}\""},
      {"{\"workers\": 1.}", "gw:1:15: not a JSON number"},
      {"{\"workers\": truE}", "gw:1:16: not a JSON value: text must be in \" \", and JSON has no comments and no comma before ] or }"},
      {"{\"name\\u0000\": 1}", "gw:1:2: key \"name\\x00\": control character U+0000 is not allowed"},
      {"{\"workers\": 1, \"listen\": \"a\\nb\"}", "gw:1:26: listen: control character U+000A is not allowed"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(join(read(c.text, gw::Notation::json).problems) == c.problem + '\n');
  }
}

TEST_CASE("config text: keys must be text and stand once in a map") {
  const struct {
    gw::Notation notation;
    std::string text;
    Lines problems;
  } cases[] = {
      {gw::Notation::yaml,
       "workers: 1\nworkers: 2\nworkers: 3",
       {"gw:2:1: key \"workers\" is there twice, first on line 1", "gw:3:1: key \"workers\" is there twice, first on line 1"}},
      {gw::Notation::json, "{\"workers\": 1,\n\"workers\": 2}", {"gw:2:1: key \"workers\" is there twice, first on line 1"}},
      {gw::Notation::yaml, "upstreams: {a: h, \"a\": h}", {"gw:1:19: upstreams: key \"a\" is there twice, first on line 1"}},
      {gw::Notation::yaml,
       "routes:\n- prefix: /a\n  forward: http://h\n- prefix: /b\n  prefix: /c\n  forward: http://h",
       {"gw:5:3: routes[1]: key \"prefix\" is there twice, first on line 4"}},
      {gw::Notation::yaml, "? [a]\n: b", {"gw:1:3: a key must be text"}},
      {gw::Notation::yaml, "? {a: b}\n: {c: d}", {"gw:1:3: a key must be text"}},
      {gw::Notation::yaml, "~: b\nworkers: 1", {"gw:1:1: a key must be text"}},
      {gw::Notation::yaml,
       "x: &x {workers: 1}\n<<: *x",
       {"gw:1:1: unknown key \"x\"; known are " + keys, "gw:2:1: merge keys (<<) are not supported: repeat the values, or use an alias for a whole value"}},
      {gw::Notation::yaml, "workers: !!int 1", {"gw:1:10: workers: tags are not supported; text that begins with ! must be quoted"}},
      {gw::Notation::yaml, "use: !set [a]", {"gw:1:6: use: tags are not supported; text that begins with ! must be quoted"}},
      {gw::Notation::yaml, "workers: !!str 1", {}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(join(read(c.text, c.notation).problems) == join(c.problems));
  }
}

TEST_CASE("config text: byte order marks, line ends and UTF-8 are taken as they come") {
  const std::string route = "routes:\n- name: d\xc3\xa9j\xc3\xa0 \xe2\x82\xac \xf0\x9f\x98\x80\n  prefix: /\n  forward: http://h\n";
  std::string with_cr;
  for (char c : route) with_cr += c == '\n' ? "\r\n" : std::string(1, c);
  for (const std::string& text :
       {route, with_cr, "\xef\xbb\xbf" + route, "---\n" + route + "...\n", "%YAML 1.2\n---\n" + route, route.substr(0, route.size() - 1)}) {
    CAPTURE(text);
    CHECK(first_name(text) == "d\xc3\xa9j\xc3\xa0 \xe2\x82\xac \xf0\x9f\x98\x80");
  }
  CHECK(first_name("\xef\xbb\xbf{\"routes\":[{\"name\":\"\\u20ac\",\r\n\"prefix\":\"/\",\"forward\":\"http://h\"}]}", gw::Notation::json) ==
        "\xe2\x82\xac");
  CHECK(join(read("workers: 1\r\nlisten: x\r\n").problems) ==
        "gw:2:9: listen: \"x\" is no address to listen on: write IP:PORT, [IPv6]:PORT or :PORT\n");
}

TEST_CASE("config text: variables are replaced in values") {
  const struct {
    std::string value;
    std::string result;
  } good[] = {
      {"${PORT}", "8080"},
      {"a${PORT}b${PORT}", "a8080b8080"},
      {"${MISSING:-x}", "x"},
      {"${EMPTY:-x}", "x"},
      {"x${EMPTY}y", "xy"},
      {"${MISSING:-}z", "z"},
      {"${PORT:-x}", "8080"},
      {"${MISSING:-http://h:1/a-b}", "http://h:1/a-b"},
      {"$${PORT}", "${PORT}"},
      {"$$${PORT}", "$${PORT}"},
      {"$PORT $ $$ }", "$PORT $ $$ }"},
      {"${MISSING:-$}{PORT}", "${PORT}"},
  };
  for (const auto& c : good) {
    CAPTURE(c.value);
    CHECK(first_name("routes: [{name: \"" + c.value + "\", prefix: /, forward: \"http://h\"}]") == c.result);
    CHECK(first_name("{\"routes\": [{\"name\": \"" + c.value + "\", \"prefix\": \"/\", \"forward\": \"http://h\"}]}", gw::Notation::json) ==
          c.result);
  }
  const auto config =
      read("listen: 127.0.0.1:${PORT}\nworkers: ${W:-7}\nroutes:\n- {prefix: /, strip_prefix: \"${S:-true}\", forward: \"${HOME_URL}\"}")
          .config;
  CHECK(config.listen.at(0).address == "127.0.0.1:8080");
  CHECK(config.workers == 7);
  CHECK(config.routes.at(0).strip_prefix);
  CHECK(std::get<gw::ForwardConfig>(config.routes[0].action).to == "http://10.0.0.1:8080");

  const struct {
    std::string text;
    std::string problems;
  } bad[] = {
      {"workers: 1\nlisten: ${MISSING}",
       "gw:2:9: listen: the environment variable \"MISSING\" is not set, and ${MISSING} has no default\n"},
      {"use: [a, \"${1}\"]", "gw:1:10: use[1]: \"${1}\" is not a variable: write ${NAME} or ${NAME:-default}, or $${ for a literal ${\n"},
      {"use: [\"${A B}\"]", "gw:1:7: use[0]: \"${A B}\" is not a variable: write ${NAME} or ${NAME:-default}, or $${ for a literal ${\n"},
      {"use: [\"${PORT\"]", "gw:1:7: use[0]: \"${\" has no \"}\"; write $${ for a literal ${\n"},
      {"${PORT}: 1", "gw:1:1: unknown key \"${PORT}\"; known are " + keys + "\n"},
      {"workers: ${EMPTY}", "gw:1:10: workers: expected a whole number from 0 to 1024, found an empty text\n"},
      {"routes: [{prefix: /, forward: \"${MISSING}\"}]",
       "gw:1:31: routes[0].forward: the environment variable \"MISSING\" is not set, and ${MISSING} has no default\n"},
  };
  for (const auto& c : bad) {
    CAPTURE(c.text);
    CHECK(join(read(c.text).problems) == c.problems);
  }
}

TEST_CASE("config text: an alias repeats a value where it stands") {
  const auto outcome =
      read("upstreams: {a: &hosts [h, i], b: *hosts}\nuse: &names [x, y]\nroutes:\n- {prefix: /, use: *names, forward: a}");
  CHECK(join(outcome.problems) == "");
  REQUIRE(outcome.config.upstreams.size() == 2);
  CHECK(outcome.config.upstreams[1].endpoints.size() == 2);
  CHECK(outcome.config.routes[0].use.size() == 2);
}

TEST_CASE("config text: a small text cannot become a large configuration") {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + repeat(", " + before, 9) + "]\n";
  }
  auto problems = read(laughs).problems;
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].find(": more than 2000000 values, those that aliases repeat included") != std::string::npos);

  problems = read("a: &a " + std::string(1'000'000, 'x') + "\nb: [" + repeat("*a,", 100) + "]").problems;
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].find(": aliases repeat more than 67108864 bytes of text") != std::string::npos);
}

TEST_CASE("config text: lists and maps are nested at most 64 deep") {
  const std::string too_deep = "lists and maps are nested more than 64 deep\n";
  const auto problem_of = [](const std::string& text, gw::Notation notation) { return join(read(text, notation).problems); };
  CHECK(problem_of("{\"use\": " + repeat("[", 64) + repeat("]", 64) + "}", gw::Notation::json) == "gw:1:72: " + too_deep);
  CHECK(problem_of("use: " + repeat("[", 64) + repeat("]", 64), gw::Notation::yaml) == "gw:1:69: " + too_deep);
  CHECK(problem_of("use: " + repeat("[", 63) + repeat("]", 63), gw::Notation::yaml).find(too_deep) == std::string::npos);
  CHECK(problem_of(repeat("- ", 10'000) + "a", gw::Notation::yaml) == "gw:1:129: " + too_deep);
  CHECK(problem_of(repeat("{a: ", 10'000) + "b" + repeat("}", 10'000), gw::Notation::yaml) == "gw:1:257: " + too_deep);
  CHECK(problem_of(repeat("[", 1'000'000), gw::Notation::json) == "gw:1:65: " + too_deep);
  // Aliases must not go round the limit.
  CHECK(problem_of("a: &a " + repeat("[", 40) + repeat("]", 40) + "\nb: " + repeat("[", 40) + "*a" + repeat("]", 40), gw::Notation::yaml) ==
        "gw:2:44: " + too_deep);
}
