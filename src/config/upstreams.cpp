#include "config/upstreams.hpp"

#include "config/actions.hpp"
#include "config/hash_key.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
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

/// An upstream while it is read.
struct UpstreamDraft {
  UpstreamConfig upstream;
  // Whether these could be read, or are not there: nothing is said about what depends on them otherwise.
  bool knows_balance = true;
  bool knows_requests = true;
  UpstreamOptions& options() { return upstream.options; }
};

void read_balance(const Value& value, UpstreamDraft& draft) {
  const auto name = value.text();
  const auto found = name ? std::find(balance_names.begin(), balance_names.end(), *name) : balance_names.end();
  draft.knows_balance = found != balance_names.end();
  if (draft.knows_balance)
    draft.options().balance = static_cast<Balance>(found - balance_names.begin());
  else if (name)
    value.problem("expected p2c, round_robin, least_requests, random or maglev, found " + quote(*name) +
                  did_you_mean(*name, balance_names));
}

constexpr Key<StickyOptions> sticky_keys[] = {
    {"cookie", [](const Value& v, StickyOptions& s) { read_checked(v, s.cookie, cookie_mistake); }},
    {"secret", [](const Value& v, StickyOptions& s) { read_checked(v, s.secret, secret_mistake); }},
    {"max_age",
     [](const Value& v, StickyOptions& s) {
       const auto max_age = v.duration();
       if (!max_age) return;
       if (std::string what = max_age_mistake(*max_age); !what.empty()) return v.problem(std::move(what));
       s.max_age = *max_age;
     }},
};

void read_sticky(const Value& value, std::optional<StickyOptions>& out) {
  if (read_map(value, out.emplace(), sticky_keys) && !value.has("secret")) value.problem("secret is missing");
}

void read_statuses(const Value& value, std::vector<int>& out, Bounds bounds) {
  value.each_of_one_or_more("a status or a list of statuses", [&](const Value& item) {
    if (const auto status = item.number(bounds)) out.push_back(static_cast<int>(*status));
  });
}

/// Reads a map, and if that is right, looks whether its values fit together.
template <class T, std::size_t n>
void read_fitting(const Value& value, T& out, const Key<T> (&keys)[n], std::string (*mistake)(const T&)) {
  const std::size_t before = value.problem_count();
  read_map(value, out, keys);
  if (value.problem_count() > before) return;
  if (std::string what = mistake(out); !what.empty()) value.problem(std::move(what));
}

constexpr Key<CheckOptions> check_keys[] = {
    {"path", [](const Value& v, CheckOptions& c) { read_checked(v, c.path, check_path_mistake); }},
    {"status", [](const Value& v, CheckOptions& c) { read_statuses(v, c.statuses, bounds::status); }},
    {"interval", [](const Value& v, CheckOptions& c) { read(v, c.interval); }},
    {"timeout", [](const Value& v, CheckOptions& c) { read(v, c.timeout); }},
    {"healthy", [](const Value& v, CheckOptions& c) { read_number(v, c.healthy, bounds::answers_in_a_row); }},
    {"unhealthy", [](const Value& v, CheckOptions& c) { read_number(v, c.unhealthy, bounds::answers_in_a_row); }},
};

/// tcp, /health, or {path: /health, ...}.
void read_check(const Value& value, std::optional<CheckOptions>& out) {
  CheckOptions& check = out.emplace();
  if (value.is_mapping()) return read_fitting(value, check, check_keys, check_mistake);
  const std::string_view text = value.is_scalar() ? std::string_view(value.node().text) : std::string_view();
  if (text.starts_with('/'))
    read_checked(value, check.path, check_path_mistake);
  else if (text != "tcp")
    value.expected("tcp, a path such as /health, or a map");
}

constexpr Key<EjectOptions> eject_keys[] = {
    {"failures", [](const Value& v, EjectOptions& e) { read_number(v, e.failures, bounds::failures); }},
    {"error_rate", [](const Value& v, EjectOptions& e) { read_number(v, e.error_rate, bounds::percent); }},
    {"requests", [](const Value& v, EjectOptions& e) { read_number(v, e.requests, bounds::rate_requests); }},
    {"window", [](const Value& v, EjectOptions& e) { read(v, e.window); }},
    {"time", [](const Value& v, EjectOptions& e) { read(v, e.time); }},
    {"longest", [](const Value& v, EjectOptions& e) { read(v, e.longest); }},
    {"share", [](const Value& v, EjectOptions& e) { read_number(v, e.share, bounds::percent); }},
};

constexpr Key<HealthOptions> health_keys[] = {
    {"check", [](const Value& v, HealthOptions& h) { read_check(v, h.check); }},
    {"eject", [](const Value& v, HealthOptions& h) { read_fitting(v, h.eject, eject_keys, eject_mistake); }},
};

constexpr Key<RetryOptions> retry_keys[] = {
    {"max", [](const Value& v, RetryOptions& r) { read_number(v, r.max, bounds::retries); }},
    {"statuses", [](const Value& v, RetryOptions& r) { read_statuses(v, r.statuses, bounds::retry_status); }},
    {"all_methods", [](const Value& v, RetryOptions& r) { read(v, r.all_methods); }},
    {"per_try", [](const Value& v, RetryOptions& r) { read(v, r.per_try); }},
    {"total", [](const Value& v, RetryOptions& r) { read(v, r.total); }},
    {"backoff", [](const Value& v, RetryOptions& r) { read_with_zero(v, r.backoff); }},
    {"body", [](const Value& v, RetryOptions& r) { read_size(v, r.body, bounds::retry_body); }},
    {"budget", [](const Value& v, RetryOptions& r) { read_number(v, r.budget, bounds::percent); }},
    {"floor", [](const Value& v, RetryOptions& r) { read_number(v, r.floor, bounds::retry_floor); }},
};

