/// \file
/// Level 4: lines of JSON for the access log, as text. No files here.
#pragma once

#include <gw/context.hpp>

#include "middleware/log_text.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace detail {

/// Writes `text` at `to`, once `out` has room, as a JSON string (RFC 8259 7). Every byte that is not part of valid UTF-8 (RFC 3629)
/// becomes U+FFFD.
char* put_json_string(LogText& out, char* to, std::string_view text);
/// Appends the same to a string.
void append_json_string(std::string& out, std::string_view text);

/// How long a time is.
inline constexpr std::size_t json_time_size = std::string_view("2026-10-10T13:55:36.123Z").size();

/// Writes "2026-10-10T13:55:36.123Z" (RFC 3339), UTC.
char* put_json_time(char* to, std::chrono::sys_time<std::chrono::milliseconds> time);

/// Writes seconds with six decimals: "0.001234". A negative time is 0.
char* put_seconds(char* to, std::chrono::nanoseconds time);

/// The fields of a line, resolved once: nothing is looked up by name per request.
class JsonLine {
 public:
  /// Takes the names of fields (docs/middleware.md); an empty list is the default set. Throws `ConfigError` for names
  /// that are not known or there twice, and for headers that hold credentials.
  explicit JsonLine(const std::vector<std::string>& names);

  /// Appends the line of a finished request, line end included: an object with every field, in their order; null for
  /// what is not known. Does not allocate once `out` is large enough.
  void put(LogText& out, const Context& c) const;

 private:
  /// Keys are copied by blocks of so many bytes: each takes two instructions, where as many bytes as a key has take a call.
  static constexpr std::size_t key_block = 16;

  struct Field {
    std::string key;  ///< with what stands before its value, `,"status":`; filled up to whole blocks
    std::size_t key_size;
    char* (*put)(LogText& out, char* to, const Context& c, const Field& field);
    std::string header;
  };
  std::vector<Field> fields_;
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
