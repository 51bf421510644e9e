/// \file
/// Upstreams as compiled from a configuration: shared by all workers, read only but for named atomics.
#pragma once

#include <gw/balancer.hpp>
#include <gw/detail/address.hpp>

#include "proxy/metrics.hpp"

#include <asio/ip/address.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

/// One address that requests can be sent to. Interned by identity: two upstreams with the same
/// address share it, and it survives a reload; so do the connections that workers pool by it.
struct Endpoint {
  explicit Endpoint(detail::HostPort a);

  const detail::HostPort address;
  const std::string host_field;                     ///< "10.0.0.1:8080"; without the port if that is 80
  const std::optional<asio::ip::address> literal;   ///< the address, unless it is a name
  std::atomic<unsigned> running{0};                 ///< requests under way, of all workers
};

/// Finds the endpoint of an address that is in use, or makes it. Thread-safe.
class EndpointRegistry {
 public:
  std::shared_ptr<Endpoint> find(const detail::HostPort& address);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<Endpoint>> endpoints_;
};

/// An upstream: endpoints, how to choose among them, and the options.
struct UpstreamState {
  UpstreamState(std::string n, UpstreamOptions o, std::vector<std::shared_ptr<Endpoint>> e, const std::vector<unsigned>& weights,
                std::shared_ptr<UpstreamMetrics> m)
      : name(std::move(n)), options(std::move(o)), endpoints(std::move(e)),
        balancer(options.balance, candidates(endpoints, weights)), metrics(std::move(m)) {}

  /// The endpoint for the next request, or null if there is none.
  const std::shared_ptr<Endpoint>* pick(Random& random) const {
    if (balancer.empty()) return nullptr;
    if (endpoints.size() == 1) return &endpoints.front();
    const auto load = [this](std::size_t i) { return endpoints[i]->running.load(std::memory_order_relaxed); };
    return &endpoints[balancer.pick(random, std::nullopt, load)];
  }

  const std::string name;
  const UpstreamOptions options;
  const std::vector<std::shared_ptr<Endpoint>> endpoints;
  const Balancer balancer;
  const std::shared_ptr<UpstreamMetrics> metrics;

 private:
  static std::vector<Candidate> candidates(const std::vector<std::shared_ptr<Endpoint>>& endpoints, const std::vector<unsigned>& weights) {
    std::vector<Candidate> result;
    for (std::size_t i = 0; i < endpoints.size(); ++i) result.push_back({endpoints[i]->host_field, weights[i]});
    return result;
  }
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
