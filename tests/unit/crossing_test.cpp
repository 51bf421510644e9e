/// \file
/// Requests that cross to Python and back, with threads of C++ in the place of Python's: what the sanitizers can look at.
#include "call.hpp"

#include "support/http_client.hpp"

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <thread>

using namespace gw_python;
using namespace std::chrono_literals;

namespace {

/// What Python would be: threads that answer calls one by one, and an event loop.
class Standin {
 public:
  enum Plain : std::size_t { answers, fails, reads, slow };
  enum Waiting : std::size_t { echoes, edits, replies, passes };

  Standin() {
    for (int i = 0; i < 4; ++i)
      threads_.emplace_back([this] {
        Queue::Hand hand;
        while (const std::optional<Item> item = plain->take(hand)) act(*item);
      });
    loop_ = std::thread([this] { run_loop(); });
  }
  ~Standin() { stop(); }

  /// Nothing is answered any more.
  void stop() {
    if (!loop_.joinable()) return;
    plain->close();
    is_over_ = true;
    loop->close();
    const std::uint64_t one = 1;
    REQUIRE(::write(loop->descriptor(), &one, sizeof one) == sizeof one);
    for (std::thread& thread : threads_) thread.join();
    loop_.join();
  }

  void define(gw::Gateway& app) {
    const auto handler = [&](std::string name, std::size_t number, Reading reading, const std::shared_ptr<Queue>& queue) {
      app.define_handler(std::move(name), python_handler(number, reading, queue, loop));
    };
    handler("answers", answers, Reading::whole, plain);
    handler("fails", fails, Reading::whole, plain);
    handler("reads", reads, Reading::pieces, plain);
    handler("slow", slow, Reading::whole, plain);
    handler("echoes", echoes, Reading::pieces, loop);
    app.define("edits", python_stage("edits", edits, true, true, loop));
    app.define("replies", python_stage("replies", replies, true, false, loop));
    app.define("passes", python_stage("passes", passes, true, false, loop));
    app.define("done", python_stage("done", edits, false, true, loop));
  }

  const std::shared_ptr<Queue> plain = std::make_shared<Queue>(), loop = std::make_shared<Queue>();
  std::atomic<int> begun_streams = 0, dropped_streams = 0, done = 0, over = 0, gone = 0;

 private:
  struct Stream {
    std::shared_ptr<Call> call;
    bool has_begun = false;
  };

  static gw::Response text(std::string content) { return gw::Response(200, std::move(content)); }

  // What a thing that is over says is refused, and nothing else happens.
  template <class F>
  static void say(F f) {
    try {
      f();
    } catch (const CallError&) {
    }
  }

  void act(const Item& item) {
    if (item.kind == Item::Kind::drop) {
      ++dropped_streams;
      return;
    }
    if (item.kind == Item::Kind::pull) return say([&] { item.call->finish(true); });
    say([&] {
      Call& call = *item.call;
      switch (item.number) {
        case answers: call.reply(text(std::string(call.asked().path) + ' ' + std::to_string(call.content().size()))); break;
        case fails: call.fail(); break;
        case slow: std::this_thread::sleep_for(2ms), call.reply(text("slow")); break;
        default: {
          std::size_t size = call.content().size();
          if (!call.has_content())
            for (gw::Result<std::string> piece = call.read_now(false); piece && !piece->empty(); piece = call.read_now(false)) size += piece->size();
          call.reply(text(std::to_string(size)));
        }
      }
    });
  }

  void run_loop() {
    Outbox outbox;
    bool has_more = false;
    outbox.on_first = [&] { has_more = true; };
    Outbox::present() = &outbox;
    while (!is_over_) {
      pollfd wanted{loop->descriptor(), POLLIN, 0};
      ::poll(&wanted, 1, -1);
      for (const Item& item : loop->take_all()) act_on_loop(item);
      if (std::exchange(has_more, false)) outbox.flush();
    }
    Outbox::present() = nullptr;
    outbox.flush();
    waiting_.clear();
    streams_.clear();
  }

