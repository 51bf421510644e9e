/// \file
/// Level 5: a request without a socket, through the same exchange as any other.
#pragma once

#include <gw/message.hpp>

#include "proxy/worker.hpp"

namespace gw {
inline namespace v0 {

/// Runs `request` on `worker` with the snapshot it holds and leaves the whole response, its content
/// as text that it owns, in `response`. Both must outlive the task.
Task<> dispatch_on(proxy::Worker& worker, Request& request, Response& response);

}  // namespace v0
}  // namespace gw
