/// \file
/// Level 2: why one of two routes is preferred, or a route does not take a request. Written for explanations, not for speed: whether a
/// route takes a request is asked of routers that have one rule each.
#pragma once

#include <gw/router.hpp>

#include <string>

namespace gw {
inline namespace v0 {

/// What decides between a route and a request, or another route.
struct RouteReason {
  std::string on;   ///< as `LostRoute::lost_on`
  std::string why;
};

/// Why `rule` does not take `request`; empty if it does. The rule is without mistakes.
RouteReason why_not(const RouteRule& rule, const RouteQuery& request);

/// Why `winner` is preferred to `loser`, though both take `request`: the first difference of docs/routing.md. Empty if there is
/// none in favour of `winner`.
RouteReason why_preferred(const RouteRule& winner, const RouteRule& loser, const RouteQuery& request);

}  // namespace v0
}  // namespace gw
