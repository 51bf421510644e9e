#include "proxy/metrics_text.hpp"

#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {
namespace {

using Type = Exposition::Type;
using Count = std::uint64_t;

constexpr std::size_t buckets = Histogram::bounds.size() + 1;
// As floating point numbers, which is what OpenMetrics asks for: a bucket keeps its name in both formats.
constexpr std::array<std::string_view, buckets> bucket_names = {"0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
                                                                "0.25",   "0.5",   "1.0",    "2.5",   "5.0",  "10.0",  "30.0", "+Inf"};

/// The sum of tallies of statuses.
struct Statuses {
  std::map<std::uint32_t, Count> counts;
  void add(const Tally& tally) {
    tally.each([&](std::uint32_t status, Count count) { counts[status] += count; });
  }
};

/// The sum of tallies of errors. By name: codes without a name share one.
struct Errors {
  std::map<std::string_view, Count> counts;
  void add(const Tally& tally) {
    tally.each([&](std::uint32_t key, Count count) { counts[name_of(make_error_code(static_cast<Error>(key)))] += count; });
  }
  void write(Exposition& out, std::string_view label, std::string_view name) const {
    for (const auto& [error, count] : counts) out.sample({{label, name}, {"error", error}}, count);
  }
};

/// The sum of histograms.
struct Times {
  std::array<Count, buckets> counts{};
  Count sum = 0;  // nanoseconds
  void add(const Histogram& histogram) {
    for (std::size_t i = 0; i < buckets; ++i) counts[i] += histogram.count(i);
    sum += histogram.sum();
  }
  void write(Exposition& out, std::string_view label, std::string_view name) const {
    Count below = 0;
    for (std::size_t i = 0; i < buckets; ++i) out.sample("_bucket", {{label, name}, {"le", bucket_names[i]}}, below += counts[i]);
    out.sample("_sum", {{label, name}}, static_cast<double>(sum) / 1e9);
    out.sample("_count", {{label, name}}, below);
  }
};

struct RouteTotals {
  std::string_view name;
  Statuses statuses;
  Errors failures;
  Times durations;
  Count bytes_received = 0, bytes_sent = 0;
};

struct UpstreamTotals {
  std::string_view name;
  std::map<std::uint32_t, Count> classes;
  Errors failures, connect_failures;
  Times heads;
  Count retries = 0, denied = 0, too_large = 0, panics = 0, ejections = 0;
  Count opened = 0, reused = 0;
  std::int64_t running = 0, open = 0, idle = 0;
};

std::vector<RouteTotals> sum_routes(const Metrics::View& view) {
  std::vector<RouteTotals> all;
  for (const auto& route : view.routes) {
    RouteTotals t;
    t.name = route->name;
    route->each([&](const RouteCounters& c) {
      t.statuses.add(c.statuses);
      t.failures.add(c.failures);
      t.durations.add(c.durations);
      t.bytes_received += c.bytes_received.value();
      t.bytes_sent += c.bytes_sent.value();
    });
    if (!t.statuses.counts.empty()) all.push_back(std::move(t));
  }
  return all;
}

std::vector<UpstreamTotals> sum_upstreams(const Metrics::View& view) {
  std::vector<UpstreamTotals> all;
  for (const auto& upstream : view.upstreams) {
    UpstreamTotals t;
    t.name = upstream->name;
    bool is_used = false;
    upstream->each([&](const UpstreamCounters& c) {
      is_used = true;
      c.statuses.each([&](std::uint32_t status, Count count) { t.classes[status / 100] += count; });
      t.failures.add(c.failures);
      t.connect_failures.add(c.connect_failures);
      t.heads.add(c.heads);
      t.running += c.running.value();
      t.retries += c.retries.value();
      t.denied += c.retries_denied.value();
      t.too_large += c.retries_too_large.value();
      t.panics += c.panics.value();
      t.ejections += c.ejections.value();
      t.opened += c.opened.value();
      t.reused += c.reused.value();
      t.open += c.open.value();
      t.idle += c.idle.value();
    });
    if (is_used) all.push_back(std::move(t));
  }
  return all;
}

void write_routes(Exposition& out, const Metrics::View& view) {
  const std::vector<RouteTotals> routes = sum_routes(view);
  out.family("gw_requests_total", Type::counter, "Requests that have ended, by route (empty: none) and status.");
  for (const RouteTotals& r : routes)
    for (const auto& [status, count] : r.statuses.counts) out.sample({{"route", r.name}, {"status", std::to_string(status)}}, count);
  out.family("gw_request_failures_total", Type::counter, "Requests that failed, by route and error.");
  for (const RouteTotals& r : routes) r.failures.write(out, "route", r.name);
  out.family("gw_request_duration_seconds", Type::histogram, "Time from the first byte of a request to the end of its response.");
  for (const RouteTotals& r : routes) r.durations.write(out, "route", r.name);
  out.family("gw_request_body_bytes_total", Type::counter, "Content received from clients.");
  for (const RouteTotals& r : routes) out.sample({{"route", r.name}}, r.bytes_received);
  out.family("gw_response_body_bytes_total", Type::counter, "Content sent to clients.");
  for (const RouteTotals& r : routes) out.sample({{"route", r.name}}, r.bytes_sent);
}

void write_upstreams(Exposition& out, const Metrics::View& view) {
  const std::vector<UpstreamTotals> upstreams = sum_upstreams(view);
  out.family("gw_upstream_requests_total", Type::counter, "Requests to upstreams, by class of the response's status, or error.");
  for (const UpstreamTotals& u : upstreams) {
    for (const auto& [first, count] : u.classes) out.sample({{"upstream", u.name}, {"outcome", std::to_string(first) + "xx"}}, count);
    for (const auto& [error, count] : u.failures.counts) out.sample({{"upstream", u.name}, {"outcome", error}}, count);
  }
  out.family("gw_upstream_response_head_seconds", Type::histogram, "Time from sending a request to the head of its response.");
  for (const UpstreamTotals& u : upstreams) u.heads.write(out, "upstream", u.name);
  out.family("gw_upstream_requests_in_flight", Type::gauge, "Requests to upstreams under way, however often each is tried.");
  for (const UpstreamTotals& u : upstreams) out.sample({{"upstream", u.name}}, u.running);
  out.family("gw_upstream_retries_total", Type::counter, "Further tries of requests, and requests that lacked something for one.");
  for (const UpstreamTotals& u : upstreams) {
    out.sample({{"upstream", u.name}, {"outcome", "sent"}}, u.retries);
    out.sample({{"upstream", u.name}, {"outcome", "no_budget"}}, u.denied);
    out.sample({{"upstream", u.name}, {"outcome", "body_too_large"}}, u.too_large);
  }
  out.family("gw_upstream_ejections_total", Type::counter, "Times that an endpoint was taken out because of what requests saw of it.");
  for (const UpstreamTotals& u : upstreams) out.sample({{"upstream", u.name}}, u.ejections);
  out.family("gw_upstream_endpoint_up", Type::gauge, "Whether an endpoint gets requests: nothing is known against it.");
  for (const EndpointStatus& e : view.endpoints) out.sample({{"upstream", e.upstream}, {"endpoint", e.endpoint}}, Count(e.is_up));
  out.family("gw_upstream_panics_total", Type::counter, "Requests that were sent to any endpoint because none was healthy.");
  for (const UpstreamTotals& u : upstreams) out.sample({{"upstream", u.name}}, u.panics);
  out.family("gw_upstream_connections_opened_total", Type::counter, "Connections made to upstreams.");
  for (const UpstreamTotals& u : upstreams) out.sample({{"upstream", u.name}}, u.opened);
  out.family("gw_upstream_connections_reused_total", Type::counter, "Times that a free connection was used again.");
  for (const UpstreamTotals& u : upstreams) out.sample({{"upstream", u.name}}, u.reused);
  out.family("gw_upstream_connection_failures_total", Type::counter, "Connections that could not be made, by error.");
  for (const UpstreamTotals& u : upstreams) u.connect_failures.write(out, "upstream", u.name);
  out.family("gw_upstream_connections_open", Type::gauge, "Connections to upstreams that are open, free or not.");
  for (const UpstreamTotals& u : upstreams) out.sample({{"upstream", u.name}}, u.open);
  out.family("gw_upstream_connections_idle", Type::gauge, "Connections to upstreams that are free.");
  for (const UpstreamTotals& u : upstreams) out.sample({{"upstream", u.name}}, u.idle);
}

void write_clients(Exposition& out, const Metrics::View& view) {
  Count accepted = 0;
  std::array<Count, limit_names.size()> reached{};
  std::int64_t connections = 0, requests = 0, tunnels = 0;
  Errors refused;
  for (const WorkerCounters* c : view.gateway) {
    accepted += c->accepted.value();
    for (std::size_t i = 0; i < reached.size(); ++i) reached[i] += c->limits[i].value();
    connections += c->connections.value();
    requests += c->requests.value();
    tunnels += c->tunnels.value();
    refused.add(c->refused);
  }
  out.family("gw_connections_accepted_total", Type::counter, "Connections of clients.");
  out.sample({}, accepted);
  out.family("gw_connections_open", Type::gauge, "Connections of clients that are open.");
  out.sample({}, connections);
  out.family("gw_requests_in_flight", Type::gauge, "Requests under way.");
  out.sample({}, requests);
  out.family("gw_tunnels_open", Type::gauge, "Requests under way that have become tunnels.");
  out.sample({}, tunnels);
  out.family("gw_refused_requests_total", Type::counter, "Requests refused before a route was looked for, by error.");
  for (const auto& [error, count] : refused.counts) out.sample({{"error", error}}, count);
  out.family("gw_limits_reached_total", Type::counter, "Times that a client ran into a limit or deadline, by its name in the configuration.");
  for (std::size_t i = 0; i < reached.size(); ++i) out.sample({{"limit", limit_names[i]}}, reached[i]);
}

/// When this process began, in seconds since 1970; 0 if the system does not say.
double process_start() {
  std::FILE* file = std::fopen("/proc/self/stat", "re");
  if (!file) return 0;
  char text[1024];
  const std::size_t size = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  text[size] = '\0';
  // Field 22, in ticks since the system started. The name of the program, field 2, may hold spaces and brackets.
  std::string_view rest(text, size);
  rest.remove_prefix(std::min(size, rest.rfind(')') + 1));
  for (int field = 2; field < 22; ++field) {
    const std::size_t space = rest.find(' ');
    if (space == rest.npos) return 0;
    rest.remove_prefix(space + 1);
  }
  const double age_at_boot = std::strtod(rest.data(), nullptr) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  timespec now{}, up{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  ::clock_gettime(CLOCK_BOOTTIME, &up);
  const auto seconds = [](const timespec& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9; };
  return seconds(now) - seconds(up) + age_at_boot;
}

void write_gateway(Exposition& out, const Metrics::View& view) {
  out.family("gw_access_log_dropped_lines_total", Type::counter, "Lines that access logs dropped because nobody took them.");
  out.sample({}, view.dropped_lines);
  out.family("gw_workers", Type::gauge, "Threads that serve clients.");
  out.sample({}, Count(view.workers));
  out.family("gw_config_version", Type::gauge, "Configurations that were applied since the start, the first included.");
  out.sample({}, view.config_version);
  out.family("gw_config_last_reload_successful", Type::gauge, "Whether the last configuration was applied.");
  out.sample({}, Count(view.is_last_applied));
  out.family("gw_config_last_reload_success_timestamp_seconds", Type::gauge, "When a configuration was applied last.");
  out.sample({}, view.applied_at);
  out.family("gw_build_info", Type::info, "The version of gw.");
  out.sample({{"version", GW_VERSION}}, Count(1));
  // The same while the process lives, so that scrapes agree: the clock may be set meanwhile.
  static const double started = process_start();
  if (started <= 0) return;
  out.family("process_start_time_seconds", Type::gauge, "When the process began.");
  out.sample("", {}, started);
}

}  // namespace

std::string metrics_text(const Metrics& metrics, Exposition::Format format) {
  const Metrics::View view = metrics.view();
  Exposition out(format);
  write_routes(out, view);
  write_upstreams(out, view);
  write_clients(out, view);
  write_gateway(out, view);
  return out.take();
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
