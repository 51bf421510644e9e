/// \file
/// Numbers that one worker counts and anybody may read meanwhile. Std only.
///
/// Each number has one writer, so adding is a load and a store, not a locked instruction, and what
/// workers write lies in memory of their own. A reader sees each number as it was a moment ago; two
/// numbers may be of different moments.
#pragma once

#include <gw/error.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

/// A number that only grows. One writer.
class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.store(value() + n, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// How many of something there are now. One writer.
class Gauge {
 public:
  void up() noexcept { move(1); }
  void down() noexcept { move(-1); }
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  void move(std::int64_t by) noexcept { value_.store(value() + by, std::memory_order_relaxed); }
  std::atomic<std::int64_t> value_{0};
};

/// Counts by a number, such as a status or an `Error`. It holds those that have occurred, found by
/// looking at one after the other: there are few. One writer, which allocates now and then when a
/// number occurs for the first time.
class Tally {
 public:
  Tally() noexcept = default;
  ~Tally() {
    for (Block* block = first_.next; block;) delete std::exchange(block, block->next.load(std::memory_order_relaxed));
  }
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

  /// Counts `key`; any number but the largest.
  void add(std::uint32_t key) {
    for (Block* block = &first_;; block = block->next.load(std::memory_order_relaxed)) {
      for (Entry& entry : block->entries) {
        const std::uint32_t known = entry.key.load(std::memory_order_relaxed);
        if (known == key) return entry.count.add();
        if (known != nothing) continue;
        entry.count.add();
        return entry.key.store(key, std::memory_order_release);
      }
      if (!block->next.load(std::memory_order_relaxed)) block->next.store(new Block, std::memory_order_release);
    }
  }

  /// Calls `f(key, count)` for each number that has occurred.
  template <class F>
  void each(F&& f) const {
    for (const Block* block = &first_; block; block = block->next.load(std::memory_order_acquire))
      for (const Entry& entry : block->entries)
        if (const std::uint32_t key = entry.key.load(std::memory_order_acquire); key != nothing) f(key, entry.count.value());
  }

 private:
  static constexpr std::uint32_t nothing = std::numeric_limits<std::uint32_t>::max();
  struct Entry {
    std::atomic<std::uint32_t> key{nothing};
    Counter count;
  };
  struct Block {
    std::array<Entry, 5> entries;
    std::atomic<Block*> next{nullptr};
  };
  Block first_;
};

/// How long things took, in buckets with fixed bounds. One writer.
class Histogram {
 public:
  /// The largest time of each bucket; one more takes the rest. They suit answers of a service: three
  /// steps per power of ten, from what is instant to what has timed out.
  static constexpr std::array<std::chrono::microseconds, 15> bounds = [] {
    using std::chrono::microseconds;
    return std::array{microseconds(500),     microseconds(1'000),     microseconds(2'500),     microseconds(5'000),     microseconds(10'000),
                      microseconds(25'000),  microseconds(50'000),    microseconds(100'000),   microseconds(250'000),   microseconds(500'000),
                      microseconds(1'000'000), microseconds(2'500'000), microseconds(5'000'000), microseconds(10'000'000), microseconds(30'000'000)};
  }();

  void add(std::chrono::nanoseconds time) noexcept {
    std::size_t i = 0;
    while (i < bounds.size() && time > bounds[i]) ++i;
    counts_[i].add();
    sum_.add(time.count() > 0 ? static_cast<std::uint64_t>(time.count()) : 0);
  }

  /// How many times were in bucket `i` alone; the last bucket is `bounds.size()`.
  std::uint64_t count(std::size_t i) const noexcept { return counts_[i].value(); }
  /// All of them together, in nanoseconds.
  std::uint64_t sum() const noexcept { return sum_.value(); }

 private:
  std::array<Counter, bounds.size() + 1> counts_;
  Counter sum_;
};

/// What one worker counts for one route, or for requests without a route.
struct alignas(64) RouteCounters {
  Tally statuses;            ///< requests that have ended, by `Context::final_status`
  Tally failures;            ///< those with a failure, by `Error`; 0: a code that is not gw's
  Histogram durations;       ///< from the first byte of the request to the end of the response
  Counter bytes_received;    ///< content
  Counter bytes_sent;        ///< content
};

/// What one worker counts for one upstream.
struct alignas(64) UpstreamCounters {
  Tally statuses;            ///< calls that were answered, by status
  Tally failures;            ///< calls without a response, by `Error`; 0: a code that is not gw's
  Histogram heads;           ///< from the sending of a request to the head of its response
  Counter requests;          ///< calls begun; however often each was tried
  Gauge running;             ///< calls under way
  Counter retries;           ///< times that a call was tried again
  Counter retries_denied;    ///< calls that found no budget when they wanted to
  Counter retries_too_large; ///< calls that were not, because their body was not kept
  Counter panics;            ///< calls that chose among all endpoints because none was healthy
  Counter ejections;         ///< endpoints taken out because of what calls saw
  Counter opened;            ///< connections made
  Counter reused;            ///< calls that began on a connection of the pool
  Tally connect_failures;    ///< connections that could not be made, by `Error`
  Gauge open;                ///< connections that were made for this upstream, free or not
  Gauge idle;                ///< those of them that are free
};

/// What clients can run into: docs/limits.md.
enum class Limit : std::uint8_t {
  head, fields, target, body, trailers, chunk_extensions, body_rate, write_rate,
  connections, connections_per_client, requests_per_connection, descriptors,
  client_header, client_idle, client_body, client_write,
};
/// Their names in a configuration; descriptors are limited by the system.
inline constexpr std::array<std::string_view, 16> limit_names = {
    "limits.head", "limits.fields", "limits.target", "limits.body", "limits.trailers", "limits.chunk_extensions", "limits.body_rate",
    "limits.write_rate", "limits.connections", "limits.connections_per_client", "limits.requests_per_connection", "descriptors",
    "timeouts.client_header", "timeouts.client_idle", "timeouts.client_body", "timeouts.client_write"};

/// What one worker counts for the whole gateway.
struct alignas(64) WorkerCounters {
  Counter accepted;          ///< client connections
  std::array<Counter, limit_names.size()> limits;  ///< how often clients ran into each `Limit`
  void reached(Limit limit) noexcept { limits[static_cast<std::size_t>(limit)].add(); }
  Gauge connections;         ///< client connections that are open
  Gauge requests;            ///< requests under way
  Gauge tunnels;             ///< those of them that have become tunnels
  Tally refused;             ///< requests refused before there was a context, by `Error`
};

/// The counters of one thing with a name, a `T` for each worker. Shared by all snapshots that have a
/// thing of that name. A worker's `T` is made when it first counts.
template <class T>
class Sharded {
 public:
  /// For workers 0 .. `workers`-1.
  Sharded(std::string n, std::size_t workers) : name(std::move(n)), shards_(workers) {}
  ~Sharded() {
    for (std::atomic<T*>& shard : shards_) delete shard.load(std::memory_order_relaxed);
  }
  Sharded(const Sharded&) = delete;
  Sharded& operator=(const Sharded&) = delete;

  const std::string name;
  std::size_t workers() const noexcept { return shards_.size(); }

  /// The counters of `worker`; its thread only.
  T& of(std::size_t worker) {
    GW_ASSERT(worker < shards_.size());
    T* shard = shards_[worker].load(std::memory_order_relaxed);
    if (!shard) shards_[worker].store(shard = new T, std::memory_order_release);
    return *shard;
  }
  /// Calls `f(const T&)` for each worker that has counted. Any thread.
  template <class F>
  void each(F&& f) const {
    for (const std::atomic<T*>& shard : shards_)
      if (const T* counters = shard.load(std::memory_order_acquire)) f(*counters);
  }

 private:
  std::vector<std::atomic<T*>> shards_;
};

using RouteMetrics = Sharded<RouteCounters>;
using UpstreamMetrics = Sharded<UpstreamCounters>;

}  // namespace proxy
}  // namespace v0
}  // namespace gw
