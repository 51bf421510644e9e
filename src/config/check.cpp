#include "config/check.hpp"

#include "config/rules.hpp"
#include "config/suggest.hpp"
#include "config/text.hpp"

#include "middleware/owned_fields.hpp"
#include "proxy/template.hpp"

#include <gw/detail/address.hpp>
#include <gw/detail/route_pattern.hpp>
#include <gw/regex.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

/// Collects problems, except about what is known to be wrong already.
class Report {
 public:
  explicit Report(Problems& problems) : problems_(problems) {
    for (const Problem& problem : problems) remember(problem.place.path);
  }

  /// Whether there are problems of the value at `path` or of a part of it.
  bool is_known(const std::string& path) const { return known_.contains(path); }

  /// Appends a problem unless one of its value is known; an empty `what` is none.
  void add(const Place& place, std::string what) {
    if (!what.empty() && !is_known(place.path)) problems_.push_back({place, std::move(what)});
  }
  /// The same of the part `part` of the value at `place`: ".timeouts.connect".
  void add(Place place, std::string_view part, std::string what) {
    place.path += part;
    add(place, std::move(what));
  }

 private:
  /// Remembers a path and what contains it.
  void remember(std::string_view path) {
    for (std::size_t end = path.size(); end != std::string_view::npos && end > 0; end = path.find_last_of(".[", end - 1))
      known_.emplace(path.substr(0, end));
  }

  Problems& problems_;
  std::unordered_set<std::string> known_;
};

/// `place`, with `path` if it has none: what code configured.
Place or_path(Place place, std::string path) {
  if (place.path.empty()) place.path = std::move(path);
  return place;
}

/// What is wrong with a duration.
std::string duration_mistake(Duration duration) { return duration > Duration::zero() ? "" : "a duration must be above zero"; }

/// What is wrong with a number.
std::string number_mistake(std::uint64_t number, Bounds bounds) {
  if (bounds.contain(number)) return {};
  return "expected a number from " + std::to_string(bounds.low) + " to " + std::to_string(bounds.high) + ", found " +
         std::to_string(number);
}

void check_settings(const Config& config, Report& report) {
  const auto at = [](const char* path) { return Place{"", 0, 0, path}; };
  report.add(or_path(config.workers_place, "workers"), number_mistake(config.workers, bounds::workers));
  report.add(at("wrong_method"), number_mistake(config.wrong_method, bounds::wrong_method));
  report.add(at("timeouts.client_header"), duration_mistake(config.timeouts.client_header));
  report.add(at("timeouts.client_idle"), duration_mistake(config.timeouts.client_idle));
  report.add(at("timeouts.client_body"), duration_mistake(config.timeouts.client_body));
  report.add(at("timeouts.client_write"), duration_mistake(config.timeouts.client_write));
  report.add(at("timeouts.drain"), duration_mistake(config.timeouts.drain));
  report.add(at("limits.head"), number_mistake(config.limits.head, bounds::head));
  report.add(at("limits.fields"), number_mistake(config.limits.fields, bounds::fields));
  report.add(at("limits.target"), number_mistake(config.limits.target, bounds::target));
  report.add(at("limits.body"), number_mistake(config.limits.body, bounds::body));
  report.add(at("limits.trailers"), number_mistake(config.limits.trailers, bounds::trailers));
  report.add(at("limits.chunk_extensions"), number_mistake(config.limits.chunk_extensions, bounds::chunk_extensions));
  report.add(at("limits.connections"), number_mistake(config.limits.connections, bounds::connections));
  report.add(at("limits.connections_per_client"), number_mistake(config.limits.connections_per_client, bounds::connections_per_client));
  report.add(at("limits.requests_per_connection"), number_mistake(config.limits.requests_per_connection, bounds::requests_per_connection));
  report.add(at("limits.body_rate"), number_mistake(config.limits.body_rate, bounds::byte_rate));
  report.add(at("limits.write_rate"), number_mistake(config.limits.write_rate, bounds::byte_rate));
  report.add(at("limits"), limits_mistake(config.limits));
}

void check_listen(const Config& config, Report& report) {
  std::map<std::pair<std::string, std::uint16_t>, std::string> taken;  // and the path of the listener that has it
  const auto check = [&](const std::string& text, const Place& place) {
    const auto address = detail::parse_listen(text);
    if (!address) return report.add(place, listen_mistake(text));
    const auto [first, is_new] = taken.emplace(std::pair(address->host, address->port), place.path);
    // The system chooses another port for each port 0.
    if (!is_new && address->port != 0) report.add(place, "the address " + quote(text) + " is taken by " + first->second);
  };
  for (std::size_t i = 0; i < config.listen.size(); ++i) {
    const ListenConfig& listen = config.listen[i];
    const Place place = or_path(listen.place, path_of("listen", i));
    for (std::size_t n = 0; n < listen.options.trusted.size(); ++n)
      report.add(place, path_of(".trusted", n), detail::network_mistake(listen.options.trusted[n]));
    check(listen.address, place);
  }
  if (!config.admin.address.empty()) check(config.admin.address, or_path(config.admin.place, "admin.listen"));
}

