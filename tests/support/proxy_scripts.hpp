/// \file
/// Conversations through the gateway, as a table: what the client sends, what the upstream answers,
/// and what each of them must receive.
#pragma once

#include "support/memory_world.hpp"

#include <asio/post.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gw_test {

/// A response as it must reach the client.
struct ExpectedResponse {
  int status;
  std::string body;
};

/// A request as it must reach the upstream.
struct ExpectedRequest {
  std::string start;
  std::string body;
};

/// One conversation.
struct Script {
  std::string name;
  std::string client;                      ///< what the client sends; if there is nothing in `then`, it has finished
  std::vector<gw::Method> methods{};       ///< of the requests, where one is not GET
  std::vector<std::string> upstream{};     ///< its responses
  UpstreamPeer::When when = UpstreamPeer::When::end;
  std::string at_head{};                   ///< what the upstream says to the head of a request, before its response
  bool upstream_ends = false;              ///< behind its last response
  std::vector<ExpectedResponse> to_client{};
  std::vector<ExpectedRequest> to_upstream{};
  /// Whether the upstream gets all of a request's body; it does not if it answers early.
  bool is_upload_whole = true;
  struct Line {
    std::string heard;  ///< when this is among what the client got,
    std::string says;   ///< it sends this
  };
  std::vector<Line> then{};                ///< what it sends on hearing something; then it has finished
};

/// Lets a client play its part.
class ScriptedClient {
 public:
  ScriptedClient(const Script& script, MemoryTransport& transport) : then_(script.then), transport_(transport) {
    transport.on_write = [this](std::string_view written) { hear(written); };
    transport.receive(script.client);
    hear({});
  }
  ~ScriptedClient() { transport_.on_write = nullptr; }
  ScriptedClient(const ScriptedClient&) = delete;
  ScriptedClient& operator=(const ScriptedClient&) = delete;

 private:
  void hear(std::string_view written) {
    while (line_ < then_.size() && written.find(then_[line_].heard) != written.npos) transport_.receive(then_[line_++].says);
    if (line_ == then_.size() && !std::exchange(has_ended_, true)) transport_.receive_end();
  }

  const std::vector<Script::Line>& then_;
  MemoryTransport& transport_;
  std::size_t line_ = 0;
  bool has_ended_ = false;
};

/// A stream that a handler makes: "piece 0;piece 1;...", some pieces at once, others after a turn of
/// the event loop.
class Pieces final : public gw::Body::Source {
 public:
  explicit Pieces(int count) : left_(count) {}

  std::optional<gw::Chunk> ready() override {
    if (number_ % 3 == 1 && !has_waited_) return std::nullopt;
    return next();
  }
  gw::Task<gw::Result<gw::Chunk>> read() override {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    has_waited_ = true;
    co_return next();
  }

 private:
  gw::Chunk next() {
    has_waited_ = false;
    if (number_ == left_) return {};
    text_ = "piece " + std::to_string(number_++) + ';';
    return text_;
  }

  int left_;
  int number_ = 0;
  bool has_waited_ = false;
  std::string text_;
};

/// A filter around a body: all in upper case.
class Upper final : public gw::Body::Source {
 public:
  explicit Upper(gw::Body inner) : inner_(std::move(inner)) {}
  std::optional<gw::Chunk> ready() override {
    const std::optional<gw::Chunk> chunk = inner_.ready();
    return chunk ? std::optional(raise(*chunk)) : std::nullopt;
  }
  gw::Task<gw::Result<gw::Chunk>> read() override {
    const gw::Result<gw::Chunk> chunk = co_await inner_.read();
    if (!chunk) co_return chunk.error();
    co_return raise(*chunk);
  }
  void cancel() override { inner_.cancel(); }
  std::optional<std::uint64_t> size() const override { return inner_.size(); }
  const gw::Headers& trailers() const override { return inner_.trailers(); }

 private:
  gw::Chunk raise(gw::Chunk chunk) {
    text_ = chunk;
    for (char& c : text_)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return text_;
  }

  gw::Body inner_;
  std::string text_;
};

/// Wraps the response's body.
struct UpperStage {
  void response(gw::Context& c) const { c.res.body = gw::Body(std::make_unique<Upper>(std::move(c.res.body))); }
};

