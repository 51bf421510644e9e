#include "compile.hpp"

#include "config/check.hpp"
#include "config/stages.hpp"
#include "config/suggest.hpp"
#include "proxy/answers.hpp"
#include "proxy/exchange.hpp"

#include <gw/detail/address.hpp>
#include <gw/regex.hpp>
#include <gw/shadowed_routes.hpp>

#include <map>
#include <optional>
#include <span>
#include <tuple>

namespace gw {
inline namespace v0 {

namespace {

using detail::HostPort;
using proxy::Bounds;
using proxy::Forward;
using proxy::RoutePlan;
using proxy::Snapshot;
using proxy::Template;
using proxy::UpstreamState;

template <class Map>
std::string not_defined(std::string_view kind, const std::string& name, const Map& defined, std::vector<std::string_view> names = {}) {
  for (const auto& entry : defined) names.push_back(entry.first);
  return "no " + std::string(kind) + " is named \"" + name + '"' + config::did_you_mean_or_known(name, names);
}

std::vector<Stage> resolve(const std::vector<StageConfig>& wanted, const std::string& path, const Definitions& definitions, Problems& problems) {
  std::vector<Stage> stages;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].stage()) {
      stages.push_back(*wanted[i].stage());
    } else if (const auto found = definitions.stages.find(wanted[i].name()); found != definitions.stages.end()) {
      stages.push_back(found->second);
    } else {
      Place place = wanted[i].place();
      if (place.path.empty()) place.path = path + '[' + std::to_string(i) + ']';
      problems.push_back({place, not_defined("stage", wanted[i].name(), definitions.stages, config::built_in_stages())});
    }
  }
  return stages;
}

// Hands the state of the stages `before` on to `stages`: first to those that are the same object, then
// by type, in order.
void inherit(std::span<Stage> stages, std::span<const Stage> before) {
  std::vector<bool> has_state(stages.size()), is_taken(before.size());
  const auto match = [&](auto&& fits) {
    for (std::size_t i = 0; i < stages.size(); ++i) {
      for (std::size_t j = 0; j < before.size() && !has_state[i]; ++j) {
        if (is_taken[j] || !stages[i].can_inherit(before[j]) || !fits(stages[i], before[j])) continue;
        stages[i] = stages[i].inherit(before[j]);
        has_state[i] = is_taken[j] = true;
      }
    }
  };
  match([](const Stage& s, const Stage& old) { return s.identity() == old.identity(); });
  match([](const Stage&, const Stage&) { return true; });
}

Place place_of_route(const Config& config, std::size_t index) {
  Place place = config.routes[index].place;
  if (place.path.empty()) place.path = "routes[" + std::to_string(index) + ']';
  return place;
}

// "line 5", or "routes[2]" where no file has it.
std::string line_of_route(const Config& config, std::size_t index) {
  const Place place = place_of_route(config, index);
  return place.line > 0 ? "line " + std::to_string(place.line) : place.path;
}

// What a problem of the router says, and where the other route of a conflict stands.
std::string text_of(const Config& config, const RouteProblem& problem, std::optional<std::size_t> other) {
  return other ? problem.what + " (" + line_of_route(config, *other) + ')' : problem.what;
}

// Whether a problem is about the value at `outer` or inside it.
bool is_inside(const Problem& problem, const Place& outer) { return problem.place.path.compare(0, outer.path.size(), outer.path) == 0; }

class Compiler {
 public:
  Compiler(const Config& config, const Definitions& definitions, proxy::Shared& shared, Problems& problems, const Snapshot* before)
      : config_(config), definitions_(definitions), shared_(shared), problems_(problems), before_(before) {
    if (!before) return;
    for (std::size_t i = 0; i < before->routes.size(); ++i)
      if (const Pipeline* const own = before->routes[i].plan->own_pipeline.get()) pipelines_before_.emplace(before->router.name(i), own);
  }

  std::shared_ptr<const Snapshot> compile() {
    config::check_references(config_, problems_);
    std::vector<Stage> stages = resolve(config_.use, "use", definitions_, problems_);
    if (before_) inherit(stages, before_->unrouted.stages());
    auto snapshot = std::make_shared<Snapshot>(config_.timeouts, config_.limits, std::move(stages), shared_.metrics);
    snapshot->router = build_router();
    snapshot->hides_methods = config_.wrong_method == 404;
    if (!problems_.empty()) return nullptr;
    snapshot->unrouted_metrics = shared_.metrics.route("");
    std::string servers;
    for (const std::string& server : config_.name_servers) servers += server + ' ';
    snapshot->dns = shared_.names.find(servers, net::DnsOptions{.servers = config_.name_servers});
    for (const UpstreamConfig& u : config_.upstreams) add_upstream(*snapshot, u.name, u.endpoints, u.options);
    snapshot->routes = std::vector<proxy::CompiledRoute>(config_.routes.size());
    for (std::size_t i = 0; i < config_.routes.size(); ++i) snapshot->routes[i].plan = plan(*snapshot, i);
    return snapshot;
  }

