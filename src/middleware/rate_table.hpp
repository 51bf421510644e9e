/// \file
/// How much each key has asked for: the state of `rate_limit`.
#pragma once

#include "middleware/siphash.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace detail {

/// `rate` requests per `per` nanoseconds, at most `burst` at once. All above zero; `per * burst` and
/// `rate` are below 2^62 and 2^32 (`reduced` helps).
struct Rate {
  std::uint64_t rate = 1;
  std::uint64_t per = 1;
  std::uint64_t burst = 1;

  /// The same rate in the smallest numbers.
  Rate reduced() const noexcept;
  /// Whether the numbers are small enough.
  bool is_exact() const noexcept;
};

/// What became of a request.
struct Verdict {
  bool is_granted = false;
  std::uint64_t remaining = 0;  ///< how many more would be granted at once
  std::uint64_t reset = 0;      ///< nanoseconds until `burst` would be
  std::uint64_t retry = 0;      ///< nanoseconds until one would be; 0 if it was granted
};

/// What a key is made of. Equal texts of different kinds are different keys.
enum class KeyKind : std::uint8_t { client, consumer, header };

/// The times of all keys, for any number of threads: one short lock per shard. A key is granted by the
/// generic cell rate algorithm (GCRA) in whole nanoseconds and a fraction, so that nothing is ever rounded: from one moment to
/// another a key gets at most `burst` and `rate` times what passed between them, and if it always asks, not one less.
///
/// Memory is bounded: `size` keys of 32 bytes, in a table that grows while it is used and is filled to
/// three quarters. A new key in a full shard takes the place of the one of a sample that has been idle for the longest, or
/// will be first. An idle key says nothing that a new one would not, so as long as there are idle ones
/// nothing is lost; and a key that is being refused is the last to go.
class RateTable {
 public:
  /// A table for `size` keys, at least 1.
  explicit RateTable(std::size_t size);

  Fingerprint fingerprint(KeyKind kind, std::string_view text) const noexcept { return siphash(secrets_[static_cast<std::size_t>(kind)], text); }

  /// Asks for one request of `key` at `now`, nanoseconds of a steady clock. Tables outlive rates: a time that
  /// another rate has left counts for as much as this one can have given.
  Verdict take(const Fingerprint& key, std::uint64_t now, const Rate& rate);

  std::size_t capacity() const noexcept { return shards_.size() * shard_capacity_; }
  /// How many keys there are, and how many bytes they take.
  std::size_t size() const;
  std::size_t memory() const;

 private:
  // When everything granted so far has been earned ("theoretical arrival time"), with a fraction in
  // parts of `Rate::rate`. Without a key the place is free.
  struct Entry {
    Fingerprint key;
    std::uint64_t time = 0;
    std::uint32_t fraction = 0;
  };
  static_assert(sizeof(Entry) == 32);
  // A table with open addressing: an entry stands at its place or behind it, without a gap before it.
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::vector<Entry> places;  // a power of two
    std::size_t count = 0;
    std::size_t hand = 0;       // where the next sample begins
  };

  Entry& find(Shard& shard, const Fingerprint& key, std::uint64_t now) const;
  static void rebuild(Shard& shard, std::uint64_t now);
  static void evict(Shard& shard);

  std::array<SipKey, 3> secrets_;
  std::size_t shard_capacity_;
  std::vector<Shard> shards_;  // a power of two
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
