#include <doctest/doctest.h>

#include "support/dns_world.hpp"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <signal.h>

using gw::net::Answer, gw::net::Dns;
using gw_test::DnsServer, gw_test::DnsWorld, gw_test::Told;
using Mood = DnsServer::Mood;
using namespace std::chrono_literals;

namespace {

/// Something that happens once.
class Flag {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    is_set_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_set_ = false;
};

}  // namespace

TEST_CASE("dns: watches of one question share its look-ups, also those that come later") {
  DnsWorld world;
  world.server.set("a", DnsServer::a, {"192.0.2.1"}, 10);
  Told one, two, three;
  const auto first = world.watch("a", one), second = world.watch("a", two);
  CHECK(one.wait(1) == "192.0.2.1");
  CHECK(two.wait(1) == "192.0.2.1");
  const auto third = world.watch("a", three);
  CHECK(three.wait(1) == "192.0.2.1");
  CHECK(world.server.asked("a", DnsServer::a) == 1);
  CHECK(world.server.asked("a", DnsServer::aaaa) == 1);

  world.server.set("a", DnsServer::a, {"192.0.2.2"}, 10);
  world.turn_clock(10s);
  for (Told* told : {&one, &two, &three}) CHECK(told->wait(2) == "192.0.2.2");
  CHECK(world.server.asked("a", DnsServer::a) == 2);
}

TEST_CASE("dns: one that comes during a look-up waits for it, although all others have gone") {
  DnsWorld world;
  world.server.set("a", DnsServer::a, {"192.0.2.1"}, 10);
  world.server.mood("a", DnsServer::a, Mood::silent);
  Told gone, told;
  auto first = world.watch("a", gone);
  world.server.wait_until_asked("a", DnsServer::aaaa, 1);
  first.reset();
  const auto second = world.watch("a", told);
  world.settle();
  CHECK(world.server.asked("a", DnsServer::aaaa) == 1);
  CHECK(told.times() == 0);
  // Ends what is under way.
  world.write_resolv_conf("search another.test\n");
  world.settle();
  CHECK(told.wait(1) == "nothing");
  CHECK(gone.times() == 0);
}

TEST_CASE("dns: a service and a name of the same text are different questions") {
  DnsWorld world;
  world.server.set("a", DnsServer::a, {"192.0.2.1"});
  world.server.set("a", DnsServer::srv, {"0 1 80 a"});
  Told name, service;
  const auto first = world.watch("a", name), second = world.watch("a", service, true);
  CHECK(name.wait(1) == "192.0.2.1");
  CHECK(service.wait(1) == "192.0.2.1:80");
}

TEST_CASE("dns: a question without watches is not asked any more, and is asked afresh when it is watched again") {
  DnsWorld world;
  world.server.set("a", DnsServer::a, {"192.0.2.1"}, 10);
  CHECK(world.look_up("a") == "192.0.2.1");
  world.turn_clock(10s);
  world.settle();
  CHECK(world.server.asked("a", DnsServer::a) == 1);
  world.server.set("a", DnsServer::a, {"192.0.2.2"}, 10);
  CHECK(world.look_up("a") == "192.0.2.2");
}

TEST_CASE("dns: names do not wait for each other") {
  DnsWorld world;
  world.server.mood("slow", DnsServer::a, Mood::silent);
  world.server.set("a", DnsServer::a, {"192.0.2.1"});
  Told told;
  const auto watch = world.watch("slow", told);
  world.server.wait_until_asked("slow", DnsServer::a, 1);
  CHECK(world.look_up("a") == "192.0.2.1");
  CHECK(told.times() == 0);
}

TEST_CASE("dns: it may end while look-ups are under way, before its watches, and without any") {
  DnsWorld world;
  world.timeout = std::chrono::hours(1);
  world.server.set("a", DnsServer::a, {"192.0.2.1"});
  world.server.mood("slow", DnsServer::a, Mood::silent);
  world.server.mood("_slow._tcp", DnsServer::srv, Mood::silent);
  Told told, a;
  std::vector<std::unique_ptr<Dns::Watch>> watches;
  watches.push_back(world.watch("slow", told));
  watches.push_back(world.watch("_slow._tcp", told, true));
  watches.push_back(world.watch("a", a));
  a.wait(1);
  world.server.wait_until_asked("slow", DnsServer::a, 1);
  world.server.wait_until_asked("_slow._tcp", DnsServer::srv, 1);
  world.end();
  CHECK(told.times() == 0);
  watches.clear();
  Dns unused;
}

TEST_CASE("dns: who is told is told on another thread, where signals are blocked") {
  DnsWorld world;
  world.server.set("a", DnsServer::a, {"192.0.2.1"});
  std::thread::id thread;
  bool blocks_signals = false;
  Flag told;
  const auto watch = world.dns().watch({"a"}, [&](const auto&) {
    thread = std::this_thread::get_id();
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    blocks_signals = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGHUP) == 1;
    told.set();
  });
  told.wait();
  CHECK(thread != std::this_thread::get_id());
  CHECK(blocks_signals);
}

TEST_CASE("dns: who is told may end that watch and others, and add some") {
  DnsWorld world;
  world.server.set("a", DnsServer::a, {"192.0.2.1"}, 1);
  world.server.set("b", DnsServer::a, {"192.0.2.2"}, 1);
  Flag may_end;
  Told other, added;
  std::unique_ptr<Dns::Watch> own, others = world.watch("b", other), more;
  other.wait(1);
  int times = 0;
  own = world.dns().watch({"a"}, [&](const auto&) {
    may_end.wait();
    ++times;
    others.reset();
    more = world.watch("b", added);
    own.reset();
  });
  may_end.set();
  CHECK(added.wait(1) == "192.0.2.2");
  world.server.set("a", DnsServer::a, {"192.0.2.11"}, 1);
  world.server.set("b", DnsServer::a, {"192.0.2.22"}, 1);
  world.turn_clock(1s);
  CHECK(added.wait(2) == "192.0.2.22");
  world.settle();
  CHECK(times == 1);
  CHECK(other.times() == 1);
}

TEST_CASE("dns: the end of a watch waits for whoever is being told, and then lets go of what he owns") {
  DnsWorld world;
  world.server.set("a", DnsServer::a, {"192.0.2.1"});
  Flag is_running, ends;
  std::vector<std::string> order;
  const auto owned = std::make_shared<int>();
  auto watch = world.dns().watch({"a"}, [&, owned](const auto&) {
    is_running.set();
    ends.wait();
    order.push_back("was told");
  });
  is_running.wait();
  std::thread ender([&] {
    ends.set();
    watch.reset();
    order.push_back("ended");
    CHECK(owned.use_count() == 1);
  });
  ender.join();
  CHECK(order == std::vector<std::string>{"was told", "ended"});
}

TEST_CASE("dns: many threads watch and leave") {
  DnsWorld world;
  for (const char* name : {"a", "b", "c"}) world.server.set(name, DnsServer::a, {"192.0.2.1"}, 1);
  world.dns();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&world, i] {
      const std::string names[] = {"a", "b", "c"};
      for (int round = 0; round < 50; ++round) {
        Told told;
        const auto watch = world.watch(names[(i + round) % 3], told);
        if (round % 3 == 0) CHECK(told.wait(1) == "192.0.2.1");
        if (round % 7 == 0) world.turn_clock(1s);
      }
    });
  }
  for (std::thread& t : threads) t.join();
}
