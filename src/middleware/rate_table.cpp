#include "middleware/rate_table.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace gw {
inline namespace v0 {
namespace detail {

namespace {

constexpr std::size_t most_shards = 64;
// Fewer keys than this per shard are not worth a lock of their own.
constexpr std::size_t least_per_shard = 256;
constexpr std::size_t first_places = 16;
// How many keys are compared to find one that can go.
constexpr std::size_t sample = 8;

constexpr Fingerprint none{};

std::size_t place_of(const Fingerprint& key, std::size_t places) noexcept { return key.low & (places - 1); }

}  // namespace

Rate Rate::reduced() const noexcept {
  const std::uint64_t common = std::gcd(rate, per);
  return {rate / common, per / common, burst};
}

bool Rate::is_exact() const noexcept { return rate < (std::uint64_t{1} << 32) && per <= (std::uint64_t{1} << 62) / burst; }

RateTable::RateTable(std::size_t size)
    : secrets_{random_sip_key(), random_sip_key(), random_sip_key()},
      shards_(std::bit_floor(std::clamp<std::size_t>(size / least_per_shard, 1, most_shards))) {
  shard_capacity_ = std::max<std::size_t>(size / shards_.size(), 1);
}

Verdict RateTable::take(const Fingerprint& key, std::uint64_t now, const Rate& rate) {
  const Fingerprint known = key == none ? Fingerprint{1, 0} : key;
  Shard& shard = shards_[known.high & (shards_.size() - 1)];
  // All in parts of a nanosecond of which there are `rate.rate`: then one request costs `rate.per`.
  const std::uint64_t limit = rate.per * rate.burst;

  const std::lock_guard lock(shard.mutex);
  Entry& entry = find(shard, known, now);
  std::uint64_t owed = 0;
  if (entry.time >= now) {
    const std::uint64_t ahead = entry.time - now;
    owed = ahead > limit / rate.rate ? limit : std::min(ahead * rate.rate + entry.fraction, limit);
  }
  if (owed > limit - rate.per) {
    const std::uint64_t wait = owed - (limit - rate.per);
    return {false, 0, (owed + rate.rate - 1) / rate.rate, (wait + rate.rate - 1) / rate.rate};
  }
  owed += rate.per;
  entry.time = now + owed / rate.rate;
  entry.fraction = static_cast<std::uint32_t>(owed % rate.rate);
  return {true, (limit - owed) / rate.per, entry.time - now + (entry.fraction > 0), 0};
}

// The entry of `key`; a new one has nothing behind it.
RateTable::Entry& RateTable::find(Shard& shard, const Fingerprint& key, std::uint64_t now) const {
  const auto probe = [&]() -> Entry& {
    std::size_t at = place_of(key, shard.places.size());
    while (shard.places[at].key != key && shard.places[at].key != none) at = (at + 1) & (shard.places.size() - 1);
    return shard.places[at];
  };
  if (!shard.places.empty()) {
    Entry& found = probe();
    if (found.key == key) return found;
  }
  if (shard.count >= shard_capacity_) evict(shard);
  else if (4 * (shard.count + 1) > 3 * shard.places.size()) rebuild(shard, now);
  Entry& made = probe();
  made = {key, 0, 0};
  ++shard.count;
  return made;
}

// Makes room: drops idle keys, and doubles the table if that does not help for long.
void RateTable::rebuild(Shard& shard, std::uint64_t now) {
  std::erase_if(shard.places, [now](const Entry& e) { return e.key == none || e.time < now; });
  const std::vector<Entry> kept = std::move(shard.places);
  shard.count = kept.size();
  shard.hand = 0;
  shard.places = std::vector<Entry>(std::max(first_places, std::bit_ceil(2 * (kept.size() + 1))));
  for (const Entry& e : kept) {
    std::size_t at = place_of(e.key, shard.places.size());
    while (shard.places[at].key != none) at = (at + 1) & (shard.places.size() - 1);
    shard.places[at] = e;
  }
}

// Removes the key of a sample whose time is first: the one that has been idle for the longest, or will be.
void RateTable::evict(Shard& shard) {
  std::vector<Entry>& places = shard.places;
  const std::size_t mask = places.size() - 1;
  std::size_t gap = places.size();
  for (std::size_t seen = 0; seen < std::min(sample, shard.count); shard.hand = (shard.hand + 1) & mask) {
    if (places[shard.hand].key == none) continue;
    ++seen;
    if (gap == places.size() || places[shard.hand].time < places[gap].time) gap = shard.hand;
  }
  // Entries behind the gap move into it, unless that is before their own place.
  for (std::size_t at = (gap + 1) & mask; places[at].key != none; at = (at + 1) & mask) {
    const std::size_t home = place_of(places[at].key, places.size());
    if (((at - home) & mask) < ((at - gap) & mask)) continue;
    places[gap] = places[at];
    gap = at;
  }
  places[gap] = {};
  --shard.count;
}

std::size_t RateTable::size() const {
  std::size_t all = 0;
  for (const Shard& s : shards_) {
    const std::lock_guard lock(s.mutex);
    all += s.count;
  }
  return all;
}

std::size_t RateTable::memory() const {
  std::size_t bytes = shards_.size() * sizeof(Shard);
  for (const Shard& s : shards_) {
    const std::lock_guard lock(s.mutex);
    bytes += s.places.capacity() * sizeof(Entry);
  }
  return bytes;
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
