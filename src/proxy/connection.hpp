/// \file
/// A client's connection: the life of its requests, in order.
#pragma once

#include "proxy/gather.hpp"
#include "proxy/listener_state.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

#include <exception>
#include <memory>
#include <string>

namespace gw {
inline namespace v0 {
namespace proxy {

/// One client connection. While it is idle it is this small object with one pending callback. The
/// coroutine `serve` and a session exist from the first byte of a request until nothing has come for a
/// second, the session's buffer only while there is something in it. Owned by its worker, which it
/// leaves by itself.
class Connection {
 public:
  /// Where a connection comes from.
  struct Origin {
    std::string peer_address;                       ///< IP address as text
    std::shared_ptr<const ListenerState> listener;  ///< which took it
  };

  Connection(Worker& worker, std::shared_ptr<Transport> transport, Origin origin);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Adds a connection to `worker` and waits for its first request.
  static void start(Worker& worker, std::shared_ptr<Transport> transport, Origin origin);

  /// Ends the connection as soon as what was asked is answered: at once if that is nothing.
  void drain();
  /// Ends the connection now.
  void abort();

 private:
  enum class Step { complete, blocked, refused, closed };
  enum class Sending { done, waiting, failed };

  static void awake(void* self, Wake why);
  void begin_serving();
  void idle();

  Task<> serve();
  void begin_rest();
  Task<Step> read_head();
  Step advance_head();
  Task<> refuse();
  Task<bool> answer();
  Peer peer();
  void begin_body();
  void compose_response();
  bool add_chunk(Chunk chunk);
  Sending begin_response();
  Task<bool> respond(Sending sending);
  Sending note_thrown(const std::exception_ptr& thrown);
  Task<Sending> stream_response();
  Task<bool> discard_body();
  Task<> tunnel(Call& upstream);
  Task<> linger();
  void watch_client();
  void stop_watching();

  Worker& worker_;
  std::shared_ptr<Transport> transport_;
  Origin origin_;
  std::uint32_t trust_version_ = 0;   // of the listener, when `is_trusted_` was found out
  bool is_trusted_ = false;
  std::unique_ptr<Session> session_;
  bool is_serving_ = false;
  bool is_resting_ = false;           // serving, but between two requests
  Duration idle_spent_{0};            // of timeouts.client_idle, while resting
  bool is_first_ = true;

  // State of the response being written.
  h1::Framing framing_ = h1::Framing::none;
  bool keep_alive_ = false;
  std::uint64_t length_ = 0;   // of Framing::length
  bool has_response_ended_ = false;

  net::Wheel::Deadline patience_;  // after this, look whether the client is still there
  bool is_watching_ = false;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
