#include "net/resolver.hpp"

#include <asio/post.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <map>
#include <mutex>
#include <thread>

namespace gw {
inline namespace v0 {
namespace net {

namespace {

constexpr auto fresh_for = std::chrono::seconds(30);
// A name that cannot be found is asked for again soon, but not once per request.
constexpr auto failed_for = std::chrono::seconds(1);

}  // namespace

struct Resolver::State : std::enable_shared_from_this<State> {
  struct Waiter {
    asio::io_context* worker;
    std::function<void(std::shared_ptr<const Addresses>)> done;
  };
  struct Entry {
    std::shared_ptr<const Addresses> addresses;
    Clock::time_point fresh_until;
    bool is_looking = false;
    std::vector<Waiter> waiters;
  };

  // Under the mutex. One look-up per name at a time.
  void start(const std::string& name, Entry& entry) {
    try {
      std::thread([self = shared_from_this(), name] { self->finish(name, self->lookup(name)); }).detach();
      entry.is_looking = true;
    } catch (const std::system_error&) {  // no thread to be had: a look-up that failed
      entry.fresh_until = now() + failed_for;
    }
  }

  void finish(const std::string& name, Addresses found) {
    const std::lock_guard lock(mutex);
    if (is_closed) return;
    Entry& entry = entries[name];
    entry.is_looking = false;
    entry.fresh_until = now() + (found.empty() ? Clock::duration(failed_for) : Clock::duration(fresh_for));
    if (!found.empty()) entry.addresses = std::make_shared<const Addresses>(std::move(found));
    // Under the mutex, so that nobody is forgotten meanwhile.
    for (Waiter& w : entry.waiters) asio::post(*w.worker, [done = std::move(w.done), a = entry.addresses] { done(a); });
    entry.waiters.clear();
  }

  std::mutex mutex;
  bool is_closed = false;
  std::map<std::string, Entry> entries;
  Lookup lookup;
  std::function<Clock::time_point()> now;
};

Resolver::Resolver(Lookup lookup, std::function<Clock::time_point()> now) : state_(std::make_shared<State>()) {
  state_->lookup = std::move(lookup);
  state_->now = std::move(now);
}

Resolver::~Resolver() {
  const std::lock_guard lock(state_->mutex);
  state_->is_closed = true;
  state_->entries.clear();
}

std::shared_ptr<const Addresses> Resolver::known(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  State::Entry& entry = state_->entries[name];
  if (!entry.is_looking && state_->now() >= entry.fresh_until) state_->start(name, entry);
  return entry.addresses;
}

void Resolver::when_known(const std::string& name, asio::io_context& worker, std::function<void(std::shared_ptr<const Addresses>)> done) {
  const std::lock_guard lock(state_->mutex);
  State::Entry& entry = state_->entries[name];
  if (entry.is_looking) {
    entry.waiters.push_back({&worker, std::move(done)});
    return;
  }
  asio::post(worker, [done = std::move(done), a = entry.addresses] { done(a); });
}

void Resolver::forget(const asio::io_context& worker) {
  const std::lock_guard lock(state_->mutex);
  for (auto& [name, entry] : state_->entries) std::erase_if(entry.waiters, [&](const State::Waiter& w) { return w.worker == &worker; });
}

Addresses Resolver::system_lookup(const std::string& name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  Addresses addresses;
  if (::getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0) return addresses;
  for (const addrinfo* a = list; a; a = a->ai_next) {
    if (a->ai_family == AF_INET) {
      addresses.push_back(asio::ip::address_v4(ntohl(reinterpret_cast<const sockaddr_in*>(a->ai_addr)->sin_addr.s_addr)));
    } else if (a->ai_family == AF_INET6) {
      const auto* v6 = reinterpret_cast<const sockaddr_in6*>(a->ai_addr);
      asio::ip::address_v6::bytes_type bytes;
      std::copy(std::begin(v6->sin6_addr.s6_addr), std::end(v6->sin6_addr.s6_addr), bytes.begin());
      addresses.push_back(asio::ip::address_v6(bytes, v6->sin6_scope_id));
    }
  }
  ::freeaddrinfo(list);
  return addresses;
}

}  // namespace net
}  // namespace v0
}  // namespace gw
