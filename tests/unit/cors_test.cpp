#include <doctest/doctest.h>

#include <gw/middleware/cors.hpp>
#include <gw/gateway.hpp>

#include "unit/config_reading.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

/// "204 name=value;name=value;": names in small letters.
std::string text_of(const gw::Response& response) {
  std::string text = std::to_string(response.status) + ' ';
  for (const auto& field : response.headers) {
    for (const char c : field.name) text += static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    text.append("=").append(field.value) += ';';
  }
  return text;
}

/// What a client gets from behind the stage; `upstream` are the fields of the upstream's response.
std::string answer(const gw::CorsOptions& options, gw::Method method, const Fields& fields, const Fields& upstream = {}) {
  const gw::Pipeline pipeline({gw::cors(options)});
  gw::Context c;
  c.req = gw::Request(method, "/");
  for (const auto& [name, value] : fields) c.req.headers.borrow(name, value);
  CHECK(pipeline.run_now(c, gw::Handler([&](gw::Context&) {
    gw::Response response(200);
    for (const auto& [name, value] : upstream) response.headers.add(name, value);
    return response;
  })));
  return text_of(c.res);
}

std::string problems(gw::CorsOptions options) {
  try {
    gw::cors(std::move(options));
    return "";
  } catch (const gw::ConfigError& error) {
    return error.what();
  }
}

const gw::CorsOptions one{.origins = {"https://app.example"}};
const gw::CorsOptions all{.origins = {"*"}, .methods = {"*"}, .headers = {"*"}, .expose = {"*"}, .max_age = 10min};
const gw::CorsOptions full{.origins = {"https://app.example", "http://localhost:3000", "https://*.example.org", "https://*.example.net:8443"},
                           .methods = {"GET", "PUT"},
                           .headers = {"Content-Type", "Authorization"},
                           .expose = {"X-Total", "Link"},
                           .credentials = true,
                           .max_age = 90s};

}  // namespace

TEST_CASE("cors: a preflight is answered, and only a real one") {
  const std::string allowed = "204 vary=Origin;access-control-allow-origin=https://app.example;access-control-allow-credentials=true;"
                              "access-control-allow-methods=GET, PUT;access-control-allow-headers=Content-Type, Authorization;access-control-max-age=90;";
  const std::string by_default = "GET, HEAD, POST, PUT, PATCH, DELETE";
  const Fields preflight{{"Origin", "https://app.example"}, {"Access-Control-Request-Method", "PUT"}};
  struct Case {
    const char* what;
    const gw::CorsOptions* options;
    gw::Method method;
    Fields fields;
    std::string expected;
  };
  const std::vector<Case> cases{
      {"all options", &full, gw::Method::options, preflight, allowed},
      {"the browser compares method and headers", &full, gw::Method::options,
       {{"origin", "https://app.example"}, {"access-control-request-method", "DELETE"}, {"access-control-request-headers", "x-other"}}, allowed},
      {"only defaults", &one, gw::Method::options, preflight,
       "204 vary=Origin;access-control-allow-origin=https://app.example;access-control-allow-methods=" + by_default + ";"},
      {"everything allowed", &all, gw::Method::options, preflight,
       "204 access-control-allow-origin=*;access-control-allow-methods=*;access-control-allow-headers=*;access-control-max-age=600;"},
      {"another origin is told nothing", &full, gw::Method::options, {{"Origin", "https://evil.example"}, {"Access-Control-Request-Method", "PUT"}},
       "204 vary=Origin;"},
      {"an empty origin", &full, gw::Method::options, {{"Origin", ""}, {"Access-Control-Request-Method", "PUT"}}, "204 vary=Origin;"},
      {"two origins", &full, gw::Method::options,
       {{"Origin", "https://app.example"}, {"Origin", "https://app.example"}, {"Access-Control-Request-Method", "PUT"}}, "204 vary=Origin;"},
      {"OPTIONS without an origin goes on", &full, gw::Method::options, {{"Access-Control-Request-Method", "PUT"}}, "200 vary=Origin;"},
      {"OPTIONS that asks about no method goes on", &one, gw::Method::options, {{"Origin", "https://app.example"}},
       "200 vary=Origin;access-control-allow-origin=https://app.example;"},
      {"another method is no preflight", &one, gw::Method::put, preflight, "200 vary=Origin;access-control-allow-origin=https://app.example;"},
  };
  for (const Case& it : cases) {
    CAPTURE(it.what);
    CHECK(answer(*it.options, it.method, it.fields) == it.expected);
  }
}

