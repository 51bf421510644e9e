#include "config/check_upstreams.hpp"

#include "config/check_reply.hpp"
#include "config/suggest.hpp"
#include "config/text.hpp"

#include <gw/detail/address.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <string_view>
#include <variant>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

Place place_of(const UpstreamConfig& upstream) { return or_path(upstream.place, path_of("upstreams", upstream.name)); }

void check_sticky(const StickyOptions& sticky, const Place& place, Report& report) {
  report.add(place, ".sticky.cookie", cookie_mistake(sticky.cookie));
  if (sticky.secret.empty()) report.add(place, ".sticky", "secret is missing");
  else report.add(place, ".sticky.secret", secret_mistake(sticky.secret));
  if (!sticky.max_age) return;
  report.add(place, ".sticky.max_age", duration_mistake(*sticky.max_age));
  report.add(place, ".sticky.max_age", max_age_mistake(*sticky.max_age));
}

void check_statuses(const std::vector<int>& statuses, Bounds bounds, const Place& place, const std::string& part, Report& report) {
  for (std::size_t i = 0; i < statuses.size(); ++i)
    report.add(place, path_of(part, i), number_mistake(static_cast<std::uint64_t>(statuses[i]), bounds));
}

void check_health(const HealthOptions& health, const Place& place, Report& report) {
  if (const std::optional<CheckOptions>& check = health.check) {
    if (!check->path.empty()) report.add(place, ".health.check.path", check_path_mistake(check->path));
    check_statuses(check->statuses, bounds::status, place, ".health.check.status", report);
    report.add(place, ".health.check.interval", duration_mistake(check->interval));
    report.add(place, ".health.check.timeout", duration_mistake(check->timeout));
    report.add(place, ".health.check.healthy", number_mistake(check->healthy, bounds::answers_in_a_row));
    report.add(place, ".health.check.unhealthy", number_mistake(check->unhealthy, bounds::answers_in_a_row));
    report.add(place, ".health.check", check_mistake(*check));
  }
  const EjectOptions& eject = health.eject;
  report.add(place, ".health.eject.failures", number_mistake(eject.failures, bounds::failures));
  report.add(place, ".health.eject.error_rate", number_mistake(eject.error_rate, bounds::percent));
  report.add(place, ".health.eject.requests", number_mistake(eject.requests, bounds::rate_requests));
  report.add(place, ".health.eject.window", duration_mistake(eject.window));
  report.add(place, ".health.eject.time", duration_mistake(eject.time));
  report.add(place, ".health.eject.longest", duration_mistake(eject.longest));
  report.add(place, ".health.eject.share", number_mistake(eject.share, bounds::percent));
  report.add(place, ".health.eject", eject_mistake(eject));
}

void check_retries(const RetryOptions& retries, const Place& place, Report& report) {
  report.add(place, ".retries.max", number_mistake(retries.max, bounds::retries));
  check_statuses(retries.statuses, bounds::retry_status, place, ".retries.statuses", report);
  report.add(place, ".retries.per_try", duration_mistake(retries.per_try));
  report.add(place, ".retries.total", duration_mistake(retries.total));
  report.add(place, ".retries.backoff", duration_or_zero_mistake(retries.backoff));
  report.add(place, ".retries.body", number_mistake(retries.body, bounds::retry_body));
  report.add(place, ".retries.budget", number_mistake(retries.budget, bounds::percent));
  report.add(place, ".retries.floor", number_mistake(retries.floor, bounds::retry_floor));
}

/// How many requests may be under way, and what happens to others.
void check_capacity(const UpstreamOptions& options, const Place& place, Report& report) {
  report.add(place, ".idle_connections", number_mistake(options.idle_connections, bounds::idle_connections));
  report.add(place, ".connections", number_mistake(options.connections, bounds::upstream_connections));
  report.add(place, ".requests", number_mistake(options.requests, bounds::upstream_requests));
  report.add(place, ".queue.length", number_mistake(options.queue.length, bounds::queue));
  report.add(place, ".queue.time", duration_mistake(options.queue.time));
  if (options.queue.length > 0 && options.requests == 0) report.add(place, stray_queue);
  const std::optional<BreakerOptions>& breaker = options.breaker;
  if (!breaker) return;
  report.add(place, ".breaker.error_rate", number_mistake(breaker->error_rate, bounds::breaker_rate));
  report.add(place, ".breaker.requests", number_mistake(breaker->requests, bounds::rate_requests));
  report.add(place, ".breaker.window", duration_mistake(breaker->window));
  report.add(place, ".breaker.open", duration_mistake(breaker->open));
}

