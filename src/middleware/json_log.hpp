/// \file
/// Level 4: lines of JSON for the access log, as text. No files here.
#pragma once

#include <gw/context.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace detail {

/// Appends `text` as a JSON string (RFC 8259 7). Every byte that is not part of valid UTF-8 (RFC 3629) becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Appends "2026-10-10T13:55:36.123Z" (RFC 3339), UTC.
void append_json_time(std::string& out, std::chrono::sys_time<std::chrono::milliseconds> time);

/// Appends seconds with six decimals: "0.001234". A negative time is 0.
void append_seconds(std::string& out, std::chrono::nanoseconds time);

/// The fields of a line, resolved once: nothing is looked up by name per request.
class JsonLine {
 public:
  /// Takes the names of fields (docs/middleware.md); an empty list is the default set. Throws `ConfigError` for names
  /// that are not known or there twice, and for headers that hold credentials.
  explicit JsonLine(const std::vector<std::string>& names);

  /// Appends the line of a finished request, line end included: an object with every field, in their order; null for
  /// what is not known. Does not allocate once `out` is large enough.
  void append(std::string& out, const Context& c) const;

 private:
  struct Field {
    std::string key;  ///< with what stands before its value: `,"status":`
    void (*append)(std::string& out, const Context& c, const Field& field);
    std::string header;
  };
  std::vector<Field> fields_;
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