  void act_on_loop(const Item& item) {
    say([&] {
      switch (item.kind) {
        case Item::Kind::handle: begin_echo(item.call); break;
        case Item::Kind::stage: begin_stage(item.number, item.call); break;
        case Item::Kind::resumed:
          if (const auto found = waiting_.find(item.number); found != waiting_.end()) {
            const auto then = std::move(found->second);
            waiting_.erase(found);
            then();
          }
          break;
        case Item::Kind::pull: pull(item.number, item.call); break;
        case Item::Kind::drop:
          streams_.erase(item.number);
          ++dropped_streams;
          break;
        case Item::Kind::done: ++done, item.call->end(); break;
        case Item::Kind::over: ++over; break;
        case Item::Kind::gone: ++gone; break;
      }
    });
  }

  // Gives back what it reads, piece by piece.
  void begin_echo(const std::shared_ptr<Call>& call) {
    const std::size_t number = next_++;
    streams_[number] = {call};
    ++begun_streams;
    gw::Response response(200);
    response.body = python_body(call, number, loop, std::nullopt);
    call->reply(std::move(response));
  }

  void pull(std::size_t stream, const std::shared_ptr<Call>& call) {
    const bool is_first = !std::exchange(streams_[stream].has_begun, true);
    if (is_first && !call->content().empty()) return call->give(call->content());
    if (call->has_content()) return call->finish(true);
    const std::size_t number = next_++;
    waiting_[number] = [call] {
      const gw::Result<std::string> piece = call->take_piece();
      if (piece && !piece->empty()) call->give(*piece);
      else call->finish(piece.has_value());
    };
    call->read(false, number);
  }

  void begin_stage(std::size_t stage, const std::shared_ptr<Call>& call) {
    call->keep();
    if (stage == replies) return call->reply(text("replied"));
    Call::Edits before;
    before.request_headers.emplace();
    before.request_headers->add("x-edited", "yes");
    before.consumer = "ann";
    if (stage == passes) return call->next(std::move(before), 0, true);
    const std::size_t number = next_++;
    waiting_[number] = [this, call] {
      Call::Edits after;
      after.status = 203;
      if (call->outcome().status != 200) return call->leave(std::move(after));
      const std::size_t read = next_++;
      waiting_[read] = [call, after]() mutable {
        const gw::Result<std::string> content = call->take_piece();
        after.response_headers.emplace();
        after.response_headers->add("x-size", std::to_string(content ? content->size() : 0));
        call->leave(std::move(after));
      };
      call->read_response(read);
    };
    call->next(std::move(before), number, false);
  }

  std::vector<std::thread> threads_;
  std::thread loop_;
  std::atomic<bool> is_over_ = false;
  // The loop's.
  std::size_t next_ = 0;
  std::map<std::size_t, std::function<void()>> waiting_;
  std::map<std::size_t, Stream> streams_;
};

void configure(gw::Gateway& app, Standin& python) {
  python.define(app);
  gw::Problems problems;
  app.config() = gw::parse_config(R"({"listen": "127.0.0.1:0", "workers": 2, "timeouts": {"drain": "5s"}, "routes": [
    {"path": "/answers", "handler": "answers"}, {"path": "/fails", "handler": "fails"}, {"path": "/reads", "handler": "reads"},
    {"path": "/slow", "handler": "slow"}, {"path": "/echoes", "handler": "echoes"},
    {"path": "/edits", "use": ["edits", "done"], "handler": "answers"}, {"path": "/edits/fails", "use": ["edits"], "handler": "fails"},
    {"path": "/replies", "use": ["replies"], "handler": "answers"}, {"path": "/passes", "use": ["passes"], "handler": "answers"}]})",
                                  gw::Notation::json, "", problems);
  REQUIRE(problems.empty());
}

}  // namespace

