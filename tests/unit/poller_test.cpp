#include <doctest/doctest.h>

#include "net/poller.hpp"

#include <asio/post.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>

using gw::net::Poller;

namespace {

/// A descriptor that is watched, and its other end. It counts what arrives and leaves it unread: the next byte is an event again.
class Watched final : Poller::Watcher {
 public:
  explicit Watched(Poller& poller) : poller_(poller) {
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_.data()) == 0);
    REQUIRE_FALSE(poller_.add(ends_[0], *this));
  }
  ~Watched() {
    leave();
    for (const int end : ends_) ::close(end);
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  void arrive() { REQUIRE(::send(ends_[1], "x", 1, MSG_NOSIGNAL) == 1); }
  void leave() { poller_.remove(ends_[0], *this); }
  bool is_next() const { return gw::net::Poller::has_event(*this); }

  int arrived = 0;
  std::function<void()> then = [] {};  ///< follows each arrival

 private:
  void on_events(std::uint32_t events) override {
    if (!(events & EPOLLIN)) return;
    ++arrived;
    then();
  }

  Poller& poller_;
  std::array<int, 2> ends_{};
};

/// Three descriptors in an event loop, of which nothing is to be told yet.
struct Three {
  Three() { io.poll(); }  // every descriptor begins as one that can be written
  ~Three() {
    poller.close();
    io.poll();
  }
  asio::io_context io{1};
  Poller poller{io};
  Watched a{poller}, b{poller}, c{poller};
};

}  // namespace

TEST_CASE("poller: what arrives while several events are handled is handled in the same turn") {
  Three three;
  three.a.then = [&] { three.c.arrive(); };
  three.a.arrive();
  three.b.arrive();
  CHECK(three.io.run_one() == 1);
  CHECK(three.a.arrived == 1);
  CHECK(three.b.arrived == 1);
  CHECK(three.c.arrived == 1);
}

TEST_CASE("poller: what arrives while one event is handled has the next turn") {
  Three three;
  three.a.then = [&] { three.c.arrive(); };
  three.a.arrive();
  CHECK(three.io.run_one() == 1);
  CHECK(three.c.arrived == 0);
  CHECK(three.io.run_one() == 1);
  CHECK(three.c.arrived == 1);
}

TEST_CASE("poller: a turn ends after 128 events, however many more there are, and other handlers run") {
  Three three;
  three.a.then = [&] { three.b.arrive(); };
  three.b.then = [&] { three.a.arrive(); };
  three.a.arrive();
  three.b.arrive();
  CHECK(three.io.run_one() == 1);
  CHECK(three.a.arrived == 64);
  CHECK(three.b.arrived == 64);
  bool has_run = false;
  asio::post(three.io, [&] { has_run = true; });
  for (int turns = 0; turns < 2; ++turns) CHECK(three.io.run_one() == 1);
  CHECK(has_run);
}

TEST_CASE("poller: an event that was fetched is not for one who has left meanwhile") {
  Three three;
  // Whichever of them comes first.
  three.a.then = [&] { three.b.leave(); };
  three.b.then = [&] { three.a.leave(); };
  three.a.arrive();
  three.b.arrive();
  CHECK(three.io.run_one() == 1);
  CHECK(three.a.arrived + three.b.arrived == 1);
}

TEST_CASE("poller: an event that was fetched is known before it is told") {
  Three three;
  int known = 0;
  three.a.then = [&] { known += three.b.is_next(); };
  three.b.then = [&] { known += three.a.is_next(); };
  three.a.arrive();
  three.b.arrive();
  CHECK_FALSE(three.a.is_next());
  CHECK(three.io.run_one() == 1);
  CHECK(known == 1);  // of the two the first knew of the other
  CHECK_FALSE(three.a.is_next());
}

TEST_CASE("poller: closed in a turn it fetches nothing more, and the event loop runs out of work") {
  Three three;
  three.a.then = three.b.then = [&] {
    three.c.arrive();
    three.poller.close();
  };
  three.a.arrive();
  three.b.arrive();
  three.io.run();
  CHECK(three.c.arrived == 0);
}
