/// \file
/// Text appended to a string in many small pieces.
#pragma once

#include <gw/error.hpp>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace proxy {

/// Appends to a string whose room was made at once: each piece is a copy and no more, where `append` looks at the capacity and
/// writes an end every time. Destroyed, it leaves the string as long as what was put.
class TextWriter {
 public:
  /// At most `room` bytes will be put; asserted at the end.
  TextWriter(std::string& out, std::size_t room) : out_(out) {
    const std::size_t start = out.size();
    out.resize(start + room);
    next_ = out.data() + start;
  }
  ~TextWriter() {
    const auto size = static_cast<std::size_t>(next_ - out_.data());
    GW_ASSERT(size <= out_.size());
    out_.resize(size);
  }
  TextWriter(const TextWriter&) = delete;
  TextWriter& operator=(const TextWriter&) = delete;

  /// An empty text may be a null one, which memcpy must not see.
  void put(std::string_view text) noexcept { next_ += text.copy(next_, text.size()); }
  void put(char c) noexcept { *next_++ = c; }
  void put_number(std::uint64_t n) noexcept { next_ = std::to_chars(next_, next_ + number_room, n).ptr; }
  /// "name: value\r\n".
  void put_field(std::string_view name, std::string_view value) noexcept {
    put(name);
    put(": ");
    put(value);
    put("\r\n");
  }

  /// What a number may take.
  static constexpr std::size_t number_room = 20;
  /// What a field takes beside name and value.
  static constexpr std::size_t field_room = 4;

 private:
  std::string& out_;
  char* next_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
