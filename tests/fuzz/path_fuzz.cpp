/// \file
/// Fuzz target: the normaliser of paths, beside one that does a step after the other (RFC 3986 6.2.2), and what is joined to an upstream's
/// base path.
#include "../support/route_reference.hpp"

#include <gw/path.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

bool has_segment(std::string_view path, std::string_view segment) {
  const std::vector<std::string> all = reference::segments(path);
  return std::find(all.begin(), all.end(), segment) != all.end();
}

/// What a path means: its escapes one by one, then its segments.
std::optional<std::string> normal(std::string_view raw, bool keep_slashes) {
  if (raw.empty() || raw.front() != '/') return std::nullopt;
  std::string spelled;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const auto c = static_cast<unsigned char>(raw[i]);
    if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '?' || c == '#') return std::nullopt;
    if (c != '%') {
      spelled += raw[i];
      continue;
    }
    if (raw.size() - i < 3 || gw::detail::hex_value(raw[i + 1]) < 0 || gw::detail::hex_value(raw[i + 2]) < 0) return std::nullopt;
    const int byte = gw::detail::hex_value(raw[i + 1]) * 16 + gw::detail::hex_value(raw[i + 2]);
    if (byte < 0x20 || byte == 0x7f || byte == '\\') return std::nullopt;
    const bool is_unreserved = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                               byte == '-' || byte == '.' || byte == '_' || byte == '~';
    if (is_unreserved) spelled += static_cast<char>(byte);
    else (spelled += '%').append({"0123456789ABCDEF"[byte / 16], "0123456789ABCDEF"[byte % 16]});
    i += 2;
  }
  std::vector<std::string> kept;
  bool ends_in_slash = false;
  for (std::size_t begin = 1; begin <= spelled.size();) {
    const std::size_t end = std::min(spelled.find('/', begin), spelled.size());
    const std::string segment = spelled.substr(begin, end - begin);
    const bool is_last = end == spelled.size();
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (segment != "." && (!segment.empty() || (keep_slashes && !is_last))) {
      kept.push_back(segment);
    }
    if (is_last) ends_in_slash = segment.empty() || segment == "." || segment == "..";
    begin = end + 1;
  }
  std::string path;
  for (const std::string& segment : kept) path.append("/").append(segment);
  return ends_in_slash || path.empty() ? path + "/" : path;
}

void check_joined(std::string_view path, bool keep_slashes) {
  for (std::size_t strip = 0; strip <= path.size(); ++strip) {
    for (std::string_view base : {"", "/", "/srv", "/srv/"}) {
      std::string joined;
      gw::join_path(joined, base, path, strip);
      GW_ASSERT(joined.starts_with("/") && (base.size() < 2 || joined == "/srv" || joined.starts_with("/srv/")));
      GW_ASSERT(!has_segment(joined, ".") && !has_segment(joined, ".."));
      GW_ASSERT((keep_slashes && strip == 0) || !joined.starts_with("//"));
    }
  }
}

void check(std::string_view raw, bool keep_slashes) {
  std::string scratch, again;
  const auto path = gw::normalize_path(raw, scratch, keep_slashes);
  const std::optional<std::string> expected = normal(raw, keep_slashes);
  GW_ASSERT(path.has_value() == expected.has_value());
  if (!path) return;
  GW_ASSERT(*path == *expected);
  const auto twice = gw::normalize_path(*path, again, keep_slashes);
  GW_ASSERT(twice && twice->data() == path->data() && twice->size() == path->size());
  GW_ASSERT(!has_segment(*path, ".") && !has_segment(*path, ".."));
  GW_ASSERT(keep_slashes || path->find("//") == std::string_view::npos);
  GW_ASSERT(std::all_of(path->begin(), path->end(), [](char c) { return c > 0x20 && c < 0x7f && c != '\\'; }));
  check_joined(*path, keep_slashes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Joining tries every prefix.
  const std::string_view raw(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 512));
  check(raw, false);
  check(raw, true);
  return 0;
}
