#include "proxy/upstream_state.hpp"

#include "proxy/affinity.hpp"
#include "proxy/worker.hpp"

#include <algorithm>

namespace gw {
inline namespace v0 {
namespace proxy {

UpstreamState::UpstreamState(std::string n, UpstreamOptions o, const std::vector<EndpointOptions>& endpoints, Shared& shared,
                             std::shared_ptr<net::Dns> dns, const UpstreamState* before)
    : name(std::move(n)),
      options(std::move(o)),
      metrics(shared.metrics.upstream(name)),
      shared_(shared),
      record_(shared.records.find(name)),
      slots_(shared.metrics.workers()),
      discovery_(name, shared, std::move(dns), [this](std::vector<Discovery::Share> shares) { take_over(std::move(shares)); }) {
  bool are_first = false;
  {
    const std::lock_guard lock(record_->mutex);
    are_first = record_->is_new();
  }
  discovery_.set(endpoints, before ? &before->discovery_ : nullptr, are_first);
}

UpstreamState::~UpstreamState() {
  for (Slot& slot : slots_) SelectionPin::drop(slot.pinned);
}

void UpstreamState::take_over(std::vector<Discovery::Share> shares) const {
  const std::lock_guard lock(record_->mutex);
  // The first ones have been there all the time.
  const bool are_first = record_->is_new();
  std::vector<Selection::Entry> entries;
  for (Discovery::Share& share : shares) {
    const std::shared_ptr<Member> member = record_->member(share.endpoint);
    const bool is_new = member.use_count() == 1;
    if (is_new && !are_first && !share.is_from_start) member->health.join(std::chrono::steady_clock::now());
    entries.push_back({member, share.weight, options.sticky ? sticky_value(*options.sticky, share.endpoint->name) : std::string()});
  }
  entries_ = std::move(entries);
  record_->changed();
}

// Under the mutex.
std::shared_ptr<const Selection> UpstreamState::current(Time now) const {
  const std::uint64_t version = record_->version.load(std::memory_order_relaxed);
  if (built_for_ == version && current_ && now < current_->valid_until()) return current_;
  current_ = std::make_shared<const Selection>(options, entries_, now, current_ ? current_->turn() : 0);
  built_for_ = version;
  return current_;
}

std::shared_ptr<const Selection> UpstreamState::look() const {
  const std::lock_guard lock(record_->mutex);
  return current(std::chrono::steady_clock::now());
}

SelectionPin UpstreamState::selection(std::size_t worker) const {
  Slot& slot = slots_[worker];
  if (slot.pinned && slot.pinned->version == record_->version.load(std::memory_order_acquire)) {
    const Time ends = slot.pinned->selection->valid_until();
    // Mostly time changes nothing, and a clock need not be looked at.
    if (ends == Time::max() || std::chrono::steady_clock::now() < ends) return SelectionPin(slot.pinned);
  }
  return renew(slot);
}

SelectionPin UpstreamState::renew(Slot& slot) const {
  SelectionPin::drop(slot.pinned);
  const std::lock_guard lock(record_->mutex);
  auto selection = current(std::chrono::steady_clock::now());
  slot.pinned = new SelectionPin::Pinned{std::move(selection), built_for_};
  return SelectionPin(slot.pinned);
}

void UpstreamState::take_in(Member& member, Sign sign, std::size_t worker) const {
  const auto now = std::chrono::steady_clock::now();
  const EjectOptions& eject = options.health.eject;
  bool is_changed = false;
  Duration lasts{0};
  {
    const std::lock_guard lock(record_->mutex);
    if (sign == Sign::good) {
      is_changed = member.health.good(now);
    } else if (member.health.bad(eject, sign, now, member.requests.load(std::memory_order_relaxed)) && may_eject(member, now)) {
      lasts = member.health.eject(eject, now);
      metrics->of(worker).ejections.add();
      is_changed = true;
    }
    member.has_history.store(member.health.has_history(), std::memory_order_relaxed);
    member.is_on_trial.store(false, std::memory_order_relaxed);
    if (is_changed) record_->changed();
  }
  if (!is_changed) return;
  if (sign == Sign::good) return log(member, LogLevel::info, "is up again");
  const std::string why = sign == Sign::refused ? "takes no connection" : "fails requests";
  log(member, LogLevel::warning, why + ", and is out for " + std::to_string(lasts.count()) + " ms");
}

// Not under the mutex: the log may be slow.
void UpstreamState::log(const Member& member, LogLevel level, const std::string& what) const {
  shared_.log(level, "upstream " + name + ": " + member.endpoint->name + ' ' + what);
}

// Whether so many may be out. Under the mutex.
bool UpstreamState::may_eject(const Member& member, Time now) const {
  std::size_t used = 0, out = 0;
  bool is_out = false;
  for (const Selection::Entry& entry : entries_) {
    if (entry.weight == 0) continue;
    ++used;
    if (entry.member->health.state(now) == Health::State::up) continue;
    ++out;
    is_out = is_out || entry.member.get() == &member;
  }
  const unsigned share = options.health.eject.share;
  if (used < 2 || share == 0) return false;
  return out - (is_out ? 1 : 0) < std::max<std::size_t>(1, used * share / 100);
}

void UpstreamState::checked(Member& member, bool is_good) const {
  {
    const std::lock_guard lock(record_->mutex);
    if (!options.health.check || !member.health.checked(*options.health.check, is_good, std::chrono::steady_clock::now())) return;
    member.has_history.store(member.health.has_history(), std::memory_order_relaxed);
    record_->changed();
  }
  log(member, is_good ? LogLevel::info : LogLevel::warning, is_good ? "is up again: its check succeeds" : "is out: its check fails");
}

void UpstreamState::forget_checks() const {
  const std::lock_guard lock(record_->mutex);
  for (const Selection::Entry& entry : entries_) entry.member->health.forget_checks();
  record_->changed();
}

Breaker::Pass UpstreamState::enter_breaker() const {
  const std::lock_guard lock(record_->mutex);
  return record_->breaker.enter(std::chrono::steady_clock::now());
}

void UpstreamState::leave_breaker(Breaker::Pass pass, Breaker::Ending how) const {
  const std::lock_guard lock(record_->mutex);
  record_->breaker.ended(*options.breaker, pass, how, std::chrono::steady_clock::now());
}

bool UpstreamState::begin_retry() const {
  // What is read under the mutex is not older than what was read under it before: the sum does not fall.
  const std::lock_guard lock(record_->mutex);
  std::uint64_t requests = 0;
  std::int64_t active = 0;
  metrics->each([&](const UpstreamCounters& c) {
    requests += c.requests.value();
    active += c.running.value();
  });
  return record_->retries.begin(options.retries, static_cast<std::uint64_t>(std::max<std::int64_t>(active, 0)), requests, std::chrono::steady_clock::now());
}

void UpstreamState::end_retry() const {
  const std::lock_guard lock(record_->mutex);
  record_->retries.end();
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
