/// \file
/// Level 5: whether a fixed answer can be sent.
#pragma once

#include "config/report.hpp"

#include <gw/reply.hpp>

namespace gw {
inline namespace v0 {
namespace config {

/// Reports a status that is none of a response, content that its status cannot have, and headers that cannot be sent or belong to gw.
void check_reply(const ReplyConfig& reply, const Place& place, Report& report);

}  // namespace config
}  // namespace v0
}  // namespace gw
