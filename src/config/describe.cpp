#include "config/describe.hpp"

#include "config/masking.hpp"
#include "config/rules.hpp"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

namespace rapid = RAPIDJSON_NAMESPACE;

constexpr std::string_view code = "<code>";

/// A JSON text while it is written: `begin` and `end` of objects and lists, and members between.
class JsonWriter {
 public:
  JsonWriter() { out_.SetIndent(' ', 2); }

  void begin_object() { out_.StartObject(); }
  void end_object() { out_.EndObject(); }
  void begin_list() { out_.StartArray(); }
  void end_list() { out_.EndArray(); }
  void key(std::string_view name) { out_.Key(name.data(), static_cast<rapid::SizeType>(name.size())); }
  void text(std::string_view value) { out_.String(value.data(), static_cast<rapid::SizeType>(value.size())); }
  void number(std::uint64_t value) { out_.Uint64(value); }
  void json(std::string_view value) { out_.RawValue(value.data(), value.size(), rapid::kObjectType); }

  void member(std::string_view name, std::string_view value) {
    key(name);
    text(value);
  }
  void member(std::string_view name, std::uint64_t value) {
    key(name);
    number(value);
  }
  void member(std::string_view name, std::int64_t value) {
    key(name);
    out_.Int64(value);
  }
  void member(std::string_view name, bool value) {
    key(name);
    out_.Bool(value);
  }
  void member(std::string_view name, Duration value) { member(name, duration_text(value)); }

  std::string take() { return std::string(buffer_.GetString(), buffer_.GetSize()) + '\n'; }

 private:
  rapid::StringBuffer buffer_;
  rapid::PrettyWriter<rapid::StringBuffer> out_{buffer_};
};

void write_stages(JsonWriter& out, const std::vector<StageConfig>& stages) {
  for (const StageConfig& stage : stages) {
    const bool is_code = stage.stage() && stage.place().file.empty();
    if (!is_code && stage.options().empty()) {
      out.text(stage.name());
      continue;
    }
    out.begin_object();
    out.key(stage.name());
    if (is_code) out.text(code);
    else out.json(stage.options());
    out.end_object();
  }
}

void write_tests(JsonWriter& out, std::string_view name, const std::vector<FieldTest>& tests) {
  if (tests.empty()) return;
  out.key(name);
  out.begin_object();
  for (const FieldTest& test : tests) out.member(test.name, is_secret_name(test.name) && test.value != "*" ? masked : std::string_view(test.value));
  out.end_object();
}

void write_list(JsonWriter& out, std::string_view name, const std::vector<std::string>& texts) {
  out.key(name);
  out.begin_list();
  for (const std::string& text : texts) out.text(text);
  out.end_list();
}

void write_rule(JsonWriter& out, const RouteRule& rule) {
  constexpr std::string_view kinds[] = {"path", "prefix", "regex"};
  out.member(kinds[static_cast<std::size_t>(rule.kind)], rule.pattern);
  if (rule.priority != 0) out.member("priority", std::int64_t{rule.priority});
  if (rule.keep_slashes) out.member("keep_slashes", true);
  if (!rule.hosts.empty()) write_list(out, "host", rule.hosts);
  if (!rule.methods.empty()) {
    out.key("methods");
    out.begin_list();
    for (std::size_t i = 0; i < detail::method_names.size(); ++i)
      if (rule.methods.contains(static_cast<Method>(i))) out.text(detail::method_names[i]);
    out.end_list();
  }
  write_tests(out, "headers", rule.headers);
  write_tests(out, "query", rule.query);
}

void write_hash(JsonWriter& out, std::string_view name, const HashKey& hash) {
  const auto kind = static_cast<std::size_t>(hash.kind);
  if (kind < hash_names.size()) return out.member(name, hash_names[kind]);
  out.key(name);
  out.begin_object();
  out.member(hash.kind == HashKey::Kind::header ? "header" : "cookie", std::string_view(hash.name));
  out.end_object();
}

