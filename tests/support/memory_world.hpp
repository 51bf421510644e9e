/// \file
/// One worker with clients and upstreams that are memory: the whole way of a request without sockets.
#pragma once

#include "compile.hpp"
#include "h1/codec.hpp"
#include "net/listener.hpp"
#include "proxy/call.hpp"
#include "proxy/connection.hpp"
#include "proxy/lease.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"
#include "support/memory_transport.hpp"

#include <asio/executor_work_guard.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw_test {

/// A message as its receiver understood it; text that it owns.
struct Message {
  int status = 0;       ///< of a response
  std::string start;    ///< of a request: "GET /path?query"
  gw::Headers headers;
  std::string body;
  gw::Headers trailers;
  bool is_complete = false;
};

/// What a client understands of the bytes it got; the gateway has closed behind them, or reset the
/// connection if `was_reset`. `methods[i]` is that of request i; GET beyond. Interim responses are messages of their own. Bytes behind the
/// last response, which only a tunnel has, are one more body with status 0.
inline std::vector<Message> read_responses(std::string_view bytes, const std::vector<gw::Method>& methods = {}, bool was_reset = false) {
  std::vector<Message> messages;
  gw::h1::ResponseCodec codec(gw::Limits{});
  std::size_t answered = 0;
  while (!bytes.empty()) {
    codec.reset(answered < methods.size() ? methods[answered] : gw::Method::get);
    Message& m = messages.emplace_back();
    gw::Response head;
    const gw::Result<std::size_t> size = codec.head(bytes, head);
    REQUIRE_MESSAGE(size.has_value(), "the client cannot read: " << std::string(bytes));
    if (*size == 0) return messages;
    bytes.remove_prefix(*size);
    m.status = head.status;
    m.headers = head.headers;
    if (head.status == 101) {
      m.is_complete = true;
      messages.emplace_back().body = bytes;
      return messages;
    }
    if (head.status >= 200) ++answered;
    for (m.is_complete = head.status < 200; !m.is_complete;) {
      const gw::Result<gw::h1::BodyPiece> piece = codec.body(bytes);
      REQUIRE_MESSAGE(piece.has_value(), "the client cannot read: " << std::string(bytes));
      m.body += piece->content;
      bytes.remove_prefix(piece->consumed);
      m.is_complete = piece->ended;
      if (!piece->ended && bytes.empty()) {
        m.is_complete = codec.framing() == gw::h1::Framing::until_close && !was_reset;
        break;
      }
    }
    m.trailers = codec.trailers();
    if (!m.is_complete) return messages;
  }
  return messages;
}

/// The other end of a connection to an upstream: reads requests and answers them.
class UpstreamPeer {
 public:
  /// When a request is answered.
  enum class When { head, end };

  explicit UpstreamPeer(std::shared_ptr<MemoryTransport> transport) : transport_(std::move(transport)) {
    transport_->on_write = [this](std::string_view written) { take(written); };
    transport_->on_shutdown = [this] {
      if (has_switched_ && echoes) transport_->receive_end();
    };
  }
  ~UpstreamPeer() { transport_->on_write = nullptr, transport_->on_shutdown = nullptr; }
  UpstreamPeer(const UpstreamPeer&) = delete;
  UpstreamPeer& operator=(const UpstreamPeer&) = delete;

  std::vector<std::string> responses;  ///< one for each request; none: it stays without answer
  /// Says the response to a request instead; empty: none.
  std::function<std::string(const Message& request)> respond;
  When when = When::end;
  bool ends = false;                   ///< close after the last response
  bool echoes = true;                  ///< sends back what comes through a tunnel, and ends when that does
  std::string at_head;                 ///< what is said to the head of each request, before its response
  std::vector<Message> requests;       ///< as far as they have arrived
  std::string tunneled;                ///< bytes after an answer 101

  MemoryTransport& transport() noexcept { return *transport_; }
  bool has_switched() const noexcept { return has_switched_; }

