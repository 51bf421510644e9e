/// \file
/// Level 1: paths of requests (RFC 3986): one spelling for each before routing, and how what a
/// route matched is put behind an upstream's base path. Std only. The rules in plain words:
/// docs/routing.md.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace detail {

/// What a byte of a raw path asks for.
enum class PathByte : std::uint8_t { plain, slash, dot, escape, bad };

/// Visible ASCII passes, but for what servers read in different ways: "\" as "/", and "?" and "#" as
/// the end of the path.
inline constexpr auto path_bytes = [] {
  std::array<PathByte, 256> table{};
  for (std::size_t c = 0; c < table.size(); ++c) table[c] = c > 0x20 && c < 0x7f ? PathByte::plain : PathByte::bad;
  for (unsigned char c : std::string_view("\\?#")) table[c] = PathByte::bad;
  table['/'] = PathByte::slash;
  table['.'] = PathByte::dot;
  table['%'] = PathByte::escape;
  return table;
}();

/// 0..15, or -1 if `c` is no hexadecimal digit.
constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// The byte 0..255 that the escape at `at` ("%2F") stands for, or -1 if it is broken (RFC 3986 2.1).
constexpr int escaped_byte(std::string_view text, std::size_t at) noexcept {
  if (text.size() - at < 3) return -1;
  const int high = hex_value(text[at + 1]), low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/// Characters that mean the same escaped and not (RFC 3986 2.3).
constexpr bool is_unreserved(int c) noexcept {
  const int lower = c | 0x20;
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

/// Bytes that are refused in every spelling: controls and the backslash. `c` is 0..255.
constexpr bool is_forbidden_in_path(int c) noexcept { return c < 0x20 || c == 0x7f || c == '\\'; }

/// Whether a segment that begins at `at` is "." or "..".
constexpr bool is_dot_segment(std::string_view path, std::size_t at) noexcept {
  std::size_t end = at;
  while (end < path.size() && path[end] == '.') ++end;
  return (end - at == 1 || end - at == 2) && (end == path.size() || path[end] == '/');
}

/// Closes the segment of `out` that begins at `segment` (RFC 3986 5.2.4).
inline void end_segment(std::string& out, std::size_t segment, bool is_last, bool keep_slashes) {
  const std::string_view text = std::string_view(out).substr(segment);
  if (text == ".") {
    out.resize(segment);
  } else if (text == "..") {
    out.resize(segment);
    if (segment > 1) out.resize(out.rfind('/', segment - 2) + 1);
  } else if (!is_last && (!text.empty() || keep_slashes)) {
    out += '/';
  }
}

/// The slow half of `normalize_path`: builds the path in `scratch`. `raw` starts with "/".
inline std::optional<std::string_view> rewrite_path(std::string_view raw, std::string& scratch, bool keep_slashes) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  scratch.assign(1, '/');
  std::size_t segment = 1;
  for (std::size_t i = 1; i < raw.size(); ++i) {
    const char c = raw[i];
    const PathByte kind = path_bytes[static_cast<unsigned char>(c)];
    if (kind == PathByte::bad) return std::nullopt;
    if (kind == PathByte::slash) {
      end_segment(scratch, segment, false, keep_slashes);
      segment = scratch.size();
    } else if (kind == PathByte::escape) {
      const int byte = escaped_byte(raw, i);
      if (byte < 0 || is_forbidden_in_path(byte)) return std::nullopt;
      i += 2;
      if (is_unreserved(byte)) scratch += static_cast<char>(byte);
      else (scratch += '%').append({digits[static_cast<std::size_t>(byte / 16)], digits[static_cast<std::size_t>(byte % 16)]});
    } else {
      scratch += c;
    }
  }
  end_segment(scratch, segment, true, keep_slashes);
  return std::string_view(scratch);
}

/// Whether the percent-decoded form of `raw` is `text`; without a copy.
constexpr bool equals_decoded(std::string_view raw, std::string_view text) noexcept {
  std::size_t at = 0;
  for (std::size_t i = 0; i < raw.size(); ++i, ++at) {
    if (at == text.size()) return false;
    const int byte = raw[i] == '%' ? escaped_byte(raw, i) : -1;
    if (byte >= 0) i += 2;
    if (text[at] != (byte >= 0 ? static_cast<char>(byte) : raw[i])) return false;
  }
  return at == text.size();
}

/// What `join_path` puts one behind the other.
struct JoinedPath {
  std::string_view base, slash, rest;
};

constexpr JoinedPath joined_path(std::string_view base, std::string_view path, std::size_t strip) noexcept {
  const bool base_has_slash = !base.empty() && base.back() == '/';
  while (!base.empty() && base.back() == '/') base.remove_suffix(1);
  std::string_view rest = path.substr(std::min(strip, path.size()));
  if (strip == 0 && !rest.empty()) rest.remove_prefix(1);
  while (strip > 0 && !rest.empty() && (rest.front() == '/' || is_dot_segment(rest, 0)))
    rest.remove_prefix(std::min(rest.find('/'), rest.size() - 1) + 1);

  const bool ends_in_slash = path.ends_with('/') && (path.size() > 1 || base_has_slash);
  return {base, !rest.empty() || base.empty() || ends_in_slash ? "/" : "", rest};
}

}  // namespace detail

