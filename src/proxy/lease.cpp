#include "proxy/lease.hpp"

#include <asio/post.hpp>

#include <chrono>
#include <optional>
#include <utility>

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

Failure failure_of(Error e) { return Failure(e, Origin::upstream, Retry::another); }

// A connection that is being made. It counts as one.
class Attempt {
 public:
  // Notifies `over` when it has ended, but not from inside the constructor.
  Attempt(Worker& worker, Member& to, const UpstreamState& upstream, Duration limit, Event& over)
      : member(to), worker_(worker), upstream_(upstream), over_(over) {
    const UpstreamOptions& options = upstream.options;
    is_counted_ = worker.pool.open(to.endpoint, {options.idle_connections, options.connections});
    if (!is_counted_) {
      fail(Error::upstream_busy);
      return;
    }
    std::error_code ec;
    transport_ = worker.shared.spare.keep([&] { return worker.connect(*to.endpoint->address, ec); });
    if (transport_) transport_->watch(Side::write, limit, &Attempt::ended, this);
    else if (net::is_out_of_descriptors(ec.value())) fail(Error::out_of_descriptors);
    else fail(Error::connect_failed);
  }
  ~Attempt() {
    if (transport_) transport_->unwatch(Side::write);
    if (is_counted_) worker_.pool.drop(member.endpoint);
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  bool is_over() const noexcept { return is_over_; }
  bool is_good() const noexcept { return is_over_ && !failed_; }

  // What has come of it; it is over.
  Result<Lease> result() {
    if (failed_ == Error::out_of_descriptors) {
      worker_.shared.out_of_descriptors();
      return Failure(*failed_);
    }
    if (failed_) return failure_of(*failed_);
    is_counted_ = false;  // the lease does
    auto connection = std::make_shared<UpstreamConnection>(worker_, member.endpoint, std::exchange(transport_, nullptr),
                                                           CountedConnection(upstream_.metrics, worker_.index));
    return Lease(worker_, std::move(connection), false);
  }

  // Another one was better, or is the one whose failure the caller is told. That there was no room for it here is not its fault.
  void is_passed_over() const {
    if (failed_ == Error::upstream_busy || failed_ == Error::out_of_descriptors) return;
    upstream_.report(member, failed_ ? Sign::refused : Sign::failed, worker_.index);
  }

  Member& member;

 private:
  static void ended(void* self, Wake why) {
    auto& attempt = *static_cast<Attempt*>(self);
    if (why == Wake::timed_out) attempt.fail(Error::connect_timeout);
    else if (attempt.transport_->connected()) attempt.fail(Error::connect_failed);
    attempt.is_over_ = true;
    attempt.over_.notify();
  }

  void fail(Error e) {
    is_over_ = true;
    failed_ = e;
    upstream_.metrics->of(worker_.index).connect_failures.add(tally_key(e));
  }

  Worker& worker_;
  const UpstreamState& upstream_;
  Event& over_;
  bool is_counted_ = false;
  bool is_over_ = false;
  std::optional<Error> failed_;
  std::shared_ptr<Transport> transport_;
};

// Waits until the upstream has an endpoint with an address, or cannot get one, but not longer than `limit`. Whether it has.
Task<bool> wait_for_names(Worker& worker, const UpstreamState& upstream, Duration limit, Lease::Connecting& connecting) {
  const auto waiter = upstream.discovery().wait(worker.io, connecting.event);
  // It may have got one just now.
  if (!waiter) co_return upstream.discovery().has_endpoint();
  worker.wheel.arm(connecting.deadline, limit);
  co_await connecting.event.wait();
  connecting.deadline.disarm();
  co_return upstream.discovery().settle(waiter);
}

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

Task<Result<Lease>> Lease::connect(Worker& worker, Member& member, Member*& second, const UpstreamState& upstream, Duration limit, Connecting& connecting) {
  if (!member.endpoint->address) {
    second = nullptr;
    const bool is_known = co_await wait_for_names(worker, upstream, limit, connecting);
    if (!is_known) upstream.metrics->of(worker.index).connect_failures.add(tally_key(Error::dns_failed));
    co_return failure_of(Error::dns_failed);
  }

  Attempt first(worker, member, upstream, limit, connecting.event);
  if (!first.is_over()) {
    if (second && head_start < limit) worker.wheel.arm(connecting.deadline, head_start);
    co_await connecting.event.wait();
    connecting.deadline.disarm();
  }
  if (connecting.is_abandoned) co_return failure_of(Error::connect_timeout);
  if (first.is_over() || !second || head_start >= limit) {
    second = nullptr;
    co_return first.result();
  }

  Attempt other(worker, *second, upstream, limit - head_start, connecting.event);
  const auto is_decided = [&] { return first.is_good() || other.is_good() || (first.is_over() && other.is_over()) || connecting.is_abandoned; };
  while (!is_decided()) co_await connecting.event.wait();
  if (connecting.is_abandoned) co_return failure_of(Error::connect_timeout);
  if (!other.is_good() || first.is_good()) {
    if (other.is_over() && !other.is_good()) other.is_passed_over();
    co_return first.result();
  }
  first.is_passed_over();
  co_return other.result();
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
