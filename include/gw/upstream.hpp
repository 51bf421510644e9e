/// \file
/// Level 3: groups of endpoints that answer the same requests.
#pragma once

#include <gw/limits.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {

/// One address of an upstream.
struct EndpointOptions {
  std::string address;  ///< "10.0.0.1:8080", "[::1]:8080", "users.internal" (port 80), or "http://..." of these
  unsigned weight = 1;  ///< share of requests relative to the others; 0: none

  EndpointOptions(std::string a, unsigned w = 1) : address(std::move(a)), weight(w) {}
  EndpointOptions(const char* a, unsigned w = 1) : address(a), weight(w) {}
};

/// How an endpoint is chosen.
enum class Balance {
  p2c,          ///< of two random endpoints the one with fewer requests running per weight (power of two choices)
  round_robin,  ///< in turn, by weight
};

/// How long an upstream may take. Each must be above zero.
struct UpstreamTimeouts {
  Duration connect = 2s;      ///< to a new connection, name look-up included; then 504
  Duration first_byte = 30s;  ///< from the request to the head of its response; then 504
  Duration body = 30s;        ///< between two pieces of the response body, and until a piece of the request is taken
  Duration idle = 4s;         ///< how long a free connection is kept. Under the 5 s after which Node closes
  Duration tunnel = 1h;       ///< until something moves in a tunnel, either way; then it is cut. Long: only who sends pings is never silent
};

/// The options of an upstream.
struct UpstreamOptions {
  Balance balance = Balance::p2c;
  UpstreamTimeouts timeouts{};
  /// Put before every path that is forwarded: base "/v1" and path "/x" give "/v1/x" (docs/routing.md).
  std::string base_path = "/";
  std::size_t idle_connections = 64;  ///< free connections kept per endpoint and worker
  std::size_t connections = 1024;     ///< connections per endpoint and worker; then 503
};

/// A handle to an upstream of a gateway: its name. Cheap to copy; valid for the gateway whose
/// `upstream()` made it, also after a reload that keeps the name.
class Upstream {
 public:
  explicit Upstream(std::string name) : name_(std::move(name)) {}
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
};

}  // namespace v0
}  // namespace gw
