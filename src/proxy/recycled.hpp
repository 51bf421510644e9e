/// \file
/// Objects that were used and wait for their next use. Std only.
#pragma once

#include <gw/error.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

/// A stack of objects of one kind: what was given last, and is still in the processor's caches, is taken first. It keeps as many as
/// the busiest moment needed; `trim`, called now and then, frees what has not been needed since. One thread.
template <class T>
class Recycled {
 public:
  /// How many wait.
  std::size_t size() const noexcept { return free_.size(); }
  /// How many were taken and not given back yet.
  std::size_t in_use() const noexcept { return in_use_; }

  /// The one given last; if none waits, what `make()` returns.
  template <class F>
  T take(F&& make) {
    ++in_use_;
    if (free_.empty()) return make();
    T taken = std::move(free_.back());
    free_.pop_back();
    least_ = std::min(least_, free_.size());
    return taken;
  }
  /// Takes back what was taken.
  void give(T object) {
    GW_ASSERT(in_use_ > 0);
    --in_use_;
    free_.push_back(std::move(object));
  }
  /// Frees as many as have waited all the time since the last call.
  void trim() {
    free_.erase(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(least_));
    least_ = free_.size();
  }

 private:
  std::vector<T> free_;
  std::size_t in_use_ = 0;
  std::size_t least_ = 0;  // that have waited at any moment since the last `trim`
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