/// A coroutine stage that lets the rest run after a turn of the event loop.
inline gw::Task<> turn(gw::Context&, gw::Next next) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  co_await next();
}

/// The routes of the scripts; all else is forwarded.
inline void add_script_routes(gw::Config& config) {
  const auto route = [&](std::string pattern) -> gw::RouteConfig& {
    gw::RouteConfig r;
    r.rule.kind = gw::RouteRule::Kind::path;
    r.rule.pattern = std::move(pattern);
    return config.routes.emplace_back(std::move(r));
  };
  const auto handler = [](auto f) { return gw::HandlerConfig{"", gw::Handler(f), {}}; };
  route("/hello").action = handler([](gw::Context&) { return "hello"; });
  route("/pieces").action = handler([](gw::Context& c) {
    gw::Response r(200);
    r.body = gw::Body(std::make_unique<Pieces>(7));
    c.reply(std::move(r));
  });
  route("/echo").action = handler([](gw::Context& c) -> gw::Task<gw::Response> {
    gw::Result<std::string> text = co_await c.req.body.text(1000);
    if (!text) {
      c.fail(text.error());
      co_return gw::Response(gw::status_of(text.error().code));
    }
    co_return gw::Response(std::move(*text));
  });
  route("/sub").action = handler([](gw::Context& c) -> gw::Task<> {
    const gw::Upstream up("up");
    gw::Result<gw::Response> first = co_await c.send(up, gw::Request(gw::Method::get, "/one"));
    if (!first) co_return c.fail(first.error());
    const gw::Result<std::string> text = co_await first->body.text(1000);
    if (!text) co_return c.fail(text.error());
    gw::Result<gw::Response> second = co_await c.send(up, gw::Request(gw::Method::post, "/two", gw::Body(*text + "!")));
    if (!second) co_return c.fail(second.error());
    c.reply(std::move(*second));
  });
  gw::RouteConfig& upper = route("/upper");
  upper.use.push_back(gw::Stage(UpperStage{}));
  upper.action = gw::ForwardConfig{"up", {}};
  gw::RouteConfig& slow = route("/turn");
  slow.use.push_back(gw::Stage(&turn));
  slow.action = gw::ForwardConfig{"up", {}};
}

