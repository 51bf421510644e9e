/// \file
/// A DNS server for tests.
#pragma once

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace gw_test {

/// Answers on a port of 127.0.0.1, by UDP and TCP, with a thread of its own, from a zone that the test changes as it goes. Of a name that
/// it does not have it says NXDOMAIN; of one that has other records, nothing. Names are compared as they are written, without a dot at the
/// end.
class DnsServer {
 public:
  enum Type : std::uint16_t { a = 1, cname = 5, aaaa = 28, srv = 33 };
  /// How a question is answered.
  enum class Mood { well, servfail, refused, silent, garbage, truncated };

  DnsServer();
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  /// "127.0.0.1:5353".
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  /// Replaces the records of one type of a name. Data is "192.0.2.1", "2001:db8::1", "other.name" or "priority weight port target".
  void set(const std::string& name, Type type, const std::vector<std::string>& data, std::uint32_t ttl = 60);
  /// Forgets a name.
  void remove(const std::string& name);
  /// How questions for this type of a name are answered from now on. `truncated` is meant for UDP; TCP answers well.
  void mood(const std::string& name, Type type, Mood mood);
  /// The same for all questions that nothing else was said about.
  void mood(Mood mood);

  /// How often this was asked, tries included.
  int asked(const std::string& name, Type type);
  void wait_until_asked(const std::string& name, Type type, int times);
  /// The names that A or SRV records were asked for of, in the order of their first coming.
  std::vector<std::string> names();

 private:
  using Key = std::pair<std::string, Type>;
  struct Data {
    std::string bytes;
    std::uint32_t ttl;
  };

  void run();
  void serve_udp();
  void serve_tcp();
  std::string reply_to(std::string_view question, bool is_tcp);
  static std::string wire_name(std::string_view name);
  static std::string wire_data(Type type, const std::string& text);
  static std::string number(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }

  int udp_ = -1, tcp_ = -1, stop_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;  // of what follows
  std::condition_variable was_asked_;
  std::map<std::string, std::map<Type, std::vector<Data>>> zone_;
  std::map<Key, Mood> moods_;
  Mood mood_ = Mood::well;
  std::map<Key, int> asked_;
  std::vector<std::string> names_;
  std::thread thread_;
};

inline DnsServer::DnsServer() {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // Somebody else may have the TCP port of the number that UDP got.
  for (bool is_bound = false; !is_bound;) {
    if (udp_ >= 0) ::close(udp_), ::close(tcp_);
    udp_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    tcp_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at.sin_port = 0;
    socklen_t size = sizeof at;
    REQUIRE(::bind(udp_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::getsockname(udp_, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    is_bound = ::bind(tcp_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 && ::listen(tcp_, 16) == 0;
  }
  port_ = ntohs(at.sin_port);
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { run(); });
}

inline DnsServer::~DnsServer() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(stop_, &one, sizeof one));
  thread_.join();
  for (const int descriptor : {udp_, tcp_, stop_}) ::close(descriptor);
}

inline void DnsServer::set(const std::string& name, Type type, const std::vector<std::string>& data, std::uint32_t ttl) {
  const std::lock_guard lock(mutex_);
  std::vector<Data>& records = zone_[name][type];
  records.clear();
  for (const std::string& text : data) records.push_back({wire_data(type, text), ttl});
}

inline void DnsServer::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  zone_.erase(name);
}

inline void DnsServer::mood(const std::string& name, Type type, Mood mood) {
  const std::lock_guard lock(mutex_);
  moods_[{name, type}] = mood;
}

inline void DnsServer::mood(Mood mood) {
  const std::lock_guard lock(mutex_);
  mood_ = mood;
}

inline int DnsServer::asked(const std::string& name, Type type) {
  const std::lock_guard lock(mutex_);
  return asked_[{name, type}];
}

inline void DnsServer::wait_until_asked(const std::string& name, Type type, int times) {
  std::unique_lock lock(mutex_);
  was_asked_.wait(lock, [&] { return asked_[{name, type}] >= times; });
}

inline std::vector<std::string> DnsServer::names() {
  const std::lock_guard lock(mutex_);
  return names_;
}

inline void DnsServer::run() {
  pollfd sockets[] = {{stop_, POLLIN, 0}, {udp_, POLLIN, 0}, {tcp_, POLLIN, 0}};
  while (::poll(sockets, 3, -1) > 0 && !sockets[0].revents) {
    if (sockets[1].revents) serve_udp();
    if (sockets[2].revents) serve_tcp();
  }
}

inline void DnsServer::serve_udp() {
  char question[512];
  sockaddr_in from{};
  socklen_t from_size = sizeof from;
  const ssize_t size = ::recvfrom(udp_, question, sizeof question, 0, reinterpret_cast<sockaddr*>(&from), &from_size);
  if (size <= 0) return;
  const std::string reply = reply_to({question, static_cast<std::size_t>(size)}, false);
  if (!reply.empty()) ::sendto(udp_, reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&from), from_size);
}

