/// \file
/// Level 4: credentials that were found right, for a while.
#pragma once

#include "middleware/sha256.hpp"

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

/// A bounded table from the digest of credentials to the name of their user. All functions may be called from any
/// thread; the lock that they take is one of 16, held for a look-up.
class Remembered {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t shards = 16;
  /// How many digests a shard holds; one more replaces the one that would expire first.
  static constexpr std::size_t shard_limit = 512;

  /// The user of these credentials, or null if they were not added, or expired at `now`.
  const std::string* find(const Digest& digest, Clock::time_point now) {
    Shard& shard = shard_of(digest);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(digest);
    return found != shard.entries.end() && now < found->second.expires ? found->second.user : nullptr;
  }

  /// Keeps credentials; `user` must outlive the table.
  void add(const Digest& digest, const std::string& user, Clock::time_point expires) {
    Shard& shard = shard_of(digest);
    const std::lock_guard lock(shard.mutex);
    const auto first_to_expire = [&] {
      return std::min_element(shard.entries.begin(), shard.entries.end(), [](auto& a, auto& b) { return a.second.expires < b.second.expires; });
    };
    if (shard.entries.size() >= shard_limit && !shard.entries.contains(digest)) shard.entries.erase(first_to_expire());
    shard.entries.insert_or_assign(digest, Entry{&user, expires});
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
  struct alignas(64) Shard {
    std::mutex mutex;
    std::unordered_map<Digest, Entry, DigestHash, DigestEqual> entries;
  };

  // Not the bytes that the map looks at.
  Shard& shard_of(const Digest& digest) { return shards_[digest.back() % shards]; }

  std::array<Shard, shards> shards_;
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