 private:
  // Everything that can be wrong with routes beyond the words of the file: patterns, conflicts, and
  // names that only code can define.
  Router<std::uint32_t> build_router() {
    RouterBuilder<std::uint32_t> builder(compile_regex);
    builder.reserve(config_.routes.size());
    for (std::size_t i = 0; i < config_.routes.size(); ++i) {
      const RouteConfig& route = config_.routes[i];
      const std::string path = "routes[" + std::to_string(i) + ']';
      builder.add(route.rule, static_cast<std::uint32_t>(i));
      resolve(route.use, path + ".use", definitions_, problems_);
      const auto* handler = std::get_if<HandlerConfig>(&route.action);
      if (handler && !handler->handler && !definitions_.handlers.count(handler->name)) {
        Place place = handler->place;
        if (place.path.empty()) place.path = path + ".handler";
        problems_.push_back({place, not_defined("handler", handler->name, definitions_.handlers)});
      }
    }
    auto built = builder.build();
    for (const RouteProblem& p : built.problems) {
      const Place place = place_of_route(config_, p.rule);
      const bool is_known = std::any_of(problems_.begin(), problems_.end(), [&](const Problem& known) {
        // The decoder has said it already, about a value inside this route.
        return is_inside(known, place) && known.what == p.what;
      });
      if (!is_known) problems_.push_back({place, text_of(config_, p, p.other)});
    }
    return std::move(built.router);
  }

  std::shared_ptr<const UpstreamState> add_upstream(Snapshot& snapshot, const std::string& name, const std::vector<EndpointOptions>& wanted,
                                                    const UpstreamOptions& options) {
    const UpstreamState* before = nullptr;
    if (before_)
      if (const auto found = before_->upstreams.find(name); found != before_->upstreams.end()) before = found->second.get();
    auto upstream = std::make_shared<const UpstreamState>(name, options, wanted, shared_, snapshot.dns, before);
    snapshot.upstreams.emplace(name, upstream);
    return upstream;
  }

  Forward forward(Snapshot& snapshot, const RouteConfig& route, const ForwardConfig& to) {
    if (to.split.empty()) return forward(snapshot, route, to.to);
    std::vector<Forward::Split::Part> parts;
    for (const SplitPart& part : to.split) parts.push_back({part.to, part.weight, forward(snapshot, route, part.to)});
    Forward whole = parts.front().forward;
    auto split = std::make_shared<Forward::Split>(std::move(parts));
    split->hash = to.hash;
    split->chosen_by = to.chosen_by;
    whole.set_split(std::move(split));
    return whole;
  }

  Forward forward(Snapshot& snapshot, const RouteConfig& route, const std::string& to) {
    const auto found = snapshot.upstreams.find(to);
    if (found != snapshot.upstreams.end()) {
      Forward named(found->second, options_of(*found->second, found->second->options.base_path, route));
      named.set_fallback(fallback(snapshot, route, found->second->options));
      return named;
    }
    // A URL is an upstream of its own; routes with the same authority share it, each with its base.
    const std::optional<detail::UpstreamUrl> url = detail::parse_upstream_url(to);
    GW_ASSERT(url.has_value());
    const std::string authority = url->address.host + ':' + std::to_string(url->address.port);
    const std::string name = "http://" + authority;
    const auto known = snapshot.upstreams.find(name);
    const auto upstream = known != snapshot.upstreams.end() ? known->second : add_upstream(snapshot, name, {literal(url->address)}, {});
    return Forward(upstream, options_of(*upstream, url->base_path, route));
  }

  // Chains of fallbacks have an end: that was checked.
  std::shared_ptr<const Forward::Fallback> fallback(Snapshot& snapshot, const RouteConfig& route, const UpstreamOptions& options) {
    auto made = std::make_shared<Forward::Fallback>();
    if (const auto* name = std::get_if<std::string>(&options.fallback)) made->forward = forward(snapshot, route, *name);
    else if (const auto* fixed = std::get_if<ReplyConfig>(&options.fallback)) made->reply = reply(*fixed);
    else return nullptr;
    return made;
  }