void write_forward(JsonWriter& out, const ForwardConfig& forward) {
  if (forward.split.empty()) return out.member("forward", without_credentials(forward.to));
  out.key("forward");
  out.begin_object();
  out.key("split");
  out.begin_object();
  for (const SplitPart& part : forward.split) out.member(without_credentials(part.to), std::uint64_t{part.weight});
  out.end_object();
  if (forward.hash) write_hash(out, "hash", *forward.hash);
  if (forward.chosen_by) write_hash(out, "chosen_by", *forward.chosen_by);
  out.end_object();
}

void write_redirect(JsonWriter& out, const RedirectConfig& redirect) {
  out.key("redirect");
  out.begin_object();
  out.member("to", without_credentials(redirect.to));
  out.member("status", static_cast<std::uint64_t>(redirect.status));
  out.member("keep_query", redirect.keep_query);
  out.end_object();
}

void write_reply(JsonWriter& out, std::string_view key, const ReplyConfig& reply) {
  out.key(key);
  out.begin_object();
  out.member("status", static_cast<std::uint64_t>(reply.status));
  if (reply.content) out.member("text", std::string_view(*reply.content));
  out.key("headers");
  out.begin_object();
  if (reply.content && !reply.content_type.empty()) out.member("content-type", std::string_view(reply.content_type));
  for (const auto& [name, value] : reply.headers) out.member(name, is_secret_name(name) ? masked : std::string_view(value));
  out.end_object();
  out.end_object();
}

/// The deadlines and limits that a route has of its own.
void write_bounds(JsonWriter& out, const RouteConfig& route) {
  const RouteTimeouts& t = route.timeouts;
  const std::pair<const char*, const std::optional<Duration>&> timeouts[] = {
      {"client_body", t.client_body}, {"client_write", t.client_write}, {"connect", t.connect},
      {"first_byte", t.first_byte},   {"body", t.body},                 {"tunnel", t.tunnel}};
  if (std::any_of(std::begin(timeouts), std::end(timeouts), [](const auto& timeout) { return timeout.second.has_value(); })) {
    out.key("timeouts");
    out.begin_object();
    for (const auto& [name, duration] : timeouts)
      if (duration) out.member(name, *duration);
    out.end_object();
  }
  const RouteLimits& l = route.limits;
  if (!l.body && !l.body_rate && !l.write_rate) return;
  out.key("limits");
  out.begin_object();
  if (l.body) out.member("body", *l.body);
  if (l.body_rate) out.member("body_rate", std::uint64_t{*l.body_rate});
  if (l.write_rate) out.member("write_rate", std::uint64_t{*l.write_rate});
  out.end_object();
}

void write_action(JsonWriter& out, const RouteConfig& route) {
  if (route.rewrite) out.member("rewrite", std::string_view(route.rewrite->to));
  if (const auto* redirect = std::get_if<RedirectConfig>(&route.action)) write_redirect(out, *redirect);
  if (const auto* reply = std::get_if<ReplyConfig>(&route.action)) write_reply(out, "reply", *reply);
  if (const auto* forward = std::get_if<ForwardConfig>(&route.action)) {
    write_forward(out, *forward);
    if (route.strip_prefix) out.member("strip_prefix", true);
    if (route.preserve_host) out.member("preserve_host", true);
    if (route.upgrade != RouteConfig().upgrade) write_list(out, "upgrade", route.upgrade);
  }
  if (const auto* handler = std::get_if<HandlerConfig>(&route.action)) out.member("handler", handler->handler ? code : std::string_view(handler->name));
}

void write_route(JsonWriter& out, const RouteConfig& route, std::string_view name, const std::vector<StageConfig>& before) {
  out.begin_object();
  if (!name.empty()) out.member("name", name);
  write_rule(out, route.rule);
  if (!route.use.empty() || !before.empty()) {
    out.key("use");
    out.begin_list();
    write_stages(out, before);
    write_stages(out, route.use);
    out.end_list();
  }
  write_action(out, route);
  write_bounds(out, route);
  out.end_object();
}

