/// \file
/// Level 4: the combined log format, as text. No files here.
#pragma once

#include <gw/context.hpp>

#include "middleware/log_text.hpp"

#include <chrono>
#include <cstddef>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace detail {

/// Writes `text` at `to`, once `out` has room, such that it stays inside its quotes and its line: `"`, `\`, controls and
/// everything outside ASCII become `\xHH`. An empty text becomes "-".
char* put_quotable(LogText& out, char* to, std::string_view text);

/// How long a time is.
inline constexpr std::size_t log_time_size = 26;

/// Writes "10/Oct/2026:13:55:36 +0000": UTC, whatever the locale and time zone are. The year has four digits.
char* put_log_time(char* to, std::chrono::sys_seconds time);

/// Appends the line of a finished request, line end included. The status is 499 if the client left
/// before there was an answer. Does not allocate once `out` is large enough.
void put_combined(LogText& out, const Context& c);

}  // namespace detail
}  // namespace v0
}  // namespace gw
