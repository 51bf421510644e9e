/// \file
/// What one worker owns: its event loop and everything that only its thread touches.
#pragma once

#include <gw/event.hpp>
#include <gw/log.hpp>
#include <gw/pool.hpp>
#include <gw/transport.hpp>

#include "net/dns.hpp"
#include "net/poller.hpp"
#include "net/socket_transport.hpp"
#include "net/spare.hpp"
#include "net/wheel.hpp"
#include "proxy/buffer.hpp"
#include "proxy/client_table.hpp"
#include "proxy/head_text.hpp"
#include "proxy/metrics.hpp"
#include "proxy/recycled.hpp"
#include "proxy/upstream_state.hpp"

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/thread_pool.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

class Call;
class Connection;
class UpstreamConnection;
struct Session;
struct Snapshot;

/// Idle connections to upstreams.
using UpstreamPool = Pool<std::shared_ptr<Endpoint>, std::shared_ptr<UpstreamConnection>>;

/// What the workers of one gateway share; outlives them. Immutable or thread-safe.
struct Shared {
  LogSink log = [](LogLevel, std::string_view) {};
  std::string pseudonym;                          ///< who we are in Via (RFC 9110 7.6.3); differs between gateways
  EndpointRegistry endpoints;
  UpstreamRecords records;
  Registry<net::Dns> names;                       ///< by whom they ask
  Metrics metrics;
  net::Spare spare;                               ///< for clients that come when there are no descriptors
  std::atomic<std::size_t> connections{0};        ///< client connections of all workers
  ClientTable clients;                            ///< and of each address

  /// Logs that the process is out of descriptors, once for as long as that keeps happening.
  void out_of_descriptors();

  /// The threads for calls that block; started when first asked for.
  asio::thread_pool& blocking();

 private:
  std::atomic<std::int64_t> out_of_descriptors_{0};  // when that happened last, in seconds of the steady clock; 0: never
  std::once_flag blocking_once_;
  std::optional<asio::thread_pool> blocking_;
};

/// One worker: a thread's event loop, timers, idle upstream connections, memory for requests.
/// Everything here belongs to its thread; other threads `asio::post` to `io`.
class Worker {
 public:
  /// Worker `number` of those that share; 0 is that of `Gateway::dispatch`.
  Worker(Shared& shared_state, std::uint64_t seed, std::size_t number = 0);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  asio::io_context io{1};
  Shared& shared;
  const std::size_t index;        ///< of its counters in routes and upstreams
  WorkerCounters& counters;
  net::Wheel wheel;
  net::Poller poller{io};
  net::SocketTransport::Loop loop() noexcept { return {io, poller, wheel}; }
  /// Begins to connect to an upstream, as `net::SocketTransport::connect` does; tests have upstreams without sockets.
  using Connect = std::function<std::shared_ptr<Transport>(const Endpoint::Address& to, std::error_code& ec)>;
  Connect connect = [this](const Endpoint::Address& to, std::error_code& ec) { return net::SocketTransport::connect(to, loop(), ec); };
  Random random;
  const std::uint64_t id_seed;    ///< begins the ids of this worker's requests
  std::uint64_t requests = 0;     ///< requests begun so far
  BufferStore buffers;
  /// Where heads are composed: nearly always one is written at once, and the next takes the same memory. Who has to wait keeps what is
  /// in it, by moving it away.
  HeadText head;
  UpstreamPool pool;
  Recycled<std::unique_ptr<Call>> free_calls;
  Recycled<std::unique_ptr<Session>> free_sessions;
  /// How long calls, sessions and buffers may wait unneeded: what a burst leaves behind is freed within twice that.
  static constexpr Duration kept_for = std::chrono::seconds(2);

  /// The configuration for requests that begin now. A control block of this worker alone: pinning it
  /// does not touch memory of other workers.
  std::shared_ptr<const std::shared_ptr<const Snapshot>> snapshot;
  void publish(std::shared_ptr<const Snapshot> s) { snapshot = std::make_shared<const std::shared_ptr<const Snapshot>>(std::move(s)); }

  bool is_draining = false;       ///< no new requests; connections end when they are idle
  Event drained;             ///< notified when the last connection is gone

  /// Takes a client connection over.
  Connection& add(std::unique_ptr<Connection> connection);
  /// Destroys a client connection; it is not serving.
  void remove(Connection& connection);
  bool has_connections() const noexcept { return !connections_.empty(); }
  /// Ends idle connections now and the others after their present request.
  void drain();
  /// Ends all connections now.
  void abort();
  std::unique_ptr<Session> take_session();
  void give_session(std::unique_ptr<Session> session);
  std::unique_ptr<Call> take_call();
  void give_call(std::unique_ptr<Call> call);
  /// Ends what runs for ever, so that `io` runs out of work. There are no connections any more.
  void finish();

  /// "Sun, 06 Nov 1994 08:49:37 GMT" of the present second (RFC 9110 5.6.7).
  std::string_view date();

 private:
  void run_clock();
  void trim_later();
  void trim();

  std::unordered_map<const Connection*, std::unique_ptr<Connection>> connections_;
  asio::steady_timer clock_;
  net::Wheel::Deadline trimming_;  // armed as long as something waits for its next use
  std::time_t date_second_ = 0;
  char date_text_[32];
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