  static Forward::Options options_of(const UpstreamState& upstream, const std::string& base_path, const RouteConfig& route) {
    Forward::Options options{base_path, upstream.options.timeouts, route.strip_prefix, route.preserve_host};
    UpstreamTimeouts& t = options.timeouts;
    t.connect = route.timeouts.connect.value_or(t.connect);
    t.first_byte = route.timeouts.first_byte.value_or(t.first_byte);
    t.body = route.timeouts.body.value_or(t.body);
    t.tunnel = route.timeouts.tunnel.value_or(t.tunnel);
    options.upgrade = route.upgrade;
    if (route.rewrite) options.rewrite.emplace(route.rewrite->to, Template::Use::path, parameters_of(route.rule));
    return options;
  }

  // A pattern that a router was made of.
  static std::vector<std::string> parameters_of(const RouteRule& rule) {
    return config::parameters_of(rule, [](const std::string&) { GW_ASSERT(false); });
  }

  static Handler redirect(const RouteConfig& route, const RedirectConfig& to) {
    return proxy::Redirect(Template(to.to, Template::Use::location, parameters_of(route.rule)), to.status, to.keep_query);
  }

  static proxy::FixedReply reply(const ReplyConfig& fixed) {
    Response response(fixed.status);
    if (fixed.content) {
      response.headers.clear();
      response.body = Body(*fixed.content);
      if (!fixed.content_type.empty()) response.headers.add("content-type", fixed.content_type);
    }
    for (const auto& [name, value] : fixed.headers) {
      if (iequals(name, "content-type")) response.headers.set(name, value);
      else response.headers.add(name, value);
    }
    return proxy::FixedReply(std::move(response));
  }

  // What ends the pipeline of a route that does not forward.
  Handler handler(const RouteConfig& route) {
    if (const auto* to = std::get_if<RedirectConfig>(&route.action)) return redirect(route, *to);
    if (const auto* fixed = std::get_if<ReplyConfig>(&route.action)) return reply(*fixed);
    const auto* code = std::get_if<HandlerConfig>(&route.action);
    GW_ASSERT(code);
    return code->handler ? *code->handler : definitions_.handlers.find(code->name)->second;
  }

  // What a route does by forwarding.
  struct Forwarding {
    const Forward* forward;  // the handler owns it
    Handler handler;
  };

  // What routes must have in common to forward alike.
  using ForwardsAlike = std::tuple<std::string, bool, bool, std::optional<Duration>, std::optional<Duration>, std::optional<Duration>,
                                   std::optional<Duration>, std::vector<std::string>>;

  // The same for all routes that forward alike.
  Forwarding forwarding(Snapshot& snapshot, const RouteConfig& route, const ForwardConfig& to) {
    const RouteTimeouts& t = route.timeouts;
    const auto make = [&] {
      const auto made = std::make_shared<const Forward>(forward(snapshot, route, to));
      return Forwarding{made.get(), [made](Context& c) { return (*made)(c); }};
    };
    // What a rewrite makes depends on the pattern, too.
    if (route.rewrite || !to.split.empty()) return make();
    const ForwardsAlike key(to.to, route.strip_prefix, route.preserve_host, t.connect, t.first_byte, t.body, t.tunnel, route.upgrade);
    const auto known = forwardings_.find(key);
    return known != forwardings_.end() ? known->second : forwardings_.emplace(key, make()).first->second;
  }

  std::optional<Bounds> bounds(const RouteConfig& route) const {
    const RouteTimeouts& t = route.timeouts;
    const RouteLimits& l = route.limits;
    if (!t.client_body && !t.client_write && !l.body && !l.body_rate && !l.write_rate) return std::nullopt;
    return Bounds{t.client_body.value_or(config_.timeouts.client_body), t.client_write.value_or(config_.timeouts.client_write),
                  l.body.value_or(config_.limits.body), l.body_rate.value_or(config_.limits.body_rate),
                  l.write_rate.value_or(config_.limits.write_rate)};
  }

  static EndpointOptions literal(const HostPort& a) {
    const bool is_v6 = a.host.find(':') != std::string::npos;
    return EndpointOptions((is_v6 ? '[' + a.host + ']' : a.host) + ':' + std::to_string(a.port));
  }