void check_upstream(const UpstreamConfig& upstream, const Place& place, Report& report) {
  const UpstreamOptions& options = upstream.options;
  report.add(place, name_mistake(upstream.name));
  bool has_weight = false;
  for (std::size_t i = 0; i < upstream.endpoints.size(); ++i) {
    const EndpointOptions& endpoint = upstream.endpoints[i];
    const std::string part = path_of(".endpoints", i);
    report.add(place, part, endpoint_mistake(endpoint.address));
    report.add(place, part + ".weight", number_mistake(endpoint.weight, bounds::weight));
    has_weight = has_weight || endpoint.weight > 0;
  }
  if (upstream.endpoints.empty())
    report.add(place, "an upstream needs an endpoint");
  else if (!has_weight)
    report.add(place, ".endpoints", "every endpoint has weight 0: none would get a request");
  report.add(place, ".base_path", base_path_mistake(options.base_path));
  report.add(place, ".timeouts.connect", duration_mistake(options.timeouts.connect));
  report.add(place, ".timeouts.first_byte", duration_mistake(options.timeouts.first_byte));
  report.add(place, ".timeouts.body", duration_mistake(options.timeouts.body));
  report.add(place, ".timeouts.idle", duration_mistake(options.timeouts.idle));
  report.add(place, ".timeouts.tunnel", duration_mistake(options.timeouts.tunnel));
  report.add(place, ".idle_connections", number_mistake(options.idle_connections, bounds::idle_connections));
  report.add(place, ".connections", number_mistake(options.connections, bounds::upstream_connections));
}

/// That no upstream is called `name`.
std::string unknown_upstream(std::string_view name, const std::vector<std::string>& names) {
  std::string what = "no upstream is named " + quote(name);
  // "10.0.0.1:8080" was hardly meant as a name.
  if (name.find(':') != std::string_view::npos && detail::parse_endpoint(name)) return what + "; an address has http:// before it";
  return what + did_you_mean(name, names);
}

/// The deadlines and limits that a route has of its own.
void check_bounds(const RouteConfig& route, const Place& place, Report& report) {
  const RouteTimeouts& t = route.timeouts;
  const bool forwards = std::holds_alternative<ForwardConfig>(route.action);
  const auto check = [&](const std::optional<Duration>& duration, const char* part, bool is_of_upstream) {
    if (!duration) return;
    report.add(place, part, is_of_upstream && !forwards ? "is about an upstream, and this route does not forward" : duration_mistake(*duration));
  };
  check(t.client_body, ".timeouts.client_body", false);
  check(t.client_write, ".timeouts.client_write", false);
  check(t.connect, ".timeouts.connect", true);
  check(t.first_byte, ".timeouts.first_byte", true);
  check(t.body, ".timeouts.body", true);
  check(t.tunnel, ".timeouts.tunnel", true);
  if (route.limits.body) report.add(place, ".limits.body", number_mistake(*route.limits.body, bounds::body));
  if (route.limits.body_rate) report.add(place, ".limits.body_rate", number_mistake(*route.limits.body_rate, bounds::byte_rate));
  if (route.limits.write_rate) report.add(place, ".limits.write_rate", number_mistake(*route.limits.write_rate, bounds::byte_rate));
}

/// The target of a rewrite or redirect.
void check_template(const std::string& text, proxy::Template::Use use, const RouteConfig& route, const Place& place, Report& report) {
  bool is_good = true;
  const std::vector<std::string> names = parameters_of(route.rule, [&](const std::string&) { is_good = false; });
  // A pattern with mistakes has no parameters to compare with.
  if (!is_good) return;
  const std::string what = proxy::Template::mistake(text, use, names, route.rule.kind == RouteRule::Kind::prefix);
  if (!what.empty()) report.add(place, quote(text) + ' ' + what);
}

void check_redirect(const RedirectConfig& redirect, const RouteConfig& route, const Place& place, Report& report) {
  constexpr std::array<int, 5> statuses{301, 302, 303, 307, 308};
  check_template(redirect.to, proxy::Template::Use::location, route, place, report);
  if (std::find(statuses.begin(), statuses.end(), redirect.status) == statuses.end())
    report.add(place, ".status", "a redirect has the status 301, 302, 303, 307 or 308, not " + std::to_string(redirect.status));
}

