/// \file
/// Level 2: what the gateway has counted, for Prometheus. docs/metrics.md names every metric.
#pragma once

#include <gw/middleware.hpp>

namespace gw {
inline namespace v0 {

/// A handler that answers with all that the gateway of the request has counted, in the Prometheus text
/// format 0.0.4, or in OpenMetrics 1.0 if the client's Accept prefers that. Counting itself is always on.
///
///     app.get("/metrics", gw::metrics());
///
/// It shows names of routes and upstreams to everybody who may ask. `app.admin("127.0.0.1:8001")` has
/// the same on a listener and a thread of its own.
GW_EXPORT Handler metrics();

namespace detail {

/// Whether a client with this Accept field, possibly repeated, wants OpenMetrics rather than plain text (RFC 9110 12.5.1).
GW_EXPORT bool wants_openmetrics(const Headers& headers);
/// The answer that carries `text`.
GW_EXPORT Response metrics_response(std::string text, bool is_openmetrics);

}  // namespace detail
}  // namespace v0
}  // namespace gw