inline std::vector<Script> proxy_scripts() {
  using gw::Method;
  const std::string long_text(3000, 'x');
  const std::string host = "Host: example.com\r\n";
  const auto ok = [](const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  std::vector<Script> scripts;
  const auto add = [&](std::string name) -> Script& { return scripts.emplace_back(Script{std::move(name), {}}); };
  {
    Script& s = add("two requests in a row over one connection each");
    s.client = "GET /a?x=1 HTTP/1.1\r\n" + host + "\r\nGET /b HTTP/1.1\r\n" + host + "\r\n";
    s.upstream = {ok("first"), ok("")};
    s.to_client = {{200, "first"}, {200, ""}};
    s.to_upstream = {{"GET /a?x=1", ""}, {"GET /b", ""}};
  }
  {
    Script& s = add("a body with a length, and a chunked answer with trailers");
    s.client = "POST /p HTTP/1.1\r\n" + host + "Content-Length: 3000\r\n\r\n" + long_text;
    s.methods = {Method::post};
    s.upstream = {"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nTrailer: sum\r\n\r\n5;a=b\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nSum: 7\r\n\r\n"};
    s.to_client = {{201, "hello world"}};
    s.to_upstream = {{"POST /p", long_text}};
  }
  {
    Script& s = add("a chunked body, and a request behind it");
    s.client = "PUT /p HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x\r\ndefg\r\n0\r\nSum: 1\r\n\r\nGET /q HTTP/1.1\r\n" + host + "\r\n";
    s.methods = {Method::put};
    s.upstream = {ok("one"), ok("two")};
    s.to_client = {{200, "one"}, {200, "two"}};
    s.to_upstream = {{"PUT /p", "abcdefg"}, {"GET /q", ""}};
  }
  {
    Script& s = add("HEAD, 204 and 304 have no body, whatever they say");
    s.client = "HEAD /h HTTP/1.1\r\n" + host + "\r\nDELETE /d HTTP/1.1\r\n" + host + "\r\nGET /n HTTP/1.1\r\n" + host + "\r\nGET /e HTTP/1.1\r\n" + host + "\r\n";
    s.methods = {Method::head, Method::delete_};
    s.upstream = {"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n", ok("end")};
    s.to_client = {{200, ""}, {204, ""}, {304, ""}, {200, "end"}};
    s.to_upstream = {{"HEAD /h", ""}, {"DELETE /d", ""}, {"GET /n", ""}, {"GET /e", ""}};
  }
  {
    Script& s = add("an answer that ends with the connection");
    s.client = "GET /c HTTP/1.1\r\n" + host + "\r\n";
    s.upstream = {"HTTP/1.0 200 OK\r\n\r\nall of it"};
    s.upstream_ends = true;
    s.to_client = {{200, "all of it"}};
    s.to_upstream = {{"GET /c", ""}};
  }
  {
    Script& s = add("interim responses go through");
    s.client = "GET /i HTTP/1.1\r\n" + host + "\r\n";
    s.upstream = {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ok("done")};
    s.to_client = {{103, ""}, {102, ""}, {200, "done"}};
    s.to_upstream = {{"GET /i", ""}};
  }
  {
    Script& s = add("an expectation goes to the upstream, which says when to go on");
    s.client = "POST /x HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello";
    s.methods = {Method::post};
    s.upstream = {"HTTP/1.1 100 Continue\r\n\r\n" + ok("thanks")};
    s.when = UpstreamPeer::When::head;
    s.to_client = {{100, ""}, {200, "thanks"}};
    s.to_upstream = {{"POST /x", "hello"}};
    s.is_upload_whole = false;
  }
  {
    Script& s = add("an answer before the body has come");
    s.client = "POST /early HTTP/1.1\r\n" + host + "Content-Length: 3000\r\n\r\n" + long_text + "GET /hello HTTP/1.1\r\n" + host + "\r\n";
    s.methods = {Method::post};
    s.upstream = {"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"};
    s.when = UpstreamPeer::When::head;
    s.to_client = {{413, "big"}, {200, "hello"}};
    s.to_upstream = {{"POST /early", long_text}};
    s.is_upload_whole = false;
  }
  {
    Script& s = add("a client that waits for the upstream to say 100");
    s.client = "POST /x HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    s.then = {{"100 Continue\r\n\r\n", "hello"}, {"thanks", ""}};
    s.methods = {Method::post};
    s.at_head = "HTTP/1.1 100 Continue\r\n\r\n";
    s.upstream = {ok("thanks")};
    s.to_client = {{100, ""}, {200, "thanks"}};
    s.to_upstream = {{"POST /x", "hello"}};
  }
  {
    Script& s = add("a client that waits for 100 and gets its answer instead");
    s.client = "POST /x HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    s.then = {{"big", "hello"}};
    s.methods = {Method::post};
    s.upstream = {"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"};
    s.when = UpstreamPeer::When::head;
    s.to_client = {{413, "big"}};
    s.to_upstream = {{"POST /x", "hello"}};
    s.is_upload_whole = false;
  }
  {
    Script& s = add("an answer before the rest of the body, which still goes up, and another request");
    s.client = "POST /early HTTP/1.1\r\n" + host + "Content-Length: 10\r\n\r\nhello";
    s.then = {{"so soon", "world"}, {"so soon", "GET /b HTTP/1.1\r\n" + host + "\r\n"}, {"second", ""}};
    s.methods = {Method::post};
    s.upstream = {ok("so soon"), ok("second")};
    s.when = UpstreamPeer::When::head;
    s.to_client = {{200, "so soon"}, {200, "second"}};
    s.to_upstream = {{"POST /early", "helloworld"}, {"GET /b", ""}};
  }
  {
    Script& s = add("an answer before the rest of a chunked body with trailers");
    s.client = "POST /early HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    s.then = {{"200 OK", "5\r\nworld\r\n0\r\nSum: 1\r\n\r\n"}};
    s.methods = {Method::post};
    s.upstream = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nso soon\r\n0\r\nSum: 2\r\n\r\n"};
    s.when = UpstreamPeer::When::head;
    s.to_client = {{200, "so soon"}};
    s.to_upstream = {{"POST /early", "helloworld"}};
  }
  {
    Script& s = add("requests that wait for each other's answers");
    s.client = "GET /a HTTP/1.1\r\n" + host + "\r\n";
    s.then = {{"first", "POST /b HTTP/1.1\r\n" + host + "Content-Length: 2\r\n\r\nhi"}, {"second", "GET /c HTTP/1.1\r\n" + host + "\r\n"}, {"third", ""}};
    s.methods = {Method::get, Method::post};
    s.upstream = {ok("first"), ok("second"), ok("third")};
    s.to_client = {{200, "first"}, {200, "second"}, {200, "third"}};
    s.to_upstream = {{"GET /a", ""}, {"POST /b", "hi"}, {"GET /c", ""}};
  }
  {
    Script& s = add("a tunnel in which both sides take turns, and the client ends first");
    s.client = "GET /ws HTTP/1.1\r\n" + host + "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    s.then = {{"welcome ", "hello "}, {"welcome hello ", "again"}, {"again", ""}};
    s.upstream = {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nwelcome "};
    s.to_client = {{101, ""}, {0, "welcome hello again"}};
    s.to_upstream = {{"GET /ws", ""}};
  }
  {
    Script& s = add("a tunnel that is declined, and a request behind it");
    s.client = "GET /ws HTTP/1.1\r\n" + host + "Connection: upgrade\r\nUpgrade: websocket\r\n\r\nGET /b HTTP/1.1\r\n" + host + "\r\n";
    s.upstream = {ok("no"), ok("second")};
    s.to_client = {{200, "no"}, {200, "second"}};
    s.to_upstream = {{"GET /ws", ""}, {"GET /b", ""}};
  }
  {
    Script& s = add("another protocol after 101, both ways");
    s.client = "GET /ws HTTP/1.1\r\n" + host + "Connection: upgrade\r\nUpgrade: websocket\r\n\r\nhello tunnel";
    s.upstream = {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nwelcome "};
    s.upstream_ends = true;
    s.to_client = {{101, ""}, {0, "welcome hello tunnel"}};
    s.to_upstream = {{"GET /ws", ""}};
  }
  {
    Script& s = add("HTTP/1.0 gets an end by closing");
    s.client = "GET /old HTTP/1.0\r\n\r\n";
    s.upstream = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"};
    s.to_client = {{200, "abc"}};
    s.to_upstream = {{"GET /old", ""}};
  }
  {
    Script& s = add("handlers: a text, a stream, and an echo");
    s.client = "GET /hello HTTP/1.1\r\n" + host + "\r\nGET /pieces HTTP/1.1\r\n" + host + "\r\nPOST /echo HTTP/1.1\r\n" + host + "Content-Length: 4\r\n\r\nping" +
               "GET /hello HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n";
    s.methods = {Method::get, Method::get, Method::post};
    s.to_client = {{200, "hello"}, {200, "piece 0;piece 1;piece 2;piece 3;piece 4;piece 5;piece 6;"}, {200, "ping"}, {200, "hello"}};
  }
  {
    Script& s = add("requests that a handler sends");
    s.client = "GET /sub HTTP/1.1\r\n" + host + "\r\n";
    s.upstream = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n2\r\ny.\r\n0\r\n\r\n", ok("both done")};
    s.to_client = {{200, "both done"}};
    s.to_upstream = {{"GET /one", ""}, {"POST /two", "hey.!"}};
  }
  {
    Script& s = add("a filter around a body, and a stage that waits");
    s.client = "GET /upper HTTP/1.1\r\n" + host + "\r\nPOST /turn HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    s.methods = {Method::get, Method::post};
    s.upstream = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsmall \r\n4\r\nbig.\r\n0\r\n\r\n", ok("turned")};
    s.to_client = {{200, "SMALL BIG."}, {200, "turned"}};
    s.to_upstream = {{"GET /upper", ""}, {"POST /turn", "abc"}};
  }
  return scripts;
}

}  // namespace gw_test
