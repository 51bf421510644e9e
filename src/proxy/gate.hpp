/// \file
/// How many requests an upstream has at once, and who waits for its turn.
#pragma once

#include <gw/event.hpp>

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>

namespace gw {
inline namespace v0 {
namespace proxy {

/// Lets a number of requests in, and others wait in the order in which they came. Thread-safe; each waiter is resumed on its own worker.
class Gate {
 public:
  /// A request that waits. Used by the worker of the request, but for `is_in`, which is under the gate's mutex.
  struct Waiter {
    explicit Waiter(asio::io_context& w) : worker(w) {}
    asio::io_context& worker;
    Event* event = nullptr;  ///< what it waits for; null: it does not any more
    bool is_in = false;
  };

  /// Lets a request in, if fewer than `limit` are. Then `leave` follows.
  bool enter(std::size_t limit) {
    const std::lock_guard lock(mutex_);
    if (inside_ >= limit) return false;
    ++inside_;
    return true;
  }

  /// Lets it in, or has it wait if fewer than `length` do; null: neither.
  std::shared_ptr<Waiter> queue(std::size_t limit, std::size_t length, asio::io_context& worker) {
    auto waiter = std::make_shared<Waiter>(worker);
    const std::lock_guard lock(mutex_);
    if (inside_ < limit) {
      ++inside_;
      waiter->is_in = true;
      return waiter;
    }
    if (waiting_.size() >= length) return nullptr;
    waiting_.push_back(waiter);
    return waiter;
  }

  /// The waiter goes away unless it is in: whether it is.
  bool settle(const std::shared_ptr<Waiter>& waiter) {
    const std::lock_guard lock(mutex_);
    if (!waiter->is_in) std::erase(waiting_, waiter);
    return waiter->is_in;
  }

  /// A request has ended: its place goes to the one that has waited longest.
  void leave() {
    // Also the posting: once the waiter is settled, its worker may end.
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) {
      --inside_;
      return;
    }
    std::shared_ptr<Waiter> next = std::move(waiting_.front());
    waiting_.pop_front();
    next->is_in = true;
    asio::io_context& worker = next->worker;
    asio::post(worker, [next = std::move(next)] {
      if (next->event) next->event->notify();
    });
  }

 private:
  std::mutex mutex_;
  std::size_t inside_ = 0;
  std::deque<std::shared_ptr<Waiter>> waiting_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
