/// \file
/// Asks DNS servers through c-ares, which finds them in resolv.conf, tries again, and turns to TCP for what is long.
#pragma once

#include "net/dns_reply.hpp"

#include <gw/detail/address.hpp>
#include <gw/limits.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct ares_channeldata;  // of c-ares

namespace gw {
inline namespace v0 {
namespace net {

/// Reads the address of a name server: "192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353"; the port is 53 if none is given, and
/// never 0. Nothing if `text` is none of these.
std::optional<detail::HostPort> parse_name_server(std::string_view text);

/// Questions on their way. For one thread at a time; what waits for replies is `wait`.
class DnsChannel {
 public:
  struct Options {
    std::vector<std::string> servers;  ///< "192.0.2.53", "192.0.2.53:5353", "[2001:db8::53]:5353"; empty: those of resolv.conf
    Duration timeout;                  ///< of the first try; there are two more, each with twice the time, for each server
    std::string resolv_conf;           ///< the path of that file
  };
  /// Gets what there is, which may be no records, or nothing: then nobody could tell (no reply, SERVFAIL, REFUSED, a malformed reply).
  /// Must not throw.
  using Done = std::function<void(std::optional<Records>)>;

  /// Throws `ConfigError` if a server is none. That there are no descriptors or no memory shows as questions that nobody can answer.
  explicit DnsChannel(Options options);
  /// As `close`.
  ~DnsChannel();
  DnsChannel(const DnsChannel&) = delete;
  DnsChannel& operator=(const DnsChannel&) = delete;

  /// Asks for the records of exactly this name. `done` is called once, perhaps before this returns, else by `wait` or `close`. It may ask.
  void ask(const std::string& name, RecordType type, Done done);

  /// The names to ask for, in turn, when somebody says `name` (resolv.conf(5), "search" and "ndots"): a name with a dot at its end stands
  /// for itself. One with at least `ndots` dots, which is 1 where resolv.conf says nothing else, is asked for as it is, and only if it does
  /// not exist, with the domains of the search list at its end; one with fewer dots the other way round.
  std::vector<std::string> candidates(const std::string& name) const;

  /// What /etc/hosts says of `name`; of "localhost" and "x.localhost" the loopback addresses if it says nothing (RFC 6761 6.3).
  std::vector<asio::ip::address> in_hosts_file(const std::string& name) const;

  /// Waits until `wake`, an eventfd, which it resets, can be read, a reply comes, a try has had its time, or `limit` is over; then deals
  /// with what happened.
  void wait(int wake, std::optional<std::chrono::milliseconds> limit);

  /// Reads resolv.conf, before anything is asked, and starts afresh if it has changed; nobody can tell then what was asked for before. Not
  /// for a `Done`.
  void follow_system();

  /// Ends: nobody can tell any more what was asked for. Not for a `Done`.
  void close();

 private:
  struct Version {
    std::uint64_t file = 0, size = 0;
    std::int64_t seconds = 0, nanoseconds = 0;
    bool operator==(const Version&) const = default;
  };

  Version version() const;
  void open();
  void read_search_list();

  std::string servers_;  // as c-ares reads them
  Duration timeout_;
  std::string resolv_conf_;
  ares_channeldata* channel_ = nullptr;  // nothing: it could not be opened, or is being closed
  Version version_;                      // of resolv.conf as it was read
  std::vector<std::string> domains_;
  int ndots_ = 1;
};

}  // namespace net
}  // namespace v0
}  // namespace gw
