#include <doctest/doctest.h>

#include <gw/middleware/key_auth.hpp>

#include "middleware/sha256.hpp"
#include "support/temp_dir.hpp"
#include "unit/config_reading.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/stat.h>

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

std::string digest_of(std::string_view key) {
  std::string digits;
  for (const unsigned char byte : gw::detail::sha256(key))
    for (const unsigned half : {byte / 16u, byte % 16u}) digits += "0123456789abcdef"[half];
  return digits;
}

/// Keys that the tests know: "alice's key" and so on.
gw::KeyAuthOptions keys(gw::KeyAuthOptions options = {}) {
  options.keys = {{"alice", digest_of("alice's key")}, {"alice", digest_of("her other key")}, {"bob", digest_of("b")}};
  return options;
}

std::string text_of(const gw::Headers& headers) {
  std::string text;
  for (const auto& field : headers) text.append(field.name).append("=").append(field.value) += ';';
  return text;
}

/// What the stage does with a request: "200 alice /target?query fields", or "401 /target?query fields".
std::string outcome(const gw::Pipeline& pipeline, std::string_view target, const Fields& fields) {
  gw::Context c;
  c.req = gw::Request(gw::Method::get, target);
  for (const auto& [name, value] : fields) c.req.headers.borrow(name, value);
  CHECK(pipeline.run_now(c, gw::Handler([](gw::Context&) { return 200; })));
  pipeline.done(c);
  CHECK((c.res.status == 401) == c.res.headers.has("www-authenticate"));
  CHECK(c.req.target() == std::string(c.req.path()) + (c.req.has_query() ? "?" : "") + std::string(c.req.query()));
  std::string text = std::to_string(c.res.status) + ' ';
  if (!c.consumer().empty()) text.append(c.consumer()) += ' ';
  return text + std::string(c.req.target()) + ' ' + text_of(c.req.headers);
}

