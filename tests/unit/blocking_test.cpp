#include <doctest/doctest.h>

#include <gw/gw.hpp>

#include "support/http_client.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

/// A promise that threads of a gateway wait for.
struct Gate {
  std::promise<void> promise;
  std::shared_future<void> opened = promise.get_future().share();
};

}  // namespace

TEST_CASE("blocking: a function runs on another thread, and the handler goes on where it was") {
  gw::Gateway app;
  app.get("/", [](gw::Context& c) -> gw::Task<gw::Response> {
    const std::thread::id worker = std::this_thread::get_id();
    const auto elsewhere = [worker] { return std::this_thread::get_id() != worker; };
    const bool is_elsewhere = co_await gw::blocking(elsewhere);
    const bool is_back = std::this_thread::get_id() == worker;
    // The context belongs to the worker; it would assert otherwise.
    c.slot<int>() = 1;
    co_return gw::Response(is_elsewhere && is_back ? 200 : 500, "");
  });
  for (int i = 0; i < 20; ++i) CHECK(app.dispatch(gw::Method::get, "/").status == 200);
}

TEST_CASE("blocking: results may be moved, references to the frame are fine, and void works") {
  gw::Gateway app;
  app.get("/", [](gw::Context&) -> gw::Task<gw::Response> {
    std::string seen;
    const auto write = [&seen] { seen = "seen "; };
    co_await gw::blocking(write);
    const auto make = [] { return std::make_unique<std::string>("and moved"); };
    std::unique_ptr<std::string> made = co_await gw::blocking(make);
    co_return gw::Response(seen + *made);
  });
  CHECK(app.dispatch(gw::Method::get, "/").body.text() == "seen and moved");
}

TEST_CASE("blocking: a worker serves others meanwhile") {
  Gate gate;
  gw::Gateway app;
  app.config().workers = 1;
  app.get("/slow", [opened = gate.opened](gw::Context&) -> gw::Task<const char*> {
    const auto wait = [opened] { opened.wait(); };
    co_await gw::blocking(wait);
    co_return "slow";
  });
  app.get("/fast", [](gw::Context&) { return "fast"; });
  const gw::Server server = app.start("127.0.0.1:0");
  gw_test::HttpClient slow(server.port());
  slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  for (int i = 0; i < 10; ++i) CHECK(gw_test::get(server.port(), "/fast").body == "fast");
  gate.promise.set_value();
  CHECK(slow.read_reply().body == "slow");
}

TEST_CASE("blocking: more calls than threads wait for their turn") {
  gw::Gateway app;
  std::atomic<int> calls = 0;
  app.get("/", [&calls](gw::Context&) -> gw::Task<std::string> {
    const auto count = [&calls] { return ++calls; };
    co_return std::to_string(co_await gw::blocking(count));
  });
  const gw::Server server = app.start("127.0.0.1:0");
  std::vector<std::unique_ptr<gw_test::HttpClient>> clients;
  for (int i = 0; i < 30; ++i) {
    clients.push_back(std::make_unique<gw_test::HttpClient>(server.port()));
    clients.back()->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  for (const auto& client : clients) CHECK(client->read_reply().status == 200);
  CHECK(calls == 30);
}

TEST_CASE("blocking: a stop waits for a call under way") {
  Gate gate, entered;
  gw::Gateway app;
  app.get("/", [&](gw::Context&) -> gw::Task<const char*> {
    const auto wait = [&] {
      entered.promise.set_value();
      gate.opened.wait();
    };
    co_await gw::blocking(wait);
    co_return "done";
  });
  gw::Server server = app.start("127.0.0.1:0");
  gw_test::HttpClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  entered.opened.wait();
  std::thread stopping([&] { server.stop(); });
  gate.promise.set_value();
  const gw_test::Reply reply = client.read_reply();
  stopping.join();
  CHECK(reply.body == "done");
}
