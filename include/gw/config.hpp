/// \file
/// Level 5: the configuration as a value. Code, YAML and JSON fill the same `Config`; `Gateway::apply`
/// checks it whole, compiles it and publishes it, or changes nothing.
#pragma once

#include <gw/limits.hpp>
#include <gw/middleware.hpp>
#include <gw/router.hpp>
#include <gw/upstream.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace gw {
inline namespace v0 {

/// A stage in a configuration: a callable, or a name that `Gateway::define` gave one.
class StageConfig {
 public:
  /// A stage known by name; `Gateway::define` says what it is.
  StageConfig(std::string name, Place place) : name_(std::move(name)), place_(std::move(place)) {}
  /// A stage at hand.
  StageConfig(Stage stage, Place place = {}) : name_(stage.name()), place_(std::move(place)), stage_(std::move(stage)) {}

  const std::string& name() const noexcept { return name_; }
  const Place& place() const noexcept { return place_; }
  /// The callable, or nothing while only the name is known.
  const std::optional<Stage>& stage() const noexcept { return stage_; }
  /// Its options in the file, as JSON to be shown: without secrets. Empty without options.
  const std::string& options() const noexcept { return options_; }
  void set_options(std::string json) { options_ = std::move(json); }

  friend bool operator==(const StageConfig&, const StageConfig&) = default;

 private:
  std::string name_;
  Place place_;
  std::optional<Stage> stage_;
  std::string options_;
};

/// An upstream of a configuration.
struct UpstreamConfig {
  std::string name;
  std::vector<EndpointOptions> endpoints;
  UpstreamOptions options;
  Place place;
};

/// A part of what a route forwards.
struct SplitPart {
  std::string to;       ///< as `ForwardConfig::to`
  unsigned weight = 1;  ///< share of requests relative to the other parts; 0: only those that ask for it

  friend bool operator==(const SplitPart&, const SplitPart&) = default;
};

/// Upstreams that share the requests of a route: `gw::Split{{"users-v1", 95}, {"users-v2", 5}}`.
using Split = std::vector<SplitPart>;

/// Which part of a split gets a request, if it is not to be left to chance.
struct SplitOptions {
  std::optional<HashKey> hash{};       ///< see `ForwardConfig`
  std::optional<HashKey> chosen_by{};
};

/// What a route does with a request: send it to an upstream, or to one of several.
struct ForwardConfig {
  /// The name of an upstream, or a URL `http://host[:port][/base]`, which becomes an upstream of its own. Empty with `split`.
  std::string to{};
  Place place{};
  Split split{};                         ///< upstreams that share the requests by weight
  std::optional<HashKey> hash{};         ///< keeps a client with one part of the split; nothing: every request by itself
  std::optional<HashKey> chosen_by{};    ///< a header or cookie that may name a part of the split, which gets the request then

  friend bool operator==(const ForwardConfig&, const ForwardConfig&) = default;
};

/// What a route does with a request: send the client elsewhere.
struct RedirectConfig {
  /// A path, or a URL: "/new/{id}", "https://{host}{path}". Placeholders are those of `RouteConfig::rewrite`, and `{host}`.
  std::string to;
  int status = 302;        ///< 301, 302, 303, 307 or 308; 302, because clients keep a permanent one for ever
  bool keep_query = true;  ///< the client's query goes behind the target
  Place place{};

  friend bool operator==(const RedirectConfig&, const RedirectConfig&) = default;
};

/// The path that a route forwards: docs/routing.md.
struct RewriteConfig {
  std::string to;  ///< "/v2{rest}"
  Place place{};

  friend bool operator==(const RewriteConfig&, const RewriteConfig&) = default;
};

/// What a route does with a request: run code. Without a callable it is a name for `Gateway::define`.
struct HandlerConfig {
  std::string name;
  std::optional<Handler> handler;
  Place place;

  friend bool operator==(const HandlerConfig&, const HandlerConfig&) = default;
};

/// The deadlines that a route has of its own; the others are those of the gateway (`Timeouts`) and of the upstream
/// (`UpstreamTimeouts`), which say what each means. Those of the upstream are for routes that forward.
struct RouteTimeouts {
  std::optional<Duration> client_body{};
  std::optional<Duration> client_write{};
  std::optional<Duration> connect{};
  std::optional<Duration> first_byte{};
  std::optional<Duration> body{};
  std::optional<Duration> tunnel{};

  friend bool operator==(const RouteTimeouts&, const RouteTimeouts&) = default;
};

/// The limits that a route has of its own, lower or higher than those of the gateway.
struct RouteLimits {
  std::optional<std::uint64_t> body{};  ///< bytes of a request body; then 413
  std::optional<std::uint32_t> body_rate{};   ///< bytes per second of a request body, see `Limits`
  std::optional<std::uint32_t> write_rate{};  ///< bytes per second of a response, see `Limits`

  friend bool operator==(const RouteLimits&, const RouteLimits&) = default;
};

/// A route of a configuration.
struct RouteConfig {
  RouteRule rule;                   ///< which requests: docs/routing.md
  std::vector<StageConfig> use;     ///< run after the gateway's
  std::variant<std::monostate, ForwardConfig, HandlerConfig, RedirectConfig, ReplyConfig> action;
  /// Another path for the upstream: `{name}` is a parameter of the pattern, `{rest}` what follows a prefix, with its
  /// slash, `{path}` all. It replaces the path, so `strip_prefix` beside it changes nothing.
  std::optional<RewriteConfig> rewrite{};
  /// Removes the matched prefix before forwarding: "/api/x" behind prefix "/api" becomes "/x".
  bool strip_prefix = false;
  /// Sends the client's Host to the upstream instead of the upstream's own.
  bool preserve_host = false;
  /// The protocols to which a client and the upstream may switch the connection (RFC 9110 7.8), which is a tunnel from then on:
  /// docs/routing.md. Only what does not carry requests past the gateway. Empty: none.
  std::vector<std::string> upgrade = {"websocket"};
  RouteTimeouts timeouts{};
  RouteLimits limits{};
  Place place;

  friend bool operator==(const RouteConfig&, const RouteConfig&) = default;
};

/// How a listener treats those who connect.
struct ListenOptions {
  /// Networks ("10.0.0.0/8", "2001:db8::7") of the proxies before this gateway: what they say about
  /// the client in X-Forwarded-* or Forwarded is believed (docs/client_address.md). By default nobody.
  std::vector<std::string> trusted = {};
};

/// One address to listen on: "127.0.0.1:8000", "[::1]:8000", ":8000" (127.0.0.1), "0.0.0.0:8000".
/// Port 0 lets the system choose.
struct ListenConfig {
  std::string address;
  Place place;
  ListenOptions options = {};
};

/// Where the gateway tells about itself (docs/metrics.md): an address as in `ListenConfig`; empty: nowhere.
struct AdminConfig {
  std::string address;
  Place place;
};

/// A whole configuration. Copy and edit it freely; nothing happens until `Gateway::apply`.
struct Config {
  std::vector<ListenConfig> listen;
  AdminConfig admin;
  /// How many workers; 0: as many as the process has cores. Fixed after start.
  unsigned workers = 0;
  Place workers_place;
  /// The answer where only the method keeps a request from a route: 405 with `Allow`, or 404, as if there were none.
  unsigned wrong_method = 405;
  /// Who is asked for the addresses of endpoints that are names: "192.0.2.53", "192.0.2.53:8600" or "[2001:db8::53]:53", in turn until one
  /// answers; none: those of /etc/resolv.conf.
  std::vector<std::string> name_servers;
  Timeouts timeouts;
  Limits limits;
  std::vector<StageConfig> use;
  std::vector<UpstreamConfig> upstreams;
  std::vector<RouteConfig> routes;
};

/// Reads a configuration file; `.json` is JSON, everything else YAML. Throws `ConfigError` with
/// every problem of the text itself; whether names refer to something is checked by `apply`.
GW_EXPORT Config load_config(const std::string& path);

/// The two notations of a configuration file.
enum class Notation { yaml, json };

/// The same from a text; `file` is the name in messages. Environment variables `${VAR}` and
/// `${VAR:-default}` are replaced in both. Problems are appended, and what could be read is returned. The text adds to `base`: what it
/// sets of settings such as `timeouts` takes the place of what is there, and its listeners, stages, upstreams and routes come behind.
GW_EXPORT Config parse_config(std::string_view text, Notation notation, const std::string& file, Problems& problems, Config base = {});

}  // namespace v0
}  // namespace gw
