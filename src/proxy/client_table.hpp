/// \file
/// How many connections each client address has, over all workers. Std only.
#pragma once

#include <gw/network.hpp>

#include <array>
#include <cstddef>
#include <map>
#include <mutex>
#include <utility>

namespace gw {
inline namespace v0 {
namespace proxy {

/// Counts the connections of addresses, exactly. It holds the addresses that have some now, so it is as large as there are connections.
/// IPv6 addresses are one by their first 64 bits: whoever has one has all of them. Thread-safe; a connection takes one of several locks
/// twice in its life.
class ClientTable {
 public:
  /// One connection of an address, as long as this lives. Not one by default. Move-only; the table outlives it.
  class Slot {
   public:
    Slot() noexcept = default;
    Slot(Slot&& other) noexcept : table_(std::exchange(other.table_, nullptr)), client_(other.client_) {}
    Slot& operator=(Slot&& other) noexcept {
      std::swap(table_, other.table_);
      std::swap(client_, other.client_);
      return *this;
    }
    ~Slot() {
      if (table_) table_->leave(client_);
    }
    explicit operator bool() const noexcept { return table_ != nullptr; }

   private:
    friend class ClientTable;
    Slot(ClientTable& table, const IpAddress& client) noexcept : table_(&table), client_(client) {}
    ClientTable* table_ = nullptr;
    IpAddress client_;
  };

  ClientTable() = default;
  ClientTable(const ClientTable&) = delete;
  ClientTable& operator=(const ClientTable&) = delete;

  /// Counts one more connection of `address`, unless it has `limit` of them; then the slot is empty. 0: no limit.
  Slot enter(const IpAddress& address, std::size_t limit) {
    const IpAddress client = address.is_v4() ? address : address.prefix(64);
    Shard& shard = shard_of(client);
    const std::lock_guard lock(shard.mutex);
    std::size_t& connections = shard.connections[client];
    if (limit > 0 && connections >= limit) return {};
    ++connections;
    return Slot(*this, client);
  }

  /// The addresses that have connections now.
  std::size_t size() const {
    std::size_t all = 0;
    for (const Shard& shard : shards_) {
      const std::lock_guard lock(shard.mutex);
      all += shard.connections.size();
    }
    return all;
  }

 private:
  // A tree: no choice of addresses makes it slow.
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::map<IpAddress, std::size_t> connections;
  };

  void leave(const IpAddress& client) {
    Shard& shard = shard_of(client);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.connections.find(client);
    if (--found->second == 0) shard.connections.erase(found);
  }

  Shard& shard_of(const IpAddress& client) noexcept {
    const IpAddress::Bytes bytes = client.bytes();
    return shards_[static_cast<std::size_t>(client.is_v4() ? bytes[15] ^ bytes[14] : bytes[7] ^ bytes[6] ^ bytes[5]) % shards_.size()];
  }

  std::array<Shard, 16> shards_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
