/// \file
/// One coroutine waiting for one thing that another part of the same worker does.
#pragma once

#include <gw/task.hpp>

#include <asio/use_awaitable.hpp>

#include <optional>
#include <utility>

namespace gw {
inline namespace v0 {
namespace net {

/// `co_await event.wait();` sleeps until somebody calls `notify()`. One waiter at a time, one
/// thread; a notification without a waiter is lost, so test the condition in a loop.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  Task<> wait() {
    return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this](auto handler) {
          GW_ASSERT(!waiter_);
          waiter_.emplace(std::move(handler));
        },
        asio::use_awaitable);
  }

  /// Resumes the waiter before returning; it may destroy this event.
  void notify() {
    if (!waiter_) return;
    Resume resume = std::move(*waiter_);
    waiter_.reset();
    resume();
  }

 private:
  using Resume = asio::async_result<asio::use_awaitable_t<>, void()>::handler_type;
  std::optional<Resume> waiter_;
};

}  // namespace net
}  // namespace v0
}  // namespace gw
