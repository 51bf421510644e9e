#include <doctest/doctest.h>

#include <gw/message.hpp>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

template <class T>
gw::Task<> store(gw::Task<T> task, std::optional<T>& result) {
  result = co_await std::move(task);
}

/// The result of `task`, which is run to its end.
template <class T>
T run(gw::Task<T> task) {
  asio::io_context context;
  std::optional<T> result;
  asio::co_spawn(context, store(std::move(task), result), asio::detached);
  context.run();
  REQUIRE(result.has_value());
  return std::move(*result);
}

/// Gives its chunks one by one: those that begin with "!" at once, the others after a wait.
class Script final : public gw::Body::Source {
 public:
  Script(std::vector<std::string> chunks, std::optional<std::uint64_t> size) : chunks_(std::move(chunks)), size_(size) {
    trailers_.add("x-end", "1");
  }

  std::optional<gw::Chunk> ready() override {
    if (next_ == chunks_.size() || chunks_[next_].front() != '!') return std::nullopt;
    return gw::Chunk(chunks_[next_++]);
  }
  gw::Task<gw::Result<gw::Chunk>> read() override {
    if (next_ == chunks_.size()) co_return gw::Chunk();
    if (chunks_[next_] == "fail") co_return gw::Failure(gw::Error::client_gone, gw::Origin::client);
    co_return gw::Chunk(chunks_[next_++]);
  }
  std::optional<std::uint64_t> size() const override { return size_; }
  const gw::Headers& trailers() const override { return trailers_; }

 private:
  std::vector<std::string> chunks_;
  std::optional<std::uint64_t> size_;
  std::size_t next_ = 0;
  gw::Headers trailers_;
};

gw::Body script(std::vector<std::string> chunks, std::optional<std::uint64_t> size = std::nullopt) {
  return gw::Body(std::make_unique<Script>(std::move(chunks), size));
}

std::string type_of(const gw::Response& response) { return std::string(response.headers["content-type"]); }

}  // namespace

TEST_CASE("response: what a handler returns becomes status, type and content") {
  struct Row {
    gw::Response response;
    int status;
    const char* type;
    const char* text;
  };
  const Row rows[] = {
      {200, 200, "", ""},
      {204, 204, "", ""},
      {404, 404, "application/json", R"({"message":"Not Found"})"},
      {503, 503, "application/json", R"({"message":"Service Unavailable"})"},
      {499, 499, "application/json", R"({"message":"Bad Request"})"},
      {599, 599, "application/json", R"({"message":"Internal Server Error"})"},
      {"pong", 200, "text/plain; charset=utf-8", "pong"},
      {std::string("pong"), 200, "text/plain; charset=utf-8", "pong"},
      {std::string_view("pong"), 200, "text/plain; charset=utf-8", "pong"},
      {gw::Response(201, "made"), 201, "text/plain; charset=utf-8", "made"},
      {gw::Json(R"({"id":7})"), 200, "application/json", R"({"id":7})"},
      {gw::Response(202, gw::Json("[]")), 202, "application/json", "[]"},
  };
  for (const Row& row : rows) {
    CHECK(row.response.status == row.status);
    CHECK(type_of(row.response) == row.type);
    CHECK(row.response.body.text() == row.text);
  }
}

TEST_CASE("response: the message of an error is escaped as JSON") {
  const gw::Response response = gw::Response::error(400, "a \"b\" \\ \n\x01 caf\xc3\xa9");
  CHECK(response.body.text() == "{\"message\":\"a \\\"b\\\" \\\\ \\u000a\\u0001 caf\xc3\xa9\"}");
  CHECK(response.status == 400);
  CHECK(type_of(response) == "application/json");
}

TEST_CASE("response: a status that is none is refused") {
  for (const int status : {-1, 0, 100, 199, 600, 2000}) {
    CHECK_THROWS_AS(gw::Response{status}, std::invalid_argument);
    CHECK_THROWS_AS(gw::Response(status, "x"), std::invalid_argument);
    CHECK_THROWS_AS(gw::Response(status, gw::Json("{}")), std::invalid_argument);
  }
}

TEST_CASE("response: clear gives a fresh one") {
  gw::Response response(404);
  response.clear();
  CHECK(response.status == 200);
  CHECK(response.headers.empty());
  CHECK(response.body.empty());
}

