#include <doctest/doctest.h>

#include <gw/gateway.hpp>
#include <gw/middleware/basic_auth.hpp>

#include "middleware/password.hpp"
#include "middleware/remembered.hpp"
#include "support/fake_host.hpp"
#include "support/temp_dir.hpp"
#include "unit/config_reading.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using gw::detail::Remembered;
using namespace std::chrono_literals;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

// Of "s3cret: p\u00e4ss", with few rounds.
const std::string password = "s3cret: p\xc3\xa4ss";
const std::string sha512 = "$6$rounds=1000$abcdefgh$SP4EVsrrv0qihgYq4Pm/FEJOhf2i8kryOB4YihNBPFu1tC7ZBDs5UhzRB4CWT.ZNrU3GticEu9VoxYnwvtl/S0";
const std::string sha256 = "$5$rounds=1000$abcdefgh$AAQbOOT80WEfyW1ATBSt9S5vmrkHHdAi0uLKg0Zctv6";
const std::string bcrypt = "$2b$04$abcdefghijklmnopqrstuughv2QDmVND5E4Xj71AUwXzdiMkwmYcu";
const std::string yescrypt = "$y$j75$abcdefghijklmnop$GdLZxCdttnpUJyQXupHY3gzQDCAYyUasetuBjTaD3zA";

