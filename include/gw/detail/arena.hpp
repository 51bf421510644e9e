/// \file
/// Level 0: memory for the strings of one message. Std only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace detail {

/// Hands out memory that lives until `clear()` or destruction; moving an arena keeps every view
/// valid. `clear()` keeps the first block, so a recycled message does not allocate again.
class Arena {
 public:
  Arena() noexcept = default;
  Arena(Arena&&) noexcept = default;
  Arena& operator=(Arena&&) noexcept = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// `size` bytes, not initialised, without alignment.
  char* allocate(std::size_t size) {
    if (blocks_.empty() || blocks_.back().size - used_ < size) grow(size);
    char* place = blocks_.back().bytes.get() + used_;
    used_ += size;
    return place;
  }

  /// `size` bytes, not initialised, aligned to `alignment`, a power of two.
  void* allocate(std::size_t size, std::size_t alignment) {
    const auto place = reinterpret_cast<std::uintptr_t>(allocate(size + alignment - 1));
    return reinterpret_cast<void*>((place + alignment - 1) & ~(alignment - 1));
  }

  /// A copy of `text` that lives as long as the arena's content.
  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* place = allocate(text.size());
    std::memcpy(place, text.data(), text.size());
    return {place, text.size()};
  }

  void clear() noexcept {
    if (blocks_.size() > 1) blocks_.erase(blocks_.begin() + 1, blocks_.end());
    used_ = 0;
  }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t size;
  };

  void grow(std::size_t size) {
    const std::size_t wanted = blocks_.empty() ? 256 : 2 * blocks_.back().size;
    const std::size_t block = size > wanted ? size : wanted;
    blocks_.push_back({std::unique_ptr<char[]>(new char[block]), block});
    used_ = 0;
  }

  std::vector<Block> blocks_;
  std::size_t used_ = 0;
};

/// An allocator for objects that end before the arena's content does; what they give back is not used again.
template <class T>
struct ArenaAllocator {
  using value_type = T;
  Arena* arena;

  explicit ArenaAllocator(Arena& a) noexcept : arena(&a) {}
  template <class U>
  ArenaAllocator(const ArenaAllocator<U>& other) noexcept : arena(other.arena) {}
  T* allocate(std::size_t n) { return static_cast<T*>(arena->allocate(n * sizeof(T), alignof(T))); }
  void deallocate(T*, std::size_t) noexcept {}
  template <class U>
  bool operator==(const ArenaAllocator<U>& other) const noexcept { return arena == other.arena; }
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
