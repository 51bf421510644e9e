/// \file
/// A `Dns` between a server and somebody who watches, for tests of both sides of it.
#pragma once

#include "net/dns.hpp"
#include "support/dns_server.hpp"
#include "support/temp_dir.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw_test {

/// "nothing" if there is no answer, "empty", or "192.0.2.1 [2001:db8::1]:80*5": a port and a weight where they are not 0 and 1.
inline std::string text_of(const std::shared_ptr<const gw::net::Answer>& answer) {
  if (!answer) return "nothing";
  std::string text;
  for (const gw::net::Target& t : *answer) {
    if (!text.empty()) text += ' ';
    const std::string address = t.address.to_string();
    text += t.port && t.address.is_v6() ? '[' + address + ']' : address;
    if (t.port) text += ':' + std::to_string(t.port);
    if (t.weight != 1) text += '*' + std::to_string(t.weight);
  }
  return text.empty() ? "empty" : text;
}

/// Takes down what it is told. Must outlive the watch.
class Told {
 public:
  gw::net::Dns::Changed changed() {
    return [this](const std::shared_ptr<const gw::net::Answer>& answer) {
      const std::lock_guard lock(mutex_);
      texts_.push_back(text_of(answer));
      changed_.notify_all();
    };
  }
  /// Waits until it was told so many times; the last of them.
  std::string wait(std::size_t times) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return texts_.size() >= times; });
    return texts_[times - 1];
  }
  std::size_t times() {
    const std::lock_guard lock(mutex_);
    return texts_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> texts_;
};

/// A server, a clock that the test turns, and a `Dns` that has no search list and knows both.
class DnsWorld {
 public:
  explicit DnsWorld(std::string_view resolv_conf = "search .\n") { write_resolv_conf(resolv_conf); }

  void write_resolv_conf(std::string_view text) { dir_.write("resolv.conf", text); }

  /// What `dns()` is made of; change it before the first call of that.
  gw::net::DnsOptions options() {
    return {.servers = {server.address()},
            .timeout = timeout,
            .resolv_conf = dir_ / "resolv.conf",
            .now = [this] { return std::chrono::steady_clock::time_point(std::chrono::milliseconds(now_.load())); },
            .has_route = [this](const asio::ip::address_v6&) { return has_route.load(); }};
  }
  gw::net::Dns& dns() {
    if (!dns_) dns_ = std::make_unique<gw::net::Dns>(options());
    return *dns_;
  }
  void end() { dns_.reset(); }

  std::unique_ptr<gw::net::Dns::Watch> watch(const std::string& name, Told& told, bool is_srv = false) {
    return dns().watch({name, is_srv}, told.changed());
  }
  /// The first answer of a watch that nobody else needs.
  std::string look_up(const std::string& name, bool is_srv = false) {
    Told told;
    const auto ignored = watch(name, told, is_srv);
    return told.wait(1);
  }
  void turn_clock(std::chrono::milliseconds by) {
    now_ += by.count();
    dns().wake();
  }
  /// Waits until look-ups that are due have ended, and their watches were told, if the server answered well: a later question to the same
  /// server is answered.
  void settle() {
    const std::string name = "zz" + std::to_string(++settled_) + ".settle";
    server.set(name, DnsServer::a, {"192.0.2.99"});
    look_up(name);
  }

  DnsServer server;
  std::chrono::milliseconds timeout{20000};
  std::atomic<bool> has_route{true};

 private:
  TempDir dir_;
  std::atomic<std::int64_t> now_{0};
  int settled_ = 0;
  std::unique_ptr<gw::net::Dns> dns_;  // ends before what it uses
};

}  // namespace gw_test
