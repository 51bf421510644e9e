/// \file
/// What is known of an upstream for longer than one configuration lasts.
#pragma once

#include <gw/hash.hpp>

#include "proxy/breaker.hpp"
#include "proxy/counters.hpp"
#include "proxy/endpoint.hpp"
#include "proxy/gate.hpp"
#include "proxy/health.hpp"
#include "proxy/registry.hpp"
#include "proxy/retry_budget.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace gw {
inline namespace v0 {
namespace proxy {

/// An endpoint as one upstream sees it.
struct Member {
  explicit Member(std::shared_ptr<Endpoint> e) : endpoint(std::move(e)) {}

  const std::shared_ptr<Endpoint> endpoint;
  /// Requests sent, of all workers: what an error rate is a rate of.
  std::atomic<std::uint64_t> requests{0};
  /// Whether a good answer is news: `Health::has_history`.
  std::atomic<bool> has_history{false};
  /// Whether the request that decides a trial is under way.
  std::atomic<bool> is_on_trial{false};
  Health health;  ///< under the mutex of the record
};

/// What is known of an upstream: how its endpoints are, what its requests of late came to, how many it has. Found by name, so that it survives reloads.
struct UpstreamRecord {
  std::mutex mutex;
  /// Counts changes of health; whoever chose endpoints by an older one chooses anew. Written under the mutex.
  std::atomic<std::uint64_t> version{1};
  RetryBudget retries;  ///< under the mutex
  Breaker breaker;      ///< under the mutex
  Gate gate;

  /// Whether no endpoint with an address was there yet. Under the mutex.
  bool is_new() const {
    return std::none_of(members_.begin(), members_.end(), [](const auto& entry) {
      const auto member = entry.second.lock();
      return !member || member->endpoint->address;
    });
  }

  /// The member with this endpoint; made if it is new. Under the mutex.
  std::shared_ptr<Member> member(const std::shared_ptr<Endpoint>& endpoint) {
    std::erase_if(members_, [](const auto& entry) { return entry.second.expired(); });
    std::weak_ptr<Member>& known = members_[endpoint.get()];
    std::shared_ptr<Member> found = known.lock();
    if (!found) known = found = std::make_shared<Member>(endpoint);
    return found;
  }
  void changed() noexcept { version.fetch_add(1, std::memory_order_release); }

 private:
  std::map<const Endpoint*, std::weak_ptr<Member>> members_;  // a member keeps its endpoint
};

/// The records of upstreams, by name.
using UpstreamRecords = Registry<UpstreamRecord>;

}  // namespace proxy
}  // namespace v0
}  // namespace gw
