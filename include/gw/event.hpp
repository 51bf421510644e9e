/// \file
/// Level 1: a coroutine that waits for what a function of the same worker does.
#pragma once

#include <gw/task.hpp>

#include <asio/use_awaitable.hpp>

#include <optional>
#include <utility>

namespace gw {
inline namespace v0 {

/// `co_await event.wait();` sleeps until somebody calls `notify()`: how a stage or handler waits for a callback. One waiter at a time, and
/// all on the waiter's worker: from another thread `asio::post` the call of `notify`. A notification without a waiter is lost, so
/// test the condition in a loop.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// Sleeps until the next `notify`.
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

}  // namespace v0
}  // namespace gw
