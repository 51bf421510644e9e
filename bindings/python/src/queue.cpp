#include "queue.hpp"

#include "call.hpp"

#include <asio/post.hpp>
#include <sys/eventfd.h>
#include <unistd.h>

#include <iterator>
#include <utility>

namespace gw_python {

namespace {
constexpr auto patience = std::chrono::milliseconds(1);
}

Queue::Queue() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Queue::~Queue() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool Queue::push(Item item, const asio::any_io_executor* worker) {
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return false;
    items_.push_back(std::move(item));
    if (is_wake_coming_) return true;
    is_wake_coming_ = true;
  }
  if (!worker) return wake(), true;
  // Behind what the worker has to do now: then it does not have to share its core with whom it wakes, request by request.
  asio::post(*worker, [self = shared_from_this()] { self->wake(); });
  return true;
}

void Queue::wake() {
  const std::lock_guard lock(mutex_);
  is_wake_coming_ = false;
  if (items_.empty()) return;
  const std::uint64_t one = 1;
  static_cast<void>(!::write(descriptor_, &one, sizeof one));
  if (runner_ && is_watched_) return;
  if (runner_) is_watched_ = true;
  changed_.notify_one();
}

// What the thread took before is done: whether that was slow.
bool Queue::finish(Hand& hand) {
  if (!hand.is_busy) return false;
  hand.is_busy = false;
  if (runner_ == &hand) runner_ = nullptr;
  return std::chrono::steady_clock::now() - hand.since >= patience;
}

// Takes the next thing, unless that is left to the thread that does quick ones.
std::optional<Item> Queue::begin(Hand& hand, bool is_slow) {
  if (is_closed_ || items_.empty() || (runner_ && !is_slow)) return std::nullopt;
  if (!runner_) runner_ = &hand;
  hand.is_busy = true;
  hand.since = std::chrono::steady_clock::now();
  ++taken_;
  Item item = std::move(items_.front());
  items_.pop_front();
  if (!items_.empty() && !is_watched_) {
    is_watched_ = true;
    changed_.notify_one();
  }
  return item;
}

std::optional<Item> Queue::take_now(Hand& hand) {
  const std::lock_guard lock(mutex_);
  const bool is_slow = finish(hand);
  return begin(hand, is_slow);
}

std::optional<Item> Queue::take(Hand& hand) {
  std::unique_lock lock(mutex_);
  const bool is_slow = finish(hand);
  if (std::optional<Item> item = begin(hand, is_slow)) return item;
  while (!is_closed_) {
    if (runner_ && !items_.empty()) {
      const std::size_t seen = taken_;
      is_watched_ = true;
      changed_.wait_for(lock, patience);
      if (taken_ == seen && !items_.empty()) runner_ = nullptr;  // it does something slow
    } else {
      changed_.wait(lock);
    }
    is_watched_ = false;
    if (std::optional<Item> item = begin(hand, false)) return item;
  }
  return std::nullopt;
}

std::vector<Item> Queue::take_all() {
  const std::lock_guard lock(mutex_);
  std::uint64_t count;
  static_cast<void>(!::read(descriptor_, &count, sizeof count));
  std::vector<Item> all(std::make_move_iterator(items_.begin()), std::make_move_iterator(items_.end()));
  items_.clear();
  return all;
}

void Queue::close() {
  std::deque<Item> left;
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    left.swap(items_);
  }
  changed_.notify_all();
  for (const Item& item : left)
    if (item.call) item.call->abandon(item);
}

}  // namespace gw_python
