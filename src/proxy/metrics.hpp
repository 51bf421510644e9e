/// \file
/// All that a gateway counts: docs/metrics.md names each number.
#pragma once

#include <gw/middleware.hpp>

#include "proxy/counters.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

/// How an endpoint of an upstream is.
struct EndpointStatus {
  std::string upstream;
  std::string endpoint;  ///< its address
  bool is_up;
};

/// Finds the counters of routes and upstreams by name, so that they survive a reload, and knows
/// those of the workers. Thread-safe.
///
/// Counters of a name live as long as a snapshot with that name: until the last request that began
/// with it has ended, and for upstreams until the last connection made for it has closed.
class Metrics {
 public:
  /// How many workers count, numbered from 0, worker 0 of `Gateway::dispatch` included. Counters that
  /// were made for fewer are not found again: before the start only `dispatch` has counted.
  void set_workers(std::size_t workers);
  std::size_t workers() const;

  /// Counters for a route; the empty name is that of requests without a route.
  std::shared_ptr<RouteMetrics> route(const std::string& name);
  std::shared_ptr<UpstreamMetrics> upstream(const std::string& name);
  /// The same for a route that begins to count. They live as if every snapshot with a route of that name had them already.
  std::shared_ptr<RouteMetrics> counting_route(std::string_view name);
  /// Says which routes the configuration has from now on.
  void set_routes(const std::vector<std::string_view>& names);
  /// The counters of a worker. They stay when the worker ends: another one may have its number then.
  WorkerCounters& worker(std::size_t index);

  /// The stages that are in use now: some of them count what they drop. One may be there several times.
  void set_stages(std::vector<Stage> stages);
  /// How to learn how the endpoints are that are in use now. Called by `view`.
  void set_endpoints(std::function<std::vector<EndpointStatus>()> look);
  /// Says how an attempt to change the configuration ended, the start included.
  void configured(bool is_applied);

  /// A moment's view of everything, by name.
  struct View {
    std::vector<std::shared_ptr<const RouteMetrics>> routes;
    std::vector<std::shared_ptr<const UpstreamMetrics>> upstreams;
    std::vector<const WorkerCounters*> gateway;   ///< live as long as these metrics
    std::vector<EndpointStatus> endpoints;
    std::uint64_t dropped_lines = 0;              ///< of access logs
    std::size_t workers = 0;                      ///< that serve clients
    std::uint64_t config_version = 0;             ///< configurations applied so far
    bool is_last_applied = false;                 ///< whether the last one was
    std::int64_t applied_at = 0;                  ///< when one was applied last, in seconds since 1970; 0: never
  };
  View view() const;

 private:
  template <class T>
  struct Entry {
    std::weak_ptr<T> counters;
    std::shared_ptr<T> kept{};  // the same, for snapshots that have not asked for them yet
  };
  template <class T>
  using Known = std::map<std::string, Entry<T>, std::less<>>;
  // The entry of a name, with counters; `held` has them.
  template <class T>
  Entry<T>& find(Known<T>& known, const std::string& name, std::shared_ptr<T>& held);

  mutable std::mutex mutex_;
  std::size_t workers_ = 1;
  Known<RouteMetrics> routes_;
  Known<UpstreamMetrics> upstreams_;
  std::vector<std::unique_ptr<WorkerCounters>> gateway_;
  std::vector<Stage> stages_;
  std::function<std::vector<EndpointStatus>()> endpoints_;
  std::uint64_t config_version_ = 0;
  bool is_last_applied_ = false;
  std::int64_t applied_at_ = 0;
};

/// Keeps the counters that the routes of a snapshot count with. Thread-safe.
class HeldCounters {
 public:
  /// The metrics must outlive it.
  explicit HeldCounters(Metrics& metrics) noexcept : metrics_(metrics) {}

 private:
  friend class RouteMeter;

  Metrics& metrics_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<RouteMetrics>> counters_;
};

/// The counters of a route of a snapshot, which are made when it first counts: of many routes most hardly ever do.
class RouteMeter {
 public:
  /// Those of the name, which live as long as `held`; both are the same at each call. Any worker. The first call takes a lock.
  RouteMetrics* get(HeldCounters& held, std::string_view name) const {
    RouteMetrics* const found = found_.load(std::memory_order_acquire);
    return found ? found : find(held, name);
  }

 private:
  RouteMetrics* find(HeldCounters& held, std::string_view name) const;

  mutable std::atomic<RouteMetrics*> found_{nullptr};
};

/// The number of an error in a tally.
inline std::uint32_t tally_key(const std::error_code& code) noexcept {
  return code.category() == gw_category() ? static_cast<std::uint32_t>(code.value()) : 0;
}

/// The limit behind an error of a client; nothing if it is none, or a deadline, of which there are several.
std::optional<Limit> limit_of(const std::error_code& code) noexcept;

/// Counts a request whose `done` hooks have run.
void count(RouteCounters& counters, const Context& c);

/// Counts one connection to an upstream as long as it lives. One worker. Without counters it does nothing.
class CountedConnection {
 public:
  CountedConnection() noexcept = default;
  /// Counts a connection that was made on `worker`.
  CountedConnection(std::shared_ptr<UpstreamMetrics> metrics, std::size_t worker) : metrics_(std::move(metrics)), counters_(&metrics_->of(worker)) {
    counters_->opened.add();
    counters_->open.up();
  }
  CountedConnection(CountedConnection&& other) noexcept
      : metrics_(std::move(other.metrics_)), counters_(std::exchange(other.counters_, nullptr)), is_idle_(std::exchange(other.is_idle_, false)) {}
  CountedConnection& operator=(CountedConnection&& other) noexcept {
    std::swap(metrics_, other.metrics_);
    std::swap(counters_, other.counters_);
    std::swap(is_idle_, other.is_idle_);
    return *this;
  }
  ~CountedConnection() {
    if (!counters_) return;
    set_idle(false);
    counters_->open.down();
  }

  void set_idle(bool is_idle) noexcept {
    if (!counters_ || is_idle == is_idle_) return;
    is_idle_ = is_idle;
    if (is_idle) counters_->idle.up();
    else counters_->idle.down();
  }

 private:
  std::shared_ptr<UpstreamMetrics> metrics_;
  UpstreamCounters* counters_ = nullptr;
  bool is_idle_ = false;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
