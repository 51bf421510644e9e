#include "proxy/lease.hpp"

#include <asio/post.hpp>

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

// Waits for the resolver, but not longer than `limit`.
class LookupWait {
 public:
  LookupWait(Worker& worker, const std::string& name, Duration limit) : deadline_(&LookupWait::expired, this) {
    worker.wheel.arm(deadline_, limit);
    // The answer may come after this object is gone: it finds the pointer reset.
    worker.shared.resolver.when_known(name, worker.io, [alive = std::weak_ptr<LookupWait*>(self_)](std::shared_ptr<const net::Addresses> a) {
      if (const auto self = alive.lock()) (*self)->finish(std::move(a));
    });
  }

  Task<std::shared_ptr<const net::Addresses>> wait() {
    if (!is_finished_) co_await event_.wait();
    co_return addresses_;
  }

 private:
  static void expired(void* self) { static_cast<LookupWait*>(self)->finish(nullptr); }
  void finish(std::shared_ptr<const net::Addresses> a) {
    is_finished_ = true;
    addresses_ = std::move(a);
    self_.reset();
    event_.notify();
  }

  bool is_finished_ = false;
  std::shared_ptr<const net::Addresses> addresses_;
  net::Event event_;
  net::Wheel::Deadline deadline_;
  std::shared_ptr<LookupWait*> self_ = std::make_shared<LookupWait*>(this);
};

}  // namespace

void UpstreamConnection::end_rest(void* self, Wake) {
  auto connection = static_cast<UpstreamConnection*>(self)->shared_from_this();
  connection->worker_.pool.remove(connection->endpoint_, connection);
}

Lease Lease::reuse(Worker& worker, const std::shared_ptr<Endpoint>& endpoint) {
  auto connection = worker.pool.take(endpoint);
  if (!connection) return {};
  (*connection)->wake();
  return Lease(worker, std::move(*connection), true);
}

Task<Result<Lease>> Lease::connect(Worker& worker, const std::shared_ptr<Endpoint>& endpoint, const UpstreamState& upstream, Duration limit) {
  const UpstreamOptions& options = upstream.options;
  const auto failed = [&](Error e) {
    upstream.metrics->of(worker.index).connect_failures.add(tally_key(e));
    return Failure(e, Origin::upstream, Retry::another);
  };
  if (!worker.pool.open(endpoint, {options.idle_connections, options.connections})) co_return failed(Error::upstream_busy);
  struct Opening {  // counts as a connection while it is being made
    ~Opening() {
      if (!is_done) worker.pool.drop(endpoint);
    }
    Worker& worker;
    const std::shared_ptr<Endpoint>& endpoint;
    bool is_done = false;
  } opening{worker, endpoint};

  const auto start = std::chrono::steady_clock::now();
  const auto left = [&] {
    return std::chrono::duration_cast<Duration>(start + limit - std::chrono::steady_clock::now());
  };

  net::Addresses addresses;
  if (endpoint->literal) {
    addresses.push_back(*endpoint->literal);
  } else {
    std::shared_ptr<const net::Addresses> known = worker.shared.resolver.known(endpoint->address.host);
    if (!known) {
      LookupWait lookup(worker, endpoint->address.host, left());
      known = co_await lookup.wait();
    }
    if (!known || known->empty()) co_return failed(Error::dns_failed);
    addresses = *known;
  }

  std::error_code ec;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    // A dead address must leave time for the others.
    const Duration share = left() / static_cast<int>(addresses.size() - i);
    if (share.count() <= 0) break;
    const asio::ip::tcp::endpoint to(addresses[i], endpoint->address.port);
    ec.clear();
    const std::shared_ptr<Transport> transport = worker.shared.spare.keep([&] { return worker.connect(to, ec); });
    if (!transport && net::is_out_of_descriptors(ec.value())) {
      worker.shared.out_of_descriptors();
      upstream.metrics->of(worker.index).connect_failures.add(tally_key(Error::out_of_descriptors));
      co_return Failure(Error::out_of_descriptors);
    }
    if (!transport) continue;
    const Wake wake = co_await transport->until(Side::write, share);
    ec = wake == Wake::timed_out ? make_error_code(Error::connect_timeout) : transport->connected();
    if (ec) continue;
    opening.is_done = true;
    auto connection = std::make_shared<UpstreamConnection>(worker, endpoint, transport, CountedConnection(upstream.metrics, worker.index));
    co_return Lease(worker, std::move(connection), false);
  }
  co_return failed(ec == Error::connect_timeout || !ec ? Error::connect_timeout : Error::connect_failed);
}

void Lease::give_back(const UpstreamOptions& options) {
  std::shared_ptr<UpstreamConnection> connection = std::move(connection_);
  if (worker_->is_draining) {
    worker_->pool.drop(connection->endpoint());
    return;
  }
  UpstreamConnection& free = *connection;
  if (worker_->pool.give(free.endpoint(), std::move(connection), {options.idle_connections, options.connections})) free.rest(options.timeouts.idle);
}

void Lease::interrupt() const {
  asio::post(worker_->io, [weak = connection_->weak_from_this()] {
    if (const auto connection = weak.lock()) connection->transport().interrupt(Side::read);
  });
}

void Lease::close() {
  if (!connection_) return;
  worker_->pool.drop(connection_->endpoint());
  connection_.reset();
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
