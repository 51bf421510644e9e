/// \file
/// A descriptor that is held back for the time when the process may open no more.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <shared_mutex>

namespace gw {
inline namespace v0 {
namespace net {

/// Whether an `errno` says that the process, or the system, may open no more descriptors.
inline bool is_out_of_descriptors(int error) noexcept { return error == EMFILE || error == ENFILE; }

/// Lets somebody open one more descriptor for a moment, when there are none left. Workers share it; thread-safe.
class Spare {
 public:
  Spare() noexcept : held_(hold()) {}
  ~Spare() {
    if (held_ >= 0) ::close(held_);
  }
  Spare(const Spare&) = delete;
  Spare& operator=(const Spare&) = delete;

  /// Calls `open()`, which opens a descriptor to keep: not while one is lent, which it would take away.
  template <class F>
  auto keep(F&& open) {
    if (held_.load(std::memory_order_relaxed) < 0) {
      // Somebody else in this process was quicker than `lend`.
      const std::unique_lock lock(mutex_);
      if (held_ < 0) held_ = hold();
    }
    const std::shared_lock lock(mutex_);
    return open();
  }

  /// Gives the descriptor up while `use()` runs, which closes again what it opens. False, and `errno`, if there is none to give up.
  template <class F>
  bool lend(F&& use) {
    const std::unique_lock lock(mutex_);
    if (held_ < 0 && (held_ = hold()) < 0) return false;
    ::close(held_);
    use();
    held_ = hold();
    return true;
  }

 private:
  // Anything that takes up a descriptor.
  static int hold() noexcept { return ::eventfd(0, EFD_CLOEXEC); }

  std::shared_mutex mutex_;
  std::atomic<int> held_;
};

}  // namespace net
}  // namespace v0
}  // namespace gw
