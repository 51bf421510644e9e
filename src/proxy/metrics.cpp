#include "proxy/metrics.hpp"

#include <algorithm>
#include <chrono>
#include <functional>

namespace gw {
inline namespace v0 {
namespace proxy {

void Metrics::set_workers(std::size_t workers) {
  const std::lock_guard lock(mutex_);
  workers_ = workers;
}

std::size_t Metrics::workers() const {
  const std::lock_guard lock(mutex_);
  return workers_;
}

template <class T>
Metrics::Entry<T>& Metrics::find(Known<T>& known, const std::string& name, std::shared_ptr<T>& held) {
  Entry<T>& entry = known[name];
  held = entry.counters.lock();
  if (!held || held->workers() < workers_) entry.counters = held = std::make_shared<T>(name, workers_);
  return entry;
}

std::shared_ptr<RouteMetrics> Metrics::route(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<RouteMetrics> counters;
  find(routes_, name, counters);
  return counters;
}

std::shared_ptr<UpstreamMetrics> Metrics::upstream(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<UpstreamMetrics> counters;
  find(upstreams_, name, counters);
  return counters;
}

std::shared_ptr<RouteMetrics> Metrics::counting_route(std::string_view name) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<RouteMetrics> counters;
  find(routes_, std::string(name), counters).kept = counters;
  return counters;
}

void Metrics::set_routes(const std::vector<std::string_view>& names) {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<RouteMetrics>> kept;
  for (const std::string_view name : names)
    if (const auto found = routes_.find(name); found != routes_.end() && found->second.kept) kept.push_back(found->second.kept);
  for (auto& [name, entry] : routes_) entry.kept.reset();
  for (std::shared_ptr<RouteMetrics>& counters : kept) routes_.find(counters->name)->second.kept = std::move(counters);
}

RouteMetrics* RouteMeter::find(HeldCounters& held, std::string_view name) const {
  const std::lock_guard lock(held.mutex_);
  // Another worker may have been faster.
  if (RouteMetrics* const found = found_.load(std::memory_order_relaxed)) return found;
  RouteMetrics* const made = held.counters_.emplace_back(held.metrics_.counting_route(name)).get();
  found_.store(made, std::memory_order_release);
  return made;
}

WorkerCounters& Metrics::worker(std::size_t index) {
  const std::lock_guard lock(mutex_);
  while (gateway_.size() <= index) gateway_.push_back(std::make_unique<WorkerCounters>());
  return *gateway_[index];
}

void Metrics::set_stages(std::vector<Stage> stages) {
  std::sort(stages.begin(), stages.end(), [](const Stage& a, const Stage& b) { return std::less<>()(a.identity(), b.identity()); });
  stages.erase(std::unique(stages.begin(), stages.end(), [](const Stage& a, const Stage& b) { return a.identity() == b.identity(); }), stages.end());
  // Stages that are no longer in use end outside the lock: a log writes its last lines then.
  const std::lock_guard lock(mutex_);
  stages_.swap(stages);
}

void Metrics::set_endpoints(std::function<std::vector<EndpointStatus>()> look) {
  const std::lock_guard lock(mutex_);
  endpoints_.swap(look);
}

void Metrics::configured(bool is_applied) {
  const std::lock_guard lock(mutex_);
  is_last_applied_ = is_applied;
  if (!is_applied) return;
  ++config_version_;
  applied_at_ = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  // Names that are gone are forgotten here, where their number is that of a configuration.
  std::erase_if(routes_, [](const auto& entry) { return entry.second.counters.expired(); });
  std::erase_if(upstreams_, [](const auto& entry) { return entry.second.counters.expired(); });
}

Metrics::View Metrics::view() const {
  std::unique_lock lock(mutex_);
  View view;
  for (const auto& entry : routes_)
    if (auto alive = entry.second.counters.lock()) view.routes.push_back(std::move(alive));
  for (const auto& entry : upstreams_)
    if (auto alive = entry.second.counters.lock()) view.upstreams.push_back(std::move(alive));
  for (const auto& counters : gateway_) view.gateway.push_back(counters.get());
  for (const Stage& stage : stages_) view.dropped_lines += stage.dropped();
  view.workers = workers_ - 1;
  view.config_version = config_version_;
  view.is_last_applied = is_last_applied_;
  view.applied_at = applied_at_;
  const auto look = endpoints_;
  lock.unlock();
  // It may hold the last snapshot, and end it.
  if (look) view.endpoints = look();
  return view;
}

std::optional<Limit> limit_of(const std::error_code& code) noexcept {
  if (code == Error::head_too_large) return Limit::head;
  if (code == Error::too_many_fields) return Limit::fields;
  if (code == Error::target_too_long) return Limit::target;
  if (code == Error::body_too_large) return Limit::body;
  if (code == Error::trailers_too_large) return Limit::trailers;
  if (code == Error::chunk_extensions_too_large) return Limit::chunk_extensions;
  return std::nullopt;
}

void count(RouteCounters& counters, const Context& c) {
  counters.statuses.add(static_cast<std::uint32_t>(c.final_status()));
  if (c.failure()) counters.failures.add(tally_key(c.failure()->code));
  counters.durations.add(c.elapsed());
  counters.bytes_received.add(c.bytes_received());
  counters.bytes_sent.add(c.bytes_sent());
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