TEST_CASE("cors: only the origins of the options are allowed") {
  struct Case {
    std::string origin;
    bool is_allowed;
  };
  const std::vector<Case> cases{
      {"https://app.example", true},
      {"http://localhost:3000", true},
      {"https://a.example.org", true},
      {"https://a-1.b.example.org", true},
      {"https://x.example.net:8443", true},
      {"http://app.example", false},
      {"https://app.example:8443", false},
      {"https://app.example.", false},
      {"https://app.example.evil.test", false},
      {"https://evil-app.example", false},
      {"HTTPS://APP.EXAMPLE", false},
      {"https://app.example/", false},
      {"https://example.org", false},
      {"https://.example.org", false},
      {"https://..example.org", false},
      {"https://evilexample.org", false},
      {"http://a.example.org", false},
      {"https://a.example.org:8443", false},
      {"https://x.example.net", false},
      {"https://evil.test/.example.org", false},
      {"https://evil.test:1.example.org", false},
      {"https://user@a.example.org", false},
      {"https://evil.test#.example.org", false},
      {"https://caf\xc3\xa9.example.org", false},
      {"https://*.example.org", false},
      {"null", false},
      {"*", false},
      {"https://" + std::string(5000, 'a') + ".example.com", false},
  };
  for (const Case& it : cases) {
    CAPTURE(it.origin);
    const std::string expected = it.is_allowed ? "200 vary=Origin;access-control-allow-origin=" + it.origin +
                                                     ";access-control-allow-credentials=true;access-control-expose-headers=X-Total, Link;"
                                               : "200 vary=Origin;";
    CHECK(answer(full, gw::Method::get, {{"Origin", it.origin}}) == expected);
    CHECK(answer(all, gw::Method::get, {{"Origin", it.origin}}) == "200 access-control-allow-origin=*;access-control-expose-headers=*;");
  }
}

TEST_CASE("cors: what the upstream says about CORS is replaced, and Vary is added to") {
  const Fields origin{{"Origin", "https://app.example"}};
  const std::string allowed = "access-control-allow-origin=https://app.example;";
  struct Case {
    const char* what;
    Fields upstream;
    std::string expected;
  };
  const std::vector<Case> cases{
      {"fields of CORS", {{"Access-Control-Allow-Origin", "*"}, {"access-control-allow-credentials", "true"}, {"ACCESS-CONTROL-MAX-AGE", "1"},
                          {"Access-Control-Allow-Origin", "x"}, {"A", "b"}, {"Access-Control", "c"}},
       "200 a=b;access-control=c;vary=Origin;" + allowed},
      {"another Vary", {{"Vary", "Accept-Encoding"}}, "200 vary=Accept-Encoding;vary=Origin;" + allowed},
      {"Origin is there", {{"Vary", "Accept"}, {"vary", "cookie, oRIGIN"}}, "200 vary=Accept;vary=cookie, oRIGIN;" + allowed},
      {"everything varies", {{"Vary", "*"}}, "200 vary=*;" + allowed},
      {"a longer name", {{"Vary", "X-Origin"}}, "200 vary=X-Origin;vary=Origin;" + allowed},
      {"an empty Vary", {{"Vary", ""}}, "200 vary=;vary=Origin;" + allowed},
  };
  for (const Case& it : cases) {
    CAPTURE(it.what);
    CHECK(answer(one, gw::Method::get, origin, it.upstream) == it.expected);
  }
  // Also for requests without an origin: a cache must keep the two apart.
  CHECK(answer(one, gw::Method::get, {}, {{"Access-Control-Allow-Origin", "*"}}) == "200 vary=Origin;");
  CHECK(answer(all, gw::Method::get, {}) == "200 access-control-allow-origin=*;access-control-expose-headers=*;");
}

