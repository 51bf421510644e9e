/// \file
/// Where requests cross from the workers of a gateway to threads of Python, and back. No Python in it.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace gw_python {

/// A queue of things to do for threads that Python has made, or for an event loop of it. Thread-safe; workers never wait.
template <class Item>
class Crossing : public std::enable_shared_from_this<Crossing<Item>> {
 public:
  Crossing();
  ~Crossing();
  Crossing(const Crossing&) = delete;
  Crossing& operator=(const Crossing&) = delete;

  /// Adds something to do. False: nobody will do it any more.
  bool push(std::shared_ptr<Item> item);

  /// For threads: the next thing to do; waits for it. Null: there will be none any more. What was taken before is done.
  ///
  /// While one thread is busy the others leave what comes to it for a millisecond: things that are quick are done by one thread, one after
  /// the other, which is quicker than having threads take the interpreter's lock from each other; things that block get a thread each.
  std::shared_ptr<Item> take(bool has_done_one);

  /// For event loops: all there is to do, perhaps nothing.
  std::vector<std::shared_ptr<Item>> take_all();
  /// For event loops: a descriptor that is readable while there is something to do.
  int descriptor() const noexcept { return descriptor_; }

  /// Nothing is taken any more but by `take_all`; who waits in `take` returns. What is left over is abandoned.
  void close();

 private:
  const int descriptor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Item>> items_;
  std::size_t taken_ = 0;  // so far
  std::size_t busy_ = 0;   // threads
  bool is_watched_ = false;  // by a thread that takes over if the busy ones do not come back soon
  bool is_closed_ = false;
};

template <class Item>
Crossing<Item>::Crossing() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

template <class Item>
Crossing<Item>::~Crossing() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

template <class Item>
bool Crossing<Item>::push(std::shared_ptr<Item> item) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return false;
  items_.push_back(std::move(item));
  if (items_.size() > 1) return true;  // who was woken for the first one sees this one, too
  const std::uint64_t one = 1;
  static_cast<void>(!::write(descriptor_, &one, sizeof one));
  changed_.notify_one();
  return true;
}

template <class Item>
std::shared_ptr<Item> Crossing<Item>::take(bool has_done_one) {
  constexpr auto patience = std::chrono::milliseconds(1);
  std::unique_lock lock(mutex_);
  if (has_done_one) --busy_;
  for (;;) {
    if (is_closed_) return nullptr;
    if (items_.empty() || (busy_ > 0 && is_watched_)) {
      changed_.wait(lock);
      continue;
    }
    if (busy_ == 0) break;
    const std::size_t seen = taken_;
    is_watched_ = true;
    changed_.wait_for(lock, patience);
    is_watched_ = false;
    if (!is_closed_ && !items_.empty() && (busy_ == 0 || taken_ == seen)) break;
  }
  ++busy_;
  ++taken_;
  std::shared_ptr<Item> item = std::move(items_.front());
  items_.pop_front();
  if (!items_.empty()) changed_.notify_one();
  return item;
}

template <class Item>
std::vector<std::shared_ptr<Item>> Crossing<Item>::take_all() {
  const std::lock_guard lock(mutex_);
  std::uint64_t count;
  static_cast<void>(!::read(descriptor_, &count, sizeof count));
  std::vector<std::shared_ptr<Item>> all(std::make_move_iterator(items_.begin()), std::make_move_iterator(items_.end()));
  items_.clear();
  return all;
}

template <class Item>
void Crossing<Item>::close() {
  std::deque<std::shared_ptr<Item>> left;  // ends without the mutex
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    left.swap(items_);
  }
  changed_.notify_all();
  for (const std::shared_ptr<Item>& item : left) item->abandon();
}

}  // namespace gw_python
