#include <doctest/doctest.h>

#include "net/resolver.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

using gw::net::Addresses, gw::net::Resolver;

namespace {

/// A name server whose answers wait until the test lets them go.
class Names {
 public:
  /// What a resolver asks. The state is shared, because a look-up may outlive the test.
  Resolver::Lookup lookup() {
    return [state = state_](const std::string& name) {
      std::unique_lock lock(state->mutex);
      ++state->asked[name];
      state->changed.notify_all();
      state->changed.wait(lock, [&] { return !state->is_held; });
      ++state->answered;
      state->changed.notify_all();
      return state->answers[name];
    };
  }
  void answer(const std::string& name, std::initializer_list<const char*> addresses) {
    const std::lock_guard lock(state_->mutex);
    state_->answers[name].clear();
    for (const char* a : addresses) state_->answers[name].push_back(asio::ip::make_address(a));
  }
  void hold(bool is_held) {
    const std::lock_guard lock(state_->mutex);
    state_->is_held = is_held;
    state_->changed.notify_all();
  }
  int asked(const std::string& name) {
    const std::lock_guard lock(state_->mutex);
    return state_->asked[name];
  }
  void wait_until_asked(const std::string& name, int times) {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->asked[name] >= times; });
  }
  void wait_until_answered(int times) {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->answered >= times; });
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_held = false;
    int answered = 0;
    std::map<std::string, int> asked;
    std::map<std::string, Addresses> answers;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

std::string text_of(const std::shared_ptr<const Addresses>& addresses) {
  if (!addresses) return "nothing";
  std::string text;
  for (const asio::ip::address& a : *addresses) text += (text.empty() ? "" : " ") + a.to_string();
  return text;
}

/// Runs `worker` until the resolver has told it the end of a look-up.
std::string wait_for(Resolver& resolver, const std::string& name) {
  asio::io_context worker;
  const auto work = asio::make_work_guard(worker);
  std::optional<std::string> answer;
  resolver.when_known(name, worker, [&](std::shared_ptr<const Addresses> a) { answer = text_of(a); });
  while (!answer) worker.run_one();
  resolver.forget(worker);
  return *answer;
}

}  // namespace

TEST_CASE("resolver: a name is looked up once and then known") {
  Names names;
  names.answer("a", {"192.0.2.1", "2001:db8::1"});
  Resolver resolver(names.lookup());
  CHECK(text_of(resolver.known("a")) == "nothing");
  CHECK(wait_for(resolver, "a") == "192.0.2.1 2001:db8::1");
  for (int i = 0; i < 100; ++i) CHECK(text_of(resolver.known("a")) == "192.0.2.1 2001:db8::1");
  CHECK(names.asked("a") == 1);
  CHECK(names.asked("b") == 0);
}

TEST_CASE("resolver: many who ask at once wait for one look-up, each on its own worker") {
  Names names;
  names.answer("a", {"192.0.2.1"});
  names.hold(true);
  asio::io_context one, two;
  Resolver resolver(names.lookup());
  int told = 0;
  for (int i = 0; i < 10; ++i) {
    for (asio::io_context* worker : {&one, &two}) {
      CHECK_FALSE(resolver.known("a"));
      resolver.when_known("a", *worker, [&](std::shared_ptr<const Addresses> a) { told += text_of(a) == "192.0.2.1"; });
    }
  }
  names.wait_until_asked("a", 1);
  names.hold(false);
  const auto run = [&told](asio::io_context& worker, int until) {
    const auto work = asio::make_work_guard(worker);
    while (told < until) worker.run_one();
  };
  run(one, 10);
  run(two, 20);
  CHECK(told == 20);
  CHECK(names.asked("a") == 1);
}

TEST_CASE("resolver: a failed look-up answers nothing, and is not repeated for every request") {
  Names names;
  Resolver resolver(names.lookup());
  CHECK_FALSE(resolver.known("nowhere"));
  CHECK(wait_for(resolver, "nowhere") == "nothing");
  for (int i = 0; i < 100; ++i) CHECK_FALSE(resolver.known("nowhere"));
  CHECK(names.asked("nowhere") == 1);
  // Who waits although nothing is under way is told at once.
  CHECK(wait_for(resolver, "nowhere") == "nothing");
}

