#include "gateway_state.hpp"

#include <asio/signal_set.hpp>

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <thread>

namespace gw {
inline namespace v0 {

// --- Route: verbs that edit the configuration ----------------------------------------------------

RouteConfig& Route::edit() {
  Config& config = config_->open();
  GW_ASSERT(index_ < config.routes.size());
  return config.routes[index_];
}
void Route::add(Stage stage) { edit().use.push_back(std::move(stage)); }
Route& Route::name(std::string name) { return edit().rule.name = std::move(name), *this; }
Route& Route::host(std::string host) { return edit().rule.hosts.push_back(std::move(host)), *this; }
Route& Route::methods(std::initializer_list<Method> methods) { return edit().rule.methods = edit().rule.methods | MethodSet(methods), *this; }
Route& Route::header(std::string name, std::string value) { return edit().rule.headers.push_back({std::move(name), std::move(value)}), *this; }
Route& Route::query(std::string name, std::string value) { return edit().rule.query.push_back({std::move(name), std::move(value)}), *this; }
Route& Route::strip_prefix() { return edit().strip_prefix = true, *this; }
Route& Route::rewrite(std::string to) { return edit().rewrite = RewriteConfig{std::move(to), {}}, *this; }
Route& Route::preserve_host() { return edit().preserve_host = true, *this; }
Route& Route::upgrade(std::vector<std::string> protocols) { return edit().upgrade = std::move(protocols), *this; }
Route& Route::priority(int priority) { return edit().rule.priority = priority, *this; }
Route& Route::keep_slashes() { return edit().rule.keep_slashes = true, *this; }
Route& Route::timeouts(RouteTimeouts timeouts) { return edit().timeouts = timeouts, *this; }
Route& Route::limits(RouteLimits limits) { return edit().limits = limits, *this; }
Route& Route::forward(const Upstream& upstream) { return forward(upstream.name()); }
Route& Route::forward(std::string upstream_or_url) { return edit().action = ForwardConfig{std::move(upstream_or_url), {}}, *this; }
Route& Route::forward(Split split, SplitOptions options) {
  ForwardConfig forward;
  forward.split = std::move(split);
  forward.hash = std::move(options.hash);
  forward.chosen_by = std::move(options.chosen_by);
  return edit().action = std::move(forward), *this;
}
Route& Route::redirect(std::string to, int status) { return redirect(RedirectConfig{.to = std::move(to), .status = status}); }
Route& Route::redirect(RedirectConfig redirect) { return edit().action = std::move(redirect), *this; }
Route& Route::reply(const Response& response) {
  if (response.body.is_stream()) throw std::invalid_argument("a fixed reply has a text, not a stream");
  ReplyConfig reply{.status = response.status, .content = std::string(response.body.text()), .content_type = ""};
  for (const auto& [name, value] : response.headers) reply.headers.emplace_back(name, value);
  edit().action = std::move(reply);
  return *this;
}
Route& Route::handle(Handler handler) { return edit().action = HandlerConfig{"", std::move(handler), {}}, *this; }

// --- Server ----------------------------------------------------------------------------------------

Server::~Server() {
  if (gateway_) gateway_->stop();
}
std::uint16_t Server::port() const { return gateway_->state_->first_address().port(); }
std::string Server::address() const { return to_text(gateway_->state_->first_address()); }
std::uint16_t Server::admin_port() const { return gateway_->state_->admin_port(); }
void Server::stop() { gateway_->stop(); }

// --- Gateway: building -----------------------------------------------------------------------------

Gateway::Gateway() : state_(std::make_unique<State>()) {}
Gateway::Gateway(Config config) : Gateway() { state_->config.set(std::move(config)); }
Gateway::Gateway(Gateway&&) noexcept = default;
Gateway::~Gateway() {
  if (state_) stop();
}

Gateway Gateway::from_file(const std::string& path) {
  Gateway gateway;
  gateway.state_->file = path;
  gateway.state_->config.set(gateway.state_->read_file());
  gateway.state_->file_settings = FileSettings(gateway.state_->config.settings());
  return gateway;
}

Config& Gateway::config() { return state_->config.lend(); }
void Gateway::add(Stage stage) { state_->config.settings().use.push_back(std::move(stage)); }

Route Gateway::path(std::string pattern) {
  RouteConfig route;
  route.rule.kind = RouteRule::Kind::path;
  route.rule.pattern = std::move(pattern);
  Config& config = state_->config.open();
  config.routes.push_back(std::move(route));
  return Route(state_->config, config.routes.size() - 1);
}
Route Gateway::prefix(std::string pattern) {
  Route route = path(std::move(pattern));
  route.edit().rule.kind = RouteRule::Kind::prefix;
  return route;
}
Route Gateway::regex(std::string pattern) {
  Route route = path(std::move(pattern));
  route.edit().rule.kind = RouteRule::Kind::regex;
  return route;
}
Upstream Gateway::upstream(std::string name, std::vector<EndpointOptions> endpoints, UpstreamOptions options) {
  state_->config.settings().upstreams.push_back({name, std::move(endpoints), std::move(options), {}});
  return Upstream(std::move(name));
}
void Gateway::set_endpoint(const Upstream& upstream, EndpointOptions endpoint) { state_->set_endpoint(upstream.name(), std::move(endpoint)); }
void Gateway::remove_endpoint(const Upstream& upstream, std::string_view address) { state_->remove_endpoint(upstream.name(), std::string(address)); }
std::vector<EndpointOptions> Gateway::endpoints(const Upstream& upstream) const { return state_->endpoints(upstream.name()); }
Gateway& Gateway::define(std::string name, Stage stage) { return state_->definitions.stages.insert_or_assign(std::move(name), std::move(stage)), *this; }
Gateway& Gateway::define_handler(std::string name, Handler handler) {
  return state_->definitions.handlers.insert_or_assign(std::move(name), std::move(handler)), *this;
}
Gateway& Gateway::listen(std::string address, ListenOptions options) {
  return state_->config.settings().listen.push_back({std::move(address), {}, std::move(options)}), *this;
}
Gateway& Gateway::admin(std::string address) { return state_->config.settings().admin = {std::move(address), {}}, *this; }
Gateway& Gateway::log_to(LogSink sink) {
  state_->shared.log = std::move(sink);
  return *this;
}

// --- Gateway: life ---------------------------------------------------------------------------------

namespace {

// Does `serve` with one more listener, unless there is one with this address, and without it again if
// that fails.
template <class F>
auto with_listener(Config& config, std::string address, F serve) {
  const bool is_new = std::none_of(config.listen.begin(), config.listen.end(), [&](const ListenConfig& l) { return l.address == address; });
  if (is_new) config.listen.push_back({std::move(address), {}});
  try {
    return serve();
  } catch (...) {
    if (is_new) config.listen.pop_back();
    throw;
  }
}

}  // namespace

void Gateway::run(std::string address) {
  with_listener(state_->config.settings(), std::move(address), [this] { run(); });
}

void Gateway::run() {
  // A log that is a closed pipe must end the log, not the gateway.
  std::signal(SIGPIPE, SIG_IGN);
  asio::io_context waiting{1};
  asio::signal_set signals(waiting, SIGINT, SIGTERM, SIGHUP);
  // stop() from another thread ends run(), too.
  state_->serve([&waiting] { waiting.stop(); });
  std::thread stopping;
  std::function<void(std::error_code, int)> on_signal = [&](std::error_code ec, int signal) {
    if (ec) return;
    if (signal == SIGHUP) {
      state_->reload_and_log();
    } else if (!stopping.joinable()) {
      stopping = std::thread([&] {
        stop();
        waiting.stop();
      });
    } else {
      state_->abort();
    }
    signals.async_wait(on_signal);
  };
  signals.async_wait(on_signal);
  waiting.run();
  if (stopping.joinable()) stopping.join();
  stop();
}

Server Gateway::start(std::string address) {
  return with_listener(state_->config.settings(), std::move(address), [this] { return start(); });
}
Server Gateway::start() {
  state_->start();
  return Server(*this);
}

void Gateway::stop() { state_->stop(); }
Problems Gateway::check() { return state_->check(); }
RouteTree Gateway::routes() { return state_->routes(); }
void Gateway::apply(Config config) { state_->apply(std::move(config)); }
void Gateway::reload() { state_->reload(); }
Explanation Gateway::explain(const Request& request, std::string_view peer) { return state_->explain(request, peer); }
Response Gateway::dispatch(Request request) { return state_->dispatch(std::move(request)); }
void Gateway::post(unsigned worker, std::function<void()> f) { state_->post(worker, std::move(f)); }

}  // namespace v0
}  // namespace gw
