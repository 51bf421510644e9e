/// \file
/// A configuration, compiled: what requests read. Nothing in it changes, but that routes find their counters.
#pragma once

#include <gw/limits.hpp>
#include <gw/middleware.hpp>
#include <gw/router.hpp>

#include "proxy/metrics.hpp"
#include "proxy/upstream_state.hpp"

#include <atomic>
#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

class Forward;

/// What a path can be asked with, when the method of a request was not among it.
struct AllowedMethods {
  MethodSet methods;
};

/// What a route bounds otherwise than the gateway does.
struct Bounds {
  Duration client_body;
  Duration client_write;
  std::uint64_t body;  ///< bytes of a request's body
  std::uint32_t body_rate;
  std::uint32_t write_rate;

  friend auto operator<=>(const Bounds&, const Bounds&) = default;
};

/// What a route does with a request. Routes that are alike share one.
struct RoutePlan {
  const Pipeline& pipeline;                        ///< the gateway's stages, then the route's
  Handler handler;
  std::unique_ptr<const Pipeline> own_pipeline{};  ///< null: the route has no stages, and `pipeline` is that of the snapshot
  std::optional<Bounds> bounds{};                  ///< nothing: those of the gateway
  const Forward* forward = nullptr;                ///< what the handler does, and owns, if it is one that forwards; shared by routes that forward alike
  bool has_template = false;                       ///< the handler needs the parameters as they were matched
  bool runs_user_code = false;                     ///< the handler is not gw's own
};

/// A route with everything that a request needs of it beside its name, which the router has. There may be very many.
struct CompiledRoute {
  const RoutePlan* plan = nullptr;  ///< of the snapshot
  RouteMeter metrics{};
};
static_assert(sizeof(CompiledRoute) == 16);

/// Router, pipelines and upstreams of one configuration. Shared by all workers; a request keeps the
/// one that it began with.
struct Snapshot {
  /// The metrics must outlive it.
  Snapshot(Timeouts t, Limits l, std::vector<Stage> gateway_stages, Metrics& metrics);

  const std::uint64_t number = ++made_;  ///< no other of the process has it, above zero
  const Timeouts timeouts;
  const Limits limits;
  const Pipeline unrouted;              ///< the gateway's stages, for requests without a route
  std::shared_ptr<RouteMetrics> unrouted_metrics;
  const Handler no_route;               ///< 404
  const Handler method_not_allowed;     ///< 405, with `Allow` from the slot `AllowedMethods`
  const Handler bad_path;               ///< 400
  const Handler body_too_large;         ///< 413
  const Handler asterisk;               ///< 204, for `OPTIONS *`, which asks whether somebody is there (RFC 9110 9.3.7)
  bool hides_methods = false;           ///< 404 instead of 405
  Router<std::uint32_t> router;  ///< finds a number of `routes`
  std::vector<CompiledRoute> routes;
  std::deque<RoutePlan> plans;           ///< of `routes`
  std::shared_ptr<net::Dns> dns;  ///< asks the name servers of this configuration
  std::map<std::string, std::shared_ptr<const UpstreamState>, std::less<>> upstreams;

  /// What a route counts with. Any worker; the first call for a route takes a lock.
  RouteMetrics* metrics_of(std::size_t route) const { return routes[route].metrics.get(held_counters_, router.name(route)); }
  /// The gateway's stages, once, and those of all routes.
  std::vector<Stage> stages() const;
  /// Looks the names of endpoints up from now on. Any thread. Throws `std::system_error` if there is no thread to be had.
  void follow_names() const {
    for (const auto& [name, upstream] : upstreams) upstream->follow_names();
  }
  /// How the endpoints of all upstreams are. Any thread.
  std::vector<EndpointStatus> endpoints() const;

 private:
  static inline std::atomic<std::uint64_t> made_{0};
  mutable HeldCounters held_counters_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