std::string base64(std::string_view text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) word = word << 8 | (i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k) out += i + k <= text.size() ? digits[word >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string basic(std::string_view name, std::string_view secret) { return "Basic " + base64(std::string(name) + ':' + std::string(secret)); }

/// A gateway that answers who asked and what was left of the request.
gw::Gateway gateway(gw::BasicAuthOptions options) {
  gw::Gateway app;
  app.use(gw::basic_auth(std::move(options)));
  app.get("/", [](gw::Context& c) {
    std::string text = std::string(c.consumer()) + ' ';
    for (const auto& field : c.req.headers) text.append(field.name).append("=").append(field.value) += ';';
    return text;
  });
  return app;
}

/// "200 alice fields", or "401".
std::string ask(gw::Gateway& app, const Fields& fields) {
  gw::Request request(gw::Method::get, "/");
  for (const auto& [name, value] : fields) request.headers.borrow(name, value);
  const gw::Response response = app.dispatch(std::move(request));
  CHECK((response.status == 401) == response.headers.has("www-authenticate"));
  return std::to_string(response.status) + (response.status == 200 ? ' ' + std::string(response.body.text()) : "");
}

std::string problems(gw::BasicAuthOptions options) {
  try {
    gw::basic_auth(std::move(options));
    return "";
  } catch (const gw::ConfigError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("basic_auth: a name and its password let the request pass, and leave it") {
  gw::Gateway app = gateway({.users = {{"alice", sha512}, {"bob", bcrypt}, {"carol", yescrypt}, {"dave", sha256}}});
  const std::string huge = base64("alice:" + std::string(1000, 'x'));
  struct Case {
    const char* what;
    Fields fields;
    std::string expected;
  };
  const std::vector<Case> cases{
      {"SHA-512", {{"Authorization", basic("alice", password)}, {"Accept", "*/*"}}, "200 alice Accept=*/*;X-Consumer=alice;"},
      {"again", {{"Authorization", basic("alice", password)}}, "200 alice X-Consumer=alice;"},
      {"bcrypt", {{"Authorization", basic("bob", password)}}, "200 bob X-Consumer=bob;"},
      {"yescrypt", {{"Authorization", basic("carol", password)}}, "200 carol X-Consumer=carol;"},
      {"SHA-256", {{"Authorization", basic("dave", password)}}, "200 dave X-Consumer=dave;"},
      {"a scheme has no case", {{"authorization", "bASIC    " + base64("bob:" + password)}}, "200 bob X-Consumer=bob;"},
      {"a client cannot say who it is", {{"X-Consumer", "bob"}, {"Authorization", basic("alice", password)}, {"x_consumer", "bob"}},
       "200 alice X-Consumer=alice;"},
      {"nothing", {}, "401"},
      {"an empty field", {{"Authorization", ""}}, "401"},
      {"no token", {{"Authorization", "Basic"}}, "401"},
      {"only spaces", {{"Authorization", "Basic   "}}, "401"},
      {"another scheme", {{"Authorization", "Bearer " + base64("alice:" + password)}}, "401"},
      {"a longer name of a scheme", {{"Authorization", "Basics " + base64("alice:" + password)}}, "401"},
      {"two fields", {{"Authorization", basic("alice", password)}, {"Authorization", basic("alice", password)}}, "401"},
      {"two schemes", {{"Authorization", basic("alice", password)}, {"Authorization", "Bearer x"}}, "401"},
      {"a wrong password", {{"Authorization", basic("alice", "wrong")}}, "401"},
      {"an empty password", {{"Authorization", basic("alice", "")}}, "401"},
      {"the hash as password", {{"Authorization", basic("alice", sha512)}}, "401"},
      {"an unknown user", {{"Authorization", basic("mallory", password)}}, "401"},
      {"a name in another case", {{"Authorization", basic("Alice", password)}}, "401"},
      {"no name", {{"Authorization", basic("", password)}}, "401"},
      {"no colon", {{"Authorization", "Basic " + base64("alice")}}, "401"},
      {"no base64", {{"Authorization", "Basic alice:secret"}}, "401"},
      {"without padding", {{"Authorization", "Basic YWxpY2U6eA"}}, "401"},
      {"padding in the middle", {{"Authorization", "Basic YWxp=2U6eA=="}}, "401"},
      {"nothing but padding", {{"Authorization", "Basic ===="}}, "401"},
      {"of the alphabet for URLs", {{"Authorization", "Basic YWxpY2U6_-_-"}}, "401"},
      {"a token with a space", {{"Authorization", basic("alice", password) + " x"}}, "401"},
      {"a control character in the password", {{"Authorization", basic("alice", password + std::string(1, '\0'))}}, "401"},
      {"a control character in the name", {{"Authorization", basic("alice\n", password)}}, "401"},
      {"not UTF-8", {{"Authorization", basic("alice\xff", "\xfe")}}, "401"},
      {"huge", {{"Authorization", "Basic " + huge}}, "401"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.what);
    CHECK(ask(app, one.fields) == one.expected);
  }
}

TEST_CASE("basic_auth: a refusal says how to authenticate") {
  gw::Gateway app = gateway({.users = {{"alice", bcrypt}}, .realm = "the \"orders\""});
  const gw::Response response = app.dispatch(gw::Request(gw::Method::get, "/"));
  CHECK(response.status == 401);
  CHECK(response.headers["www-authenticate"] == "Basic realm=\"the \\\"orders\\\"\", charset=\"UTF-8\"");
}

TEST_CASE("basic_auth: the credentials go to the upstream only if it shall have them") {
  const Fields fields{{"Authorization", basic("alice", password)}, {"X-Consumer", "bob"}};
  gw::Gateway app = gateway({.users = {{"alice", bcrypt}}, .consumer_header = "", .forward_credentials = true});
  CHECK(ask(app, fields) == "200 alice Authorization=" + basic("alice", password) + ";X-Consumer=bob;");
}

TEST_CASE("basic_auth: a password that was right is not verified again") {
  const gw::Stage stage = gw::basic_auth({.users = {{"alice", bcrypt}}});
  gw::Gateway app;
  app.use(stage);
  app.get("/", [](gw::Context& c) { return std::string(c.consumer()); });
  const auto request = [] {
    gw::Request made(gw::Method::get, "/");
    made.headers.add("Authorization", basic("alice", password));
    return made;
  };
  // A loop without the threads of a gateway cannot verify; that it answers shows that it need not.
  const gw::Pipeline pipeline({stage});
  const auto status_without_threads = [&] {
    gw::Context c;
    c.req = request();
    gw_test::run(pipeline.run(c, gw::Handler([](gw::Context&) { return 200; })));
    return c.res.status;
  };
  CHECK(app.dispatch(request()).body.text() == "alice");
  CHECK(status_without_threads() == 200);
}

TEST_CASE("basic_auth: verified credentials expire, are bounded, and can be forgotten") {
  const auto start = Remembered::Clock::time_point(1000s);
  const auto fingerprint = [](std::size_t n) { return gw::detail::Fingerprint{n, 0}; };
  const std::string user = "alice";
  Remembered table;
  CHECK(table.find(fingerprint(1), start) == nullptr);
  table.add(fingerprint(1), user, start + 10s);
  CHECK(table.find(fingerprint(1), start) == &user);
  CHECK(table.find(fingerprint(1), start + 10s - 1ns) == &user);
  CHECK(table.find(fingerprint(1), start + 10s) == nullptr);
  table.add(fingerprint(1), user, start + 20s);
  CHECK(table.find(fingerprint(1), start + 10s) == &user);

  // Half of a fingerprint is none.
  for (const gw::detail::Fingerprint& near : {gw::detail::Fingerprint{1, 16}, gw::detail::Fingerprint{1, 1ull << 63}, gw::detail::Fingerprint{17, 0}})
    CHECK(table.find(near, start + 10s) == nullptr);

  // All of one shard: what would expire first makes room.
  for (std::size_t n = 2; n <= Remembered::shard_limit; ++n) table.add(fingerprint(n), user, start + 1h);
  CHECK(table.find(fingerprint(1), start) == &user);
  table.add(fingerprint(2), user, start + 2h);
  CHECK(table.find(fingerprint(1), start) == &user);
  table.add(fingerprint(0), user, start + 1h);
  CHECK(table.find(fingerprint(1), start) == nullptr);
  CHECK(table.find(fingerprint(0), start) == &user);

  table.clear();
  for (std::size_t n = 0; n <= Remembered::shard_limit; ++n) CHECK(table.find(fingerprint(n), start) == nullptr);
}

TEST_CASE("basic_auth: users come from a file") {
  const gw_test::TempDir dir;
  gw::Gateway app = gateway({.users_file = dir.write("users", "# users\r\n\nalice:" + sha512 + "\r\n  bob:" + bcrypt + "\n#carol:" + bcrypt)});
  CHECK(ask(app, {{"Authorization", basic("alice", password)}}) == "200 alice X-Consumer=alice;");
  CHECK(ask(app, {{"Authorization", basic("bob", password)}}) == "200 bob X-Consumer=bob;");
  CHECK(ask(app, {{"Authorization", basic("carol", password)}}) == "401");

  gw::Gateway nobody = gateway({.users_file = dir.write("none", "\n")});
  CHECK(ask(nobody, {{"Authorization", basic("alice", password)}}) == "401");
}

TEST_CASE("basic_auth: every mistake of a file is told with its line, and no secret is") {
  const gw_test::TempDir dir;
  const std::string file = dir.write("users", "alice:secret\nbob\n" + bcrypt + "\ncarol:" + sha512.substr(0, sha512.size() - 1) + "\ndave:" + bcrypt +
                                                  " \ndave:" + bcrypt + "\ner ic:" + bcrypt + "\nf\xc3\xa9:" + bcrypt + "\n:" + bcrypt + "\ng:" + bcrypt + ":x\n");
  const std::string name = ": a name has 1 to 128 visible ASCII characters, and no spaces\n",
                    cut = ": the hash of a password is cut off, or has characters that do not belong there";
  const std::string told = problems({.users_file = file});
  CHECK(told == file + ":1:1: " + gw::detail::password_hash_mistake("secret") + "\n" + file + ":2:1: expected NAME:HASH\n" + file +
                    ":3:1: expected NAME:HASH\n" + file + ":4:1" + cut + "\n" + file + ":6:1: this user is there already\n" + file + ":7:1" + name + file +
                    ":8:1" + name + file + ":9:1" + name + file + ":10:1" + cut);
}

TEST_CASE("basic_auth: only hashes that are made for passwords are taken") {
  for (const std::string& good : {sha512, sha256, bcrypt, yescrypt, std::string("$2y") + bcrypt.substr(3), std::string("$2a") + bcrypt.substr(3)}) {
    CAPTURE(good);
    CHECK(gw::detail::password_hash_mistake(good) == "");
  }
  const std::string unknown = gw::detail::password_hash_mistake("");
  for (const char* bad : {"secret", "$1$abcdefgh$G9gWxnnJQ5a1rTHO2qpzs0", "$apr1$abcdefgh$1Lo6Kb2wj4Jh0kvCsXQ9d/", "ab01FAX.bQRSU",
                          "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "$argon2id$v=19$m=16,t=2,p=1$c29tZXNhbHQ$x", "$6", "*", "!", "x$6$a$b"})
    CHECK(gw::detail::password_hash_mistake(bad) == unknown);
  for (const std::string& bad : {std::string("$6$"), std::string("$6$salt$"), sha512 + "x", "$6$" + std::string(86, '!'), bcrypt.substr(0, 40),
                                 yescrypt + "\n", std::string("$2b$99$") + bcrypt.substr(7),
                                 std::string("$2b$4$") + bcrypt.substr(7), "$6$rounds=x$" + sha512.substr(15), "$6$sa:lt$" + sha512.substr(24),
                                 "$6$rounds=1000$a$b$" + sha512.substr(24), "$y$$abcdefgh" + yescrypt.substr(23), sha512.substr(0, 50) + "\xff" + sha512.substr(51)}) {
    CAPTURE(bad);
    CHECK(gw::detail::password_hash_mistake(bad) == "the hash of a password is cut off, or has characters that do not belong there");
  }
}

TEST_CASE("basic_auth: wrong options are problems") {
  const auto with = [](auto&& edit) {
    gw::BasicAuthOptions options{.users = {{"a", bcrypt}}};
    edit(options);
    return problems(options);
  };
  CHECK(problems({}) == "basic_auth needs users or users_file");
  CHECK(with([](auto& o) { o.users[0].first = "a:b"; }) == "users: a user's name has no colon");
  CHECK(with([](auto& o) { o.realm = "caf\xc3\xa9"; }) == "realm: a realm has visible ASCII characters and spaces only");
  CHECK(with([](auto& o) { o.consumer_header = "Authorization"; }) == "consumer_header: the password and the user's name need different headers");
  CHECK(with([](auto& o) { o.remember = {}; }) == "remember: a duration must be above zero");
  CHECK(with([](auto& o) { o.verifications = 0; }) == "verifications: without verifications nobody could pass");
}

TEST_CASE("basic_auth: a configuration says the same") {
  const gw_test::TempDir dir;
  const auto read = [](const std::string& options) { return config_reading::read("use: [{basic_auth: " + options + "}]"); };
  const auto good = read("{users: {alice: \"" + sha512 + "\"}, users_file: " + dir.write("users", "bob:" + bcrypt + "\n") +
                         ", realm: r, consumer_header: X-User, forward_credentials: true, remember: 1m, verifications: 8}");
  CHECK(good.problems == std::vector<std::string>{});
  REQUIRE(good.config.use.size() == 1);
  CHECK(good.config.use[0].stage().has_value());
  CHECK(read("{users: {alice: secret}}").problems ==
        std::vector<std::string>{"gw:1:20: use[0].basic_auth: " + gw::detail::password_hash_mistake("")});
  CHECK(read("{users_file: " + dir.write("bad", "x\n") + "}").problems ==
        std::vector<std::string>{(dir / "bad") + ":1:1: use[0].basic_auth: expected NAME:HASH"});
  CHECK(read("{verifications: 0, users: {a: \"" + bcrypt + "\"}}").problems ==
        std::vector<std::string>{"gw:1:36: use[0].basic_auth.verifications: expected a whole number from 1 to 1000000, found \"0\""});
}
