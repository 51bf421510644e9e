/// \file
/// Addresses that requests can be sent to.
#pragma once

#include <gw/detail/address.hpp>

#include "net/dns.hpp"
#include "proxy/registry.hpp"

#include <asio/generic/stream_protocol.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace gw {
inline namespace v0 {
namespace proxy {

/// One address that requests can be sent to. Interned by identity: two upstreams with the same
/// address share it, and it survives a reload; so do the connections that workers pool by it.
struct Endpoint {
  using Address = asio::generic::stream_protocol::endpoint;

  /// `target`: one of the addresses that a name stands for; null: none is known, or none is needed.
  Endpoint(const detail::EndpointAddress& configured, const net::Target* target);

  const std::string host_field;          ///< the field Host: "users.internal:8080"; without the port if that is 80
  const std::string name;                ///< tells it from all others: "10.0.0.1:8080", "10.0.0.1:8080 (users.internal)", "unix:/run/users.sock"
  const std::optional<Address> address;  ///< nothing: stands for a name while no address of it is known
  std::atomic<unsigned> running{0};      ///< requests under way, of all workers
};

/// Finds the endpoint of an address that is in use, or makes it. Thread-safe.
class EndpointRegistry {
 public:
  /// The arguments are those of `Endpoint`.
  std::shared_ptr<Endpoint> find(const detail::EndpointAddress& configured, const net::Target* target = nullptr);

 private:
  Registry<Endpoint> endpoints_;  // by `Endpoint::name`
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