/// The one spelling of a request's path: unreserved characters decoded, other escapes kept with
/// upper-case digits (so "%2F" stays inside its segment), dot segments removed also if they were
/// escaped (RFC 3986 5.2.4, 6.2.2), "//" merged unless `keep_slashes`. Doing it twice changes nothing.
///
/// `raw` is the target's path without query and must start with "/". Returns `raw` itself if it is
/// normal already, without touching `scratch`; else a view of `scratch`, which must not be what
/// `raw` refers to. Safe from every thread.
///
/// Nothing (a client gets 400, `Error::bad_path`) if `raw` is empty or relative, has a byte outside visible ASCII, a
/// "\", "?" or "#", a broken escape, or an escaped control or "\".
///
///     std::string scratch;
///     auto path = gw::normalize_path("/a/%7euser/../b", scratch);   // "/a/b"
inline std::optional<std::string_view> normalize_path(std::string_view raw, std::string& scratch, bool keep_slashes = false) {
  using detail::PathByte;
  if (raw.empty() || raw.front() != '/') return std::nullopt;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    bool is_normal = true;
    switch (detail::path_bytes[static_cast<unsigned char>(raw[i])]) {
      case PathByte::plain: continue;
      case PathByte::slash: is_normal = keep_slashes || i + 1 == raw.size() || raw[i + 1] != '/'; break;
      case PathByte::dot: is_normal = raw[i - 1] != '/' || !detail::is_dot_segment(raw, i); break;
      case PathByte::escape: {
        const int byte = detail::escaped_byte(raw, i);
        if (byte < 0 || detail::is_forbidden_in_path(byte)) return std::nullopt;
        is_normal = !detail::is_unreserved(byte) && raw[i + 1] < 'a' && raw[i + 2] < 'a';
        break;
      }
      case PathByte::bad: return std::nullopt;
    }
    if (!is_normal) return detail::rewrite_path(raw, scratch, keep_slashes);
  }
  return raw;
}

/// `text` with its escapes decoded; broken ones stay as they are, and "+" stays a plus.
inline std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int byte = text[i] == '%' ? detail::escaped_byte(text, i) : -1;
    out += byte >= 0 ? static_cast<char>(byte) : text[i];
    if (byte >= 0) i += 2;
  }
  return out;
}

/// Appends to `out` the path that an upstream with base path `base` is asked for: `path` without
/// its first `strip` bytes, behind `base`, with exactly one slash between. The slash at the end is
/// that of `path`; only "/" itself takes it from `base`. `base` is "" or starts with "/".
///
/// `path` is normalised and `strip` is at most its size: 0 or `Match::prefix_length`. Slashes and dot
/// segments that come to the front by stripping are dropped, so the result neither climbs out of
/// `base` nor, without a base, begins with "//" as if a host followed.
///
///     gw::join_path(out, "/srv/", "/foo/x", 4);   // "/srv/x"
inline void join_path(std::string& out, std::string_view base, std::string_view path, std::size_t strip = 0) {
  const detail::JoinedPath joined = detail::joined_path(base, path, strip);
  out.append(joined.base).append(joined.slash).append(joined.rest);
}

}  // namespace v0
}  // namespace gw