void write_sticky(JsonWriter& out, const StickyOptions& sticky) {
  out.key("sticky");
  out.begin_object();
  out.member("cookie", std::string_view(sticky.cookie));
  out.member("secret", masked);
  if (sticky.max_age) out.member("max_age", *sticky.max_age);
  out.end_object();
}

void write_statuses(JsonWriter& out, std::string_view name, const std::vector<int>& statuses) {
  if (statuses.empty()) return;
  out.key(name);
  out.begin_list();
  for (int status : statuses) out.number(static_cast<std::uint64_t>(status));
  out.end_list();
}

void write_health(JsonWriter& out, const HealthOptions& health) {
  out.key("health");
  out.begin_object();
  if (const std::optional<CheckOptions>& check = health.check) {
    out.key("check");
    out.begin_object();
    if (!check->path.empty()) out.member("path", std::string_view(check->path));
    write_statuses(out, "status", check->statuses);
    out.member("interval", check->interval);
    out.member("timeout", check->timeout);
    out.member("healthy", std::uint64_t{check->healthy});
    out.member("unhealthy", std::uint64_t{check->unhealthy});
    out.end_object();
  }
  const EjectOptions& eject = health.eject;
  out.key("eject");
  out.begin_object();
  out.member("failures", std::uint64_t{eject.failures});
  out.member("error_rate", std::uint64_t{eject.error_rate});
  out.member("requests", std::uint64_t{eject.requests});
  out.member("window", eject.window);
  out.member("time", eject.time);
  out.member("longest", eject.longest);
  out.member("share", std::uint64_t{eject.share});
  out.end_object();
  out.end_object();
}

void write_retries(JsonWriter& out, const RetryOptions& retries) {
  out.key("retries");
  out.begin_object();
  out.member("max", std::uint64_t{retries.max});
  write_statuses(out, "statuses", retries.statuses);
  out.member("all_methods", retries.all_methods);
  out.member("per_try", retries.per_try);
  out.member("total", retries.total);
  out.member("backoff", retries.backoff);
  out.member("body", std::uint64_t{retries.body});
  out.member("budget", std::uint64_t{retries.budget});
  out.member("floor", std::uint64_t{retries.floor});
  out.end_object();
}

/// How many requests may be under way, and what happens to others.
void write_capacity(JsonWriter& out, const UpstreamOptions& options) {
  out.member("idle_connections", std::uint64_t{options.idle_connections});
  out.member("connections", std::uint64_t{options.connections});
  out.member("requests", std::uint64_t{options.requests});
  if (options.requests > 0) {
    out.key("queue");
    out.begin_object();
    out.member("length", std::uint64_t{options.queue.length});
    out.member("time", options.queue.time);
    out.end_object();
  }
  if (const std::optional<BreakerOptions>& breaker = options.breaker) {
    out.key("breaker");
    out.begin_object();
    out.member("error_rate", std::uint64_t{breaker->error_rate});
    out.member("requests", std::uint64_t{breaker->requests});
    out.member("window", breaker->window);
    out.member("open", breaker->open);
    out.end_object();
  }
  if (const auto* name = std::get_if<std::string>(&options.fallback)) out.member("fallback", std::string_view(*name));
  if (const auto* reply = std::get_if<ReplyConfig>(&options.fallback)) write_reply(out, "fallback", *reply);
}

