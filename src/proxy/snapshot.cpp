#include "proxy/snapshot.hpp"

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

void reply_method_not_allowed(Context& c) {
  c.fail(Failure(Error::method_not_allowed, Origin::client));
  std::string allow;
  for (std::size_t i = 0; i < detail::method_names.size(); ++i) {
    if (!c.slot<AllowedMethods>().methods.contains(static_cast<Method>(i))) continue;
    if (!allow.empty()) allow += ", ";
    allow += detail::method_names[i];
  }
  c.res.headers.set("Allow", allow);
}

}  // namespace

Snapshot::Snapshot(Timeouts t, Limits l, std::vector<Stage> gateway_stages, Metrics& metrics)
    : timeouts(t),
      limits(l),
      unrouted(std::move(gateway_stages)),
      no_route([](Context& c) { c.fail(Failure(Error::no_route, Origin::client)); }),
      method_not_allowed(&reply_method_not_allowed),
      bad_path([](Context& c) { c.fail(Failure(Error::bad_path, Origin::client)); }),
      body_too_large([](Context& c) { c.fail(Failure(Error::body_too_large, Origin::client)); }),
      asterisk([](Context& c) { c.reply(Response(204)); }),
      held_counters_(metrics) {}

std::vector<Stage> Snapshot::stages() const {
  std::vector<Stage> all = unrouted.stages();
  const auto shared = static_cast<std::ptrdiff_t>(all.size());  // what every route begins with
  for (const RoutePlan& plan : plans) all.insert(all.end(), plan.pipeline.stages().begin() + shared, plan.pipeline.stages().end());
  return all;
}

std::vector<EndpointStatus> Snapshot::endpoints() const {
  std::vector<EndpointStatus> all;
  for (const auto& [name, upstream] : upstreams) {
    const auto selection = upstream->look();  // kept: another thread may replace it meanwhile
    for (const Selection::Entry& entry : selection->entries()) all.push_back({name, entry.member->endpoint->name, entry.is_up && entry.member->endpoint->address});
  }
  return all;
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
