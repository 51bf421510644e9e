#include "config/check_upstreams.hpp"

#include "config/suggest.hpp"
#include "config/text.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

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
    check_upstream(upstream, or_path(upstream.place, path_of("upstreams", upstream.name)), report);
  check_names(config, report);
}

}  // namespace config
}  // namespace v0
}  // namespace gw
