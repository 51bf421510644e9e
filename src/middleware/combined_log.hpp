/// \file
/// Level 4: the combined log format, as text. No files here.
#pragma once

#include <gw/context.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace detail {

/// Appends `text` such that it stays inside its quotes and its line: `"`, `\`, controls and
/// everything outside ASCII become `\xHH`. An empty text becomes "-".
void append_quotable(std::string& out, std::string_view text);

/// Appends "10/Oct/2026:13:55:36 +0000": UTC, whatever the locale and time zone are.
void append_log_time(std::string& out, std::chrono::sys_seconds time);

/// Appends the line of a finished request, line end included. The status is 499 if the client left
/// before there was an answer. Does not allocate once `out` is large enough.
void append_combined(std::string& out, const Context& c);

}  // namespace detail
}  // namespace v0
}  // namespace gw