 private:
  void take(std::string_view written) {
    for (;;) {
      const std::string_view rest = written.substr(taken_);
      if (has_switched_) {
        tunneled += rest;
        taken_ += rest.size();
        if (!rest.empty() && echoes) transport_->receive(rest);
        return;
      }
      if (!is_in_body_) {
        gw::Request head;
        const gw::Result<std::size_t> size = codec_.head(rest, head);
        REQUIRE_MESSAGE(size.has_value(), "the upstream cannot read: " << std::string(rest));
        if (*size == 0) return;
        taken_ += *size;
        is_in_body_ = true;
        Message& m = requests.emplace_back();
        m.start = std::string(gw::to_string(head.method)) + ' ' + std::string(head.target());
        m.headers = head.headers;
        transport_->receive(at_head);
        if (when == When::head) answer();
        continue;
      }
      const gw::Result<gw::h1::BodyPiece> piece = codec_.body(rest);
      REQUIRE_MESSAGE(piece.has_value(), "the upstream cannot read: " << std::string(rest));
      Message& m = requests.back();
      m.body += piece->content;
      taken_ += piece->consumed;
      if (piece->ended) {
        m.is_complete = true;
        m.trailers = codec_.trailers();
        codec_.reset();
        is_in_body_ = false;
        if (when == When::end) answer();
      } else if (piece->consumed == 0) {
        return;
      }
    }
  }

  void answer() {
    if (!respond && requests.size() > responses.size()) return;
    const std::string response = respond ? respond(requests.back()) : responses[requests.size() - 1];
    has_switched_ = response.compare(0, 12, "HTTP/1.1 101") == 0;
    transport_->receive(response);
    if (ends && (respond || requests.size() == responses.size())) transport_->receive_end();
  }

  std::shared_ptr<MemoryTransport> transport_;
  gw::h1::RequestCodec codec_{gw::Limits{}};
  std::size_t taken_ = 0;
  bool is_in_body_ = false;
  bool has_switched_ = false;
};

/// Counts requests as a stage of the gateway sees them.
struct Counts {
  int begun = 0;
  int done = 0;
  int complete = 0;                     ///< whose response went out whole
  std::vector<std::string> failures;   ///< of requests that had one, by name
};

/// An address of TCP, as what connects is told it.
inline asio::ip::tcp::endpoint tcp_of(const gw::proxy::Endpoint::Address& address) {
  asio::ip::tcp::endpoint tcp;
  std::memcpy(tcp.data(), address.data(), address.size());
  tcp.resize(address.size());
  return tcp;
}

/// A worker, a configuration, and the upstream "up", to which everything is forwarded by default. New
/// connections to it are refused, unless `accept` says otherwise; those that `upstream` makes are free in the pool.
class World {
 public:
  explicit World(const std::function<void(gw::Config&)>& edit = {}) {
    gw::Config config;
    gw::UpstreamOptions options;
    options.retries.max = 0;  // one try, so that its failure is seen
    config.upstreams.push_back({"up", {gw::EndpointOptions("127.0.0.1:" + std::to_string(refusing.address().port()))}, options, {}});
    config.use.push_back(gw::Stage(Counter{&counts}, "counter"));
    gw::RouteConfig everything;
    everything.rule.pattern = "/";
    everything.action = gw::ForwardConfig{"up", {}};
    config.routes.push_back(everything);
    if (edit) edit(config);
    gw::Problems problems;
    const auto compiled = gw::compile(config, {}, shared, problems);
    for (const gw::Problem& p : problems) FAIL(p.text());
    endpoint = shared.endpoints.find({gw::detail::EndpointAddress::Kind::host, "127.0.0.1", refusing.address().port()});
    worker.publish(compiled);
  }
  ~World() {
    worker.finish();
    settle();
  }

  /// Time stands still from now on but for `pass`, so that no deadline comes because the machine is slow. Before all else.
  void hold_time() {
    work_.emplace(worker.io.get_executor());
    // The wheel asks for its clock when the first deadline is armed; this one stays, and `finish` ends the clock.
    worker.wheel.arm(held_, std::chrono::hours(24 * 365));
    worker.finish();
    settle();
  }

  /// A client that connects now.
  std::shared_ptr<MemoryTransport> client(std::size_t fragment = MemoryTransport::whole, std::size_t room = MemoryTransport::whole) {
    auto transport = std::make_shared<MemoryTransport>(worker.io, worker.wheel, faults, fragment, room);
    gw::proxy::Connection::start(worker, transport, {"192.0.2.7", listener});
    return transport;
  }

