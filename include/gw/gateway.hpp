/// \file
/// Level 5: the gateway: build it, start it, change it while it runs.
#pragma once

#include <gw/config.hpp>
#include <gw/context.hpp>
#include <gw/explain.hpp>
#include <gw/log.hpp>
#include <gw/middleware.hpp>
#include <gw/route_tree.hpp>
#include <gw/upstream.hpp>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

class Gateway;
class KeptConfig;

/// A route while it is being built: every verb edits the gateway's configuration and returns the
/// route, so verbs can be chained in any order. Valid as long as the gateway's routes are not
/// replaced (`apply`, `config().routes`).
class GW_EXPORT Route {
 public:
  /// The name in logs, conflicts and messages; without it, the pattern.
  Route& name(std::string name);
  /// Only requests for this host, or "*.example.com"; call it again for more.
  Route& host(std::string host);
  /// Only these methods; call it again for more. GET answers HEAD, too.
  Route& methods(std::initializer_list<Method> methods);
  /// Only requests with this header field; "*" for any value.
  Route& header(std::string name, std::string value);
  /// Only requests with this query parameter; "*" for any value.
  Route& query(std::string name, std::string value);
  /// Adds stages: hook objects or coroutines, run in this order after the gateway's.
  template <class... Stages>
  Route& use(Stages&&... stages) {
    (add(Stage(std::forward<Stages>(stages))), ...);
    return *this;
  }
  /// Removes the matched prefix before forwarding.
  Route& strip_prefix();
  /// Forwards another path: `.rewrite("/v2{rest}")`. See `RouteConfig::rewrite`.
  Route& rewrite(std::string to);
  /// Sends the client's Host to the upstream instead of the upstream's own.
  Route& preserve_host();
  /// The protocols that a connection may be switched to: `.upgrade({"websocket", "tcp"})`, `.upgrade({})` for none. WebSocket without.
  Route& upgrade(std::vector<std::string> protocols);
  /// Of the regexes of a host the one with the highest priority is asked first; 0 without. Only for `Gateway::regex`.
  Route& priority(int priority);
  /// Matches and forwards the path with its "//", which are merged otherwise.
  Route& keep_slashes();
  /// Deadlines of this route's own: `.timeouts({.first_byte = 5min})`; the others stay those of gateway and upstream.
  Route& timeouts(RouteTimeouts timeouts);
  /// Limits of this route's own, lower or higher than the gateway's: `.limits({.body = 1024})`.
  Route& limits(RouteLimits limits);
  /// Forwards to an upstream.
  Route& forward(const Upstream& upstream);
  /// Forwards to the upstream of that name, or to a URL: "http://127.0.0.1:5001/base".
  Route& forward(std::string upstream_or_url);
  /// Forwards to several, by weight (docs/routing.md).
  Route& forward(Split split, SplitOptions options = {});
  /// Sends the client to a path or URL: `.redirect("/new{rest}", 308)`. See `RedirectConfig`.
  Route& redirect(std::string to, int status = 302);
  Route& redirect(RedirectConfig redirect);
  /// Gives a fixed answer: `.reply(204)`, `.reply("ok")`, `.reply(gw::Json(R"({"up":true})"))`, `.reply(response)`. A
  /// response must have a text, not a stream (std::invalid_argument).
  Route& reply(const Response& response);
  Route& reply(int status, std::string text) { return reply(Response(status, std::move(text))); }
  /// Answers by code.
  Route& handle(Handler handler);

 private:
  friend class Gateway;
  Route(KeptConfig& config, std::size_t index) : config_(&config), index_(index) {}
  RouteConfig& edit();
  void add(Stage stage);

  KeptConfig* config_;
  std::size_t index_;
};

/// A gateway that serves in the background; see `Gateway::start`. Stops it when destroyed. Move-only;
/// the gateway must outlive it.
class GW_EXPORT Server {
 public:
  Server(Server&& other) noexcept : gateway_(std::exchange(other.gateway_, nullptr)) {}
  Server& operator=(Server&&) = delete;
  ~Server();

  /// The port of the first listener: what the system chose for port 0.
  std::uint16_t port() const;
  /// The address of the first listener, "127.0.0.1:41233".
  std::string address() const;
  /// The port of the admin listener; 0 without one.
  std::uint16_t admin_port() const;
  /// Stops; see `Gateway::stop`.
  void stop();

