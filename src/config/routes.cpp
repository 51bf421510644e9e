#include "config/routes.hpp"

#include "config/actions.hpp"
#include "config/stages.hpp"

#include <gw/regex.hpp>

#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

/// A route while it is read.
struct RouteDraft {
  RouteConfig route;
  Place name_place;
  Place priority_place;
  bool has_pattern = false;
  bool has_action = false;
};

void read_name(const Value& value, RouteDraft& draft) {
  draft.name_place = value.place();
  read_checked(value, draft.route.rule.name, name_mistake);
}

void read_pattern(const Value& value, RouteDraft& draft, RouteRule::Kind kind) {
  if (draft.has_pattern) return value.problem("a route has one of path, prefix and regex");
  draft.has_pattern = true;
  draft.route.rule.kind = kind;
  read(value, draft.route.rule.pattern);
}

void read_regex(const Value& value, RouteDraft& draft) {
  read_pattern(value, draft, RouteRule::Kind::regex);
  const auto text = value.is_scalar() ? std::string(value.node().text) : std::string();
  if (text.empty()) return;
  if (const std::string mistake = compile_regex(text).mistake; !mistake.empty()) value.problem(quote(text) + ' ' + mistake);
}

/// A whole number with or without a sign.
void read_priority(const Value& value, RouteDraft& draft) {
  draft.priority_place = value.place();
  const std::string_view text = value.is_scalar() ? std::string_view(value.node().text) : std::string_view();
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  constexpr int most = 1'000'000;
  if (error == std::errc() && end == text.data() + text.size() && -most <= number && number <= most)
    draft.route.rule.priority = number;
  else
    value.expected("a whole number from -1000000 to 1000000");
}

void read_hosts(const Value& value, RouteRule& rule) {
  value.each_of_one_or_more("a host or a list of hosts", [&](const Value& host) {
    if (const auto text = host.text()) rule.hosts.emplace_back(*text);
  });
}

void read_methods(const Value& value, RouteRule& rule) {
  value.each_of_one_or_more("a list of methods", [&](const Value& item) {
    const auto name = item.text();
    if (!name) return;
    if (const auto method = parse_method(*name))
      rule.methods.insert(*method);
    else
      item.problem(quote(*name) + " is no method that gw knows" + did_you_mean(*name, detail::method_names));
  });
}

/// {name: value}; the names of headers are tokens (RFC 9110 5.1).
void read_tests(const Value& value, std::vector<FieldTest>& out, bool are_headers) {
  value.each_entry("a map of names and values", [&](const Node::Key& name, const Value& item) {
    if (are_headers && !is_token(name.text)) return item.problem(quote(name.text) + " is no header name");
    if (const auto text = item.text_or_empty()) out.push_back({name.text, std::string(*text)});
  });
}

void read_upgrade(const Value& value, std::vector<std::string>& out) {
  out.clear();
  // Here an empty list says something: none.
  if (value.is_sequence() && value.node().elements.empty()) return;
  value.each_of_one_or_more("a protocol or a list of protocols", [&](const Value& item) {
    std::string protocol;
    read_checked(item, protocol, protocol_mistake);
    if (!protocol.empty()) out.push_back(std::move(protocol));
  });
}

/// Whether the key of an action may be there; a route has one.
bool begin_action(const Value& value, RouteDraft& draft) {
  if (draft.has_action) value.problem("a route does one thing: " + route_actions());
  return !std::exchange(draft.has_action, true);
}

void read_forward_of(const Value& value, RouteDraft& draft) {
  ForwardConfig forward;
  read_forward(value, forward);
  // With a mistake in it a split still names upstreams, which may be unknown.
  if (begin_action(value, draft) && !(forward.to.empty() && forward.split.empty())) draft.route.action = std::move(forward);
}

void read_handler(const Value& value, RouteDraft& draft) {
  HandlerConfig handler;
  handler.place = value.place();
  read_checked(value, handler.name, name_mistake);
  if (begin_action(value, draft) && !handler.name.empty()) draft.route.action = std::move(handler);
}

/// Reads a value that has no default.
void read_some(const Value& value, std::optional<Duration>& out) {
  if (const auto duration = value.duration()) out = *duration;
}

void read_rate(const Value& value, std::optional<std::uint32_t>& out) {
  if (const auto bytes = value.size(bounds::byte_rate)) out = static_cast<std::uint32_t>(*bytes);
}

