/// \file
/// Level 4: the question that a browser asks before a request to another origin.
#pragma once

#include <gw/message.hpp>

namespace gw {
inline namespace v0 {
namespace detail {

/// Whether a browser asks for permission (Fetch 3.3.2: a CORS-preflight request). The stage `cors` answers each of them.
inline bool is_preflight(const Request& request) {
  return request.method == Method::options && request.headers.has("access-control-request-method") && request.headers.has("origin");
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