void write_upstream(JsonWriter& out, const UpstreamConfig& upstream) {
  const UpstreamOptions& options = upstream.options;
  out.key(upstream.name);
  out.begin_object();
  out.key("endpoints");
  out.begin_list();
  for (const EndpointOptions& endpoint : upstream.endpoints) {
    out.begin_object();
    out.member("address", without_credentials(endpoint.address));
    out.member("weight", std::uint64_t{endpoint.weight});
    out.end_object();
  }
  out.end_list();
  out.member("balance", balance_names[static_cast<std::size_t>(options.balance)]);
  if (options.balance == Balance::maglev) write_hash(out, "hash", options.hash);
  if (options.sticky) write_sticky(out, *options.sticky);
  out.member("slow_start", options.slow_start);
  out.key("timeouts");
  out.begin_object();
  out.member("connect", options.timeouts.connect);
  out.member("first_byte", options.timeouts.first_byte);
  out.member("body", options.timeouts.body);
  out.member("idle", options.timeouts.idle);
  out.member("tunnel", options.timeouts.tunnel);
  out.end_object();
  write_health(out, options.health);
  write_retries(out, options.retries);
  out.member("base_path", options.base_path);
  write_capacity(out, options);
  out.end_object();
}

void write_settings(JsonWriter& out, const Config& config) {
  out.key("listen");
  out.begin_list();
  for (const ListenConfig& listen : config.listen) {
    if (listen.options.trusted.empty()) {
      out.text(listen.address);
      continue;
    }
    out.begin_object();
    out.member("address", listen.address);
    write_list(out, "trusted", listen.options.trusted);
    out.end_object();
  }
  out.end_list();
  if (!config.admin.address.empty()) {
    out.key("admin");
    out.begin_object();
    out.member("listen", config.admin.address);
    out.end_object();
  }
  out.member("workers", std::uint64_t{config.workers});
  out.member("wrong_method", std::uint64_t{config.wrong_method});
  if (!config.name_servers.empty()) {
    out.key("name_servers");
    out.begin_list();
    for (const std::string& server : config.name_servers) out.text(server);
    out.end_list();
  }
  out.key("timeouts");
  out.begin_object();
  out.member("client_header", config.timeouts.client_header);
  out.member("client_idle", config.timeouts.client_idle);
  out.member("client_body", config.timeouts.client_body);
  out.member("client_write", config.timeouts.client_write);
  out.member("drain", config.timeouts.drain);
  out.end_object();
  out.key("limits");
  out.begin_object();
  out.member("head", std::uint64_t{config.limits.head});
  out.member("fields", std::uint64_t{config.limits.fields});
  out.member("target", std::uint64_t{config.limits.target});
  out.member("body", config.limits.body);
  out.member("trailers", std::uint64_t{config.limits.trailers});
  out.member("chunk_extensions", std::uint64_t{config.limits.chunk_extensions});
  out.member("connections", std::uint64_t{config.limits.connections});
  out.member("connections_per_client", std::uint64_t{config.limits.connections_per_client});
  out.member("requests_per_connection", config.limits.requests_per_connection);
  out.member("body_rate", std::uint64_t{config.limits.body_rate});
  out.member("write_rate", std::uint64_t{config.limits.write_rate});
  out.end_object();
}

}  // namespace

std::string config_json(const Config& config) {
  JsonWriter out;
  out.begin_object();
  write_settings(out, config);
  out.key("use");
  out.begin_list();
  write_stages(out, config.use);
  out.end_list();
  out.key("upstreams");
  out.begin_object();
  for (const UpstreamConfig& upstream : config.upstreams) write_upstream(out, upstream);
  out.end_object();
  out.key("routes");
  out.begin_list();
  for (const RouteConfig& route : config.routes) write_route(out, route, route.rule.name, {});
  out.end_list();
  out.end_object();
  return out.take();
}

std::string routes_json(const Config& config, const std::vector<std::string>& names) {
  JsonWriter out;
  out.begin_list();
  for (std::size_t i = 0; i < config.routes.size(); ++i) write_route(out, config.routes[i], names[i], config.use);
  out.end_list();
  return out.take();
}

}  // namespace config
}  // namespace v0
}  // namespace gw
