#include <doctest/doctest.h>

#include "net/poller.hpp"
#include "net/socket_transport.hpp"
#include "support/http_client.hpp"
#include "support/memory_transport.hpp"

#include <asio/ip/tcp.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using gw::Side, gw::Task, gw::Wake;
using gw_test::MemoryTransport, gw_test::TestServer;
using namespace std::chrono_literals;

namespace {

constexpr auto long_time = 20s;

/// An event loop as a worker has it: a poller, and a wheel that is driven by a timer.
struct Loop {
  asio::io_context io{1};
  asio::steady_timer clock{io};
  gw::net::Wheel wheel{gw::net::Wheel::Clock::now(), [this] {
                         drive();
                         return gw::net::Wheel::Clock::now();
                       }};
  gw::net::Poller poller{io};

  gw::net::SocketTransport::Loop loop() { return {io, poller, wheel}; }

  void drive() {
    clock.expires_after(gw::net::Wheel::tick);
    clock.async_wait([this](std::error_code ec) {
      if (ec) return;
      wheel.advance(gw::net::Wheel::Clock::now());
      if (!wheel.empty()) drive();
    });
  }
  void run_until(const std::function<bool()>& is_over) {
    const auto give_up = std::chrono::steady_clock::now() + long_time;
    while (!is_over()) {
      io.run_one_for(1s);
      REQUIRE(std::chrono::steady_clock::now() < give_up);
    }
  }
  /// The result of a wait.
  Wake wait(gw::Transport& transport, Side side, std::chrono::milliseconds limit = long_time) {
    std::optional<Wake> wake;
    begin_wait(transport, side, limit, wake);
    run_until([&] { return wake.has_value(); });
    return *wake;
  }
  void begin_wait(gw::Transport& transport, Side side, std::chrono::milliseconds limit, std::optional<Wake>& wake) {
    asio::co_spawn(io, store(transport, side, limit, wake), asio::detached);
  }
  static Task<> store(gw::Transport& transport, Side side, std::chrono::milliseconds limit, std::optional<Wake>& wake) {
    wake = co_await transport.until(side, limit);
  }
  /// Everything that can be read without waiting, `size` bytes at a time.
  static std::string read(gw::Transport& transport, std::size_t size, std::error_code& ec) {
    std::string all, piece(size, ' ');
    for (;;) {
      const std::size_t n = transport.read(asio::buffer(piece), ec);
      if (ec) return all;
      all.append(piece, 0, n);
    }
  }
  ~Loop() {
    poller.close();
    clock.cancel();
    while (io.poll() > 0) continue;
  }
};

/// Two ends of a TCP connection: a transport, and a socket of the test.
struct Pair {
  // `transport` is declared first: it exists when `connect_two` fills it.
  explicit Pair(Loop& loop) : peer(connect_two(loop, transport)) {}
  static gw_test::Socket connect_two(Loop& loop, std::shared_ptr<gw::net::SocketTransport>& transport) {
    TestServer server;
    std::error_code ec;
    transport = gw::net::SocketTransport::connect(asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), server.port()), loop.loop(), ec);
    REQUIRE_FALSE(ec);
    CHECK(loop.wait(*transport, Side::write) == Wake::ready);
    CHECK_FALSE(transport->connected());
    return server.accept();
  }
  ~Pair() { transport->close(); }
  std::shared_ptr<gw::net::SocketTransport> transport;
  gw_test::Socket peer;
};

}  // namespace

TEST_CASE("transport: a wait ends when bytes are there, when the time is over, or when it is interrupted") {
  Loop loop;
  Pair pair(loop);
  CHECK(loop.wait(*pair.transport, Side::read, 1ms) == Wake::timed_out);

  std::optional<Wake> wake;
  loop.begin_wait(*pair.transport, Side::read, long_time, wake);
  while (loop.io.poll() > 0) continue;
  CHECK_FALSE(wake);
  pair.transport->interrupt(Side::read);
  CHECK(wake == Wake::cancelled);
  pair.transport->interrupt(Side::read);

  pair.peer.send("hello");
  CHECK(loop.wait(*pair.transport, Side::read) == Wake::ready);
  std::error_code ec;
  CHECK(Loop::read(*pair.transport, 100, ec) == "hello");
  CHECK(ec == asio::error::would_block);
}

TEST_CASE("transport: bytes that were left are found again, however little is read at once") {
  Loop loop;
  Pair pair(loop);
  const std::string text = "0123456789";
  for (const std::size_t size : {std::size_t{1}, std::size_t{3}, std::size_t{5}, std::size_t{10}, std::size_t{11}}) {
    pair.peer.send(text);
    std::string got, piece(size, ' ');
    // A wait before every read, as if there were never anything left.
    while (got.size() < text.size()) {
      REQUIRE(loop.wait(*pair.transport, Side::read) == Wake::ready);
      std::error_code ec;
      const std::size_t n = pair.transport->read(asio::buffer(piece), ec);
      if (ec == asio::error::would_block) continue;
      REQUIRE_FALSE(ec);
      got.append(piece, 0, n);
    }
    CHECK(got == text);
  }
}

