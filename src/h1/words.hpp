/// \file
/// Level 1: texts of a head compared with constant words, without case. Std only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace h1 {

/// Whether as many bytes as `Word` has are equal but for the case of `text`; as for `begins_with`.
template <class Word>
bool equals_part(const char* text, const char* lower) noexcept {
  constexpr Word small = static_cast<Word>(0x2020202020202020);
  Word a, b;
  std::memcpy(&a, text, sizeof a);
  std::memcpy(&b, lower, sizeof b);
  return (a | small) == b;
}

/// Whether `text`, which has at least as many bytes, begins with `lower` but for its case. `lower` is made of small letters, digits and
/// "-", 2 bytes or more; `text` has no controls. Then a byte and the same byte with bit 5 set are one letter in two cases, so several
/// compare at once.
template <std::size_t N>
bool begins_with(const char* text, const char (&lower)[N]) noexcept {
  constexpr std::size_t size = N - 1;
  static_assert(size >= 2);
  if constexpr (size >= 8) {
    // Words from the left, then one that ends at the end and may look at some bytes again.
    for (std::size_t i = 0; i + 8 < size; i += 8)
      if (!equals_part<std::uint64_t>(text + i, lower + i)) return false;
    return equals_part<std::uint64_t>(text + size - 8, lower + size - 8);
  } else if constexpr (size >= 4) {
    return equals_part<std::uint32_t>(text, lower) && equals_part<std::uint32_t>(text + size - 4, lower + size - 4);
  } else {
    return equals_part<std::uint16_t>(text, lower) && equals_part<std::uint16_t>(text + size - 2, lower + size - 2);
  }
}

/// Whether `text` is `lower` but for its case; both as for `begins_with`.
template <std::size_t N>
bool is_word(std::string_view text, const char (&lower)[N]) noexcept {
  return text.size() == N - 1 && begins_with(text.data(), lower);
}

}  // namespace h1
}  // namespace v0
}  // namespace gw
