/// \file
/// Level 0: what gw says about itself. Silent by default in a library; the `gw` binary writes to stderr.
#pragma once

#include <gw/version.hpp>

#include <cstdint>
#include <functional>
#include <string_view>

namespace gw {
inline namespace v0 {

/// How much a message matters; a sink decides what it keeps.
enum class LogLevel : std::uint8_t { error, warning, info };

/// Takes one line without a line end. Called from any thread, also by several at once; must not
/// throw and should not wait: a worker may be calling. The text lives during the call.
using LogSink = std::function<void(LogLevel level, std::string_view line)>;

}  // namespace v0
}  // namespace gw