/// How often, or {max: ..., ...}.
void read_retries(const Value& value, RetryOptions& out) {
  if (value.is_scalar())
    read_number(value, out.max, bounds::retries);
  else
    read_map(value, out, retry_keys);
}

constexpr Key<QueueOptions> queue_keys[] = {
    {"length", [](const Value& v, QueueOptions& q) { read_number(v, q.length, bounds::queue); }},
    {"time", [](const Value& v, QueueOptions& q) { read(v, q.time); }},
};

void read_queue(const Value& value, QueueOptions& out) {
  if (read_map(value, out, queue_keys) && !value.has("length")) value.problem("length is missing");
}

constexpr Key<BreakerOptions> breaker_keys[] = {
    {"error_rate", [](const Value& v, BreakerOptions& b) { read_number(v, b.error_rate, bounds::breaker_rate); }},
    {"requests", [](const Value& v, BreakerOptions& b) { read_number(v, b.requests, bounds::rate_requests); }},
    {"window", [](const Value& v, BreakerOptions& b) { read(v, b.window); }},
    {"open", [](const Value& v, BreakerOptions& b) { read(v, b.open); }},
};

/// The name of an upstream, or a reply.
void read_fallback(const Value& value, UpstreamOptions& out) {
  if (value.is_mapping()) return read_reply(value, out.fallback.emplace<ReplyConfig>());
  if (!value.is_scalar()) return value.expected("the name of an upstream, or a map with a reply");
  std::string name;
  read_checked(value, name, name_mistake);
  if (!name.empty()) out.fallback = std::move(name);
}

constexpr Key<UpstreamTimeouts> upstream_timeouts_keys[] = {
    {"connect", [](const Value& v, UpstreamTimeouts& t) { read(v, t.connect); }},
    {"first_byte", [](const Value& v, UpstreamTimeouts& t) { read(v, t.first_byte); }},
    {"body", [](const Value& v, UpstreamTimeouts& t) { read(v, t.body); }},
    {"idle", [](const Value& v, UpstreamTimeouts& t) { read(v, t.idle); }},
    {"tunnel", [](const Value& v, UpstreamTimeouts& t) { read(v, t.tunnel); }},
};

constexpr Key<UpstreamDraft> upstream_keys[] = {
    {"endpoints", [](const Value& v, UpstreamDraft& d) { read_endpoints(v, d.upstream.endpoints); }},
    {"balance", read_balance},
    {"hash", [](const Value& v, UpstreamDraft& d) { d.options().hash = read_hash(v).value_or(HashKey()); }},
    {"sticky", [](const Value& v, UpstreamDraft& d) { read_sticky(v, d.options().sticky); }},
    {"slow_start", [](const Value& v, UpstreamDraft& d) { read_with_zero(v, d.options().slow_start); }},
    {"timeouts", [](const Value& v, UpstreamDraft& d) { read_map(v, d.options().timeouts, upstream_timeouts_keys); }},
    {"health", [](const Value& v, UpstreamDraft& d) { read_map(v, d.options().health, health_keys); }},
    {"retries", [](const Value& v, UpstreamDraft& d) { read_retries(v, d.options().retries); }},
    {"base_path", [](const Value& v, UpstreamDraft& d) { read_checked(v, d.options().base_path, base_path_mistake); }},
    {"idle_connections", [](const Value& v, UpstreamDraft& d) { read_number(v, d.options().idle_connections, bounds::idle_connections); }},
    {"connections", [](const Value& v, UpstreamDraft& d) { read_number(v, d.options().connections, bounds::upstream_connections); }},
    {"requests",
     [](const Value& v, UpstreamDraft& d) {
       const auto requests = v.number(bounds::upstream_requests);
       d.knows_requests = requests.has_value();
       d.options().requests = requests.value_or(0);
     }},
    {"queue", [](const Value& v, UpstreamDraft& d) { read_queue(v, d.options().queue); }},
    {"breaker", [](const Value& v, UpstreamDraft& d) { read_map(v, d.options().breaker.emplace(), breaker_keys); }},
    {"fallback", [](const Value& v, UpstreamDraft& d) { read_fallback(v, d.options()); }},
    {"tls"},
};

void read_upstream(const Value& value, UpstreamDraft& draft) {
  read_map(value, draft, upstream_keys);
  const UpstreamOptions& options = draft.options();
  if (draft.knows_balance && options.balance != Balance::maglev) value.key_problem("hash", stray_hash);
  if (draft.knows_requests && options.requests == 0) value.key_problem("queue", stray_queue);
}

}  // namespace

void read_upstreams(const Value& value, std::vector<UpstreamConfig>& out) {
  value.each_entry("a map of upstream names and their endpoints", [&](const Node::Key& name, const Value& item) {
    UpstreamDraft draft;
    UpstreamConfig& upstream = draft.upstream;
    upstream.name = name.text;
    upstream.place = item.place();
    upstream.place.line = name.line;
    upstream.place.column = name.column;
    if (item.is_mapping())
      read_upstream(item, draft);
    else
      read_endpoints(item, upstream.endpoints);
    // An upstream with mistakes is kept: routes that name it are not wrong.
    out.push_back(std::move(upstream));
  });
}

}  // namespace config
}  // namespace v0
}  // namespace gw
