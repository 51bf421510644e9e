/// \file
/// Level 5: the way of a request up to the point where something would happen.
#pragma once

#include <gw/explain.hpp>
#include <gw/message.hpp>
#include <gw/network.hpp>

#include "proxy/snapshot.hpp"

#include <memory>
#include <string_view>

namespace gw {
inline namespace v0 {

/// Explains a request without body or with a text. A request of HTTP/1.1 without Host is for `localhost`; for the rest its fields are
/// taken as a client's. `peer` is the address that it comes from, or empty, and `trusted`, which may be null, whom its listener trusts.
/// Runs neither stages nor handlers of the program, and sends nothing. Any thread.
Explanation explain(const std::shared_ptr<const proxy::Snapshot>& snapshot, const Request& request, std::string_view peer, const Networks* trusted);

}  // namespace v0
}  // namespace gw