TEST_CASE("transport: the end is found behind the bytes before it, by every wait and read that follows") {
  for (const std::size_t size : {std::size_t{3}, std::size_t{4}, std::size_t{100}}) {
    Loop loop;
    Pair pair(loop);
    pair.peer.send("last");
    pair.peer.finish();
    std::string got;
    std::error_code ec;
    while (ec != asio::error::eof) {
      REQUIRE(loop.wait(*pair.transport, Side::read) == Wake::ready);
      got += Loop::read(*pair.transport, size, ec);
    }
    CHECK(got == "last");
    CHECK(pair.transport->is_gone());
    CHECK(loop.wait(*pair.transport, Side::read) == Wake::ready);
    Loop::read(*pair.transport, size, ec);
    CHECK(ec == asio::error::eof);
    // The other direction still works.
    const asio::const_buffer answer("yes", 3);
    CHECK(pair.transport->write(std::span(&answer, 1), ec) == 3);
    CHECK(pair.peer.read(3) == "yes");
  }
}

TEST_CASE("transport: a full connection takes more once the peer has read") {
  Loop loop;
  Pair pair(loop);
  const std::string block(1 << 16, 'x');
  const asio::const_buffer piece = asio::buffer(block);
  std::size_t written = 0;
  std::error_code ec;
  while (!ec) written += pair.transport->write(std::span(&piece, 1), ec);
  CHECK(ec == asio::error::would_block);
  CHECK(loop.wait(*pair.transport, Side::write, 1ms) == Wake::timed_out);
  CHECK(pair.peer.read(written).size() == written);
  CHECK(loop.wait(*pair.transport, Side::write) == Wake::ready);
  CHECK(pair.transport->write(std::span(&piece, 1), ec) > 0);
}

TEST_CASE("transport: several pieces go out in their order") {
  Loop loop;
  Pair pair(loop);
  std::vector<std::string> texts;
  std::vector<asio::const_buffer> pieces;
  std::string all;
  for (int i = 0; i < 8; ++i) texts.push_back(std::string(static_cast<std::size_t>(i) * 100, static_cast<char>('a' + i)));
  for (const std::string& text : texts) {
    pieces.push_back(asio::buffer(text));
    all += text;
  }
  std::error_code ec;
  CHECK(pair.transport->write(pieces, ec) == all.size());
  CHECK(pair.peer.read(all.size()) == all);
}

TEST_CASE("transport: closing ends the waits of both sides, but not from inside the call") {
  Loop loop;
  Pair pair(loop);
  const std::string block(1 << 16, 'x');
  const asio::const_buffer piece = asio::buffer(block);
  std::error_code ec;
  while (!ec) pair.transport->write(std::span(&piece, 1), ec);
  std::optional<Wake> reading, writing;
  loop.begin_wait(*pair.transport, Side::read, long_time, reading);
  loop.begin_wait(*pair.transport, Side::write, long_time, writing);
  while (loop.io.poll() > 0) continue;
  pair.transport->close();
  CHECK_FALSE(reading);
  CHECK_FALSE(writing);
  loop.run_until([&] { return reading && writing; });
  CHECK(reading == Wake::ready);
  CHECK(writing == Wake::ready);
  char byte;
  ec.clear();
  pair.transport->read(asio::buffer(&byte, 1), ec);
  CHECK((ec && ec != asio::error::would_block && ec != asio::error::eof));
  ec.clear();
  pair.transport->write(std::span(&piece, 1), ec);
  CHECK((ec && ec != asio::error::would_block));
  CHECK(loop.wait(*pair.transport, Side::read) == Wake::ready);
  pair.transport->close();
}

TEST_CASE("transport: a reset is an error to the peer, a close is an end") {
  for (const bool is_reset : {false, true}) {
    Loop loop;
    Pair pair(loop);
    if (is_reset) pair.transport->reset();
    else pair.transport->close();
    CHECK(pair.peer.read_all().empty());
    CHECK(pair.peer.was_reset() == is_reset);
  }
}

TEST_CASE("transport: a connection that broke does not look like one that ended, though a write is told first") {
  for (const bool has_ended : {false, true}) {
    CAPTURE(has_ended);
    Loop loop;
    Pair pair(loop);
    pair.peer.send("part");
    if (has_ended) pair.peer.finish();
    CHECK(loop.wait(*pair.transport, Side::read) == Wake::ready);
    std::error_code ec;
    char bytes[4];
    CHECK(pair.transport->read(asio::buffer(bytes), ec) == 4);
    pair.peer.reset();
    const asio::const_buffer piece("x", 1);
    for (int i = 0; i < 2; ++i) {
      CHECK(pair.transport->write({&piece, 1}, ec) == 0);
      CHECK((ec && ec != asio::error::would_block));
    }
    CHECK(pair.transport->read(asio::buffer(bytes), ec) == 0);
    if (has_ended) CHECK(ec == asio::error::eof);
    else CHECK((ec && ec != asio::error::eof && ec != asio::error::would_block));
  }
}