TEST_CASE("resolver: an old answer serves while a new one is fetched, and on when that fails") {
  Names names;
  names.answer("a", {"192.0.2.1"});
  std::chrono::steady_clock::time_point now{};
  Resolver resolver(names.lookup(), [&now] { return now; });
  resolver.known("a");
  CHECK(wait_for(resolver, "a") == "192.0.2.1");

  now += std::chrono::seconds(29);
  CHECK(text_of(resolver.known("a")) == "192.0.2.1");
  CHECK(names.asked("a") == 1);

  now += std::chrono::seconds(2);
  names.answer("a", {"192.0.2.2"});
  names.hold(true);
  CHECK(text_of(resolver.known("a")) == "192.0.2.1");
  names.wait_until_asked("a", 2);
  CHECK(text_of(resolver.known("a")) == "192.0.2.1");
  names.hold(false);
  CHECK(wait_for(resolver, "a") == "192.0.2.2");

  now += std::chrono::seconds(31);
  names.answer("a", {});
  CHECK(text_of(resolver.known("a")) == "192.0.2.2");
  CHECK(wait_for(resolver, "a") == "192.0.2.2");
  CHECK(names.asked("a") == 3);

  // After a failure it asks again soon.
  CHECK(text_of(resolver.known("a")) == "192.0.2.2");
  CHECK(names.asked("a") == 3);
  now += std::chrono::seconds(2);
  names.answer("a", {"192.0.2.3"});
  resolver.known("a");
  CHECK(wait_for(resolver, "a") == "192.0.2.3");
  CHECK(names.asked("a") == 4);
}

TEST_CASE("resolver: names do not wait for each other") {
  Names names;
  names.answer("slow", {"192.0.2.1"});
  names.hold(true);
  Resolver resolver(names.lookup());
  resolver.known("slow");
  names.wait_until_asked("slow", 1);
  resolver.known("other");
  names.wait_until_asked("other", 1);
  names.hold(false);
  CHECK(wait_for(resolver, "slow") == "192.0.2.1");
}

TEST_CASE("resolver: it may be destroyed while look-ups are under way") {
  Names names;
  asio::io_context worker;
  bool is_told = false;
  names.hold(true);
  {
    Resolver resolver(names.lookup());
    resolver.known("a");
    resolver.when_known("a", worker, [&](std::shared_ptr<const Addresses>) { is_told = true; });
    resolver.known("b");
    names.wait_until_asked("a", 1);
    names.wait_until_asked("b", 1);
  }
  names.hold(false);
  names.wait_until_answered(2);
  worker.run();
  CHECK_FALSE(is_told);
}

TEST_CASE("resolver: a worker may be destroyed while it waits, once the resolver was told to forget it") {
  Names names;
  names.answer("a", {"192.0.2.1"});
  names.hold(true);
  asio::io_context staying;  // outlives the resolver, whose thread may still be about to leave `post`
  Resolver resolver(names.lookup());
  bool is_told = false;
  auto leaving = std::make_unique<asio::io_context>();
  const auto work = asio::make_work_guard(staying);
  resolver.known("a");
  resolver.when_known("a", *leaving, [&](std::shared_ptr<const Addresses>) { is_told = true; });
  std::string other;
  resolver.when_known("a", staying, [&](std::shared_ptr<const Addresses> a) { other = text_of(a); });
  names.wait_until_asked("a", 1);
  resolver.forget(*leaving);
  leaving.reset();
  names.hold(false);
  while (other.empty()) staying.run_one();
  CHECK(other == "192.0.2.1");
  CHECK_FALSE(is_told);
}

TEST_CASE("resolver: the system knows localhost") {
  const Addresses found = Resolver::system_lookup("localhost");
  REQUIRE_FALSE(found.empty());
  for (const asio::ip::address& a : found) CHECK(a.is_loopback());
}
