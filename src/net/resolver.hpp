/// \file
/// Names to addresses, off the workers.
#pragma once

#include <gw/task.hpp>

#include <asio/io_context.hpp>
#include <asio/ip/address.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gw {
inline namespace v0 {
namespace net {

using Addresses = std::vector<asio::ip::address>;

/// Looks names up with the system's resolver on threads of its own, and remembers the answers of
/// all workers in one place: an answer serves for 30 s, then a new one is fetched while the old one
/// still serves; a failed look-up leaves the old answer in use. Thread-safe.
class Resolver {
 public:
  /// How a name is looked up; empty: it cannot be. Called on a thread of the resolver.
  using Lookup = std::function<Addresses(const std::string& name)>;
  using Clock = std::chrono::steady_clock;

  /// `now` tells the time; it is called on any thread.
  explicit Resolver(Lookup lookup = system_lookup, std::function<Clock::time_point()> now = Clock::now);
  /// Does not wait for look-ups under way; nobody is told about them any more.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// The addresses of `name` if they are known. Starts a look-up if they are old or unknown.
  std::shared_ptr<const Addresses> known(const std::string& name);
  /// Calls `done(addresses)` on `worker` once the look-up of `name` has ended, with nothing if it
  /// failed. Call it right after `known` had no answer.
  void when_known(const std::string& name, asio::io_context& worker, std::function<void(std::shared_ptr<const Addresses>)> done);
  /// Forgets whoever waits on `worker`, which is about to be destroyed: a look-up may take longer
  /// than anybody waits for it.
  void forget(const asio::io_context& worker);

  /// getaddrinfo, all address families. Blocks.
  static Addresses system_lookup(const std::string& name);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with look-ups under way
};

}  // namespace net
}  // namespace v0
}  // namespace gw
