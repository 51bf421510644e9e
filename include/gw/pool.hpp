/// \file
/// Level 3: idle connections of one worker, ready to be used again. Std only, usable alone.
#pragma once

#include <gw/error.hpp>

#include <cstddef>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// Connections by identity. A `Key` stands for the full identity of a connection: everything that
/// must be equal for one to serve in place of another (scheme, host, port; later TLS names and
/// certificates). `Connection` is a pointer-like handle that compares by identity.
///
/// The most recently used connection is taken first, so that surplus ones run into their idle
/// timeout. One thread.
template <class Key, class Connection>
class Pool {
 public:
  /// How many connections one identity may have.
  struct Caps {
    std::size_t idle;   ///< free ones kept
    std::size_t total;  ///< free and leased ones together
  };

  /// A free connection, or nothing. The caller leases it until `give` or `drop`.
  std::optional<Connection> take(const Key& key) {
    const auto found = buckets_.find(key);
    if (found == buckets_.end() || found->second.idle.empty()) return std::nullopt;
    Connection c = std::move(found->second.idle.back());
    found->second.idle.pop_back();
    return c;
  }

  /// Whether a new connection may be opened; if so it counts as leased until `give` or `drop`.
  bool open(const Key& key, const Caps& caps) {
    Bucket& bucket = buckets_[key];
    if (bucket.total >= caps.total) return false;
    ++bucket.total;
    return true;
  }

  /// Takes a leased connection back. False if enough are free already: the caller closes it, and
  /// it does not count any more.
  bool give(const Key& key, Connection c, const Caps& caps) {
    const auto found = buckets_.find(key);
    GW_ASSERT(found != buckets_.end());
    if (found->second.idle.size() >= caps.idle) return drop(key), false;
    found->second.idle.push_back(std::move(c));
    return true;
  }

  /// A leased connection was closed.
  void drop(const Key& key) {
    const auto found = buckets_.find(key);
    GW_ASSERT(found != buckets_.end() && found->second.total > found->second.idle.size());
    if (--found->second.total == 0) buckets_.erase(found);
  }

  /// Removes a free connection (it died or its time is over). False if it is not free.
  bool remove(const Key& key, const Connection& c) {
    const auto found = buckets_.find(key);
    if (found == buckets_.end()) return false;
    auto& idle = found->second.idle;
    for (std::size_t i = idle.size(); i-- > 0;) {
      if (!(idle[i] == c)) continue;
      idle.erase(idle.begin() + static_cast<std::ptrdiff_t>(i));
      drop(key);
      return true;
    }
    return false;
  }

  /// Free connections of `key`.
  std::size_t idle(const Key& key) const {
    const auto found = buckets_.find(key);
    return found == buckets_.end() ? 0 : found->second.idle.size();
  }
  /// Free and leased connections of `key`.
  std::size_t total(const Key& key) const {
    const auto found = buckets_.find(key);
    return found == buckets_.end() ? 0 : found->second.total;
  }

  /// Hands every free connection to `close(connection)` and forgets it.
  template <class F>
  void clear_idle(F&& close) {
    for (auto it = buckets_.begin(); it != buckets_.end();) {
      Bucket& bucket = it->second;
      bucket.total -= bucket.idle.size();
      for (Connection& c : bucket.idle) close(c);
      bucket.idle.clear();
      it = bucket.total == 0 ? buckets_.erase(it) : std::next(it);
    }
  }

 private:
  struct Bucket {
    std::vector<Connection> idle;  // the newest at the back
    std::size_t total = 0;
  };
  std::unordered_map<Key, Bucket> buckets_;
};

}  // namespace v0
}  // namespace gw
