#include <gw/middleware/cors.hpp>

#include "middleware/preflight.hpp"

#include <algorithm>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_number(char c) { return c >= '0' && c <= '9'; }
/// What a host of a serialised origin consists of (an internationalised one is in Punycode there).
bool is_host(char c) { return is_lower(c) || is_number(c) || c == '-' || c == '.' || c == '_'; }

/// An origin of the options in its parts.
struct OriginParts {
  std::string_view scheme, host, port;
};

/// What is wrong with an origin, or nothing. Browsers send it in one spelling, which is compared byte for byte.
std::string origin_mistake(std::string_view origin) {
  const std::string who = '"' + std::string(origin) + '"';
  if (origin == "null") return "\"null\" is the origin of sandboxed pages and files of anybody; use \"*\" if all may";
  const std::size_t scheme_end = origin.find("://");
  if (scheme_end == origin.npos || scheme_end == 0) return who + " is no origin: write https://HOST or https://HOST:PORT";
  OriginParts parts{origin.substr(0, scheme_end), origin.substr(scheme_end + 3), {}};
  const std::size_t colon = parts.host.starts_with('[') ? parts.host.find("]:") + 1 : parts.host.find(':');
  if (colon != parts.host.npos && colon != 0) {
    parts.port = parts.host.substr(colon + 1);
    parts.host = parts.host.substr(0, colon);
    if (parts.port.empty() || parts.port.size() > 5 || !std::all_of(parts.port.begin(), parts.port.end(), is_number) || parts.port[0] == '0')
      return who + " has no valid port";
  }
  if ((parts.scheme == "https" && parts.port == "443") || (parts.scheme == "http" && parts.port == "80"))
    return who + ": browsers leave the default port out";
  const auto is_scheme = [](char c) { return is_lower(c) || is_number(c) || c == '+' || c == '-' || c == '.'; };
  std::string_view host = parts.host;
  if (host.starts_with("*.")) host.remove_prefix(2);
  const bool is_v6 = host.size() > 2 && host.front() == '[' && host.back() == ']' &&
                     std::all_of(host.begin() + 1, host.end() - 1, [](char c) { return is_host(c) || c == ':'; });
  if (host.empty() || host.front() == '.' || (!is_v6 && !std::all_of(host.begin(), host.end(), is_host)) ||
      !std::all_of(parts.scheme.begin(), parts.scheme.end(), is_scheme))
    return who + " is no origin: scheme, host and port in small letters, no path, and a star only as in https://*.example.com";
  return {};
}

/// "https://*.example.com": any host below example.com.
struct Wildcard {
  std::string before, after;  // "https://" and ".example.com"

  bool matches(std::string_view origin) const {
    if (origin.size() <= before.size() + after.size() || !origin.starts_with(before) || !origin.ends_with(after)) return false;
    const std::string_view below = origin.substr(before.size(), origin.size() - before.size() - after.size());
    return below.front() != '.' && std::all_of(below.begin(), below.end(), is_host);
  }
};

/// What is wrong with a list of names, or nothing; a star stands alone.
std::string list_mistake(const std::vector<std::string>& names, std::string_view what, bool credentials) {
  for (const std::string& name : names) {
    if (name == "*" && names.size() > 1) return "\"*\" stands alone";
    if (name == "*" && credentials) return "\"*\" means nothing to browsers when credentials are allowed: list the " + std::string(what);
    if (!is_token(name)) return '"' + name + "\" is no name of a " + std::string(what.substr(0, what.size() - 1));
  }
  return {};
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

bool is_of_cors(std::string_view name) {
  constexpr std::string_view prefix = "access-control-";
  return name.size() > prefix.size() && iequals(name.substr(0, prefix.size()), prefix);
}

}  // namespace

struct Cors::State {
  std::vector<std::string> exact;
  std::vector<Wildcard> wildcards;
  bool any = false;
  bool credentials = false;
  std::string methods, headers, expose, max_age;

