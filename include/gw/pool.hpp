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
  Pool() = default;
  Pool(const Pool&) = delete;  ///< A connection is leased from one pool.
  Pool& operator=(const Pool&) = delete;

  /// How many connections one identity may have.
  struct Caps {
    std::size_t idle;   ///< free ones kept
    std::size_t total;  ///< free and leased ones together
  };

  /// A free connection, or nothing. The caller leases it until `give` or `drop`.
  std::optional<Connection> take(const Key& key) {
    Bucket* const bucket = find(key);
    if (!bucket || bucket->idle.empty()) return std::nullopt;
    std::optional<Connection> c = std::move(bucket->idle.back());
    bucket->idle.pop_back();
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
    Bucket* const bucket = find(key);
    GW_ASSERT(bucket);
    if (bucket->idle.size() >= caps.idle) return drop(key), false;
    bucket->idle.push_back(std::move(c));
    return true;
  }

  /// A leased connection was closed.
  void drop(const Key& key) {
    Bucket* const bucket = find(key);
    GW_ASSERT(bucket && bucket->total > bucket->idle.size());
    if (--bucket->total > 0) return;
    last_ = nullptr;
    buckets_.erase(key);
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
      if (bucket.total > 0) {
        ++it;
        continue;
      }
      last_ = nullptr;
      it = buckets_.erase(it);
    }
  }

 private:
  struct Bucket {
    std::vector<Connection> idle;  // the newest at the back
    std::size_t total = 0;
  };
  using Buckets = std::unordered_map<Key, Bucket>;

  Bucket* find(const Key& key) {
    // Most requests go where the last one went.
    if (!last_ || !(last_->first == key)) {
      const auto found = buckets_.find(key);
      last_ = found == buckets_.end() ? nullptr : &*found;
    }
    return last_ ? &last_->second : nullptr;
  }

  Buckets buckets_;
  typename Buckets::value_type* last_ = nullptr;  // what `find` found last
};

}  // namespace v0
}  // namespace gw
