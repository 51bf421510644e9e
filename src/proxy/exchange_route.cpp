/// \file
/// The part of an exchange that finds the route of a request, and takes over what it says about it.
#include "proxy/exchange.hpp"

#include "proxy/fields.hpp"

#include <gw/path.hpp>

namespace gw {
inline namespace v0 {
namespace proxy {

using detail::ContextAccess;

void Exchange::find_route() {
  const Snapshot& s = snapshot();
  Request& request = context.req;
  remove_nominated(request.headers);
  pipeline_ = &s.unrouted;
  metrics_ = s.unrouted_metrics.get();
  handler_ = &s.no_route;
  plan_ = nullptr;
  body_limit_ = s.limits.body;
  if (request.path() == "*") {  // the gateway itself, no route
    handler_ = &s.asterisk;
    return;
  }

  const std::string_view raw = request.path();
  const std::optional<std::string_view> path = normalize_path(raw, path_);
  if (!path) {
    handler_ = &s.bad_path;
    return;
  }
  request.borrow_path(*path);
  std::optional<std::string_view> unmerged;
  // Paths with "//" are rare, and so are routes that want them.
  if (s.router.keeps_slashes() && raw.find("//") != std::string_view::npos) unmerged = normalize_path(raw, unmerged_path_, true);
  if (unmerged == path) unmerged.reset();
  const RouteQuery query{request.method, request.authority(), *path, request.query(), &request.headers, unmerged.value_or(std::string_view{})};
  const auto match = s.router.match(query);
  if (!match) {
    if (match.allowed.empty()) return;
    if (!s.hides_methods) {
      context.slot<AllowedMethods>().methods = match.allowed;
      handler_ = &s.method_not_allowed;
    }
    find_preflighted_route(query);
    return;
  }
  if (match.is_unmerged) request.borrow_path(*unmerged);
  const RoutePlan& plan = take(*match.value, match.name, match.params);
  plan_ = &plan;
  if (plan.has_template) raw_params_ = match.params;
  prefix_length_ = match.prefix_length;
  handler_ = &plan.handler;
  if (plan.bounds || !request.body.empty()) bound(plan);
}

const RoutePlan& Exchange::take(std::size_t route, std::string_view name, const Params& params) {
  const RoutePlan& plan = *snapshot().routes[route].plan;
  ContextAccess::set_route(context, name);
  ContextAccess::set_params(context, params);
  pipeline_ = &plan.pipeline;
  metrics_ = snapshot().metrics_of(route);
  return plan;
}

void Exchange::find_preflighted_route(RouteQuery query) {
  const Headers& headers = context.req.headers;
  if (query.method != Method::options || !headers.has("origin")) return;
  const std::optional<Method> asked = parse_method(headers["access-control-request-method"]);
  if (!asked) return;
  query.method = *asked;
  if (const auto match = snapshot().router.match(query)) take(*match.value, match.name, match.params);
}

TemplateValues Exchange::template_values() const noexcept {
  const Request& r = context.req;
  return {raw_params_, r.path(), r.path().substr(prefix_length_), r.authority()};
}

// What the route says about deadlines and sizes, and whether the body fits.
void Exchange::bound(const RoutePlan& plan) {
  if (plan.bounds) {
    client_.set_bounds(*plan.bounds);
    body_limit_ = plan.bounds->body;
    if (!context.req.body.empty()) client_.limit_body(body_limit_);
  }
  if (!is_body_above(body_limit_)) return;
  client_.limit_body(body_limit_);
  handler_ = &snapshot().body_too_large;
}

// Whether it is known already that the body is larger.
bool Exchange::is_body_above(std::uint64_t limit) const {
  const std::optional<std::uint64_t> size = context.req.body.size();
  return size && *size > limit;
}

void Exchange::limit_body(std::uint64_t limit) {
  if (limit >= body_limit_ || context.req.body.empty()) return;
  body_limit_ = limit;
  client_.limit_body(limit);
  if (is_body_above(limit)) context.fail(Failure(Error::body_too_large, Origin::client));
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
