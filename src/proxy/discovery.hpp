/// \file
/// What the configured endpoints of an upstream stand for: addresses for themselves, names for what DNS says of them.
#pragma once

#include <gw/upstream.hpp>

#include "net/dns.hpp"
#include <gw/event.hpp>
#include "proxy/endpoint.hpp"

#include <asio/io_context.hpp>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

struct Shared;

/// Keeps the endpoints of one upstream as its names say. Thread-safe.
///
/// Each address of a name is an endpoint of its own, with the weight that the name was given; an SRV record multiplies that by its own. A name
/// without a known address has none. If that is so for all, one endpoint without an address stands for the upstream: who gets it waits for
/// the first answer.
class Discovery {
 public:
  /// An endpoint and its weight.
  struct Share {
    std::shared_ptr<Endpoint> endpoint;
    unsigned weight;
    bool is_from_start = false;  ///< it has not come just now: it only became known late what a name stood for all the time
  };
  /// Told all endpoints whenever they have changed: one call at a time, in order, under a lock of the discovery.
  using Changed = std::function<void(std::vector<Share>)>;

  /// For the upstream of this name; `shared` must outlive it. A name that cannot be looked up when it is new is logged.
  Discovery(std::string upstream, Shared& shared, std::shared_ptr<net::Dns> dns, Changed changed);
  /// Waits for a `Changed` that runs on the thread of the `Dns`.
  ~Discovery();
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  /// Other endpoints, with addresses that were checked. Tells them before it returns. What `before` knows of their names, if it is given, is
  /// taken over. `are_first`: the upstream had none before.
  void set(const std::vector<EndpointOptions>& endpoints, Discovery* before = nullptr, bool are_first = false);
  /// Looks names up from now on, until this object is destroyed.
  void follow();

  /// Whether there is an endpoint with an address that may get requests.
  bool has_endpoint() const {
    const std::lock_guard lock(mutex_);
    return has_endpoint_;
  }
  /// Somebody who waits for the first answer.
  struct Waiter {
    asio::io_context& worker;
    Event* event;  ///< of that worker; null: waits no more
  };
  /// Notifies `event` on `worker`, soon after there is an endpoint, or all names have been looked up in vain. Null: that is so. Must be settled.
  std::shared_ptr<Waiter> wait(asio::io_context& worker, Event& event);
  /// He waits no more. On his worker, before that ends. Whether there is an endpoint.
  bool settle(const std::shared_ptr<Waiter>& waiter);

 private:
  struct Source {
    detail::EndpointAddress address;
    unsigned weight;
    std::optional<net::Question> question;  // nothing: stands for itself
  };
  struct Known {
    std::shared_ptr<const net::Answer> answer;
    bool is_looked_up = false;
    bool is_from_start = false;  // configured when the upstream was new
  };
  using Watches = std::map<net::Question, std::unique_ptr<net::Dns::Watch>>;

  // Under the mutex.
  std::vector<Share> shares(const net::Question* from_start) const;
  void tell(const net::Question* from_start = nullptr);
  bool is_pending() const;
  void wake();
  Watches renew_watches();
  void answered(const net::Question& question, std::shared_ptr<const net::Answer> answer);

  const std::string upstream_;
  Shared& shared_;
  const std::shared_ptr<net::Dns> dns_;
  const Changed changed_;
  mutable std::mutex mutex_;
  std::vector<Source> sources_;
  std::map<net::Question, Known> known_;  // of all sources
  bool is_following_ = false;
  bool has_endpoint_ = false;  // that may get requests
  Watches watches_;
  std::vector<std::shared_ptr<Waiter>> waiting_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
