/// \file
/// Memory that bytes from a transport are read into.
#pragma once

#include <gw/error.hpp>

#include "proxy/recycled.hpp"

#include <asio/buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace gw {
inline namespace v0 {
namespace proxy {

/// A fixed block: bytes come in at the back and are consumed at the front. Views into it live until
/// `make_room`, `unpin` or `clear`. Movable; a moved one keeps its views.
class Buffer {
 public:
  Buffer() noexcept = default;
  explicit Buffer(std::size_t capacity) : block_(new char[capacity]), capacity_(capacity) {}

  std::size_t capacity() const noexcept { return capacity_; }
  /// The bytes that were not consumed yet.
  std::string_view content() const noexcept { return {block_.get() + begin_, end_ - begin_}; }
  bool empty() const noexcept { return begin_ == end_; }
  /// Where the next bytes go.
  asio::mutable_buffer room() noexcept { return {block_.get() + end_, capacity_ - end_}; }
  void commit(std::size_t n) noexcept { end_ += n; }
  void consume(std::size_t n) noexcept {
    GW_ASSERT(n <= end_ - begin_);
    begin_ += n;
  }
  /// What was consumed so far stays where it is until `clear`: views into it (a head) live on.
  void pin() noexcept { floor_ = begin_; }
  /// Moves what is left forward, behind what is pinned. Ends the life of all other views.
  void make_room() noexcept {
    if (begin_ == floor_) return;
    std::memmove(block_.get() + floor_, block_.get() + begin_, end_ - begin_);
    end_ -= begin_ - floor_;
    begin_ = floor_;
  }
  /// Forgets the pins, and moves what is left to the front.
  void unpin() noexcept {
    floor_ = 0;
    make_room();
  }
  void clear() noexcept { begin_ = end_ = floor_ = 0; }

 private:
  std::unique_ptr<char[]> block_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0, floor_ = 0;
};

/// The size of a buffer for a head of at most `head` bytes and, behind it, content. Large content goes through in pieces of what is left,
/// and with half as much it takes twice the CPU: the system hands over up to 64 KiB at once, and wakes the other end for each piece.
constexpr std::size_t buffer_size(std::size_t head) noexcept { return std::max(2 * head, std::size_t{64 * 1024}); }

/// Blocks that wait for their next use; one per worker.
class BufferStore {
 public:
  /// An empty buffer of at least `capacity` bytes.
  Buffer take(std::size_t capacity) {
    const auto make = [capacity] { return Buffer(capacity); };
    Buffer b = free_.take(make);
    return b.capacity() >= capacity ? std::move(b) : make();
  }
  void give(Buffer b) {
    if (b.capacity() == 0) return;
    b.clear();
    free_.give(std::move(b));
  }
  /// Frees what was not needed since the last call.
  void trim() { free_.trim(); }
  /// How many wait.
  std::size_t size() const noexcept { return free_.size(); }
  /// How many were taken and not given back yet.
  std::size_t in_use() const noexcept { return free_.in_use(); }

 private:
  Recycled<Buffer> free_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