std::string problems(gw::KeyAuthOptions options) {
  try {
    gw::key_auth(std::move(options));
    return "";
  } catch (const gw::ConfigError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("key_auth: the digest is SHA-256") {
  // FIPS 180-4, and a text of two parts over more than a block.
  CHECK(digest_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(digest_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string text(100, 'a');
  for (std::size_t n = 0; n <= text.size(); ++n)
    CHECK(gw::detail::sha256(std::string_view(text).substr(0, n), std::string_view(text).substr(n)) == gw::detail::sha256(text));
}

TEST_CASE("key_auth: a key lets the request pass, and leaves it") {
  const std::string huge(1025, 'k'), large(1024, 'k');
  gw::KeyAuthOptions in_header = keys(), in_query = keys({.query = "api_key"}), bearer = keys({.bearer = true}),
                     anywhere = keys({.header = "Key", .query = "key", .bearer = true, .consumer_header = ""});
  in_header.keys.emplace_back("large", digest_of(large));
  in_header.keys.emplace_back("huge", digest_of(huge));
  in_header.keys.emplace_back("nobody", digest_of(""));
  struct Case {
    const char* what;
    const gw::KeyAuthOptions* options;
    std::string target;
    Fields fields;
    std::string expected;
  };
  const std::vector<Case> cases{
      {"the header", &in_header, "/a?b=c", {{"Accept", "*/*"}, {"x-api-key", "alice's key"}}, "200 alice /a?b=c Accept=*/*;X-Consumer=alice;"},
      {"another key of a consumer", &in_header, "/", {{"X-API-KEY", "her other key"}}, "200 alice / X-Consumer=alice;"},
      {"a short key", &in_header, "/", {{"X-Api-Key", "b"}}, "200 bob / X-Consumer=bob;"},
      {"a long key", &in_header, "/", {{"X-Api-Key", large}}, "200 large / X-Consumer=large;"},
      {"no key", &in_header, "/", {}, "401 / "},
      {"an empty key, even a known one", &in_header, "/", {{"X-Api-Key", ""}}, "401 / "},
      {"a wrong key is taken out, too", &in_header, "/x", {{"X-Api-Key", "wrong"}, {"a", "b"}}, "401 /x a=b;"},
      {"a prefix of a key", &in_header, "/", {{"X-Api-Key", "alice's ke"}}, "401 / "},
      {"a key and more", &in_header, "/", {{"X-Api-Key", "alice's key "}}, "401 / "},
      {"a digest is no key", &in_header, "/", {{"X-Api-Key", digest_of("b")}}, "401 / "},
      {"a huge key, even a known one", &in_header, "/", {{"X-Api-Key", huge}}, "401 / "},
      {"not ASCII", &in_header, "/", {{"X-Api-Key", "caf\xc3\xa9 \xff\xfe"}}, "401 / "},
      {"the same key twice", &in_header, "/", {{"X-Api-Key", "b"}, {"x-api-key", "b"}}, "401 / "},
      {"two keys", &in_header, "/", {{"X-Api-Key", "b"}, {"x-api-key", "alice's key"}}, "401 / "},
      {"other places do not count", &in_header, "/?x-api-key=b&api_key=b", {{"Authorization", "Bearer b"}},
       "401 /?x-api-key=b&api_key=b Authorization=Bearer b;"},
      {"a client cannot say who it is", &in_header, "/", {{"X-Consumer", "bob"}, {"x-consumer", "b"}, {"X-Api-Key", "alice's key"}},
       "200 alice / X-Consumer=alice;"},
      {"nor in another spelling", &in_header, "/", {{"X_Consumer", "bob"}, {"x_CONSUMER", "b"}, {"X-Api-Key", "alice's key"}},
       "200 alice / X-Consumer=alice;"},
      {"a usual Connection", &in_header, "/", {{"Connection", "keep-alive"}, {"X-Api-Key", "b"}}, "200 bob / Connection=keep-alive;X-Consumer=bob;"},

      {"the only parameter", &in_query, "/a?api_key=b", {}, "200 bob /a X-Consumer=bob;"},
      {"the first parameter", &in_query, "/a?api_key=b&x=1&y", {}, "200 bob /a?x=1&y X-Consumer=bob;"},
      {"one in the middle", &in_query, "/a?x=1&api_key=b&y=2", {}, "200 bob /a?x=1&y=2 X-Consumer=bob;"},
      {"the last one", &in_query, "/a?x=1&&api_key=b", {}, "200 bob /a?x=1& X-Consumer=bob;"},
      {"with escapes", &in_query, "/a%2F?x=%41&api%5Fkey=alice%27s%20%6bey", {}, "200 alice /a%2F?x=%41 X-Consumer=alice;"},
      {"a plus is a plus", &in_query, "/?api_key=alice's+key", {}, "401 / "},
      {"a broken escape", &in_query, "/?api_key=b%2&x=%", {}, "401 /?x=% "},
      {"without a value", &in_query, "/?api_key&x", {}, "401 /?x "},
      {"an empty value", &in_query, "/?api_key=", {}, "401 / "},
      {"a value with an equals sign", &in_query, "/?api_key=b=", {}, "401 / "},
      {"twice", &in_query, "/?api_key=b&x=1&api_key=b", {}, "401 /?x=1 "},
      {"three times between others", &in_query, "/a?x=1&api_key=b&y=2&api_key=b&api_key=b&z", {}, "401 /a?x=1&y=2&z "},
      {"behind nothing", &in_query, "/a?&api_key=b", {}, "200 bob /a? X-Consumer=bob;"},
      {"before nothing", &in_query, "/a?api_key=b&", {}, "200 bob /a? X-Consumer=bob;"},
      {"between nothing and nothing", &in_query, "/a?&api_key=b&", {}, "200 bob /a?& X-Consumer=bob;"},
      {"in another case", &in_query, "/?API_KEY=b", {}, "401 /?API_KEY=b "},
      {"no parameter of that name", &in_query, "/?api_keys=b&xapi_key=b&=api_key", {}, "401 /?api_keys=b&xapi_key=b&=api_key "},
      {"an empty query", &in_query, "/?", {}, "401 /? "},
      {"no query", &in_query, "/", {{"X-Api-Key", "b"}}, "401 / X-Api-Key=b;"},

      {"a bearer", &bearer, "/", {{"Authorization", "Bearer b"}}, "200 bob / X-Consumer=bob;"},
      {"a scheme has no case", &bearer, "/", {{"authorization", "bEARER   b"}}, "200 bob / X-Consumer=bob;"},
      {"no token", &bearer, "/", {{"authorization", "Bearer"}}, "401 / "},
      {"only spaces", &bearer, "/", {{"authorization", "Bearer    "}}, "401 / "},
      {"another scheme is not ours", &bearer, "/", {{"Authorization", "Basic b"}}, "401 / Authorization=Basic b;"},
      {"nor one with a longer name", &bearer, "/", {{"Authorization", "Bearers b"}}, "401 / Authorization=Bearers b;"},
      {"nor nothing", &bearer, "/", {{"Authorization", ""}}, "401 / Authorization=;"},
      {"two bearers", &bearer, "/", {{"Authorization", "Bearer b"}, {"Authorization", "Bearer b"}}, "401 / "},

      {"any place, without telling the upstream", &anywhere, "/?key=b", {{"X-Consumer", "x"}}, "200 bob / X-Consumer=x;"},
      {"any place, with credentials for the upstream", &anywhere, "/", {{"Key", "b"}, {"Authorization", "Basic x"}},
       "200 bob / Authorization=Basic x;"},
      {"two places", &anywhere, "/?key=b", {{"Key", "b"}}, "401 / "},
  };
  for (const Case& one : cases) {
    CAPTURE(one.what);
    const gw::Pipeline pipeline({gw::key_auth(*one.options)});
    CHECK(outcome(pipeline, one.target, one.fields) == one.expected);
  }
}

TEST_CASE("key_auth: a refusal says how to authenticate") {
  struct Case {
    gw::KeyAuthOptions options;
    std::string challenge;
  };
  const std::vector<Case> cases{{keys(), "Key realm=\"gw\""},
                                {keys({.bearer = true, .realm = "the \"orders\" \\ API"}), "Bearer realm=\"the \\\"orders\\\" \\\\ API\""}};
  for (const Case& one : cases) {
    gw::Context c;
    const gw::Pipeline pipeline({gw::key_auth(one.options)});
    CHECK(pipeline.run_now(c, gw::Handler([](gw::Context&) { return 200; })));
    CHECK(c.res.headers["www-authenticate"] == one.challenge);
    REQUIRE(c.failure().has_value());
    CHECK(c.failure()->code == gw::Error::unauthorized);
    CHECK(c.failure()->origin == gw::Origin::client);
  }
}

TEST_CASE("key_auth: keys come from a file") {
  const gw_test::TempDir dir;
  const std::string file = dir.write("keys", "\xef\xbb\xbf# our keys\n\n" + digest_of("one") + "  alice\n\t" + digest_of("two") + " \tbob \r\n   \r\n#" +
                                                 digest_of("old") + " carol\n" + digest_of("three") + " alice");
  const gw::Pipeline pipeline({gw::key_auth({.keys_file = file})});
  struct Case {
    std::string key, expected;
  };
  for (const Case& one : std::vector<Case>{{"one", "200 alice / X-Consumer=alice;"}, {"two", "200 bob / X-Consumer=bob;"},
                                           {"three", "200 alice / X-Consumer=alice;"}, {"old", "401 / "}})
    CHECK(outcome(pipeline, "/", {{"x-api-key", one.key}}) == one.expected);

  // Whoever takes the last key away wants nobody to pass.
  const gw::Pipeline nobody({gw::key_auth({.keys_file = dir.write("none", "# nothing\n")})});
  CHECK(outcome(nobody, "/", {{"x-api-key", "one"}}) == "401 / ");
}

TEST_CASE("key_auth: every mistake of a file is told with its line, and no secret is") {
  const gw_test::TempDir dir;
  const std::string file = dir.write("keys", "secret alice\n" + digest_of("one") + "\n" + digest_of("two") + " al ice\n" + digest_of("three") +
                                                 " ann\xc3\xa9\n" + digest_of("four") + " bob\n" + digest_of("four") + " bob\n" + digest_of("five") +
                                                 "0 eve\n" + digest_of("six") + " " + std::string(129, 'x') + "\nalice:" + digest_of("seven") + "\n");
  const std::string name = ": a name has 1 to 128 visible ASCII characters, and no spaces\n",
                    digest = ": expected the SHA-256 of a key: 64 hexadecimal digits";
  CHECK(problems({.keys_file = file}) == file + ":1:1" + digest + "\n" + file + ":2:1" + name + file + ":3:1" + name + file + ":4:1" + name + file +
                                             ":6:1: this key is there already\n" + file + ":7:1" + digest + "\n" + file + ":8:1" + name + file + ":9:1" + name +
                                             file + ":9:1" + digest);
}

TEST_CASE("key_auth: what cannot be read is a problem that says why") {
  const gw_test::TempDir dir;
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  CHECK(problems({.keys_file = dir / "none"}) == "the file \"" + (dir / "none") + "\" cannot be opened: No such file or directory");
  CHECK(problems({.keys_file = dir / ""}) == "the file \"" + (dir / "") + "\" is not a regular file");
  CHECK(problems({.keys_file = dir / "pipe"}) == "the file \"" + (dir / "pipe") + "\" is not a regular file");
}

TEST_CASE("key_auth: wrong options are problems") {
  const gw::KeyAuthOptions some{.keys = {{"a", digest_of("a")}}};
  const auto with = [&](auto&& edit) {
    gw::KeyAuthOptions options = some;
    edit(options);
    return problems(options);
  };
  CHECK(problems({}) == "key_auth needs keys or keys_file");
  CHECK(problems({.keys = {{"", "x"}}}) == "keys: a name has 1 to 128 visible ASCII characters, and no spaces\n"
                                           "keys: expected the SHA-256 of a key: 64 hexadecimal digits");
  CHECK(with([](auto& o) { o.header = "a b"; }) == "header: the key's header has a name that is no header name");
  CHECK(with([](auto& o) { o.header = "authorization"; }) == "header: for Authorization: Bearer there is the option bearer");
  CHECK(with([](auto& o) { o.header = "x_consumer"; }) == "consumer_header: the key and the consumer's name need different headers");
  CHECK(with([](auto& o) { o.consumer_header = "a:"; }) == "consumer_header: the consumer's header has a name that is no header name");
  CHECK(with([](auto& o) { o.consumer_header = "host"; }) == "consumer_header: the consumer's header cannot be Host");
  CHECK(with([](auto& o) { o.consumer_header = "x-forwarded-for"; }) == "consumer_header: the consumer's header cannot be x-forwarded-for");
  CHECK(with([](auto& o) { o.realm = "a\nb"; }) == "realm: a realm has visible ASCII characters and spaces only");
}

TEST_CASE("key_auth: a configuration says the same") {
  const gw_test::TempDir dir;
  const std::string a = digest_of("a"), b = digest_of("b"), c = digest_of("c");
  const auto read = [](const std::string& options) { return config_reading::read("use: [{key_auth: " + options + "}]"); };

  const auto good = read("{keys: {alice: \"" + a + "\", bob: [\"" + b + "\"]}, keys_file: " + dir.write("good", c + " carol\n") +
                         ", header: Key, query: key, bearer: true, consumer_header: \"\", realm: r}");
  CHECK(good.problems == std::vector<std::string>{});
  REQUIRE(good.config.use.size() == 1);
  REQUIRE(good.config.use[0].stage().has_value());
  const gw::Pipeline pipeline({*good.config.use[0].stage()});
  CHECK(outcome(pipeline, "/", {{"Key", "a"}}) == "200 alice / ");
  CHECK(outcome(pipeline, "/?key=b", {}) == "200 bob / ");
  CHECK(outcome(pipeline, "/", {{"Authorization", "Bearer c"}}) == "200 carol / ");

  const std::string bad = dir.write("bad", "# x\nnonsense\n");
  struct Case {
    std::string options;
    std::vector<std::string> problems;
  };
  const std::vector<Case> cases{
      {"{}", {"gw:1:18: use[0].key_auth: key_auth needs keys or keys_file"}},
      {"{keys: {alice: x}}", {"gw:1:18: use[0].key_auth: expected the SHA-256 of a key: 64 hexadecimal digits"}},
      {"{keys: [x]}", {"gw:1:25: use[0].key_auth.keys: expected a map of consumers and the SHA-256 of their keys, found a list"}},
      {"{keys_file: " + bad + "}",
       {bad + ":2:1: use[0].key_auth: a name has 1 to 128 visible ASCII characters, and no spaces",
        bad + ":2:1: use[0].key_auth: expected the SHA-256 of a key: 64 hexadecimal digits"}},
      {"{keys_fil: x}",
       {"gw:1:19: use[0].key_auth: unknown key \"keys_fil\" (did you mean \"keys_file\"?)"}},
  };
  for (const Case& one : cases) {
    CAPTURE(one.options);
    CHECK(read(one.options).problems == one.problems);
  }
  CHECK(config_reading::read("use: [key_auth]").problems == std::vector<std::string>{"gw:1:7: use[0]: key_auth needs keys or keys_file"});
}