void check_upstream(const UpstreamConfig& upstream, const Place& place, Report& report) {
  const UpstreamOptions& options = upstream.options;
  report.add(place, name_mistake(upstream.name));
  bool has_weight = false;
  std::map<std::tuple<detail::EndpointAddress::Kind, std::string, std::uint16_t>, std::size_t> taken;
  for (std::size_t i = 0; i < upstream.endpoints.size(); ++i) {
    const EndpointOptions& endpoint = upstream.endpoints[i];
    const std::string part = path_of(".endpoints", i);
    report.add(place, part, endpoint_mistake(endpoint.address));
    if (const auto address = detail::parse_endpoint(endpoint.address)) {
      const auto [first, is_new] = taken.emplace(std::tuple(address->kind, address->name, address->port), i);
      if (!is_new) report.add(place, part, "the address " + quote(endpoint.address) + " is there already, as " + path_of("endpoints", first->second));
    }
    report.add(place, part + ".weight", number_mistake(endpoint.weight, bounds::weight));
    has_weight = has_weight || endpoint.weight > 0;
  }
  if (upstream.endpoints.empty())
    report.add(place, "an upstream needs an endpoint");
  else if (!has_weight)
    report.add(place, ".endpoints", "every endpoint has weight 0: none would get a request");
  report.add(place, ".hash", hash_mistake(options.hash));
  if (options.hash != HashKey() && options.balance != Balance::maglev) report.add(place, stray_hash);
  if (options.sticky) check_sticky(*options.sticky, place, report);
  report.add(place, ".slow_start", duration_or_zero_mistake(options.slow_start));
  report.add(place, ".base_path", base_path_mistake(options.base_path));
  report.add(place, ".timeouts.connect", duration_mistake(options.timeouts.connect));
  report.add(place, ".timeouts.first_byte", duration_mistake(options.timeouts.first_byte));
  report.add(place, ".timeouts.body", duration_mistake(options.timeouts.body));
  report.add(place, ".timeouts.idle", duration_mistake(options.timeouts.idle));
  report.add(place, ".timeouts.tunnel", duration_mistake(options.timeouts.tunnel));
  check_health(options.health, place, report);
  check_retries(options.retries, place, report);
  check_capacity(options, place, report);
  if (const auto* reply = std::get_if<ReplyConfig>(&options.fallback))
    check_reply(*reply, or_path(reply->place, place.path + ".fallback"), report);
}

/// Reports fallbacks to upstreams that do not exist, and those that lead back to where they began.
void check_fallbacks(const Config& config, Report& report) {
  const UpstreamNames names(config, report);
  std::map<std::string_view, const UpstreamConfig*> next;  // upstreams that fall back to another one, and are not looked at yet
  for (const UpstreamConfig& upstream : config.upstreams) {
    const auto* fallback = std::get_if<std::string>(&upstream.options.fallback);
    if (!fallback) continue;
    report.add(place_of(upstream), ".fallback", names.mistake(*fallback));
    next.emplace(upstream.name, &upstream);
  }
  while (!next.empty()) {
    std::vector<const UpstreamConfig*> chain;
    std::string_view name = next.begin()->first;
    for (auto node = next.extract(name); node; node = next.extract(name)) {
      chain.push_back(node.mapped());
      name = std::get<std::string>(chain.back()->options.fallback);
    }
    const auto first = std::find_if(chain.begin(), chain.end(), [&](const UpstreamConfig* upstream) { return upstream->name == name; });
    if (first == chain.end()) continue;
    const std::string& via = std::get<std::string>((*first)->options.fallback);
    report.add(place_of(**first), ".fallback", "falls back to itself" + (via == name ? std::string() : ", by way of " + quote(via)));
  }
}

/// Reports names that several upstreams have, each once.
void check_names(const Config& config, Report& report) {
  std::map<std::string_view, std::size_t> counts;
  for (const UpstreamConfig& upstream : config.upstreams)
    if (++counts[upstream.name] == 2)
      report.add({"", 0, 0, path_of("upstreams", upstream.name)}, "the name " + quote(upstream.name) + " is taken by another upstream");
}

}  // namespace

UpstreamNames::UpstreamNames(const Config& config, const Report& report) : are_known_(!config.upstreams.empty() || !report.is_known("upstreams")) {
  for (const UpstreamConfig& upstream : config.upstreams) names_.push_back(upstream.name);
  std::sort(names_.begin(), names_.end());
}

std::string UpstreamNames::mistake(std::string_view name) const {
  if (!are_known_ || std::binary_search(names_.begin(), names_.end(), name)) return {};
  return "no upstream is named " + quote(name) + did_you_mean(name, names_);
}

void check_upstreams(const Config& config, Report& report) {
  for (const UpstreamConfig& upstream : config.upstreams)
    check_upstream(upstream, place_of(upstream), report);
  check_names(config, report);
  check_fallbacks(config, report);
}

}  // namespace config
}  // namespace v0
}  // namespace gw