TEST_CASE("request: a target is taken apart and owned") {
  struct Row {
    const char* target;
    const char* path;
    const char* query;
    bool has_query;
  };
  const Row rows[] = {
      {"/", "/", "", false},
      {"/a/b", "/a/b", "", false},
      {"/a?", "/a", "", true},
      {"/a?b?c=/d", "/a", "b?c=/d", true},
      {"*", "*", "", false},
  };
  for (const Row& row : rows) {
    std::string text = row.target;
    gw::Request request(gw::Method::put, text, "content");
    text.assign(text.size(), 'x');
    const gw::Request moved = std::move(request);
    CHECK(moved.target() == row.target);
    CHECK(moved.path() == row.path);
    CHECK(moved.query() == row.query);
    CHECK(moved.has_query() == row.has_query);
    CHECK(moved.method == gw::Method::put);
    CHECK(moved.body.text() == "content");
  }
}

TEST_CASE("request: a target that could not be sent is refused") {
  for (const char* target : {"", "a", "**", "http://a/", "/a b", "/a\r\nX: y", "/\x7f", "/caf\xc3\xa9", "/a#b"})
    CHECK_THROWS_AS(gw::Request(gw::Method::get, target), std::invalid_argument);
}

TEST_CASE("request: its authority is the target's, else the Host field") {
  gw::Request request(gw::Method::get, "/");
  CHECK(request.authority() == "");
  request.headers.add("Host", "a");
  CHECK(request.authority() == "a");
  request.borrow_target("/", "/", "", false, "b");
  CHECK(request.authority() == "b");
}

TEST_CASE("request: clear gives a fresh one") {
  gw::Request request(gw::Method::put, "/a?b", "content");
  request.version = gw::Version::http10;
  request.headers.add("a", "b");
  request.clear();
  CHECK(request.method == gw::Method::get);
  CHECK(request.version == gw::Version::http11);
  CHECK(request.headers.empty());
  CHECK(request.body.empty());
  CHECK(request.target() == "");
  CHECK(request.path() == "");
  CHECK(!request.has_query());
}

TEST_CASE("body: nothing and a text are read like a stream") {
  gw::Body nothing;
  CHECK(nothing.empty());
  CHECK(nothing.size() == 0);
  CHECK(run(nothing.read())->empty());
  CHECK(nothing.trailers().empty());

  gw::Body text = "hello";
  CHECK(!text.empty());
  CHECK(!text.is_stream());
  CHECK(text.size() == 5);
  CHECK(*run(text.read()) == "hello");
  CHECK(run(text.read())->empty());
  CHECK(run(text.read())->empty());
}

TEST_CASE("body: a source is pulled until it is empty") {
  gw::Body body = script({"a", "!b", "c"});
  CHECK(body.is_stream());
  CHECK(!body.empty());
  CHECK(!body.size());
  CHECK(!body.ready());
  CHECK(*run(body.read()) == "a");
  CHECK(body.ready() == "!b");
  CHECK(*run(body.read()) == "c");
  CHECK(run(body.read())->empty());
  CHECK(body.trailers()["x-end"] == "1");
}

TEST_CASE("body: text() joins what is left and refuses more than its limit") {
  struct Row {
    std::vector<std::string> chunks;
    std::optional<std::uint64_t> size;
    std::size_t limit;
    std::optional<std::string> text;
  };
  const Row rows[] = {
      {{"ab", "!c", "d"}, std::nullopt, 5, "ab!cd"}, {{"ab", "!c", "d"}, std::nullopt, 4, std::nullopt},
      {{"ab"}, 2, 2, "ab"},                          {{"ab"}, 2, 1, std::nullopt},
      {{}, std::nullopt, 0, ""},
  };
  for (const Row& row : rows) {
    gw::Body body = script(row.chunks, row.size);
    const gw::Result<std::string> text = run(body.text(row.limit));
    CHECK(text.has_value() == row.text.has_value());
    if (text && row.text) CHECK(*text == *row.text);
    if (!text) CHECK(text.error().code == gw::Error::body_too_large);
  }
  gw::Body body = "hello";
  CHECK(*run(body.text(5)) == "hello");
}

TEST_CASE("body: a failure of the source is the failure of text()") {
  gw::Body body = script({"a", "fail"});
  const gw::Result<std::string> text = run(body.text(100));
  REQUIRE(!text);
  CHECK(text.error().code == gw::Error::client_gone);
  CHECK(text.error().origin == gw::Origin::client);
}

TEST_CASE("body: a borrowed source is left alone") {
  Script source({"a"}, std::nullopt);
  {
    gw::Body body = gw::Body::borrow(source);
    CHECK(*run(body.read()) == "a");
    const gw::Body moved = std::move(body);
    CHECK(moved.is_stream());
  }
  CHECK(source.trailers().size() == 1);
}
