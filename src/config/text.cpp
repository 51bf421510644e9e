#include "config/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

/// How many bytes the UTF-8 character at the front of `text` has; 0 if it is broken.
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) { return byte(i) >= low && byte(i) <= high; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return follows(1) ? 2 : 0;
  // Overlong forms and surrogates are excluded by the second byte (RFC 3629 4).
  if (lead >= 0xe0 && lead <= 0xef) return follows(1, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
  if (lead >= 0xf0 && lead <= 0xf4)
    return follows(1, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
  return 0;
}

std::string hex(const char* format, unsigned value) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

}  // namespace

std::optional<BadCharacter> find_bad_character(std::string_view text, bool is_file) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (is_control(c) && !(is_file && (c == '\t' || c == '\n' || c == '\r')))
      return BadCharacter{i, "control character " + hex("U+%04X", c) + " is not allowed"};
    const std::size_t size = character_size(text.substr(i));
    if (size == 0) return BadCharacter{i, "not UTF-8: byte " + hex("0x%02X", c)};
    i += size;
  }
  return std::nullopt;
}

std::string quote(std::string_view text) {
  constexpr std::size_t longest = 80;
  std::string quoted = "\"";
  std::size_t i = 0;
  while (i < text.size() && i < longest) {
    const auto c = static_cast<unsigned char>(text[i]);
    const std::size_t size = character_size(text.substr(i));
    if (size == 0 || is_control(c)) {
      quoted += hex("\\x%02X", c);
      ++i;
    } else {
      quoted += text.substr(i, size);
      i += size;
    }
  }
  return quoted + (i < text.size() ? "...\"" : "\"");
}

std::string path_of(const std::string& path, std::string_view key) {
  const bool is_plain = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  if (!is_plain) return path + '[' + quote(key) + ']';
  return path.empty() ? std::string(key) : path + '.' + std::string(key);
}

std::string path_of(const std::string& path, std::size_t index) { return path + '[' + std::to_string(index) + ']'; }

}  // namespace config
}  // namespace v0
}  // namespace gw