  /// A free connection to the upstream.
  std::unique_ptr<UpstreamPeer> upstream(std::size_t fragment = MemoryTransport::whole, std::size_t room = MemoryTransport::whole) {
    auto transport = std::make_shared<MemoryTransport>(worker.io, worker.wheel, faults, fragment, room);
    const gw::UpstreamOptions& options = (*worker.snapshot)->upstreams.find("up")->second->options;
    REQUIRE(worker.pool.open(endpoint, {options.idle_connections, options.connections}));
    gw::proxy::Lease lease(worker, std::make_shared<gw::proxy::UpstreamConnection>(worker, endpoint, transport), true);
    lease.give_back(options);
    return std::make_unique<UpstreamPeer>(transport);
  }

  /// New connections to the upstream come about from now on; `prepare` tells each what to do.
  void accept(std::function<void(UpstreamPeer&)> prepare, std::size_t fragment = MemoryTransport::whole, std::size_t room = MemoryTransport::whole) {
    worker.connect = [this, prepare = std::move(prepare), fragment, room](const auto&, std::error_code&) {
      auto transport = std::make_shared<MemoryTransport>(worker.io, worker.wheel, faults, fragment, room);
      prepare(*accepted.emplace_back(std::make_unique<UpstreamPeer>(transport)));
      return transport;
    };
  }
  /// Those connections, in their order.
  std::vector<std::unique_ptr<UpstreamPeer>> accepted;

  /// Lets everything happen that can without more from the peers.
  void settle() {
    while (worker.io.poll() > 0) continue;
  }
  /// Lets so much time pass for deadlines that wait already, and what they end happen.
  void pass(gw::Duration time) {
    passed_ += time;
    worker.wheel.advance(gw::net::Wheel::Clock::now() + passed_);
    settle();
  }
  /// Runs until `is_over()` holds.
  template <class F>
  void run_until(F&& is_over) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!is_over()) {
      worker.io.run_one_for(std::chrono::seconds(1));
      REQUIRE_MESSAGE(std::chrono::steady_clock::now() < give_up, "nothing happens any more");
    }
  }
  /// Runs until all clients are gone, and what they have left behind is done.
  void run() {
    run_until([this] { return !worker.has_connections(); });
    settle();
    check_left();
  }
  /// The same, but time passes whenever nothing else happens.
  void run_in_no_time() {
    settle();
    for (int i = 0; worker.has_connections(); ++i) {
      REQUIRE_MESSAGE(i < 500, "something waits for ever");
      pass(i < 300 ? std::chrono::milliseconds(500) : std::chrono::hours(1));
    }
    settle();
    check_left();
  }

  /// That nothing is left of clients that are gone.
  void check_left() {
    CHECK(shared.connections == 0);
    CHECK(counts.begun == counts.done);
    CHECK(counted_requests() == static_cast<std::uint64_t>(counts.done));
    CHECK(worker.counters.requests.value() == 0);
    CHECK(worker.counters.tunnels.value() == 0);
    CHECK(worker.counters.connections.value() == 0);
    CHECK(endpoint->running == 0);
  }

  /// Requests that the gateway's own counters know.
  std::uint64_t counted_requests() const {
    std::uint64_t all = 0;
    for (const auto& route : shared.metrics.view().routes)
      route->each([&](const gw::proxy::RouteCounters& c) { c.statuses.each([&](std::uint32_t, std::uint64_t count) { all += count; }); });
    return all;
  }

  gw::net::Reservation refusing{asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)};
  Counts counts;
  Faults faults;
  gw::proxy::Shared shared;
  gw::proxy::Worker worker{shared, 1};
  std::shared_ptr<gw::proxy::Endpoint> endpoint;
  std::shared_ptr<gw::proxy::ListenerState> listener = std::make_shared<gw::proxy::ListenerState>(gw::proxy::ListenerState{8000, nullptr, 0});

 private:
  gw::Duration passed_{0};
  gw::net::Wheel::Deadline held_{[](void*) {}, nullptr};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;

  struct Counter {
    Counts* counts;
    void request(gw::Context&) const { ++counts->begun; }
    void done(const gw::Context& c) const {
      ++counts->done;
      counts->complete += c.is_complete();
      if (c.failure()) counts->failures.emplace_back(gw::name_of(c.failure()->code));
    }
  };
};

}  // namespace gw_test
