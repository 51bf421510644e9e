#include "proxy/template.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using gw::proxy::Template;
using gw::proxy::TemplateValues;
using Use = Template::Use;
using Names = std::vector<std::string>;

namespace {

const Names names{"id", "name"};

/// The values of `/users/{id}/{name}` in front of "rest".
struct Given {
  std::string id = "7", name = "ada", path = "/users/7/ada/x", rest = "/x", authority = "old.example:8000";

  gw::Params params() const {
    gw::Params p;
    p.push(id);
    p.push(name);
    p.borrow_names(names);
    return p;
  }
};

/// The path or location of a template, "-" if it has none.
std::string made(std::string_view text, Use use, const Given& given = {}) {
  CHECK(Template::mistake(text, use, names, true) == "");
  const Template t(text, use, names);
  const gw::Params params = given.params();
  const TemplateValues values{params, given.path, given.rest, given.authority};
  std::string out;
  const bool is_made = use == Use::path ? t.append_path(out, values) : t.append_location(out, values);
  return is_made ? out : "-";
}

}  // namespace

TEST_CASE("template: parts of the request take the place of names") {
  const struct {
    const char* text;
    const char* path;
  } cases[] = {
      {"/v2", "/v2"},
      {"/v2{rest}", "/v2/x"},
      {"/v2/{rest}", "/v2/x"},
      {"{rest}", "/x"},
      {"{path}", "/users/7/ada/x"},
      {"/{name}/{id}", "/ada/7"},
      {"/u-{id}.{name}.json", "/u-7.ada.json"},
      {"{id}", "/7"},
      {"/{id}{id}", "/77"},
      {"/a//d", "/a/d"},
      {"/%7e%2f{id}", "/~%2F7"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(made(c.text, Use::path) == c.path);
    CHECK(made(c.text, Use::location) == c.path);
  }
}

TEST_CASE("template: the rest may be nothing, and the path is one all the same") {
  Given given;
  given.rest = "";
  CHECK(made("/v2{rest}", Use::path, given) == "/v2");
  CHECK(made("/v2/{rest}", Use::path, given) == "/v2/");
  CHECK(made("{rest}", Use::path, given) == "/");
  given.rest = "/";
  CHECK(made("/v2{rest}", Use::path, given) == "/v2/");
  CHECK(made("{rest}", Use::path, given) == "/");
}

TEST_CASE("template: what is escaped stays so, and nothing climbs") {
  Given given;
  given.id = "a%2Fb%20c";
  CHECK(made("/{id}/x", Use::path, given) == "/a%2Fb%20c/x");
  // A regex can cut "..json" so that a segment of dots is left.
  for (const auto& [id, name] : {std::pair(".", "."), std::pair("..", ""), std::pair(".", ""), std::pair("%2", "e."), std::pair(".%2e", "")}) {
    CAPTURE(id);
    given.id = id;
    given.name = name;
    CHECK(made("/a/b/{id}{name}/c", Use::path, given) == "-");
    CHECK(made("/a/{id}{name}", Use::path, given) == "-");
    CHECK(made("https://{host}/{id}{name}/c", Use::location, given) == "-");
  }
  given.id = "...";
  given.name = ".x";
  CHECK(made("/a/{id}/{name}", Use::path, given) == "/a/.../.x");
  given.rest = "//evil.example/x";
  CHECK(made("{rest}", Use::location, given) == "/evil.example/x");
  given.id = "/evil.example";
  CHECK(made("/{id}", Use::location, given) == "/evil.example");
}

TEST_CASE("template: half an escape, which only a regex can cut off, gives nothing") {
  Given given;
  given.id = "%2";
  CHECK(made("/{id}", Use::path, given) == "-");
  CHECK(made("/{id}/x", Use::path, given) == "-");
  CHECK(made("/x?q={id}", Use::location, given) == "-");
  given.name = "0";
  given.id = "%0";
  CHECK(made("/{id}{name}", Use::path, given) == "-");   // %00
  given.name = "41";
  given.id = "%";
  CHECK(made("/{id}{name}", Use::path, given) == "/A");
}

TEST_CASE("template: a location may have scheme, host and query") {
  const struct {
    const char* text;
    const char* location;
  } cases[] = {
      {"https://{host}{path}", "https://old.example/users/7/ada/x"},
      {"https://{host}:8443{path}", "https://old.example:8443/users/7/ada/x"},
      {"http://new.example", "http://new.example/"},
      {"https://new.example:444/a{rest}", "https://new.example:444/a/x"},
      {"https://new.example{rest}", "https://new.example/x"},
      {"https://new.example?id={id}", "https://new.example/?id=7"},
      {"/find?id={id}&all", "/find?id=7&all"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(made(c.text, Use::location) == c.location);
  }
  CHECK(Template("/find?q", Use::location, {}).has_query());
  CHECK_FALSE(Template("/find", Use::location, {}).has_query());
}

TEST_CASE("template: a value cannot end a parameter of the query") {
  Given given;
  given.id = "a&admin=1+2;b";
  CHECK(made("/find?id={id}", Use::location, given) == "/find?id=a%26admin%3D1%2B2%3Bb");
}

TEST_CASE("template: the client's host loses its port, and there may be none") {
  Given given;
  given.authority = "[::1]:8000";
  CHECK(made("https://{host}/", Use::location, given) == "https://[::1]/");
  given.authority = "";
  CHECK(made("https://{host}/", Use::location, given) == "-");
  CHECK(made("https://{host}:8443/", Use::location, given) == "-");
}

TEST_CASE("template: mistakes are told in a sentence") {
  const std::string known = "; here are {id}, {name}, {rest}, {path}";
  const std::string text = "must be visible ASCII without \"\\\"; write other characters as %XX";
  const struct {
    std::string text;
    Use use;
    std::string what;
  } cases[] = {
      {"", Use::path, "must start with \"/\""},
      {"v2", Use::path, "must start with \"/\""},
      {"v2", Use::location, "must start with \"/\", \"http://\" or \"https://\""},
      {"ftp://h/", Use::location, "must start with \"/\", \"http://\" or \"https://\""},
      {"http://h/", Use::path, "must start with \"/\""},
      {"//evil/", Use::location, "must not start with \"//\""},
      {"/{idd}", Use::path, "has \"{idd}\", which stands for nothing" + known},
      {"/{}", Use::path, "has \"{}\", which stands for nothing" + known},
      {"/{host}", Use::location, "has \"{host}\", which stands for nothing" + known},
      {"/{id", Use::path, "has a brace without its partner"},
      {"/id}", Use::path, "has a brace without its partner"},
      {"/{id}}", Use::path, "has a brace without its partner"},
      {"/a?b", Use::path, "must not have a \"?\"; the query goes on as it is"},
      {"/a#b", Use::location, "must not have a \"#\""},
      {"/a b", Use::path, text},
      {"/a\\b", Use::path, text},
      {"/caf\xc3\xa9", Use::path, text},
      {"/a\r\nSet-Cookie: x", Use::location, text},
      {"/a%", Use::path, "has a broken escape, or one of a control"},
      {"/a%2{id}", Use::path, "has a broken escape, or one of a control"},
      {"/a%00", Use::path, "has a broken escape, or one of a control"},
      {"/a?b=%zz", Use::location, "has a broken escape, or one of a control"},
      {"https://", Use::location, "must have a host behind \"https://\", as in \"https://example.com/\" or \"https://{host}{path}\""},
      {"https:///x", Use::location, "must have a host behind \"https://\", as in \"https://example.com/\" or \"https://{host}{path}\""},
      {"https://{id}.example/", Use::location, "must have a host behind \"https://\", as in \"https://example.com/\" or \"https://{host}{path}\""},
      {"https://h:99999/", Use::location, "must have a host behind \"https://\", as in \"https://example.com/\" or \"https://{host}{path}\""},
      {"/a/../b", Use::path, "must not have \".\" or \"..\" between slashes"},
      {"/{id}/%2e", Use::path, "must not have \".\" or \"..\" between slashes"},
      {"https://h/./b?x=/../", Use::location, "must not have \".\" or \"..\" between slashes"},
      {"https://h#x", Use::location, "must have a host behind \"https://\", as in \"https://example.com/\" or \"https://{host}{path}\""},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(Template::mistake(c.text, c.use, names, true) == c.what);
  }
  CHECK(Template::mistake("/v2{rest}", Use::path, {}, false) == "has \"{rest}\", which stands for nothing; here are {path}");
  CHECK(Template::mistake("/v2{rest}", Use::path, {"rest"}, false) == "");
}
