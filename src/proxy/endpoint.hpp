/// \file
/// Addresses that requests can be sent to.
#pragma once

#include <gw/detail/address.hpp>

#include <asio/ip/address.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace gw {
inline namespace v0 {
namespace proxy {

/// One address that requests can be sent to. Interned by identity: two upstreams with the same
/// address share it, and it survives a reload; so do the connections that workers pool by it.
struct Endpoint {
  explicit Endpoint(detail::HostPort a);

  const detail::HostPort address;
  const std::string host_field;                     ///< "10.0.0.1:8080"; without the port if that is 80
  const std::optional<asio::ip::address> literal;   ///< the address, unless it is a name
  std::atomic<unsigned> running{0};                 ///< requests under way, of all workers
};

/// Finds the endpoint of an address that is in use, or makes it. Thread-safe.
class EndpointRegistry {
 public:
  std::shared_ptr<Endpoint> find(const detail::HostPort& address);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<Endpoint>> endpoints_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
