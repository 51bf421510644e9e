#include "net/dns_channel.hpp"

#include <gw/detail/address.hpp>
#include <gw/error.hpp>
#include <gw/http.hpp>

// Newer versions have other names for what 1.18 has only these for.
#define CARES_NO_DEPRECATED
#include <ares.h>

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <utility>

namespace gw {
inline namespace v0 {
namespace net {

namespace {

constexpr int tries = 3;

struct Asked {
  RecordType type;
  DnsChannel::Done done;
};

// What c-ares calls; nothing may be thrown through it.
extern "C" void gw_dns_replied(void* asked_, int status, int, unsigned char* reply, int size) noexcept {
  const std::unique_ptr<Asked> asked(static_cast<Asked*>(asked_));
  std::optional<Records> records;
  if (status == ARES_SUCCESS) {
    records = read_reply({reply, static_cast<std::size_t>(size)}, asked->type);
  } else if (status == ARES_ENODATA || status == ARES_ENOTFOUND) {
    records.emplace();
  }
  asked->done(std::move(records));
}

void add_addresses(const hostent& host, std::vector<asio::ip::address>& addresses) {
  for (char** a = host.h_addr_list; *a; ++a) {
    if (host.h_addrtype == AF_INET) {
      asio::ip::address_v4::bytes_type bytes;
      std::memcpy(bytes.data(), *a, bytes.size());
      addresses.push_back(asio::ip::address_v4(bytes));
    } else {
      asio::ip::address_v6::bytes_type bytes;
      std::memcpy(bytes.data(), *a, bytes.size());
      addresses.push_back(asio::ip::address_v6(bytes));
    }
  }
}

/// What c-ares, which makes something of almost any text, is told of servers. Throws `ConfigError`.
std::string checked_list(const std::vector<std::string>& servers) {
  std::string list;
  Problems problems;
  for (const std::string& server : servers) {
    if (!list.empty()) list += ',';
    const auto at = parse_name_server(server);
    if (!at) problems.push_back({Place{}, "not the address of a DNS server: " + server});
    else list += (detail::is_ipv6(at->host) ? '[' + at->host + ']' : at->host) + ':' + std::to_string(at->port);
  }
  if (!problems.empty()) throw ConfigError(std::move(problems));
  return list;
}

bool is_localhost(std::string_view name) {
  constexpr std::string_view localhost = "localhost";
  if (name.size() < localhost.size() || !iequals(name.substr(name.size() - localhost.size()), localhost)) return false;
  return name.size() == localhost.size() || name[name.size() - localhost.size() - 1] == '.';
}

}  // namespace

std::optional<detail::HostPort> parse_name_server(std::string_view text) {
  constexpr std::uint16_t domain = 53;
  if (detail::is_ipv6(text)) return detail::HostPort{std::string(text), domain};
  auto at = detail::parse_host_port(text, domain);
  const bool is_server = at && at->port > 0 && (detail::is_ipv4(at->host) || detail::is_ipv6(at->host));
  return is_server ? std::move(at) : std::nullopt;
}

DnsChannel::DnsChannel(Options options)
    : servers_(checked_list(options.servers)), timeout_(options.timeout), resolv_conf_(std::move(options.resolv_conf)) {
  static const int is_initialised = ares_library_init(ARES_LIB_INIT_ALL);  // once per process, and that is not safe from threads
  static_cast<void>(is_initialised);
}

DnsChannel::~DnsChannel() { close(); }

void DnsChannel::open() {
  version_ = version();
  ares_options options{};
  options.timeout = static_cast<int>(timeout_.count());
  options.tries = tries;
  options.resolvconf_path = resolv_conf_.data();
  if (ares_init_options(&channel_, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_RESOLVCONF) != ARES_SUCCESS) {
    channel_ = nullptr;
    return;
  }
  if (!servers_.empty() && ares_set_servers_ports_csv(channel_, servers_.c_str()) != ARES_SUCCESS) return close();
  read_search_list();
}

void DnsChannel::read_search_list() {
  ares_options options{};
  int mask = 0;
  if (ares_save_options(channel_, &options, &mask) == ARES_SUCCESS) {
    ndots_ = options.ndots;
    domains_.assign(options.domains, options.domains + options.ndomains);
  }
  ares_destroy_options(&options);
}

void DnsChannel::close() {
  // Taken first: nobody may ask while what is under way is ended.
  if (ares_channel channel = std::exchange(channel_, nullptr)) ares_destroy(channel);
}

DnsChannel::Version DnsChannel::version() const {
  struct stat s;
  if (::stat(resolv_conf_.c_str(), &s) != 0) return {};
  return {s.st_ino, static_cast<std::uint64_t>(s.st_size), s.st_mtim.tv_sec, s.st_mtim.tv_nsec};
}

void DnsChannel::follow_system() {
  if (channel_ && version() == version_) return;
  close();
  open();
}

void DnsChannel::ask(const std::string& name, RecordType type, Done done) {
  if (!channel_) return done(std::nullopt);
  ares_query(channel_, name.c_str(), 1, static_cast<int>(type), gw_dns_replied, new Asked{type, std::move(done)});
}

std::vector<std::string> DnsChannel::candidates(const std::string& name) const {
  if (name.ends_with('.')) return {name};
  std::vector<std::string> names;
  for (const std::string& domain : domains_)
    if (!domain.empty() && domain != ".") names.push_back(name + '.' + domain);
  const bool is_first = std::count(name.begin(), name.end(), '.') >= ndots_;
  names.insert(is_first ? names.begin() : names.end(), name);
  return names;
}

std::vector<asio::ip::address> DnsChannel::in_hosts_file(const std::string& name) const {
  const std::string host = name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
  std::vector<asio::ip::address> addresses;
  for (const int family : {AF_INET, AF_INET6}) {
    hostent* found = nullptr;
    if (ares_gethostbyname_file(channel_, host.c_str(), family, &found) != ARES_SUCCESS) continue;
    add_addresses(*found, addresses);
    ares_free_hostent(found);
  }
  if (addresses.empty() && is_localhost(host)) addresses = {asio::ip::address_v4::loopback(), asio::ip::address_v6::loopback()};
  return addresses;
}

void DnsChannel::wait(int wake, std::optional<std::chrono::milliseconds> limit) {
  std::array<pollfd, 1 + ARES_GETSOCK_MAXNUM> sockets{};
  sockets[0] = {wake, POLLIN, 0};
  nfds_t count = 1;
  if (channel_) {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> open;
    const auto bits = static_cast<unsigned>(ares_getsock(channel_, open.data(), ARES_GETSOCK_MAXNUM));
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      const bool reads = ARES_GETSOCK_READABLE(bits, i), writes = ARES_GETSOCK_WRITABLE(bits, i);
      if (!reads && !writes) break;
      sockets[count++] = {open[i], static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), 0};
    }
    timeval time;
    if (ares_timeout(channel_, nullptr, &time)) {
      // What is left of the last millisecond must not be waited for in a loop.
      const std::chrono::milliseconds until_try(time.tv_sec * 1000 + time.tv_usec / 1000 + 1);
      limit = limit ? std::min(*limit, until_try) : until_try;
    }
  }
  const auto longest = std::chrono::milliseconds(std::chrono::hours(1));
  if (::poll(sockets.data(), count, limit ? static_cast<int>(std::min(*limit, longest).count()) : -1) < 0) return;

  if (sockets[0].revents) {
    std::uint64_t times;
    static_cast<void>(!::read(wake, &times, sizeof times));
  }
  if (!channel_) return;
  for (nfds_t i = 1; i < count; ++i) {
    // An error is found out by reading.
    const bool writes = sockets[i].revents & POLLOUT, reads = sockets[i].revents & ~POLLOUT;
    if (reads || writes) ares_process_fd(channel_, reads ? sockets[i].fd : ARES_SOCKET_BAD, writes ? sockets[i].fd : ARES_SOCKET_BAD);
  }
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

}  // namespace net
}  // namespace v0
}  // namespace gw
