#include "config/stages.hpp"

#include "config/auth_stages.hpp"
#include "config/masking.hpp"

#include <gw/middleware/body_limit.hpp>
#include <gw/middleware/cors.hpp>
#include <gw/middleware/headers.hpp>
#include <gw/middleware/ip_filter.hpp>
#include <gw/middleware/rate_limit.hpp>
#include <gw/middleware/request_id.hpp>

#include <optional>
#include <string>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

// ---- headers ----

using Edits = std::vector<std::pair<std::string, std::string>>;

/// {name: value} or {name: [value, value]}.
void read_edits(const Value& map, Edits& out, bool may_repeat) {
  map.each_entry("a map of header names and values", [&](const Node::Key& name, const Value& value) {
    const auto take = [&](const Value& one) {
      if (const auto text = one.text_or_empty()) out.emplace_back(name.text, *text);
    };
    if (may_repeat && value.is_sequence())
      value.each_element("a list of values", take);
    else
      take(value);
  });
}

constexpr Key<HeaderEdits> header_edits_keys[] = {
    {"set", [](const Value& v, HeaderEdits& e) { read_edits(v, e.set, false); }},
    {"add", [](const Value& v, HeaderEdits& e) { read_edits(v, e.add, true); }},
    {"remove",
     [](const Value& v, HeaderEdits& e) {
       v.each_of_one_or_more("a list of header names", [&](const Value& name) {
         if (const auto text = name.text()) e.remove.emplace_back(*text);
       });
     }},
};

constexpr Key<HeadersOptions> headers_keys[] = {
    {"request", [](const Value& v, HeadersOptions& o) { read_map(v, o.request, header_edits_keys); }},
    {"response", [](const Value& v, HeadersOptions& o) { read_map(v, o.response, header_edits_keys); }},
};

// ---- cors ----

void read_list(const Value& value, std::vector<std::string>& out) {
  out.clear();
  value.each_of_one_or_more("a list", [&](const Value& item) {
    if (const auto text = item.text()) out.emplace_back(*text);
  });
}

constexpr Key<CorsOptions> cors_keys[] = {
    {"origins", [](const Value& v, CorsOptions& o) { read_list(v, o.origins); }},
    {"methods", [](const Value& v, CorsOptions& o) { read_list(v, o.methods); }},
    {"headers", [](const Value& v, CorsOptions& o) { read_list(v, o.headers); }},
    {"expose", [](const Value& v, CorsOptions& o) { read_list(v, o.expose); }},
    {"credentials", [](const Value& v, CorsOptions& o) { read(v, o.credentials); }},
    {"max_age", [](const Value& v, CorsOptions& o) { read(v, o.max_age); }},
};

// ---- access_log ----

constexpr Key<AccessLogOptions> access_log_keys[] = {
    {"file", [](const Value& v, AccessLogOptions& o) { read(v, o.file); }},
    {"format",
     [](const Value& v, AccessLogOptions& o) {
       constexpr std::string_view names[] = {"combined", "json"};
       const auto format = v.text();
       if (!format) return;
       o.format = *format == names[1] ? AccessLogFormat::json : AccessLogFormat::combined;
       if (*format != names[0] && *format != names[1])
         v.problem("expected combined or json, found " + quote(*format) + did_you_mean(*format, names));
     }},
    {"fields", [](const Value& v, AccessLogOptions& o) { read_list(v, o.fields); }},
};

// ---- body_limit ----

constexpr Key<BodyLimitOptions> body_limit_keys[] = {
    {"size", [](const Value& v, BodyLimitOptions& o) { read_size(v, o.size, bounds::body); }},
};

/// `body_limit: 1MiB`, or {size: 1MiB}.
std::optional<Stage> make_body_limit(const Value& options) {
  const std::size_t before = options.problem_count();
  BodyLimitOptions read;
  if (options.is_scalar()) read_size(options, read.size, bounds::body);
  else if (read_map(options, read, body_limit_keys) && !options.has("size")) options.problem("size is missing");
  return options.problem_count() == before ? std::optional(body_limit(read)) : std::nullopt;
}

// ---- ip_filter ----

void read_networks(const Value& list, std::vector<std::string>& out) {
  list.each_of_one_or_more("a network or a list of networks", [&](const Value& item) {
    std::string network;
    read_checked(item, network, detail::network_mistake);
    if (!network.empty()) out.push_back(std::move(network));
  });
}

constexpr Key<IpFilterOptions> ip_filter_keys[] = {
    {"allow", [](const Value& v, IpFilterOptions& o) { read_networks(v, o.allow); }},
    {"deny", [](const Value& v, IpFilterOptions& o) { read_networks(v, o.deny); }},
};

// ---- rate_limit ----

constexpr Key<std::string> rate_limit_by_keys[] = {
    {"header", [](const Value& v, std::string& header) { read(v, header); }},
};

/// client, consumer, or {header: x-api-key}.
void read_by(const Value& value, RateLimitOptions& out) {
  constexpr std::string_view names[] = {"client", "consumer"};
  if (value.is_mapping()) {
    out.by = RateLimitBy::header;
    if (read_map(value, out.header, rate_limit_by_keys) && !value.has("header")) value.problem("header is missing");
    return;
  }
  const auto name = value.text();
  if (!name) return;
  if (*name == names[0])
    out.by = RateLimitBy::client;
  else if (*name == names[1])
    out.by = RateLimitBy::consumer;
  else
    value.problem("expected client, consumer or {header: NAME}, found " + quote(*name) + did_you_mean(*name, names));
}