void check_reply(const ReplyConfig& reply, const Place& place, Report& report) {
  report.add(place, ".status", bounds::status.contain(static_cast<std::uint64_t>(reply.status))
                                   ? std::string() : "a reply has a status from 200 to 599, not " + std::to_string(reply.status));
  const bool has_no_content = reply.status == 204 || reply.status == 205 || reply.status == 304;
  if (has_no_content && reply.content && !reply.content->empty())
    report.add(place, "a response with status " + std::to_string(reply.status) + " has no content");
  if (!is_field_value(reply.content_type)) report.add(place, ".content_type", "is not the value of a header");
  for (const auto& [name, value] : reply.headers) {
    const std::string part = path_of(".headers", name);
    if (!is_token(name)) report.add(place, part, quote(name) + " is no header name");
    else if (detail::is_owned_field(name)) report.add(place, part, name + " belongs to gw: it frames the message or is about one connection");
    else if (!is_field_value(value)) report.add(place, part, "the value has a control character, or a space at an end");
  }
}

void check_route(const RouteConfig& route, const Place& place, const std::vector<std::string>& names, Report& report) {
  if (std::holds_alternative<std::monostate>(route.action)) report.add(place, "a route needs something to do: " + route_actions());
  const auto* forward = std::get_if<ForwardConfig>(&route.action);
  if (forward) {
    const Place at = or_path(forward->place, place.path + ".forward");
    std::string mistake = forward_mistake(forward->to);
    const bool is_name = mistake.empty() && forward->to.find("://") == std::string::npos;
    // Nothing is missing among upstreams that could not be read.
    const bool has_upstreams = !names.empty() || !report.is_known("upstreams");
    if (is_name && has_upstreams && !std::binary_search(names.begin(), names.end(), forward->to))
      mistake = unknown_upstream(forward->to, names);
    report.add(at, std::move(mistake));
  }
  check_bounds(route, place, report);
  const auto only = [&](bool is_used, const char* part, const char* what) {
    if (is_used) report.add(place, part, what);
  };
  if (const auto* redirect = std::get_if<RedirectConfig>(&route.action))
    check_redirect(*redirect, route, or_path(redirect->place, place.path + ".redirect"), report);
  if (const auto* reply = std::get_if<ReplyConfig>(&route.action)) check_reply(*reply, or_path(reply->place, place.path + ".reply"), report);
  if (route.rewrite) check_template(route.rewrite->to, proxy::Template::Use::path, route, or_path(route.rewrite->place, place.path + ".rewrite"), report);
  const bool is_answered = !forward && !std::holds_alternative<std::monostate>(route.action);
  constexpr const char* not_forwarded = "changes what is forwarded, and this route does not forward";
  only(route.strip_prefix && is_answered, ".strip_prefix", not_forwarded);
  only(route.rewrite && is_answered, ".rewrite", not_forwarded);
  if (route.rule.kind != RouteRule::Kind::prefix)
    only(route.strip_prefix && forward, ".strip_prefix",
         route.rule.kind == RouteRule::Kind::path ? "removes a prefix, and this route has a path" : "removes a prefix, and this route has a regex");
  only(route.preserve_host && is_answered, ".preserve_host", not_forwarded);
  only(route.upgrade != RouteConfig().upgrade && is_answered, ".upgrade", "is about an upstream, and this route does not forward");
  for (std::size_t i = 0; i < route.upgrade.size(); ++i) report.add(place, path_of(".upgrade", i), protocol_mistake(route.upgrade[i]));
}

}  // namespace

std::vector<std::string> parameters_of(const RouteRule& rule, const std::function<void(const std::string&)>& report) {
  detail::RouteDetails details;
  detail::read_rule(rule, compile_regex, details, report);
  return std::move(details.parameters);
}

void check_references(const Config& config, Problems& problems) {
  Report report(problems);
  check_settings(config, report);
  check_listen(config, report);

  std::vector<std::string> upstream_names;
  for (const UpstreamConfig& upstream : config.upstreams) {
    check_upstream(upstream, or_path(upstream.place, path_of("upstreams", upstream.name)), report);
    upstream_names.push_back(upstream.name);
  }
  std::sort(upstream_names.begin(), upstream_names.end());
  for (auto twice = upstream_names.begin(); (twice = std::adjacent_find(twice, upstream_names.end())) != upstream_names.end();) {
    report.add({"", 0, 0, path_of("upstreams", *twice)}, "the name " + quote(*twice) + " is taken by another upstream");
    twice = std::find_if(twice, upstream_names.end(), [&](const std::string& name) { return name != *twice; });
  }

  std::map<std::string, std::string> route_names;  // and the path of the route that has it
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const RouteConfig& route = config.routes[i];
    const Place place = or_path(route.place, path_of("routes", i));
    check_route(route, place, upstream_names, report);
    if (route.rule.name.empty()) continue;
    const auto [first, is_new] = route_names.emplace(route.rule.name, place.path);
    report.add(place, ".name", is_new ? name_mistake(route.rule.name) : taken_name(route.rule.name, first->second));
  }
}

}  // namespace config
}  // namespace v0
}  // namespace gw