 private:
  friend class Gateway;
  explicit Server(Gateway& gateway) noexcept : gateway_(&gateway) {}
  Gateway* gateway_;
};

/// An API gateway: a configuration, and while it runs the workers that serve it.
///
/// Building (routes, stages, upstreams, listeners) is for one thread, before start. Afterwards
/// `apply`, `reload`, `explain` and `post` may be called from any thread; `stop` and `dispatch` from any but the
/// gateway's own workers, that is, not from stages and handlers (asserted). Several gateways in one
/// process do not know of each other.
///
///     gw::Gateway app;
///     app.prefix("/foo").forward("http://127.0.0.1:5001");
///     app.run("127.0.0.1:8000");
class GW_EXPORT Gateway {
 public:
  Gateway();
  explicit Gateway(Config config);
  /// A gateway from a YAML or JSON file; `reload` reads it again. Code may add to it. Throws
  /// `ConfigError` if the file itself is wrong; references to things that code will define are
  /// checked when the gateway starts.
  static Gateway from_file(const std::string& path);
  Gateway(Gateway&&) noexcept;
  Gateway& operator=(Gateway&&) = delete;
  /// Stops the gateway, if it runs.
  ~Gateway();

  // --- building ---------------------------------------------------------------------------------

  /// A route for exactly this path; "{name}" takes a segment: "/users/{id}".
  Route path(std::string pattern);
  /// A route for this path and all below it, by whole segments.
  Route prefix(std::string pattern);
  /// A route for the paths that a regular expression takes as a whole (RE2's syntax); named groups are
  /// parameters: "/v(?P<version>[0-9]+)/.*". Asked after all paths and prefixes of its host.
  Route regex(std::string pattern);
  /// Routes for one method and path; with a handler or `.forward(...)`, `.handle(...)` after it.
  Route get(std::string pattern) { return path(std::move(pattern)).methods({Method::get}); }
  Route post(std::string pattern) { return path(std::move(pattern)).methods({Method::post}); }
  Route put(std::string pattern) { return path(std::move(pattern)).methods({Method::put}); }
  Route patch(std::string pattern) { return path(std::move(pattern)).methods({Method::patch}); }
  Route delete_(std::string pattern) { return path(std::move(pattern)).methods({Method::delete_}); }
  Route get(std::string pattern, Handler handler) { return get(std::move(pattern)).handle(std::move(handler)); }
  Route post(std::string pattern, Handler handler) { return post(std::move(pattern)).handle(std::move(handler)); }
  Route put(std::string pattern, Handler handler) { return put(std::move(pattern)).handle(std::move(handler)); }
  Route patch(std::string pattern, Handler handler) { return patch(std::move(pattern)).handle(std::move(handler)); }
  Route delete_(std::string pattern, Handler handler) { return delete_(std::move(pattern)).handle(std::move(handler)); }

  /// A named group of endpoints: `app.upstream("users", {"10.0.0.1:8080", {"10.0.0.2:8080", 2}})`.
  Upstream upstream(std::string name, std::vector<EndpointOptions> endpoints, UpstreamOptions options = {});
  /// Adds an endpoint to an upstream, or changes the weight of one that it has; 0 drains it. The next request sees it, also while the
  /// gateway runs, and requests under way end where they are. It lasts until `apply`, or until `reload` reads a file that has the upstream.
  /// Throws `ConfigError` if there is no such upstream, or the endpoint is wrong. Any thread.
  void set_endpoint(const Upstream& upstream, EndpointOptions endpoint);
  /// Removes an endpoint, if the upstream has it; the rest is as for `set_endpoint`. Without endpoints requests get 503, and
  /// a configuration that leaves it so is refused.
  void remove_endpoint(const Upstream& upstream, std::string_view address);
  /// The endpoints of an upstream as they are configured now. Throws `ConfigError` if there is no such upstream. Any thread.
  std::vector<EndpointOptions> endpoints(const Upstream& upstream) const;
  /// Adds stages that run for every request, in this order, before those of its route.
  template <class... Stages>
  Gateway& use(Stages&&... stages) {
    (add(Stage(std::forward<Stages>(stages))), ...);
    return *this;
  }
  /// Gives a stage or handler a name that configurations can use.
  Gateway& define(std::string name, Stage stage);
  Gateway& define_handler(std::string name, Handler handler);
  /// Adds a listener: "127.0.0.1:8000", "[::1]:8000", ":8000" (127.0.0.1). Port 0: any free one.
  /// `app.listen("0.0.0.0:8000", {.trusted = {"10.0.0.0/8"}})` believes proxies of that network.
  Gateway& listen(std::string address, ListenOptions options = {});
  /// Tells about the gateway on a listener of its own, with `/metrics`, `/health`, `/routes` and `/config`
  /// (docs/metrics.md). Whoever reaches it can read all that: keep it on the loopback address.
  Gateway& admin(std::string address);
  /// Where the gateway's own messages go; nowhere by default.
  Gateway& log_to(LogSink sink);
  /// The configuration that the verbs above edit. A gateway whose configuration was asked for keeps it as it is; others keep
  /// their routes packed while they run, which takes less memory where there are many.
  Config& config();