constexpr Key<RouteTimeouts> route_timeouts_keys[] = {
    {"client_body", [](const Value& v, RouteTimeouts& t) { read_some(v, t.client_body); }},
    {"client_write", [](const Value& v, RouteTimeouts& t) { read_some(v, t.client_write); }},
    {"connect", [](const Value& v, RouteTimeouts& t) { read_some(v, t.connect); }},
    {"first_byte", [](const Value& v, RouteTimeouts& t) { read_some(v, t.first_byte); }},
    {"body", [](const Value& v, RouteTimeouts& t) { read_some(v, t.body); }},
    {"tunnel", [](const Value& v, RouteTimeouts& t) { read_some(v, t.tunnel); }},
};

constexpr Key<RouteLimits> route_limits_keys[] = {
    {"body",
     [](const Value& v, RouteLimits& l) {
       if (const auto bytes = v.size(bounds::body)) l.body = *bytes;
     }},
    {"body_rate", [](const Value& v, RouteLimits& l) { read_rate(v, l.body_rate); }},
    {"write_rate", [](const Value& v, RouteLimits& l) { read_rate(v, l.write_rate); }},
};

template <class T>
void read_action(const Value& value, RouteDraft& draft, void (*read)(const Value&, T&)) {
  const std::size_t before = value.problem_count();
  T action;
  read(value, action);
  // With a mistake there is still one, so that none is missing.
  if (begin_action(value, draft) && value.problem_count() == before) draft.route.action = std::move(action);
}

constexpr Key<RouteDraft> route_keys[] = {
    {"name", read_name},
    {"path", [](const Value& v, RouteDraft& d) { read_pattern(v, d, RouteRule::Kind::path); }},
    {"prefix", [](const Value& v, RouteDraft& d) { read_pattern(v, d, RouteRule::Kind::prefix); }},
    {"host", [](const Value& v, RouteDraft& d) { read_hosts(v, d.route.rule); }},
    {"methods", [](const Value& v, RouteDraft& d) { read_methods(v, d.route.rule); }},
    {"headers", [](const Value& v, RouteDraft& d) { read_tests(v, d.route.rule.headers, true); }},
    {"query", [](const Value& v, RouteDraft& d) { read_tests(v, d.route.rule.query, false); }},
    {"use", [](const Value& v, RouteDraft& d) { read_stages(v, d.route.use); }},
    {"forward", read_forward_of},
    {"handler", read_handler},
    {"redirect", [](const Value& v, RouteDraft& d) { read_action(v, d, read_redirect); }},
    {"reply", [](const Value& v, RouteDraft& d) { read_action(v, d, read_reply); }},
    {"rewrite", [](const Value& v, RouteDraft& d) { read_rewrite(v, d.route.rewrite.emplace()); }},
    {"strip_prefix", [](const Value& v, RouteDraft& d) { read(v, d.route.strip_prefix); }},
    {"preserve_host", [](const Value& v, RouteDraft& d) { read(v, d.route.preserve_host); }},
    {"upgrade", [](const Value& v, RouteDraft& d) { read_upgrade(v, d.route.upgrade); }},
    {"timeouts", [](const Value& v, RouteDraft& d) { read_map(v, d.route.timeouts, route_timeouts_keys); }},
    {"limits", [](const Value& v, RouteDraft& d) { read_map(v, d.route.limits, route_limits_keys); }},
    {"regex", read_regex},
    {"priority", read_priority},
    {"keep_slashes", [](const Value& v, RouteDraft& d) { read(v, d.route.rule.keep_slashes); }},
};

}  // namespace

void read_routes(const Value& value, std::vector<RouteConfig>& out) {
  std::map<std::string, std::string> names;  // and the path of the route that has it
  value.each_element("a list of routes", [&](const Value& item) {
    RouteDraft draft;
    draft.route.place = item.place();
    const bool all_known = read_map(item, draft, route_keys);
    if (!item.is_mapping()) return;
    if (all_known && !draft.has_pattern) item.problem("a route needs a path, a prefix or a regex");
    if (draft.has_pattern && !draft.priority_place.path.empty() && draft.route.rule.kind != RouteRule::Kind::regex)
      item.problem_at(draft.priority_place, "is for a regex; which path or prefix wins follows from the pattern");
    const std::string& name = draft.route.rule.name;
    if (!name.empty()) {
      const auto [first, is_new] = names.emplace(name, draft.route.place.path);
      if (!is_new) item.problem_at(draft.name_place, taken_name(name, first->second));
    }
    out.push_back(std::move(draft.route));
  });
}

}  // namespace config
}  // namespace v0
}  // namespace gw
