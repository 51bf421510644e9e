/// \file
/// A connection to an upstream, borrowed from the worker's pool for one request.
#pragma once

#include <gw/event.hpp>

#include "net/wheel.hpp"
#include "proxy/worker.hpp"

#include <memory>

namespace gw {
inline namespace v0 {
namespace proxy {

/// A connection to an endpoint, leased or idle in the pool of its worker.
class UpstreamConnection : public std::enable_shared_from_this<UpstreamConnection> {
 public:
  UpstreamConnection(Worker& worker, std::shared_ptr<Endpoint> endpoint, std::shared_ptr<Transport> transport, CountedConnection counted = {})
      : worker_(worker), endpoint_(std::move(endpoint)), transport_(std::move(transport)), counted_(std::move(counted)) {}
  ~UpstreamConnection() {
    // A pool that is emptied drops connections at rest: their watch must not find them gone.
    transport_->unwatch(Side::read);
    transport_->close();
  }
  UpstreamConnection(const UpstreamConnection&) = delete;
  UpstreamConnection& operator=(const UpstreamConnection&) = delete;

  const std::shared_ptr<Endpoint>& endpoint() const noexcept { return endpoint_; }
  Transport& transport() noexcept { return *transport_; }

  /// Begins the idle time: the connection leaves the pool when it is over, or when the upstream
  /// closes or says something unasked (it must not become the answer to the next request).
  void rest(Duration idle) {
    counted_.set_idle(true);
    transport_->watch(Side::read, idle, &UpstreamConnection::end_rest, this);
  }
  void wake() {
    counted_.set_idle(false);
    transport_->unwatch(Side::read);
  }

 private:
  static void end_rest(void* self, Wake);

  Worker& worker_;
  std::shared_ptr<Endpoint> endpoint_;
  std::shared_ptr<Transport> transport_;
  CountedConnection counted_;
};

/// The right to use a connection. Destroyed, it closes it, unless `give_back` was called. Move-only.
class Lease {
 public:
  using Caps = UpstreamPool::Caps;

  Lease() noexcept = default;
  Lease(Worker& worker, std::shared_ptr<UpstreamConnection> connection, bool is_reused) noexcept
      : worker_(&worker), connection_(std::move(connection)), is_reused_(is_reused) {}
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&& other) noexcept {
    close();
    worker_ = other.worker_;
    connection_ = std::move(other.connection_);
    is_reused_ = other.is_reused_;
    return *this;
  }
  ~Lease() { close(); }

  /// An idle connection to `endpoint`; an empty lease if there is none.
  static Lease reuse(Worker& worker, const std::shared_ptr<Endpoint>& endpoint);
  /// What `connect` waits for.
  struct Connecting {
    Event event;
    bool is_abandoned = false;
    net::Wheel::Deadline deadline{[](void* e) { static_cast<Event*>(e)->notify(); }, &event};
    net::Wheel::Deadline end{[](void* self) {
                               static_cast<Connecting*>(self)->is_abandoned = true;
                               static_cast<Connecting*>(self)->event.notify();
                             },
                             this};
  };
  /// A new connection to `member` of `upstream`, made within `limit`. If that takes as long as `head_start` and there is a `second` one, the
  /// connection is to whichever is quicker, and the other's failure is told (RFC 8305); `second` becomes null if it was not tried. For a name
  /// without a known address, waits for the first answer, and then fails, so that the caller chooses again. Fails soon after
  /// `connecting.end` is due, which is for the caller.
  static Task<Result<Lease>> connect(Worker& worker, Member& member, Member*& second, const UpstreamState& upstream, Duration limit,
                                     Connecting& connecting);
  static constexpr Duration head_start{250};  ///< RFC 8305, section 5

  explicit operator bool() const noexcept { return connection_ != nullptr; }
  const Endpoint& endpoint() const noexcept { return *connection_->endpoint(); }
  Transport& transport() const { return connection_->transport(); }
  /// Whether the connection served another request before.
  bool is_reused() const noexcept { return is_reused_; }

  /// Puts the connection back: its last response was read to the end and nothing else was.
  void give_back(const UpstreamOptions& options);
  /// Closes the connection.
  void close();
  /// Soon ends a wait for `Side::read`; what waits is not resumed inside this call.
  void interrupt() const;

 private:
  Worker* worker_ = nullptr;
  std::shared_ptr<UpstreamConnection> connection_;
  bool is_reused_ = false;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
