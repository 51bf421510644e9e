/// \file
/// Upstreams as compiled from a configuration: shared by all workers.
#pragma once

#include <gw/log.hpp>
#include <gw/upstream.hpp>

#include "proxy/discovery.hpp"
#include "proxy/metrics.hpp"
#include "proxy/selection.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

struct Shared;

/// Keeps a selection while a call uses an endpoint of it. Counts on memory of one worker, so that workers do not meet. Move-only; must not
/// outlive the upstream.
class SelectionPin {
 public:
  struct Pinned {
    std::shared_ptr<const Selection> selection;
    std::uint64_t version = 0;
    unsigned users = 1;
  };

  SelectionPin() noexcept = default;
  explicit SelectionPin(Pinned* p) noexcept : pinned_(p) { ++p->users; }
  SelectionPin(SelectionPin&& other) noexcept : pinned_(std::exchange(other.pinned_, nullptr)) {}
  SelectionPin& operator=(SelectionPin&& other) noexcept {
    std::swap(pinned_, other.pinned_);
    return *this;
  }
  ~SelectionPin() { drop(pinned_); }

  explicit operator bool() const noexcept { return pinned_ != nullptr; }
  const Selection& operator*() const noexcept { return *pinned_->selection; }
  const Selection* operator->() const noexcept { return pinned_->selection.get(); }

  /// Forgets one use.
  static void drop(Pinned* p) noexcept {
    if (p && --p->users == 0) delete p;
  }

 private:
  Pinned* pinned_ = nullptr;
};

/// An upstream: its options, its endpoints of the moment, and what requests see of them.
class UpstreamState {
 public:
  using Time = Health::Time;

  /// `endpoints` have addresses that were checked. `before`: the same upstream in the configuration before; null if it had none. `shared` must
  /// outlive it.
  UpstreamState(std::string n, UpstreamOptions o, const std::vector<EndpointOptions>& endpoints, Shared& shared, std::shared_ptr<net::Dns> dns,
                const UpstreamState* before);
  ~UpstreamState();
  UpstreamState(const UpstreamState&) = delete;
  UpstreamState& operator=(const UpstreamState&) = delete;

  /// Other endpoints, or other weights, from the next request on. Any thread.
  void set(const std::vector<EndpointOptions>& endpoints) const { discovery_.set(endpoints); }
  /// Looks the names of endpoints up from now on. Any thread.
  void follow_names() const { discovery_.follow(); }
  /// What the names stand for. Any thread.
  Discovery& discovery() const noexcept { return discovery_; }

  /// The endpoints of the moment; for `worker` on its thread.
  SelectionPin selection(std::size_t worker) const;
  /// The same for others. Any thread.
  std::shared_ptr<const Selection> look() const;

  /// Says how a request to one of the endpoints went. Cheap if that is no news.
  void report(Member& member, Sign sign, std::size_t worker) const {
    if (sign == Sign::good && !member.has_history.load(std::memory_order_relaxed)) return;
    take_in(member, sign, worker);
  }
  /// A check of one of the endpoints has ended. Any thread.
  void checked(Member& member, bool is_good) const;
  /// Nobody checks the endpoints any more. Any thread.
  void forget_checks() const;

  /// Begins a retry, if the budget allows it; then `end_retry` follows.
  bool begin_retry() const;
  void end_retry() const;

  /// Whether a request may have to wait, or not be sent at all, before an endpoint is chosen.
  bool is_guarded() const noexcept { return options.requests > 0 || options.breaker; }
  Gate& gate() const noexcept { return record_->gate; }
  /// Whether the breaker lets a request through; see there. Any thread.
  Breaker::Pass enter_breaker() const;
  void leave_breaker(Breaker::Pass pass, Breaker::Ending how) const;

  const std::string name;
  const UpstreamOptions options;
  const std::shared_ptr<UpstreamMetrics> metrics;

 private:
  struct alignas(64) Slot {
    SelectionPin::Pinned* pinned = nullptr;
  };

  void take_in(Member& member, Sign sign, std::size_t worker) const;
  bool may_eject(const Member& member, Time now) const;
  std::shared_ptr<const Selection> current(Time now) const;
  void take_over(std::vector<Discovery::Share> shares) const;
  SelectionPin renew(Slot& slot) const;

  void log(const Member& member, LogLevel level, const std::string& what) const;

  Shared& shared_;
  const std::shared_ptr<UpstreamRecord> record_;
  mutable std::vector<Slot> slots_;  // one of each worker, for its thread
  // Under the record's mutex.
  mutable std::vector<Selection::Entry> entries_;
  mutable std::shared_ptr<const Selection> current_;
  mutable std::uint64_t built_for_ = 0;
  mutable Discovery discovery_;  // the last: nothing is told any more when the others go
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
