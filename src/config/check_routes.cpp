#include "config/check_routes.hpp"

#include "config/check.hpp"
#include "config/check_reply.hpp"
#include "config/check_upstreams.hpp"
#include "config/text.hpp"

#include "proxy/template.hpp"

#include <gw/detail/address.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

/// What is wrong with a place to forward to: the name of an upstream, or a URL.
std::string target_mistake(std::string_view to, const UpstreamNames& upstreams) {
  if (std::string what = forward_mistake(to); !what.empty()) return what;
  if (to.find("://") != std::string_view::npos) return {};
  std::string what = upstreams.mistake(to);
  // "10.0.0.1:8080" was hardly meant as a name.
  const auto address = to.find(':') != std::string_view::npos ? detail::parse_endpoint(to) : std::nullopt;
  if (!what.empty() && address)
    what += address->kind == detail::EndpointAddress::Kind::host ? "; an address has http:// before it" : "; make it an endpoint of an upstream";
  return what;
}

void check_forward(const ForwardConfig& forward, const Place& place, const UpstreamNames& upstreams, Report& report) {
  if (forward.split.empty()) {
    report.add(place, target_mistake(forward.to, upstreams));
    if (forward.hash) report.add(place, stray_forward_hash);
    if (forward.chosen_by) report.add(place, stray_chosen_by);
    return;
  }
  if (!forward.to.empty()) report.add(place, "either one upstream or a split");
  report.add(place, ".split", split_mistake(forward.split));
  std::set<std::string_view> names;
  for (const SplitPart& part : forward.split) {
    const std::string path = path_of(".split", part.to);
    const bool is_new = names.insert(part.to).second;
    report.add(place, path, is_new ? target_mistake(part.to, upstreams) : quote(part.to) + " is in the split already");
    report.add(place, path, number_mistake(part.weight, bounds::weight));
  }
  if (forward.hash) report.add(place, ".hash", hash_mistake(*forward.hash));
  if (forward.chosen_by) report.add(place, ".chosen_by", chosen_by_mistake(*forward.chosen_by));
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

void check_route(const RouteConfig& route, const Place& place, const UpstreamNames& upstreams, Report& report) {
  if (std::holds_alternative<std::monostate>(route.action)) report.add(place, "a route needs something to do: " + route_actions());
  const auto* forward = std::get_if<ForwardConfig>(&route.action);
  if (forward) check_forward(*forward, or_path(forward->place, place.path + ".forward"), upstreams, report);
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

void check_routes(const Config& config, Report& report) {
  const UpstreamNames upstreams(config, report);
  std::map<std::string_view, std::string> taken;  // and the path of the route that has it
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const RouteConfig& route = config.routes[i];
    const Place place = or_path(route.place, path_of("routes", i));
    check_route(route, place, upstreams, report);
    if (route.rule.name.empty()) continue;
    const auto [first, is_new] = taken.emplace(route.rule.name, place.path);
    report.add(place, ".name", is_new ? name_mistake(route.rule.name) : taken_name(route.rule.name, first->second));
  }
}

}  // namespace config
}  // namespace v0
}  // namespace gw
