#include "proxy/selection.hpp"

#include <openssl/crypto.h>
#include <sys/socket.h>

#include <algorithm>

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

// Steps in which the share of an endpoint grows, and what it begins with.
constexpr unsigned full = 100, steps = 10, first_share = 10;

bool contains(std::span<const Member* const> tried, const Member* member) { return std::find(tried.begin(), tried.end(), member) != tried.end(); }

}  // namespace

Selection::Selection(const UpstreamOptions& options, std::vector<Entry> entries, Time now, std::uint64_t turn) : entries_(std::move(entries)) {
  balancer_.emplace(options.balance, shares(options, now), turn);
}

std::vector<Candidate> Selection::shares(const UpstreamOptions& options, Time now) {
  std::vector<Candidate> candidates;
  bool is_any_up = false, is_any_growing = false;
  for (Entry& entry : entries_) {
    const Health& health = entry.member->health;
    const Health::State state = health.state(now);
    entry.is_up = state == Health::State::up;
    unsigned percent = full;
    if (options.slow_start > Duration(0) && health.up_since() != Time::min()) {
      const auto age = now - health.up_since();
      if (age < options.slow_start) {
        percent = std::max(first_share, static_cast<unsigned>(steps * age / options.slow_start) * (full / steps));
        valid_until_ = std::min(valid_until_, now + options.slow_start / steps);
        is_any_growing = true;
      }
    }
    candidates.push_back({entry.member->endpoint->name, entry.is_up ? entry.weight * percent : 0});
    if (entry.weight == 0) continue;
    is_any_up = is_any_up || entry.is_up;
    if (state == Health::State::trial) trials_.push_back(entry.member.get());
    valid_until_ = std::min(valid_until_, health.changes_at(now));
  }
  // Small numbers where nothing needs large ones.
  if (!is_any_growing)
    for (Candidate& c : candidates) c.weight /= full;
  if (is_any_up) return candidates;
  is_panicking_ = !entries_.empty();
  for (std::size_t i = 0; i < entries_.size(); ++i) candidates[i].weight = entries_[i].weight;
  return candidates;
}

Member* Selection::pick(Random& random, std::optional<std::uint64_t> hash, std::span<const Member* const> tried) const {
  if (entries_.size() == 1 && tried.empty()) return entries_[0].weight > 0 ? entries_[0].member.get() : nullptr;
  for (Member* member : trials_)
    if (!contains(tried, member) && !member->is_on_trial.exchange(true, std::memory_order_relaxed)) return member;
  if (!balancer_->empty()) {
    const auto load = [this](std::size_t i) { return entries_[i].member->endpoint->running.load(std::memory_order_relaxed); };
    // Drawing again keeps the shares of those that are left; the hash moves on, so that a value has its own order of endpoints.
    for (int draws = 0; draws < 8; ++draws) {
      Member* const member = entries_[balancer_->pick(random, hash, load)].member.get();
      if (tried.empty() || !contains(tried, member)) return member;
      if (hash) hash = mix(*hash);
    }
  }
  const std::size_t count = entries_.size();
  for (const bool wants_up : {true, false}) {
    for (std::size_t i = 0, from = count > 0 ? random.below(count) : 0; i < count; ++i) {
      const Entry& entry = entries_[(from + i) % count];
      if (entry.weight > 0 && entry.is_up == wants_up && !contains(tried, entry.member.get())) return entry.member.get();
    }
  }
  return nullptr;
}

Member* Selection::other_family(const Member& member, Random& random, std::span<const Member* const> tried) const {
  const auto family_of = [](const Endpoint& e) { return e.address ? e.address->protocol().family() : AF_UNSPEC; };
  const int family = family_of(*member.endpoint);
  if (family != AF_INET && family != AF_INET6) return nullptr;
  for (std::size_t i = 0, count = entries_.size(), from = random.below(count); i < count; ++i) {
    const Entry& entry = entries_[(from + i) % count];
    const Endpoint& other = *entry.member->endpoint;
    if (entry.is_up && entry.weight > 0 && family_of(other) == (family == AF_INET ? AF_INET6 : AF_INET) && other.host_field == member.endpoint->host_field &&
        !contains(tried, entry.member.get()))
      return entry.member.get();
  }
  return nullptr;
}

Member* Selection::stuck(std::string_view cookie) const {
  for (const Entry& entry : entries_) {
    if (entry.cookie.size() != cookie.size() || CRYPTO_memcmp(entry.cookie.data(), cookie.data(), cookie.size()) != 0) continue;
    return entry.is_up || is_panicking_ ? entry.member.get() : nullptr;
  }
  return nullptr;
}

std::string_view Selection::cookie_of(const Member& member) const noexcept {
  for (const Entry& entry : entries_)
    if (entry.member.get() == &member) return entry.cookie;
  return {};
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
