/// \file
/// The text of a head, put together from many small pieces.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace gw {
inline namespace v0 {
namespace proxy {

/// A number as text, to be put between other pieces.
class Decimal {
 public:
  explicit Decimal(std::uint64_t n) noexcept : size_(static_cast<std::size_t>(std::to_chars(digits_, digits_ + sizeof digits_, n).ptr - digits_)) {}
  operator std::string_view() const noexcept { return {digits_, size_}; }

 private:
  char digits_[20];
  std::size_t size_;
};

/// Text that grows at its end. Room is made for several pieces at once, and each is a copy and no more, where std::string looks at its
/// capacity and writes an end every time. Keeps its memory for the next head; a moved one keeps its views.
class HeadText {
 public:
  HeadText() noexcept = default;
  HeadText(HeadText&& other) noexcept { swap(other); }
  HeadText& operator=(HeadText&& other) noexcept {
    HeadText taken(std::move(other));
    swap(taken);
    return *this;
  }

  /// All of it; a view until more is put, or it is cleared.
  std::string_view text() const noexcept { return {memory_.get(), size_}; }
  void clear() noexcept { size_ = 0; }

  /// Puts the pieces, one behind the other.
  template <class... Pieces>
  void put(const Pieces&... pieces) {
    put_all(std::string_view(pieces)...);
  }
  /// Puts "name: value\r\n", of a field whose text comes from elsewhere.
  void put_field(std::string_view name, std::string_view value) {
    // As it was received, nearly always: one piece.
    if (value.data() == name.data() + name.size() + separator.size() && std::string_view(name.data() + name.size(), separator.size()) == separator)
      put_all(std::string_view(name.data(), name.size() + separator.size() + value.size()), std::string_view("\r\n"));
    else
      put_all(name, separator, value, std::string_view("\r\n"));
  }

 private:
  static constexpr std::string_view separator = ": ";

  template <class... Pieces>
  void put_all(Pieces... pieces) {
    const std::size_t size = (pieces.size() + ...);
    if (capacity_ - size_ < size) grow(size);
    char* next = memory_.get() + size_;
    // An empty text may be a null one, which memcpy must not see.
    ((next += pieces.copy(next, pieces.size())), ...);
    size_ += size;
  }
  [[gnu::noinline, gnu::cold]] void grow(std::size_t size) {
    const std::size_t capacity = std::max({2 * capacity_, size_ + size, std::size_t{1024}});
    std::unique_ptr<char[]> larger(new char[capacity]);
    if (size_ > 0) std::memcpy(larger.get(), memory_.get(), size_);
    memory_ = std::move(larger);
    // Not sooner: without memory nothing has changed, and the text may be used again.
    capacity_ = capacity;
  }
  void swap(HeadText& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  std::unique_ptr<char[]> memory_;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