  // The plan of a route: that of one before if both do the same.
  const RoutePlan* plan(Snapshot& snapshot, std::size_t index) {
    const RouteConfig& route = config_.routes[index];
    const auto* to = std::get_if<ForwardConfig>(&route.action);
    Forwarding action = to ? forwarding(snapshot, route, *to) : Forwarding{nullptr, handler(route)};
    const std::optional<Bounds> bounds = this->bounds(route);
    const RoutePlan** shared = to && route.use.empty() ? &plans_[{action.forward, bounds}] : nullptr;
    if (shared && *shared) return *shared;
    std::unique_ptr<const Pipeline> own = own_pipeline(snapshot, route, snapshot.router.name(index));
    const Pipeline& pipeline = own ? *own : snapshot.unrouted;
    const bool has_template = route.rewrite || std::holds_alternative<RedirectConfig>(route.action);
    const bool runs_user_code = std::holds_alternative<HandlerConfig>(route.action);
    snapshot.plans.push_back({pipeline, std::move(action.handler), std::move(own), bounds, action.forward, has_template, runs_user_code});
    const RoutePlan* const made = &snapshot.plans.back();
    if (shared) *shared = made;
    return made;
  }

  // The stages of a route behind those of the gateway; null if it has none.
  std::unique_ptr<const Pipeline> own_pipeline(const Snapshot& snapshot, const RouteConfig& route, std::string_view name) {
    if (route.use.empty()) return nullptr;
    std::vector<Stage> stages = snapshot.unrouted.stages();
    const std::size_t own = stages.size();
    for (Stage& s : resolve(route.use, "", definitions_, problems_)) stages.push_back(std::move(s));
    if (const auto old = pipelines_before_.find(name); old != pipelines_before_.end())
      inherit(std::span(stages).subspan(own), std::span(old->second->stages()).subspan(before_->unrouted.stages().size()));
    return std::make_unique<const Pipeline>(std::move(stages));
  }

  const Config& config_;
  const Definitions& definitions_;
  proxy::Shared& shared_;
  Problems& problems_;
  const Snapshot* before_;
  std::map<std::string_view, const Pipeline*> pipelines_before_;  // those of routes with stages of their own
  std::map<ForwardsAlike, Forwarding> forwardings_;
  std::map<std::pair<const Forward*, std::optional<Bounds>>, const RoutePlan*> plans_;  // of routes that forward, without stages of their own
};

}  // namespace

std::shared_ptr<const proxy::Snapshot> compile(const Config& config, const Definitions& definitions, proxy::Shared& shared,
                                               Problems& problems, const proxy::Snapshot* before) {
  return Compiler(config, definitions, shared, problems, before).compile();
}

Problems warnings_of(const Config& config, const Router<std::uint32_t>& router) {
  Problems warnings;
  for (const ShadowedRoute& route : shadowed_routes(router)) {
    std::string what = "route \"" + std::string(router.name(route.rule)) + "\" never gets a request: ";
    // Two are enough to understand why.
    for (std::size_t i = 0; i < route.by.size() && i < 2; ++i)
      what += (i > 0 ? " and \"" : "\"") + std::string(router.name(route.by[i])) + "\" (" + line_of_route(config, route.by[i]) + ')';
    if (route.by.size() > 2) what += " and " + std::to_string(route.by.size() - 2) + " more";
    warnings.push_back({place_of_route(config, route.rule), what + (route.by.size() == 1 ? " wins" : " win") + " all that it would take"});
  }
  return warnings;
}

Router<std::uint32_t> router_of(const Config& config) {
  Problems problems;
  check_routes(config, problems);
  if (!problems.empty()) throw ConfigError(std::move(problems));
  RouterBuilder<std::uint32_t> builder(compile_regex);
  for (std::size_t i = 0; i < config.routes.size(); ++i) builder.add(config.routes[i].rule, static_cast<std::uint32_t>(i));
  return std::move(builder.build().router);
}

void check_routes(const Config& config, Problems& problems) {
  RouterBuilder<std::uint32_t> builder(compile_regex);
  std::vector<std::size_t> added;
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const Place place = place_of_route(config, i);
    if (std::any_of(problems.begin(), problems.end(), [&](const Problem& known) { return is_inside(known, place); })) continue;
    builder.add(config.routes[i].rule, static_cast<std::uint32_t>(i));
    added.push_back(i);
  }
  for (const RouteProblem& p : builder.build().problems) {
    std::optional<std::size_t> other;
    if (p.other) other = added[*p.other];
    problems.push_back({place_of_route(config, added[p.rule]), text_of(config, p, other)});
  }
}

}  // namespace v0
}  // namespace gw