TEST_CASE("transport: a callback is called once, or not at all after unwatch") {
  struct Watcher {
    static void wake(void* self, Wake why) { static_cast<Watcher*>(self)->woken.push_back(why); }
    std::vector<Wake> woken;
  } watcher;
  Loop loop;
  Pair pair(loop);
  pair.transport->watch(Side::read, long_time, &Watcher::wake, &watcher);
  pair.peer.send("a");
  loop.run_until([&] { return !watcher.woken.empty(); });
  CHECK(watcher.woken == std::vector<Wake>{Wake::ready});
  std::error_code ec;
  Loop::read(*pair.transport, 10, ec);

  pair.transport->watch(Side::read, 1ms, &Watcher::wake, &watcher);
  loop.run_until([&] { return watcher.woken.size() == 2; });
  CHECK(watcher.woken[1] == Wake::timed_out);

  pair.transport->watch(Side::read, long_time, &Watcher::wake, &watcher);
  pair.transport->unwatch(Side::read);
  pair.peer.send("b");
  // The side is still armed: the next wait learns of it.
  CHECK(loop.wait(*pair.transport, Side::read) == Wake::ready);
  CHECK(watcher.woken.size() == 2);
}

TEST_CASE("transport: is_quiet and is_gone look without taking") {
  Loop loop;
  Pair pair(loop);
  CHECK(pair.transport->is_quiet());
  CHECK_FALSE(pair.transport->is_gone());
  pair.peer.send("x");
  CHECK(loop.wait(*pair.transport, Side::read) == Wake::ready);
  CHECK_FALSE(pair.transport->is_quiet());
  CHECK_FALSE(pair.transport->is_gone());
  std::error_code ec;
  CHECK(Loop::read(*pair.transport, 10, ec) == "x");
  CHECK(pair.transport->is_quiet());
  pair.peer.close();
  CHECK(loop.wait(*pair.transport, Side::read) == Wake::ready);
  CHECK_FALSE(pair.transport->is_quiet());
  CHECK(pair.transport->is_gone());
}

TEST_CASE("transport: a connection that is refused says so") {
  std::uint16_t port;
  {
    const TestServer gone;
    port = gone.port();
  }
  Loop loop;
  std::error_code ec;
  const auto transport = gw::net::SocketTransport::connect(asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), port), loop.loop(), ec);
  if (transport) {
    CHECK(loop.wait(*transport, Side::write) == Wake::ready);
    ec = transport->connected();
    transport->close();
  }
  CHECK(ec == asio::error::connection_refused);
}

TEST_CASE("transport: many connections are heard at once, and dropping some does not disturb the others") {
  Loop loop;
  std::vector<std::unique_ptr<Pair>> pairs;
  for (int i = 0; i < 200; ++i) pairs.push_back(std::make_unique<Pair>(loop));
  std::vector<std::optional<Wake>> wakes(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) loop.begin_wait(*pairs[i]->transport, Side::read, long_time, wakes[i]);
  while (loop.io.poll() > 0) continue;
  for (const auto& pair : pairs) pair->peer.send("x");
  // Every third goes away while its event is on the way.
  for (std::size_t i = 0; i < pairs.size(); i += 3) pairs[i].reset();
  loop.run_until([&] {
    for (const auto& wake : wakes)
      if (!wake) return false;
    return true;
  });
  for (const auto& pair : pairs) {
    std::error_code ec;
    if (pair) CHECK(Loop::read(*pair->transport, 10, ec) == "x");
  }
}

TEST_CASE("transport: memory behaves like a connection, in fragments and with faults") {
  Loop loop;
  gw_test::Faults faults;
  const auto transport = std::make_shared<MemoryTransport>(loop.io, loop.wheel, faults, 2, 3);
  std::error_code ec;
  CHECK(Loop::read(*transport, 10, ec).empty());
  CHECK(ec == asio::error::would_block);
  transport->receive("abc");
  CHECK(Loop::read(*transport, 10, ec).empty());
  CHECK(loop.wait(*transport, Side::read) == Wake::ready);
  CHECK(Loop::read(*transport, 10, ec) == "ab");
  transport->receive_end();
  CHECK(loop.wait(*transport, Side::read) == Wake::ready);
  CHECK(Loop::read(*transport, 10, ec) == "c");
  CHECK(loop.wait(*transport, Side::read) == Wake::ready);
  CHECK(Loop::read(*transport, 10, ec).empty());
  CHECK(ec == asio::error::eof);

  const asio::const_buffer text("12345", 5);
  CHECK(transport->write(std::span(&text, 1), ec) == 3);
  CHECK(transport->write(std::span(&text, 1), ec) == 0);
  CHECK(ec == asio::error::would_block);
  CHECK(loop.wait(*transport, Side::write) == Wake::ready);
  CHECK(transport->write(std::span(&text, 1), ec) == 3);
  CHECK(transport->written() == "123123");

  faults.fail_at = faults.operations + 1;
  CHECK(transport->write(std::span(&text, 1), ec) == 0);
  CHECK(ec == asio::error::connection_reset);
  CHECK(loop.wait(*transport, Side::read) == Wake::ready);
  transport->close();
}
