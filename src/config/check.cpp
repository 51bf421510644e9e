#include "config/check.hpp"

#include "config/check_routes.hpp"
#include "config/check_upstreams.hpp"
#include "config/report.hpp"
#include "config/rules.hpp"
#include "config/text.hpp"

#include <gw/detail/address.hpp>
#include <gw/detail/route_pattern.hpp>
#include <gw/regex.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

void check_settings(const Config& config, Report& report) {
  const auto at = [](const char* path) { return Place{"", 0, 0, path}; };
  report.add(or_path(config.workers_place, "workers"), number_mistake(config.workers, bounds::workers));
  report.add(at("wrong_method"), number_mistake(config.wrong_method, bounds::wrong_method));
  for (std::size_t i = 0; i < config.name_servers.size(); ++i) report.add(at("name_servers"), path_of("", i), name_server_mistake(config.name_servers[i]));
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
  check_upstreams(config, report);
  check_routes(config, report);
}

}  // namespace config
}  // namespace v0
}  // namespace gw
