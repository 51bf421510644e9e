#include "net/dns_lookup.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <tuple>
#include <utility>

namespace gw {
inline namespace v0 {
namespace net {

namespace {

/// Sorts, and merges what has the same address and port.
void tidy(Answer& answer) {
  const auto place = [](const Target& t) { return std::tie(t.address, t.port); };
  std::sort(answer.begin(), answer.end(), [&](const Target& a, const Target& b) { return place(a) < place(b); });
  std::size_t size = 0;
  for (const Target& target : answer) {
    if (size == 0 || place(answer[size - 1]) != place(target)) {
      answer[size++] = target;
    } else {
      std::uint16_t& weight = answer[size - 1].weight;
      weight = static_cast<std::uint16_t>(std::min(UINT16_MAX, weight + target.weight));
    }
  }
  answer.resize(size);
}

void sort_by_family(const std::vector<asio::ip::address>& addresses, HostAddresses& host) {
  for (const asio::ip::address& a : addresses) (a.is_v4() ? host.v4 : host.v6).push_back(a);
  for (auto* family : {&host.v4, &host.v6}) {
    std::sort(family->begin(), family->end());
    family->erase(std::unique(family->begin(), family->end()), family->end());
  }
}

/// Lives as long as something is asked for, because what is called then owns it.
class Lookup : public std::enable_shared_from_this<Lookup> {
 public:
  Lookup(DnsChannel& channel, KnownHosts known, std::function<bool(const asio::ip::address_v6&)> has_route,
         std::function<void(Outcome)> done)
      : channel_(channel), known_(std::move(known)), has_route_(std::move(has_route)), done_(std::move(done)) {
    outcome_.is_complete = true;
    outcome_.ttl = Dns::longest_ttl;
  }

  void start(const Question& question) {
    if (question.is_srv) return ask_service(channel_.candidates(question.name), 0);
    services_.push_back({.priority = 0, .weight = 1, .port = 0, .target = question.name});
    look_up_targets();
  }

 private:
  /// A host on its way through the search list.
  struct Search {
    std::string host;
    std::vector<std::string> names;
    std::size_t at = 0;
    std::optional<Records> v4 = {}, v6 = {};
    int missing = 0;  // replies
  };

  void ask_service(std::vector<std::string> names, std::size_t at) {
    const std::string name = names[at];
    channel_.ask(name, RecordType::srv, [self = shared_from_this(), names = std::move(names), at](std::optional<Records> records) mutable {
      if (!records) return self->fail();
      if (!records->empty()) return self->take_services(*records);
      if (at + 1 == names.size()) return self->fail();
      self->ask_service(std::move(names), at + 1);
    });
  }

  void take_services(Records& records) {
    limit_ttl(records.ttl);
    services_ = std::move(records.services);
    std::erase_if(services_, [](const Service& s) { return s.target == "."; });
    // Decidedly not available at this domain (RFC 2782, "Target").
    if (services_.empty()) outcome_.answer.emplace();
    // In absolute form, which no search list is for.
    for (Service& s : services_) s.target += '.';
    look_up_targets();
  }

  void look_up_targets() {
    std::set<std::string> hosts;
    for (const Service& s : services_) hosts.insert(s.target);
    // What is known at once must not end the look-up before all hosts are counted.
    missing_ = hosts.size() + 1;
    for (const std::string& host : hosts) look_up_host(host);
    end_host();
  }

  void look_up_host(const std::string& host) {
    std::error_code is_name;
    const asio::ip::address literal = asio::ip::make_address(host, is_name);
    std::vector<asio::ip::address> found;
    if (!is_name) {
      found = {literal};
    } else if (found = channel_.in_hosts_file(host); !found.empty()) {
      limit_ttl(static_cast<std::uint32_t>(Dns::hosts_ttl.count()));
    }
    if (found.empty()) return ask_host(std::make_shared<Search>(Search{.host = host, .names = channel_.candidates(host)}));
    sort_by_family(found, outcome_.hosts[host]);
    end_host();
  }

  void ask_host(const std::shared_ptr<Search>& search) {
    const std::string& name = search->names[search->at];
    search->missing = 2;
    const auto ask = [&](RecordType type, std::optional<Records> Search::*records) {
      channel_.ask(name, type, [self = shared_from_this(), search, records](std::optional<Records> found) {
        search.get()->*records = std::move(found);
        if (--search->missing == 0) self->settle(search);
      });
    };
    ask(RecordType::a, &Search::v4);
    ask(RecordType::aaaa, &Search::v6);
  }

  /// Both families of a name of the search list have been asked for.
  void settle(const std::shared_ptr<Search>& search) {
    const auto& [v4, v6] = std::tie(search->v4, search->v6);
    const bool is_found = (v4 && !v4->empty()) || (v6 && !v6->empty());
    const bool is_told = v4 && v6;
    // A name that may well exist must not be taken for another one further down the list.
    if (!is_found && is_told && ++search->at < search->names.size()) return ask_host(search);

    const HostAddresses& old = known_[search->host];
    HostAddresses& host = outcome_.hosts[search->host];
    if (!is_found) {
      host = old;
    } else {
      for (const auto* records : {&v4, &v6}) {
        if (!*records || (*records)->empty()) continue;
        sort_by_family((*records)->addresses, host);
        limit_ttl((*records)->ttl);
      }
      if (!v4) host.v4 = old.v4;
      if (!v6) host.v6 = old.v6;
    }
    if (!is_found || !is_told) outcome_.is_complete = false;
    end_host();
  }

  void end_host() {
    if (--missing_ > 0) return;
    if (!outcome_.answer) answer(true);
    if (!outcome_.answer) answer(false);
    done_(std::move(outcome_));
  }

  /// Makes the answer of the first priority that has one.
  void answer(bool needs_route) {
    std::stable_sort(services_.begin(), services_.end(), [](const Service& a, const Service& b) { return a.priority < b.priority; });
    Answer answer;
    for (std::size_t i = 0; i < services_.size(); ++i) {
      const Service& s = services_[i];
      if (!answer.empty() && s.priority != services_[i - 1].priority) break;
      const HostAddresses& host = outcome_.hosts[s.target];
      const std::uint16_t weight = std::max<std::uint16_t>(s.weight, 1);
      for (const auto& a : host.v4) answer.push_back({a, s.port, weight});
      for (const auto& a : host.v6)
        if (!needs_route || has_route_(a.to_v6())) answer.push_back({a, s.port, weight});
    }
    if (answer.empty()) return;
    tidy(answer);
    outcome_.answer = std::move(answer);
  }

  void fail() {
    outcome_.is_complete = false;
    outcome_.hosts = std::move(known_);
    done_(std::move(outcome_));
  }

  void limit_ttl(std::uint32_t ttl) { outcome_.ttl = std::max(Dns::shortest_ttl, std::min(outcome_.ttl, std::chrono::seconds(ttl))); }

  DnsChannel& channel_;
  KnownHosts known_;
  std::function<bool(const asio::ip::address_v6&)> has_route_;
  std::function<void(Outcome)> done_;
  std::vector<Service> services_;
  std::size_t missing_ = 0;  // hosts
  Outcome outcome_;
};

}  // namespace

void look_up(DnsChannel& channel, const Question& question, KnownHosts known, std::function<bool(const asio::ip::address_v6&)> has_route,
             std::function<void(Outcome)> done) {
  std::make_shared<Lookup>(channel, std::move(known), std::move(has_route), std::move(done))->start(question);
}

bool kernel_has_route(const asio::ip::address_v6& address) {
  const int socket = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return errno != EAFNOSUPPORT;  // without a descriptor nobody can tell
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(9);
  to.sin6_scope_id = static_cast<std::uint32_t>(address.scope_id());
  const auto bytes = address.to_bytes();
  std::copy(bytes.begin(), bytes.end(), std::begin(to.sin6_addr.s6_addr));
  const bool is_connected = ::connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  const int why = errno;
  ::close(socket);
  return is_connected || (why != ENETUNREACH && why != EHOSTUNREACH && why != EADDRNOTAVAIL);
}

}  // namespace net
}  // namespace v0
}  // namespace gw
