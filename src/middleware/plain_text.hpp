/// \file
/// Level 4: what the formats of a log line share: numbers, and what of a text can stand there as it is.
#pragma once

#include <gw/version.hpp>

#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace detail {

/// Appends `number` in decimal.
inline void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

/// Whether `c` stands for itself in a quoted text: visible ASCII and space, but neither `"` nor `\`.
constexpr bool is_plain(char c) noexcept { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

/// Where the plain text that begins at `i` ends: nearly always at the end of `text`. Eight bytes per turn.
inline std::size_t plain_end(std::string_view text, std::size_t i) noexcept {
  constexpr std::uint64_t each = 0x0101010101010101u;
  while (std::endian::native == std::endian::little && i + 8 <= text.size()) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    // The lowest marked byte is one that is not plain; marks above it may be borrows of the subtractions.
    const auto zeros = [](std::uint64_t w) { return (w - each) & ~w; };
    const std::uint64_t controls = (word - each * 0x20) & ~word;
    const std::uint64_t marks =
        (word | controls | zeros(word ^ each * '"') | zeros(word ^ each * '\\') | zeros(word ^ each * 0x7f)) & (each * 0x80);
    if (marks != 0) return i + static_cast<std::size_t>(std::countr_zero(marks)) / 8;
    i += 8;
  }
  while (i < text.size() && is_plain(text[i])) ++i;
  return i;
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
