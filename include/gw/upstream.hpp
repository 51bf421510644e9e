/// \file
/// Level 3: groups of endpoints that answer the same requests, and what keeps them useful when some of them fail.
///
/// docs/upstreams.md gives the reason for every default.
#pragma once

#include <gw/limits.hpp>
#include <gw/reply.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace gw {
inline namespace v0 {

/// One address of an upstream.
struct EndpointOptions {
  /// "10.0.0.1:8080", "[::1]:8080", "users.internal" (port 80), or "http://..." of these; "srv:_http._tcp.users.internal", "unix:/run/users.sock".
  std::string address;
  unsigned weight = 1;  ///< share of requests relative to the others; 0 drains: only what has begun, and sticky clients, go there

  EndpointOptions(std::string a, unsigned w = 1) : address(std::move(a)), weight(w) {}
  EndpointOptions(const char* a, unsigned w = 1) : address(a), weight(w) {}
};

/// How an endpoint is chosen. Weights count in all of them.
enum class Balance {
  p2c,             ///< of two random endpoints the one with fewer requests under way (power of two choices)
  round_robin,     ///< in turn
  least_requests,  ///< the one with the fewest requests under way
  random,          ///< any
  maglev,          ///< by `UpstreamOptions::hash`: the same for the same value, and few values move when endpoints come and go
};

/// A part of a request that tells whose it is: what `maglev` and a split hash, so that somebody stays where he was.
struct HashKey {
  enum class Kind { client_address, path, header, cookie };
  Kind kind = Kind::client_address;
  std::string name = {};  ///< of the header or cookie

  static HashKey header(std::string name) { return {Kind::header, std::move(name)}; }
  static HashKey cookie(std::string name) { return {Kind::cookie, std::move(name)}; }
  friend bool operator==(const HashKey&, const HashKey&) = default;
};

/// Keeps a client with the endpoint that answered it first, as long as that one is healthy, by a cookie that only this gateway can make.
struct StickyOptions {
  std::string cookie = "gw";               ///< its name
  std::string secret;                      ///< signs it: 16 bytes or more, the same in all gateways that clients may meet
  std::optional<Duration> max_age = {};    ///< how long clients keep it; nothing: until they close
};

/// Asks every endpoint now and then how it is.
struct CheckOptions {
  std::string path = {};            ///< what is asked for, with GET; empty: a TCP connection is answer enough
  std::vector<int> statuses = {};   ///< of a healthy endpoint; empty: 200 to 399
  Duration interval = 5s;           ///< between two checks of an endpoint, give or take a tenth, so that gateways do not ask in step
  Duration timeout = 2s;            ///< to the head of the answer
  unsigned healthy = 1;             ///< how many good answers in a row end an outage
  unsigned unhealthy = 2;           ///< how many bad ones begin one
};

/// Takes an endpoint out for a while because of what requests saw of it. A refused connection does so at once.
struct EjectOptions {
  unsigned failures = 5;      ///< in a row: resets, timeouts, bad responses, 502, 503, 504; 0: these do not count
  unsigned error_rate = 50;   ///< percent of failures in `window`; 0: the rate does not count
  unsigned requests = 20;     ///< that the rate is at least of
  Duration window = 10s;
  Duration time = 5s;         ///< out for so long, and twice as long with every time in a row ...
  Duration longest = 60s;     ///< ... but not longer
  unsigned share = 90;        ///< percent of the endpoints that may be out at once; of two or more endpoints one may always; 0: never any
};

/// What health of endpoints is known from.
struct HealthOptions {
  std::optional<CheckOptions> check = {};
  EjectOptions eject = {};
};

/// Tries a request again that got no answer, on another endpoint if there is one. Not meant: a connection that could not be made, which
/// just takes another endpoint.
struct RetryOptions {
  unsigned max = 2;                   ///< how often a request is tried again; 0: never
  std::vector<int> statuses = {};     ///< answers of the upstream that count as none
  /// Also tries methods again that may do something twice, such as POST. Otherwise only idempotent ones (RFC 9110 9.2.2), and those with an
  /// `Idempotency-Key`.
  bool all_methods = false;
  Duration per_try = 2s;              ///< to the head of the answer, where the request may be tried elsewhere
  Duration total = 30s;               ///< to the head of the answer in all tries
  Duration backoff = 25ms;            ///< before a retry, at most; twice as long before the next one
  std::size_t body = 64 * 1024;       ///< bytes of a request body that are kept to be sent again; a longer one is sent once
  unsigned budget = 20;               ///< retries under way, in percent of all requests under way ...
  unsigned floor = 10;                ///< ... and so many on top: enough until two endpoints that fail are out
};

/// Requests that wait for one of `UpstreamOptions::requests`.
struct QueueOptions {
  std::size_t length = 0;   ///< how many may wait; past it 503
  Duration time = 1s;       ///< how long; then 503
};

/// Stops asking an upstream that fails, for a while: requests get 503 at once. Then one is let through, and if it succeeds, all.
struct BreakerOptions {
  unsigned error_rate = 50;   ///< percent of requests in `window` that fail, with all their retries
  unsigned requests = 20;     ///< that the rate is at least of
  Duration window = 10s;
  Duration open = 5s;         ///< how long nothing is asked
};

/// How long an upstream may take. Each must be above zero.
struct UpstreamTimeouts {
  Duration connect = 2s;      ///< to a new connection; then 504. To the first look-up of a name; then 503
  Duration first_byte = 30s;  ///< from the request to the head of its response; then 504
  Duration body = 30s;        ///< between two pieces of the response body, and until a piece of the request is taken
  Duration idle = 4s;         ///< how long a free connection is kept. Under the 5 s after which Node closes
  Duration tunnel = 1h;       ///< until something moves in a tunnel, either way; then it is cut. Long: only who sends pings is never silent
};

/// The options of an upstream.
struct UpstreamOptions {
  Balance balance = Balance::p2c;
  HashKey hash = {};                             ///< what `maglev` hashes; a request without it goes anywhere
  std::optional<StickyOptions> sticky = {};
  Duration slow_start = Duration(0);             ///< how long the share of an endpoint grows that is new or has recovered; 0: not
  UpstreamTimeouts timeouts{};
  HealthOptions health = {};
  RetryOptions retries = {};
  /// Put before every path that is forwarded: base "/v1" and path "/x" give "/v1/x" (docs/routing.md).
  std::string base_path = "/";
  std::size_t idle_connections = 64;  ///< free connections kept per endpoint and worker
  std::size_t connections = 1024;     ///< connections per endpoint and worker; then 503
  std::size_t requests = 0;           ///< requests under way, of all workers; then they queue; 0: no bound
  QueueOptions queue = {};
  std::optional<BreakerOptions> breaker = {};
  /// Who answers a request that this upstream could not answer, if it can be sent again: the name of another upstream, or a fixed reply.
  std::variant<std::monostate, std::string, ReplyConfig> fallback = {};
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