constexpr Key<RateLimitOptions> rate_limit_keys[] = {
    {"rate", [](const Value& v, RateLimitOptions& o) { read_number(v, o.rate, bounds::rate); }},
    {"per",
     [](const Value& v, RateLimitOptions& o) {
       if (const auto per = v.duration()) o.per = *per;
     }},
    {"burst", [](const Value& v, RateLimitOptions& o) { read_number(v, o.burst, bounds::rate); }},
    {"by", read_by},
    {"size", [](const Value& v, RateLimitOptions& o) { read_number(v, o.size, bounds::rate_keys); }},
};

// ---- the table ----

/// A stage that is built in. `make` gets its options, or null without any; it reports what is wrong
/// with them and then gives nothing, or throws `ConfigError`.
struct BuiltIn {
  std::string_view name;
  std::optional<Stage> (*make)(const Value* options, const World& world);
};

constexpr BuiltIn built_in[] = {
    {"request_id",
     [](const Value* options, const World&) -> std::optional<Stage> {
       if (!options) return request_id();
       options->problem("request_id has no options");
       return std::nullopt;
     }},
    {"access_log",
     [](const Value* options, const World& world) -> std::optional<Stage> {
       AccessLogOptions read_options;
       if (options && !read_options_of(*options, read_options, access_log_keys)) return std::nullopt;
       return world.open_access_log(std::move(read_options));
     }},
    {"headers",
     [](const Value* options, const World&) -> std::optional<Stage> {
       HeadersOptions read_options;
       if (options && !read_options_of(*options, read_options, headers_keys)) return std::nullopt;
       return headers(std::move(read_options));
     }},
    {"cors",
     [](const Value* options, const World&) -> std::optional<Stage> {
       CorsOptions read_options;
       if (options && !read_options_of(*options, read_options, cors_keys)) return std::nullopt;
       return cors(std::move(read_options));
     }},
    {"ip_filter",
     [](const Value* options, const World&) -> std::optional<Stage> {
       IpFilterOptions read_options;
       if (options && !read_options_of(*options, read_options, ip_filter_keys)) return std::nullopt;
       return ip_filter(read_options);
     }},
    {"rate_limit",
     [](const Value* options, const World&) -> std::optional<Stage> {
       RateLimitOptions read_options;
       if (options && !read_options_of(*options, read_options, rate_limit_keys)) return std::nullopt;
       return rate_limit(std::move(read_options));
     }},
    {"key_auth", make_key_auth},
    {"basic_auth", make_basic_auth},
    {"body_limit",
     [](const Value* options, const World&) -> std::optional<Stage> {
       if (options) return make_body_limit(*options);
       throw ConfigError("body_limit needs a size, as in body_limit: 1MiB");
     }},
};

/// Names that a later version will build in: a stage of the user's own must not take them now.
constexpr std::string_view later[] = {"jwt"};

/// Reports a problem of a stage's options. One of another file, such as one of keys, keeps its place there.
void report(const Problem& problem, const Value& options) {
  Place place = options.place();
  if (!problem.place.file.empty()) {
    place.file = problem.place.file;
    place.line = problem.place.line;
    place.column = problem.place.column;
  }
  options.problem_at(std::move(place), problem.what);
}

void read_stage(const Value& place, const std::string& name, const Value* options, std::vector<StageConfig>& out) {
  for (std::string_view soon : later)
    if (name == soon) return place.problem(not_built_yet("stage " + quote(name)));
  for (const BuiltIn& stage : built_in) {
    if (stage.name != name) continue;
    try {
      if (auto made = stage.make(options, place.world())) {
        out.emplace_back(std::move(*made), place.place());
        if (options) out.back().set_options(masked_json(name, options->node()));
      }
    } catch (const ConfigError& e) {
      for (const Problem& problem : e.problems()) report(problem, options ? *options : place);
    }
    return;
  }
  if (options)
    return place.problem("stage " + quote(name) + " is not built in and takes no options" + did_you_mean_or_known(name, built_in_stages()));
  out.emplace_back(name, place.place());
}

}  // namespace

void read_stages(const Value& list, std::vector<StageConfig>& out) {
  list.each_element("a list of stages", [&](const Value& item) {
    if (item.is_scalar()) {
      if (const auto name = item.text()) read_stage(item, std::string(*name), nullptr, out);
    } else if (!item.is_mapping() || item.node().keys.size() != 1) {
      item.expected("the name of a stage, or one name with its options");
    } else {
      const Value options = item.entry(0);
      // `- request_id:` is a slip that changes nothing.
      read_stage(item, item.node().keys[0].text, options.is_null() ? nullptr : &options, out);
    }
  });
}

std::vector<std::string_view> built_in_stages() {
  std::vector<std::string_view> names;
  for (const BuiltIn& stage : built_in) names.push_back(stage.name);
  return names;
}

}  // namespace config
}  // namespace v0
}  // namespace gw