  bool allows(std::string_view origin) const {
    return std::find(exact.begin(), exact.end(), origin) != exact.end() ||
           std::any_of(wildcards.begin(), wildcards.end(), [&](const Wildcard& w) { return w.matches(origin); });
  }

  /// Adds the fields that preflights and other responses have in common; whether the origin is allowed.
  bool answer(Context& c) const {
    if (any) {
      // Whoever asks: without Vary, a cache gives one answer to all.
      c.res.headers.borrow("Access-Control-Allow-Origin", "*");
      return true;
    }
    vary_by_origin(c.res.headers);
    std::string_view origin;
    std::size_t count = 0;
    for (const auto& [name, value] : c.req.headers)
      if (iequals(name, "origin")) {
        origin = value;
        ++count;
      }
    if (count != 1 || !allows(origin)) return false;
    // Views into the request and into this stage, which both outlive the response.
    c.res.headers.borrow("Access-Control-Allow-Origin", origin);
    if (credentials) c.res.headers.borrow("Access-Control-Allow-Credentials", "true");
    return true;
  }

  /// Also where the origin is not allowed, and where there is none: a cache must not give that answer to a page
  /// for which it would have been another (Fetch 3.3.5).
  static void vary_by_origin(Headers& headers) {
    for (const auto& [name, value] : headers)
      if (iequals(name, "vary") && (has_element(value, "origin") || has_element(value, "*"))) return;
    headers.borrow("Vary", "Origin");
  }
};

Cors::Cors(CorsOptions options) {
  Problems problems;
  const auto report = [&](const char* key, std::string what) {
    if (!what.empty()) problems.push_back({Place{{}, 0, 0, key}, std::move(what)});
  };
  auto state = std::make_shared<State>();
  if (options.origins.empty()) report("origins", "cors needs origins");
  for (const std::string& origin : options.origins) {
    if (origin == "*") {
      state->any = true;
      continue;
    }
    report("origins", origin_mistake(origin));
    const std::size_t star = origin.find("://*.");
    if (star == origin.npos) state->exact.push_back(origin);
    else state->wildcards.push_back({origin.substr(0, star + 3), origin.substr(star + 4)});
  }
  if (state->any && options.origins.size() > 1) report("origins", "\"*\" stands alone");
  if (state->any && options.credentials)
    report("origins", "\"*\" with credentials would let every page act for the user: list the origins");
  report("methods", list_mistake(options.methods, "methods", options.credentials));
  for (const std::string& method : options.methods)
    // Browsers compare methods with case, and write these in capitals.
    if (method != "*" && is_token(method) && !parse_method(method)) report("methods", '"' + method + "\" is no method that gw knows");
  report("headers", list_mistake(options.headers, "headers", options.credentials));
  report("expose", list_mistake(options.expose, "headers", options.credentials));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options.max_age);
  if (options.max_age < Duration::zero() || seconds != options.max_age) report("max_age", "a number of whole seconds is needed");
  if (!problems.empty()) throw ConfigError(std::move(problems));

  state->credentials = options.credentials;
  state->methods = joined(options.methods);
  state->headers = joined(options.headers);
  state->expose = joined(options.expose);
  if (seconds.count() > 0) state->max_age = std::to_string(seconds.count());
  state_ = std::move(state);
}

void Cors::request(Context& c) const {
  if (!detail::is_preflight(c.req)) return;
  const State& s = *state_;
  c.reply(204);
  if (!s.answer(c)) return;
  Headers& headers = c.res.headers;
  if (!s.methods.empty()) headers.borrow("Access-Control-Allow-Methods", s.methods);
  if (!s.headers.empty()) headers.borrow("Access-Control-Allow-Headers", s.headers);
  if (!s.max_age.empty()) headers.borrow("Access-Control-Max-Age", s.max_age);
}

void Cors::response(Context& c) const {
  const State& s = *state_;
  c.res.headers.remove_if([](const Headers::Field& f) { return is_of_cors(f.name); });
  if (s.answer(c) && !s.expose.empty()) c.res.headers.borrow("Access-Control-Expose-Headers", s.expose);
}

}  // namespace v0
}  // namespace gw