/// One question per connection.
inline void DnsServer::serve_tcp() {
  const int client = ::accept4(tcp_, nullptr, nullptr, SOCK_CLOEXEC);
  unsigned char size[2];
  std::string question;
  if (::recv(client, size, 2, MSG_WAITALL) == 2) {
    question.resize(static_cast<std::size_t>(size[0] << 8 | size[1]));
    if (::recv(client, question.data(), question.size(), MSG_WAITALL) == static_cast<ssize_t>(question.size())) {
      std::string reply = reply_to(question, true);
      reply.insert(0, number(static_cast<unsigned>(reply.size())));
      ::send(client, reply.data(), reply.size(), MSG_NOSIGNAL);
    }
  }
  ::close(client);
}

inline std::string DnsServer::reply_to(std::string_view question, bool is_tcp) {
  std::string name;
  std::size_t at = 12;
  while (at < question.size() && question[at]) {
    const auto length = static_cast<std::size_t>(question[at]);
    name += (name.empty() ? "" : ".") + std::string(question.substr(at + 1, length));
    at += 1 + length;
  }
  if (at + 5 > question.size()) return {};
  const auto type = static_cast<Type>(static_cast<unsigned char>(question[at + 2]));

  const std::lock_guard lock(mutex_);
  if (type != aaaa && std::find(names_.begin(), names_.end(), name) == names_.end()) names_.push_back(name);
  ++asked_[{name, type}];
  was_asked_.notify_all();
  const auto said = moods_.find({name, type});
  const Mood mood = said == moods_.end() ? mood_ : said->second;
  if (mood == Mood::silent) return {};

  std::string answers;
  unsigned count = 0;
  const auto add = [&](const std::string& owner, Type t, const Data& data) {
    answers += wire_name(owner) + number(t) + number(1) + number(data.ttl >> 16) + number(data.ttl & 0xFFFF);
    answers += number(static_cast<unsigned>(data.bytes.size())) + data.bytes;
    ++count;
  };
  auto found = zone_.find(name);
  const bool is_there = found != zone_.end();
  std::string owner = name;
  for (std::set<std::string> seen; found != zone_.end() && found->second.contains(cname) && seen.insert(owner).second;) {
    const Data& data = found->second[cname].front();
    add(owner, cname, data);
    owner.clear();
    for (std::size_t i = 0; data.bytes[i]; i += 1 + static_cast<std::size_t>(data.bytes[i]))
      owner += (owner.empty() ? "" : ".") + data.bytes.substr(i + 1, static_cast<std::size_t>(data.bytes[i]));
    found = zone_.find(owner);
  }
  if (found != zone_.end())
    for (const Data& data : found->second[type]) add(owner, type, data);

  unsigned flags = 0x8180 | (is_there ? 0 : 3);
  if (mood == Mood::servfail) flags = 0x8182;
  if (mood == Mood::refused) flags = 0x8185;
  if (mood == Mood::truncated && !is_tcp) flags |= 0x0200;
  if (flags != 0x8180) answers.clear(), count = 0;
  if (mood == Mood::garbage) answers.resize(answers.size() / 2), count = 1;
  return std::string(question.substr(0, 2)) + number(flags) + number(1) + number(count) + number(0) + number(0) +
         std::string(question.substr(12, at + 5 - 12)) + answers;
}

inline std::string DnsServer::wire_name(std::string_view name) {
  std::string bytes;
  while (!name.empty() && name != ".") {
    const std::string_view label = name.substr(0, name.find('.'));
    bytes += static_cast<char>(label.size());
    bytes += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  return bytes + '\0';
}

inline std::string DnsServer::wire_data(Type type, const std::string& text) {
  if (type == cname) return wire_name(text);
  if (type == srv) {
    unsigned priority, weight, port;
    char target[256];
    REQUIRE(std::sscanf(text.c_str(), "%u %u %u %255s", &priority, &weight, &port, target) == 4);
    return number(priority) + number(weight) + number(port) + wire_name(target);
  }
  char bytes[16];
  REQUIRE(::inet_pton(type == a ? AF_INET : AF_INET6, text.c_str(), bytes) == 1);
  return std::string(bytes, type == a ? 4 : 16);
}

}  // namespace gw_test