TEST_CASE("cors: errors carry the fields too, and preflights reach the stage where no route takes OPTIONS") {
  struct NeedKey {
    void request(gw::Context& c) const { c.fail(gw::Error::unauthorized); }
  };
  gw::Gateway app;
  app.use(gw::cors(one));
  app.get("/get", [](gw::Context&) { return 200; });
  app.get("/locked", [](gw::Context&) { return 200; }).use(NeedKey{});
  app.path("/open").handle([](gw::Context&) { return 200; });
  struct Case {
    gw::Method method;
    std::string target;
    int status;
  };
  for (const Case& it : std::vector<Case>{{gw::Method::get, "/get", 200}, {gw::Method::post, "/get", 405}, {gw::Method::get, "/none", 404},
                                          {gw::Method::get, "/locked", 401}, {gw::Method::get, "/%00", 400}}) {
    CAPTURE(it.target);
    gw::Request request(it.method, it.target);
    request.headers.add("Origin", "https://app.example");
    const gw::Response response = app.dispatch(std::move(request));
    CHECK(response.status == it.status);
    CHECK(response.headers["access-control-allow-origin"] == "https://app.example");
  }
  for (const std::string target : {"/get", "/none", "/locked", "/open"}) {
    CAPTURE(target);
    gw::Request request(gw::Method::options, target);
    request.headers.add("Origin", "https://app.example");
    request.headers.add("Access-Control-Request-Method", "GET");
    const gw::Response response = app.dispatch(std::move(request));
    CHECK(response.status == 204);
    CHECK(response.headers["access-control-allow-methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE");
  }
}

TEST_CASE("cors: a preflight goes to the stages of the route that it asks about") {
  gw::Gateway app;
  app.get("/x", [](gw::Context&) { return 200; }).use(gw::cors({.origins = {"https://read.example"}}));
  app.post("/x", [](gw::Context&) { return 200; }).use(gw::cors({.origins = {"https://write.example"}}));
  app.get("/plain", [](gw::Context&) { return 200; });
  app.path("/any").use(gw::cors(one)).handle([](gw::Context&) { return 200; });
  const auto ask = [&](std::string_view target, std::string_view asked, std::string_view origin) {
    gw::Request request(gw::Method::options, target);
    if (!origin.empty()) request.headers.add("Origin", origin);
    if (!asked.empty()) request.headers.add("Access-Control-Request-Method", asked);
    const gw::Response response = app.dispatch(std::move(request));
    return std::to_string(response.status) + ' ' + std::string(response.headers["access-control-allow-origin"]);
  };
  CHECK(ask("/x", "GET", "https://read.example") == "204 https://read.example");
  CHECK(ask("/x", "POST", "https://write.example") == "204 https://write.example");
  CHECK(ask("/x", "POST", "https://read.example") == "204 ");
  CHECK(ask("/x", "PUT", "https://read.example") == "405 ");
  CHECK(ask("/x", "NONSENSE", "https://read.example") == "405 ");
  CHECK(ask("/x", "OPTIONS", "https://read.example") == "405 ");
  CHECK(ask("/x", "", "https://read.example") == "405 ");
  CHECK(ask("/x", "GET", "") == "405 ");
  CHECK(ask("/plain", "GET", "https://read.example") == "405 ");
  CHECK(ask("/none", "GET", "https://read.example") == "404 ");
  CHECK(ask("/any", "GET", "https://app.example") == "204 https://app.example");
}

TEST_CASE("cors: wrong options are problems") {
  const std::string shape = " is no origin: scheme, host and port in small letters, no path, and a star only as in https://*.example.com";
  const auto origin = [](std::string text) { return problems({.origins = {std::move(text)}}); };
  CHECK(problems({}) == "origins: cors needs origins");
  CHECK(origin("app.example") == "origins: \"app.example\" is no origin: write https://HOST or https://HOST:PORT");
  CHECK(origin("") == "origins: \"\" is no origin: write https://HOST or https://HOST:PORT");
  for (const char* bad : {"https://", "https://app.example/", "https://App.example", "HTTPS://app.example", "https://*", "https://*example.com", "https://a.*.b",
                          "https://*.", "https://**.a", "https://caf\xc3\xa9.example", "https://user@a", "https://a b", "https://.a", "https://[::1", "https://:80"}) {
    CAPTURE(bad);
    CHECK(origin(bad) == "origins: \"" + std::string(bad) + '"' + shape);
  }
  for (const char* bad : {"https://a:", "https://a:x", "https://a:080", "https://a:123456", "https://a:1/"})
    CHECK(origin(bad) == "origins: \"" + std::string(bad) + "\" has no valid port");
  CHECK(origin("https://a:443") == "origins: \"https://a:443\": browsers leave the default port out");
  CHECK(origin("http://a:80") == "origins: \"http://a:80\": browsers leave the default port out");
  CHECK(origin("null") == "origins: \"null\" is the origin of sandboxed pages and files of anybody; use \"*\" if all may");
  for (const char* good : {"http://a:443", "https://[::1]", "http://[::1]:8080", "chrome-extension://abcdef", "http://localhost", "https://*.a", "https://a_b.c"})
    CHECK(origin(good) == "");
  CHECK(problems({.origins = {"*", "https://a"}}) == "origins: \"*\" stands alone");
  CHECK(problems({.origins = {"*"}, .credentials = true}) == "origins: \"*\" with credentials would let every page act for the user: list the origins");
  CHECK(problems({.origins = {"https://a"}, .methods = {"*"}, .headers = {"*"}, .expose = {"*"}, .credentials = true}) ==
        "methods: \"*\" means nothing to browsers when credentials are allowed: list the methods\n"
        "headers: \"*\" means nothing to browsers when credentials are allowed: list the headers\n"
        "expose: \"*\" means nothing to browsers when credentials are allowed: list the headers");
  CHECK(problems({.origins = {"*"}, .methods = {"get", "*"}, .headers = {"a b"}, .expose = {""}, .max_age = 1500ms}) ==
        "methods: \"*\" stands alone\nmethods: \"get\" is no method that gw knows\nheaders: \"a b\" is no name of a header\n"
        "expose: \"\" is no name of a header\nmax_age: a number of whole seconds is needed");
}

TEST_CASE("cors: a configuration says the same") {
  const auto read = [](const std::string& options) { return config_reading::read("use: [{cors: " + options + "}]"); };
  const auto good = read("{origins: [\"https://app.example\", \"https://*.example.org\"], methods: [GET], headers: content-type, expose: [link], "
                         "credentials: true, max_age: 10m}");
  CHECK(good.problems == std::vector<std::string>{});
  REQUIRE(good.config.use.size() == 1);
  CHECK(good.config.use[0].stage().has_value());
  CHECK(read("{origins: \"*\"}").problems == std::vector<std::string>{});
  CHECK(read("{origins: \"*\", credentials: true}").problems ==
        std::vector<std::string>{"gw:1:14: use[0].cors: \"*\" with credentials would let every page act for the user: list the origins"});
  CHECK(config_reading::read("use: [cors]").problems == std::vector<std::string>{"gw:1:7: use[0]: cors needs origins"});
}