TEST_CASE("crossing: eight clients at once get what they asked for, and nothing is left behind") {
  Standin python;
  gw::Gateway app;
  configure(app, python);
  gw::Server server = app.start();
  const std::string large(200'000, 'x');
  std::atomic<int> wrong = 0, left = 0;
  const auto expect = [&](bool is_right) { wrong += !is_right; };

  std::vector<std::thread> clients;
  for (int n = 0; n < 8; ++n)
    clients.emplace_back([&, n] {
      for (int i = 0; i < 25; ++i) {
        gw_test::HttpClient client(server.port());
        expect(client.get("/answers").body == "/answers 0");
        expect(client.ask("POST", "/answers", "", "abc").body == "/answers 3");
        expect(client.get("/fails").status == 500);
        expect(client.ask("POST", "/reads", "", large).body == "200000");
        expect(client.ask("POST", "/echoes", "", large).body == large);
        expect(client.get("/echoes").body.empty());
        const gw_test::Reply edited = client.get("/edits");
        expect(edited.status == 203 && edited.headers.at("x-size") == "8" && edited.body == "/edits 0");
        expect(client.get("/edits/fails").status == 203);
        expect(client.get("/replies").body == "replied");
        expect(client.get("/passes").body == "/passes 0");
        if (i % 5 == 0) expect(client.get("/slow").body == "slow");
        expect(app.dispatch(gw::Method::post, "/echoes", gw::Body("dispatched")).body.text() == "dispatched");
        // One that leaves in the middle of what it sends, and one that does before it has its answer.
        gw_test::HttpClient leaves(server.port()), forgets(server.port());
        leaves.send("POST /echoes HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
        forgets.send(n % 2 ? "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" : "GET /edits HTTP/1.1\r\nHost: a\r\n\r\n");
        left += 2;
      }
    });
  for (std::thread& client : clients) client.join();
  app.stop();
  CHECK(wrong == 0);
  CHECK(left == 400);
  python.stop();
  CHECK(python.begun_streams == python.dropped_streams);
  CHECK(python.begun_streams >= 8 * 25 * 3);
  CHECK(python.done >= 8 * 25 * 2);
  CHECK(python.over >= 8 * 25 * 4);
}

TEST_CASE("crossing: requests that Python will not answer any more get 500") {
  Standin python;
  gw::Gateway app;
  configure(app, python);
  gw::Server server = app.start();
  std::atomic<int> others = 0;
  std::atomic<bool> is_over = false;
  std::vector<std::thread> clients;
  for (int n = 0; n < 8; ++n)
    clients.emplace_back([&, n] {
      static constexpr std::array targets = {"/answers", "/slow", "/edits", "/passes"};
      gw_test::HttpClient client(server.port());
      int status = 0;
      do {
        status = client.get(targets[static_cast<std::size_t>(n) % targets.size()]).status;
        others += status != 200 && status != 203 && status != 500;
      } while (!is_over);
      // By now everybody hears it.
      others += client.get("/answers").status != 500;
    });
  gw_test::HttpClient client(server.port());
  for (int i = 0; i < 50; ++i) CHECK(client.get("/answers").status == 200);
  python.stop();
  is_over = true;
  for (std::thread& thread : clients) thread.join();
  CHECK(others == 0);
}

TEST_CASE("crossing: things that take their time do not hold up others") {
  const auto queue = std::make_shared<Queue>();
  std::atomic<int> together = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      Queue::Hand hand;
      while (const std::optional<Item> item = queue->take(hand)) {
        ++together;
        while (together < 3) std::this_thread::yield();
      }
    });
  for (std::size_t i = 0; i < 3; ++i) CHECK(queue->push({Item::Kind::handle, i, nullptr}, nullptr));
  while (together < 3) std::this_thread::yield();
  queue->close();
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(queue->push({Item::Kind::handle, 3, nullptr}, nullptr));
}
