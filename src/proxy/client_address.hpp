/// \file
/// Who the client is, when a trusted peer speaks for it: X-Forwarded-For and Forwarded (RFC 7239).
#pragma once

#include <gw/http.hpp>
#include <gw/network.hpp>

#include <string_view>

namespace gw {
inline namespace v0 {
namespace proxy {

/// The client of a request, as a trusted peer says.
struct ClaimedClient {
  IpAddress address;
  std::string_view scheme;  ///< "http" or "https"; lives for ever
};

/// Walks X-Forwarded-For, or without any the Forwarded of `headers`, from the right: every element was
/// appended by the hop to its right. Elements of `trusted` hops are passed; the first other one is the client. An
/// element that names no address ends the walk: then the last good one counts, at first
/// `peer_address`, which is a trusted one. No memory is allocated; time grows with the trusted hops.
ClaimedClient claimed_client(const Headers& headers, std::string_view peer_address, const Networks& trusted);

}  // namespace proxy
}  // namespace v0
}  // namespace gw
