/// \file
/// Names to addresses, kept up to date off the workers.
#pragma once

#include <gw/limits.hpp>

#include <asio/ip/address.hpp>

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gw {
inline namespace v0 {
namespace net {

/// What is looked up: the addresses of "users.internal" (A and AAAA, or what /etc/hosts says), or with `is_srv` the service
/// "_http._tcp.users.internal" (RFC 2782), and the addresses of its targets. An address as a name stands for itself.
struct Question {
  std::string name;
  bool is_srv = false;

  auto operator<=>(const Question&) const = default;
};

/// One address that a name stands for.
struct Target {
  asio::ip::address address;
  std::uint16_t port = 0;    ///< of SRV; 0: the name says none
  std::uint16_t weight = 1;  ///< of SRV, where 0 counts as 1; every address of a target has the whole weight of it

  bool operator==(const Target&) const = default;
};

/// Sorted by address and port, each of which is there once: what several SRV records name has the sum of their weights.
using Answer = std::vector<Target>;

/// Where and how `Dns` asks.
struct DnsOptions {
  using Clock = std::chrono::steady_clock;

  std::vector<std::string> servers = {};  ///< "192.0.2.53", "192.0.2.53:5353", "[2001:db8::53]:5353"; empty: those of resolv.conf
  /// Of the first try; the second has twice and the third four times as long. A second is long for a server nearby, and short enough to try
  /// again when a packet was lost. A late reply to an earlier try counts.
  Duration timeout = std::chrono::seconds(1);
  std::string resolv_conf = "/etc/resolv.conf";     ///< read again when it has changed
  std::function<Clock::time_point()> now = Clock::now;  ///< tells when a time to live is over; any thread. See `Dns::wake`
  /// Whether packets to an address have a way; called on the thread of the `Dns`. Empty: asks the kernel.
  std::function<bool(const asio::ip::address_v6&)> has_route = {};
};

/// Watches what names stand for. It has one thread, which starts with the first watch; all functions may be called from any thread.
///
///     net::Dns dns;
///     const auto watch = dns.watch({"users.internal"}, [](std::shared_ptr<const net::Answer> answer) { ... });
///
/// An answer is looked up again when the smallest time to live in it is over. What goes wrong - no reply, SERVFAIL, also that a name does
/// not exist any more or has no addresses - leaves the old answer in use for as long as it takes, because name servers and what fills them
/// break more often than the last address of a service is gone for good. This is so for each name and family of addresses: AAAA records
/// that cannot be had do not keep new A records out, nor do they cost the old IPv6 addresses. The one way for a service to say that it is
/// gone is an SRV record with the target ".": that is an empty answer. Of SRV records only those count that have the lowest priority of
/// those with addresses.
///
/// /etc/hosts comes before name servers; mDNS and what else nsswitch.conf may name is not asked. Names are completed as resolv.conf says,
/// like everywhere else in the system: one with a dot is asked for as it is first, and only if it does not exist with the domains of
/// `search`; but with `ndots:5`, which Kubernetes writes, names with fewer dots are tried with all of those before. A dot at the end makes
/// a name absolute and saves these questions. Targets of SRV records are absolute.
///
/// IPv6 addresses to which the machine has no route are left out, unless there are no others.
class Dns {
 public:
  using Options = DnsOptions;

  static constexpr std::chrono::seconds shortest_ttl{1};    ///< a smaller time to live counts as this,
  static constexpr std::chrono::seconds longest_ttl{300};   ///< and a larger one as this: few services can wait longer to be moved
  static constexpr std::chrono::seconds hosts_ttl{30};      ///< of what /etc/hosts says
  static constexpr std::chrono::seconds first_retry{1};     ///< after a look-up that failed; then twice as long every time ...
  static constexpr std::chrono::seconds longest_retry{30};  ///< ... but not longer

  /// Told about an answer, with nothing if there is none. On the thread of the `Dns`, so it must be quick; must not throw. It may add
  /// watches and destroy them, its own included, but not destroy the `Dns`.
  using Changed = std::function<void(std::shared_ptr<const Answer>)>;

  /// Throws `ConfigError` if a server is none, `std::system_error` if there are no descriptors.
  explicit Dns(Options options = Options());
  /// Ends look-ups under way, tells nobody about them, and waits for a `Changed` that runs. Watches that are left over are not told
  /// anything any more.
  ~Dns();
  Dns(const Dns&) = delete;
  Dns& operator=(const Dns&) = delete;

 private:
  struct Core;
  struct Listener;

 public:
  /// Somebody who is told. Destroyed: he is not any more; one who is being told right now is waited for, except on the thread of the `Dns`.
  /// So do not destroy it while holding a lock that `changed` takes. May outlive the `Dns`.
  class Watch {
   public:
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    friend class Dns;
    Watch(std::shared_ptr<Core> core, Question question, std::shared_ptr<Listener> listener);

    std::shared_ptr<Core> core_;
    Question question_;
    std::shared_ptr<Listener> listener_;
  };

  /// Looks the question up, unless that is known from another watch, and again and again until the watch is destroyed. `changed(answer)` is
  /// called when the first look-up has ended, with nothing if it failed, and then whenever the answer differs from the last one told; never
  /// from inside this function. All watches of a question share its look-ups. Throws `std::system_error` if there is no thread to be had.
  [[nodiscard]] std::unique_ptr<Watch> watch(Question question, Changed changed);

  /// Ends look-ups under way and the thread; waits for a `Changed` that runs. Nobody is told anything until the next watch, which starts it
  /// again. Not on the thread of the `Dns`, nor at once with `watch`.
  void stop();
  /// Looks at the clock again: for clocks that jump, as those of tests do.
  void wake();

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace net
}  // namespace v0
}  // namespace gw
