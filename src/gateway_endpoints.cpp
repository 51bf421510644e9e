/// \file
/// Level 5: the part of a gateway's state that is about endpoints while it runs: those that come and go, and those that are checked.
#include "gateway_state.hpp"

#include "config/rules.hpp"
#include "config/suggest.hpp"

#include <algorithm>
#include <future>

namespace gw {
inline namespace v0 {

namespace {

Problem problem_of(const std::string& upstream, std::string what) { return {Place{"", 0, 0, "upstreams." + upstream + ".endpoints"}, std::move(what)}; }

// Whether both are the same address, however they are written.
bool is_same_address(const EndpointOptions& endpoint, const detail::EndpointAddress& address) { return detail::parse_endpoint(endpoint.address) == address; }

}  // namespace

// Changes the endpoints of an upstream by `edit(endpoints, address)`, here and where they are used.
template <class F>
void Gateway::State::edit_endpoints(const std::string& upstream, const std::string& address, F&& edit) {
  const std::lock_guard lock(change_);
  std::vector<UpstreamConfig>& upstreams = config.settings().upstreams;
  const auto found = std::find_if(upstreams.begin(), upstreams.end(), [&](const UpstreamConfig& u) { return u.name == upstream; });
  if (found == upstreams.end()) throw ConfigError({problem_of(upstream, "no upstream is named \"" + upstream + '"')});
  const std::optional<detail::EndpointAddress> parsed = detail::parse_endpoint(address);
  if (!parsed) throw ConfigError({problem_of(upstream, config::endpoint_mistake(address))});
  std::vector<EndpointOptions> next = found->endpoints;
  edit(next, *parsed);
  if (is_running_) {
    const auto running = snapshot_->upstreams.find(upstream);
    GW_ASSERT(running != snapshot_->upstreams.end());
    running->second->set(next);
  }
  found->endpoints = std::move(next);
  if (admin_) admin_->publish(config.copy(), *snapshot_);
}

void Gateway::State::set_endpoint(const std::string& upstream, EndpointOptions endpoint) {
  if (!config::bounds::weight.contain(endpoint.weight)) throw ConfigError({problem_of(upstream, "a weight is at most " + std::to_string(config::bounds::weight.high))});
  edit_endpoints(upstream, endpoint.address, [&](std::vector<EndpointOptions>& endpoints, const detail::EndpointAddress& address) {
    const auto known = std::find_if(endpoints.begin(), endpoints.end(), [&](const EndpointOptions& e) { return is_same_address(e, address); });
    if (known == endpoints.end()) endpoints.push_back(endpoint);
    else known->weight = endpoint.weight;
  });
}

void Gateway::State::remove_endpoint(const std::string& upstream, const std::string& address) {
  edit_endpoints(upstream, address, [](std::vector<EndpointOptions>& endpoints, const detail::EndpointAddress& removed) {
    std::erase_if(endpoints, [&](const EndpointOptions& e) { return is_same_address(e, removed); });
  });
}

std::vector<EndpointOptions> Gateway::State::endpoints(const std::string& upstream) const {
  const std::lock_guard lock(change_);
  for (const UpstreamConfig& u : config.settings().upstreams)
    if (u.name == upstream) return u.endpoints;
  throw ConfigError({problem_of(upstream, "no upstream is named \"" + upstream + '"')});
}

// Has the endpoints of `snapshot` checked from now on, as far as it wants that.
void Gateway::State::check_endpoints(std::shared_ptr<const proxy::Snapshot> snapshot) {
  const bool is_wanted = std::any_of(snapshot->upstreams.begin(), snapshot->upstreams.end(),
                                     [](const auto& entry) { return entry.second->options.health.check.has_value(); });
  for (const auto& [name, upstream] : snapshot->upstreams)
    if (!upstream->options.health.check) upstream->forget_checks();
  if (!is_wanted) return stop_checks();
  if (!checking_) {
    checking_ = std::make_unique<WorkerThread>(shared, 0);
    checks_ = std::make_unique<proxy::Checks>(checking_->worker());
  }
  checking_->post([checks = checks_.get(), snapshot = std::move(snapshot)] { checks->watch(*snapshot); });
}

void Gateway::State::stop_checks() {
  if (!checking_) return;
  std::promise<void> stopped;
  checking_->post([&] {
    checks_.reset();
    stopped.set_value();
  });
  stopped.get_future().wait();
  checking_.reset();
}

}  // namespace v0
}  // namespace gw