  // --- life -------------------------------------------------------------------------------------

  /// Serves until SIGTERM or SIGINT, then drains: no new connections, every request that was read is
  /// answered, at most for `timeouts.drain`. A second signal stops at once. SIGHUP reloads. Throws
  /// `ConfigError` if the configuration or a listener is wrong. A gateway that was started already
  /// goes on serving.
  void run();
  /// The same on `address`, too, if the configuration does not have it yet.
  void run(std::string address);
  /// Serves in the background until the server is stopped or destroyed. Installs no signal handlers.
  [[nodiscard]] Server start();
  /// The same on `address`, too, if the configuration does not have it yet. If it throws, the
  /// configuration is as before.
  [[nodiscard]] Server start(std::string address);
  /// Drains as `run` does, and waits for it. Does nothing if the gateway does not run.
  void stop();

  /// Checks the configuration as `start` does, without starting. Throws `ConfigError` with every
  /// problem. Returns warnings: what would work, but was hardly meant, such as a route that never gets
  /// a request.
  Problems check();
  /// The routes in the order in which they win, to be shown: those that are served, or before start
  /// those of the present configuration, whatever their stages and actions are. Throws `ConfigError`
  /// if patterns are wrong or conflict. Any thread; `to_text` makes lines of it.
  RouteTree routes();
  /// Replaces the whole configuration: checks it, compiles it, and publishes it for requests that
  /// begin from now on; running ones keep the old one. Throws `ConfigError` with every problem, and
  /// then nothing has changed. Listeners are opened and closed by address. When it returns, all
  /// workers have switched; called from a stage or handler it does not wait for that.
  void apply(Config config);
  /// Lets log files be reopened, reads the file of `from_file` again, adds what code configured, and
  /// applies it. Throws like `apply`.
  void reload();

  /// Runs a request through routes, stages, handlers and upstreams without a socket, and waits for
  /// the whole response (at most 64 MiB). For tests and for calls from inside the process; not on a
  /// worker's thread. Before start it compiles the present configuration each time.
  Response dispatch(Request request);
  Response dispatch(Method method, std::string_view target, Body body = {}) { return dispatch(Request(method, target, std::move(body))); }

  /// What would happen to `request`: which route takes it, why the others do not, and the head that would go upstream, made by the
  /// code that serves requests. No stage and no handler of the program runs, and nothing is sent. A request of HTTP/1.1 without
  /// Host is for `localhost`. `peer` is the IP address that it comes from, to the first listener: whether that is trusted decides who the
  /// client is (docs/client_address.md); without it the client is anybody and not trusted. Before start it compiles the present
  /// configuration, and throws `ConfigError` as `check` does.
  ///
  ///     std::cout << app.explain(gw::Request(gw::Method::get, "/users/7")).text();
  Explanation explain(const Request& request, std::string_view peer = {});

  /// Runs `f` on worker `worker` (0 .. workers-1) of a gateway that runs; what it throws is logged.
  void post(unsigned worker, std::function<void()> f);

 private:
  friend class Server;
  struct State;
  void add(Stage stage);
  std::unique_ptr<State> state_;
};

}  // namespace v0
}  // namespace gw
