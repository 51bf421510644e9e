/// \file
/// Reads replies of DNS servers (RFC 1035 4.1). Has no sockets.
#pragma once

#include <asio/ip/address.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gw {
inline namespace v0 {
namespace net {

/// What can be asked for; the values are those on the wire.
enum class RecordType : std::uint16_t { a = 1, aaaa = 28, srv = 33 };

/// One SRV record (RFC 2782).
struct Service {
  std::uint16_t priority = 0;  ///< lower ones come first
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  std::string target;  ///< a name without a dot at its end; "." if there is no such service
};

/// What a reply says about the name that was asked for. Without addresses and services: that there is nothing of that type.
struct Records {
  std::vector<asio::ip::address> addresses;  ///< of A or AAAA
  std::vector<Service> services;             ///< of SRV
  std::uint32_t ttl = UINT32_MAX;            ///< in seconds: the smallest of these records and of the CNAMEs that lead to them

  bool empty() const noexcept { return addresses.empty() && services.empty(); }
};

/// The records of `type` in the answer section, whatever else is in there; CNAMEs are followed in the order in which they come. Nothing
/// if the reply is malformed before the end of that section, or if a name in it has bytes that names of hosts do not have.
std::optional<Records> read_reply(std::span<const std::uint8_t> reply, RecordType type);

}  // namespace net
}  // namespace v0
}  // namespace gw
