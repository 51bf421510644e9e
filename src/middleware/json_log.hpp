/// \file
/// Level 4: lines of JSON for the access log, as text. No files here.
#pragma once

#include <gw/context.hpp>

#include "middleware/log_line.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace detail {

/// Appends `text` as a JSON string (RFC 8259 7). Every byte that is not part of valid UTF-8 (RFC 3629) becomes U+FFFD.
void put_json_string(LogLine& line, std::string_view text);
/// The same for texts that are no line of a log.
void append_json_string(std::string& out, std::string_view text);

/// Appends "2026-10-10T13:55:36.123Z" (RFC 3339), UTC.
void put_json_time(LogLine& line, std::chrono::sys_time<std::chrono::milliseconds> time);

/// Appends seconds with six decimals: "0.001234". A negative time is 0.
void put_seconds(LogLine& line, std::chrono::nanoseconds time);

/// The fields of a line, resolved once: nothing is looked up by name per request.
class JsonLine {
 public:
  /// Takes the names of fields (docs/middleware.md); an empty list is the default set. Throws `ConfigError` for names
  /// that are not known or there twice, and for headers that hold credentials.
  explicit JsonLine(const std::vector<std::string>& names);

  /// Appends the line of a finished request, line end included: an object with every field, in their order; null for
  /// what is not known. Does not allocate once `line` is large enough.
  void put(LogLine& line, const Context& c) const;

 private:
  struct Field {
    std::string key;  ///< with what stands before its value, `,"status":`
    void (*put)(LogLine& line, const Context& c, const Field& field);
    std::string header;
    /// The key again if it fits: to copy all of it takes two instructions, to copy as much as it has a call.
    std::array<char, 16> short_key{};
  };
  std::vector<Field> fields_;
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
