/// \file
/// What ties a request of a worker to what Python holds of it.
#pragma once

#include "queue.hpp"

#include <gw/gw.hpp>

#include <asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace gw_python {

class Link;

/// What a thread has to say to workers, collected, so that each worker is woken once for all of it. Belongs to that thread.
class Outbox {
 public:
  /// `call(*about, c)` is what is to happen on the worker.
  struct Message {
    void (*call)(Call& about, gw::Context* c);
    std::shared_ptr<Call> about;
    void operator()(gw::Context* c) const { call(*about, c); }
  };

  /// The one of the calling thread, or null: there every message goes at once.
  static Outbox*& present() noexcept {
    static thread_local Outbox* outbox = nullptr;
    return outbox;
  }

  /// Keeps a message until `flush`.
  void add(std::shared_ptr<Link> to, Message message) {
    messages_.emplace_back(std::move(to), std::move(message));
    if (messages_.size() == 1) on_first();
  }
  /// Sends all.
  void flush();
  /// Called when there is something to flush.
  std::function<void()> on_first;

 private:
  std::vector<std::pair<std::shared_ptr<Link>, Message>> messages_;
};

/// A request that is with Python: the way back to its worker, as long as it lasts. Made by the first stage or handler of Python that the
/// request comes to.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(gw::Context& c, asio::any_io_executor worker, std::shared_ptr<Queue> queue)
      : worker_(std::move(worker)), number_(next_number_.fetch_add(1, std::memory_order_relaxed)), queue_(std::move(queue)), context_(&c) {}

  /// Has the worker call `message` soon, with the request's context. If the request is over by then it gets null, on whatever thread. Any thread.
  void post(Outbox::Message message) {
    if (Outbox* const outbox = Outbox::present()) return outbox->add(shared_from_this(), std::move(message));
    const auto say = [self = shared_from_this(), message] { message(self->context_); };
    if (!send(say)) message(nullptr);
  }
  /// Has the worker call `f` soon. False: the request is over. Any thread.
  template <class F>
  bool send(F f) {
    // Also the posting: once the request is over its worker may end.
    const std::lock_guard lock(mutex_);
    if (is_over()) return false;
    asio::post(worker_, std::move(f));
    return true;
  }
  /// The context, for the worker; null: the request is over.
  gw::Context* context() const noexcept { return context_; }

  /// Whether the request is over. Any thread.
  bool is_over() const noexcept { return is_over_.load(std::memory_order_acquire); }
  /// The number that Python knows the request by. No two of a process have the same.
  std::size_t number() const noexcept { return number_; }
  /// Python keeps something for the request, and is to be told when it is over. False: it is over. Any thread.
  bool keep() {
    const std::lock_guard lock(mutex_);
    is_kept_ = true;
    return !is_over();
  }

  /// The worker's request is over. On the worker.
  void cut() {
    const std::lock_guard lock(mutex_);
    is_over_.store(true, std::memory_order_release);
    context_ = nullptr;
    if (is_kept_) queue_->push({Item::Kind::over, number_, nullptr}, &worker_);
  }

  /// What runs things on the worker.
  const asio::any_io_executor& worker() const noexcept { return worker_; }

 private:
  static inline std::atomic<std::size_t> next_number_ = 0;

  const asio::any_io_executor worker_;
  const std::size_t number_;
  const std::shared_ptr<Queue> queue_;  // of the event loop
  gw::Context* context_;                // for the worker; null: over
  std::mutex mutex_;
  std::atomic<bool> is_over_ = false;
  bool is_kept_ = false;
};

inline void Outbox::flush() {
  auto all = std::exchange(messages_, {});
  while (!all.empty()) {
    const auto others = std::stable_partition(all.begin(), all.end(), [&worker = all.front().first->worker()](const auto& m) { return m.first->worker() == worker; });
    std::vector<std::pair<std::shared_ptr<Link>, Message>> batch(std::make_move_iterator(all.begin()), std::make_move_iterator(others));
    all.erase(all.begin(), others);
    const auto shared = std::make_shared<decltype(batch)>(std::move(batch));
    const auto say = [shared] {
      for (const auto& [link, message] : *shared) message(link->context());
    };
    // Any request that goes on keeps the worker.
    const bool is_sent = std::any_of(shared->begin(), shared->end(), [&say](const auto& m) { return m.first->send(say); });
    if (!is_sent)
      for (const auto& [link, message] : *shared) message(nullptr);
  }
}

}  // namespace gw_python
