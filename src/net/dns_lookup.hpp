/// \file
/// One look-up of a question: search list, both families of addresses, targets of a service.
#pragma once

#include "net/dns.hpp"
#include "net/dns_channel.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gw {
inline namespace v0 {
namespace net {

/// The addresses of one host.
struct HostAddresses {
  std::vector<asio::ip::address> v4, v6;
};
/// What was last known of the hosts of a question, by name: stands in for what cannot be found out.
using KnownHosts = std::map<std::string, HostAddresses>;

/// What a look-up has led to.
struct Outcome {
  std::optional<Answer> answer;    ///< nothing: no address is known, new or old, or the service could not be looked up
  bool is_complete = false;        ///< everything could be found out
  std::chrono::seconds ttl{0};     ///< of what could be found out, within the limits of `Dns`
  KnownHosts hosts;                ///< for the next look-up
};

/// Looks `question` up and calls `done` once, perhaps before this returns. `known` is what the last look-up of this question left.
/// `channel` must live until then, and its `close` ends the look-up. For the thread of the channel.
void look_up(DnsChannel& channel, const Question& question, KnownHosts known, std::function<bool(const asio::ip::address_v6&)> has_route,
             std::function<void(Outcome)> done);

/// Whether the kernel knows where to send packets to `address`; sends nothing.
bool kernel_has_route(const asio::ip::address_v6& address);

}  // namespace net
}  // namespace v0
}  // namespace gw
