#include "config/upstreams.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

/// An endpoint while it is read.
struct EndpointDraft {
  std::string address;
  unsigned weight = 1;
};

constexpr Key<EndpointDraft> endpoint_keys[] = {
    {"address", [](const Value& v, EndpointDraft& e) { read_checked(v, e.address, endpoint_mistake); }},
    {"weight", [](const Value& v, EndpointDraft& e) { read_number(v, e.weight, bounds::weight); }},
};

void read_endpoints(const Value& value, std::vector<EndpointOptions>& out) {
  value.each_of_one_or_more("a list of endpoints", [&](const Value& item) {
    EndpointDraft endpoint;
    if (item.is_mapping()) {
      if (read_map(item, endpoint, endpoint_keys) && !item.has("address")) item.problem("address is missing");
    } else {
      read_checked(item, endpoint.address, endpoint_mistake);
    }
    if (!endpoint.address.empty()) out.emplace_back(std::move(endpoint.address), endpoint.weight);
  });
}

void read_balance(const Value& value, Balance& out) {
  constexpr std::string_view names[] = {"p2c", "round_robin"};
  const auto name = value.text();
  if (!name) return;
  if (*name == names[0])
    out = Balance::p2c;
  else if (*name == names[1])
    out = Balance::round_robin;
  else
    value.problem("expected p2c or round_robin, found " + quote(*name) + did_you_mean(*name, names));
}

constexpr Key<UpstreamTimeouts> upstream_timeouts_keys[] = {
    {"connect", [](const Value& v, UpstreamTimeouts& t) { read(v, t.connect); }},
    {"first_byte", [](const Value& v, UpstreamTimeouts& t) { read(v, t.first_byte); }},
    {"body", [](const Value& v, UpstreamTimeouts& t) { read(v, t.body); }},
    {"idle", [](const Value& v, UpstreamTimeouts& t) { read(v, t.idle); }},
    {"tunnel", [](const Value& v, UpstreamTimeouts& t) { read(v, t.tunnel); }},
};

constexpr Key<UpstreamConfig> upstream_keys[] = {
    {"endpoints", [](const Value& v, UpstreamConfig& u) { read_endpoints(v, u.endpoints); }},
    {"balance", [](const Value& v, UpstreamConfig& u) { read_balance(v, u.options.balance); }},
    {"timeouts", [](const Value& v, UpstreamConfig& u) { read_map(v, u.options.timeouts, upstream_timeouts_keys); }},
    {"base_path", [](const Value& v, UpstreamConfig& u) { read_checked(v, u.options.base_path, base_path_mistake); }},
    {"idle_connections", [](const Value& v, UpstreamConfig& u) { read_number(v, u.options.idle_connections, bounds::idle_connections); }},
    {"connections", [](const Value& v, UpstreamConfig& u) { read_number(v, u.options.connections, bounds::upstream_connections); }},
    {"tls"},
    {"health"},
    {"retries"},
};

}  // namespace

void read_upstreams(const Value& value, std::vector<UpstreamConfig>& out) {
  value.each_entry("a map of upstream names and their endpoints", [&](const Node::Key& name, const Value& item) {
    UpstreamConfig upstream;
    upstream.name = name.text;
    upstream.place = item.place();
    upstream.place.line = name.line;
    upstream.place.column = name.column;
    if (item.is_mapping())
      read_map(item, upstream, upstream_keys);
    else
      read_endpoints(item, upstream.endpoints);
    // An upstream with mistakes is kept: routes that name it are not wrong.
    out.push_back(std::move(upstream));
  });
}

}  // namespace config
}  // namespace v0
}  // namespace gw
