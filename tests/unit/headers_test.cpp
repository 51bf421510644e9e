#include <doctest/doctest.h>

#include <gw/middleware/headers.hpp>

#include <string>
#include <vector>

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

std::string text_of(const gw::Headers& headers) {
  std::string text;
  for (const auto& field : headers) text.append(field.name).append("=").append(field.value) += ' ';
  return text;
}

gw::Headers given() {
  return gw::Headers{{"A", "1"}, {"B", "2"}, {"a", "3"}, {"C", "4"}};
}

/// The problems that a stage is refused for, one per line.
std::string problems(gw::HeadersOptions options) {
  try {
    gw::headers(std::move(options));
    return "";
  } catch (const gw::ConfigError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("headers: edits are made in the order remove, set, add") {
  struct Case {
    const char* what;
    gw::HeaderEdits edits;
    std::string expected;
  };
  const std::vector<Case> cases{
      {"remove every field of a name", {.remove = {"a"}}, "B=2 C=4 "},
      {"remove what is not there", {.remove = {"x"}}, "A=1 B=2 a=3 C=4 "},
      {"set replaces all, at the place of the first", {.set = {{"a", "9"}}}, "A=9 B=2 C=4 "},
      {"set appends what is not there", {.set = {{"X", "9"}}}, "A=1 B=2 a=3 C=4 X=9 "},
      {"add keeps the others", {.add = {{"a", "9"}, {"a", "8"}}}, "A=1 B=2 a=3 C=4 a=9 a=8 "},
      {"an empty value", {.set = {{"B", ""}}}, "A=1 B= a=3 C=4 "},
      {"all three", {.set = {{"a", "5"}, {"B", "6"}}, .add = {{"a", "7"}}, .remove = {"A", "c"}}, "B=6 a=5 a=7 "},
  };
  for (const Case& one : cases) {
    CAPTURE(one.what);
    gw::Context c;
    c.req.headers = given();
    const gw::Pipeline pipeline({gw::headers({.request = one.edits, .response = one.edits})});
    CHECK(pipeline.run_now(c, gw::Handler([](gw::Context&) {
      gw::Response response(200);
      response.headers = given();
      return response;
    })));
    CHECK(text_of(c.req.headers) == one.expected);
    CHECK(text_of(c.res.headers) == one.expected);
  }
}

TEST_CASE("headers: what is removed from a request does not come back with _ for -") {
  gw::Context c;
  const gw::HeaderEdits edits{.remove = {"X-Consumer"}};
  const gw::Headers given{{"X-Consumer", "a"}, {"x_consumer", "b"}, {"X-Consumers", "c"}};
  c.req.headers = given;
  const gw::Pipeline pipeline({gw::headers({.request = edits, .response = edits})});
  CHECK(pipeline.run_now(c, gw::Handler([&](gw::Context&) {
    gw::Response response(200);
    response.headers = given;
    return response;
  })));
  CHECK(text_of(c.req.headers) == "X-Consumers=c ");
  CHECK(text_of(c.res.headers) == "x_consumer=b X-Consumers=c ");
}

TEST_CASE("headers: a stage edits only the message it has edits for") {
  const gw::HeaderEdits edits{.set = {{"x", "1"}}};
  for (const bool is_request : {true, false}) {
    gw::Context c;
    const gw::Stage stage = is_request ? gw::headers({.request = edits}) : gw::headers({.response = edits});
    CHECK(stage.name() == "headers");
    CHECK(gw::Pipeline({stage}).run_now(c, gw::Handler([](gw::Context&) { return 200; })));
    CHECK(c.req.headers.has("x") == is_request);
    CHECK(c.res.headers.has("x") == !is_request);
  }
}

TEST_CASE("headers: every bad name and value is a problem") {
  CHECK(problems({.request = {.set = {{"a b", "1"}}, .add = {{"", "x"}}, .remove = {"x:"}},
                  .response = {.set = {{"ok", "bad\r\nx: 1"}}, .add = {{"ok", " bad"}}, .remove = {"caf\xc3\xa9"}}}) ==
        "request.remove: \"x:\" is not a header name\n"
        "request.set: \"a b\" is not a header name\n"
        "request.add: \"\" is not a header name\n"
        "response.remove: \"caf\xc3\xa9\" is not a header name\n"
        "response.set: the value of ok has a control character, or a space at an end\n"
        "response.add: the value of ok has a control character, or a space at an end");
  CHECK(problems({}) == "headers has nothing to set, add or remove");
}

TEST_CASE("headers: fields that belong to gw cannot be edited, in any case and any list") {
  for (const std::string name :
       {"Connection", "content-length", "Transfer-Encoding", "UPGRADE", "TE", "Trailer", "Keep-Alive", "proxy-connection"}) {
    CAPTURE(name);
    const std::string why = name + " belongs to gw: it frames the message or is about one connection";
    for (const bool is_request : {true, false}) {
      const auto side = [&](gw::HeaderEdits edits) {
        return is_request ? problems({.request = std::move(edits)}) : problems({.response = std::move(edits)});
      };
      const std::string place = is_request ? "request." : "response.";
      CHECK(side({.set = {{name, "1"}}}) == place + "set: " + why);
      CHECK(side({.add = {{name, "1"}}}) == place + "add: " + why);
      CHECK(side({.remove = {name}}) == place + "remove: " + why);
    }
  }
}

TEST_CASE("headers: a request's Host can be set, but there is always exactly one") {
  CHECK(problems({.request = {.set = {{"Host", "a.example"}}}}) == "");
  CHECK(problems({.request = {.add = {{"host", "a.example"}}, .remove = {"Host"}}}) ==
        "request.remove: a request has exactly one Host: it can only be set\n"
        "request.add: a request has exactly one Host: it can only be set");
  CHECK(problems({.response = {.remove = {"host"}}}) == "");
}
