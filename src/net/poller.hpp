/// \file
/// Readiness of one worker's connections, from one epoll set of its own.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

#include <sys/epoll.h>

namespace gw {
inline namespace v0 {
namespace net {

/// An edge-triggered epoll set inside the worker's event loop. A descriptor is registered once, for
/// everything, and never again: Asio's own sockets pay a system call for every wait, to arm it or to
/// find that nothing is there yet. One thread.
class Poller {
 public:
  /// Someone who wants to hear about a descriptor.
  class Watcher {
   public:
    /// `events` is a set of EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR that has become true.
    virtual void on_events(std::uint32_t events) = 0;

   protected:
    ~Watcher() = default;

   private:
    friend class Poller;
    bool has_event_ = false;
  };

  /// Throws std::system_error if the system has no descriptors left.
  explicit Poller(asio::io_context& io);

  /// Registers `descriptor` until `remove` or its close. An error of the system.
  std::error_code add(int descriptor, Watcher& watcher);
  /// No event of `descriptor` arrives any more, not even one that was fetched already.
  void remove(int descriptor, Watcher& watcher) noexcept;
  /// Whether an event for `watcher` was fetched that it was not told of yet: those before it come first.
  static bool has_event(const Watcher& watcher) noexcept { return watcher.has_event_; }
  /// Stops for good, so that the event loop can run out of work.
  void close();

 private:
  void wait();
  void dispatch();
  void handle(std::size_t count);

  asio::posix::stream_descriptor set_;
  std::array<epoll_event, 128> batch_;
  std::size_t next_ = 0, count_ = 0;  // what of the batch was not dispatched yet
};

}  // namespace net
}  // namespace v0
}  // namespace gw
