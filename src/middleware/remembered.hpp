/// \file
/// Level 4: credentials that were found right, for a while.
#pragma once

#include "middleware/siphash.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

namespace gw {
inline namespace v0 {
namespace detail {

/// A bounded table from the fingerprint of credentials, made with a key that nobody outside knows, to the name of their user. It is
/// compared in place of the credentials, which are kept nowhere: a client that has none of them meets one of n entries by chance
/// alone, n times in 2^128. All functions may be called from any thread; the lock that they take is one of 16, held for a look-up.
class Remembered {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t shards = 16;
  /// How many fingerprints a shard holds; one more replaces the one that would expire first.
  static constexpr std::size_t shard_limit = 512;

  /// The user of these credentials, or null if they were not added, or expired at `now`.
  const std::string* find(const Fingerprint& fingerprint, Clock::time_point now) {
    Shard& shard = shard_of(fingerprint);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(fingerprint);
    return found != shard.entries.end() && now < found->second.expires ? found->second.user : nullptr;
  }

  /// Keeps credentials; `user` must outlive the table.
  void add(const Fingerprint& fingerprint, const std::string& user, Clock::time_point expires) {
    Shard& shard = shard_of(fingerprint);
    const std::lock_guard lock(shard.mutex);
    const auto first_to_expire = [&] {
      return std::min_element(shard.entries.begin(), shard.entries.end(), [](auto& a, auto& b) { return a.second.expires < b.second.expires; });
    };
    if (shard.entries.size() >= shard_limit && !shard.entries.contains(fingerprint)) shard.entries.erase(first_to_expire());
    shard.entries.insert_or_assign(fingerprint, Entry{&user, expires});
  }

  /// Forgets everything.
  void clear() {
    for (Shard& shard : shards_) {
      const std::lock_guard lock(shard.mutex);
      shard.entries.clear();
    }
  }

 private:
  struct Entry {
    const std::string* user;
    Clock::time_point expires;
  };
  // A client can neither choose which entries its fingerprint meets, nor learn from the time how much of one it shares.
  struct Hash {
    std::size_t operator()(const Fingerprint& f) const noexcept { return f.low; }
  };
  struct Equal {
    bool operator()(const Fingerprint& a, const Fingerprint& b) const noexcept { return ((a.low ^ b.low) | (a.high ^ b.high)) == 0; }
  };
  struct alignas(64) Shard {
    std::mutex mutex;
    std::unordered_map<Fingerprint, Entry, Hash, Equal> entries;
  };

  // Not the bytes that the map looks at.
  Shard& shard_of(const Fingerprint& fingerprint) { return shards_[fingerprint.high % shards]; }

  std::array<Shard, shards> shards_;
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
