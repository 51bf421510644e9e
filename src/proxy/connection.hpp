/// \file
/// A client's connection: the life of its requests, in order.
#pragma once

#include "proxy/listener_state.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

#include <memory>
#include <string>

namespace gw {
inline namespace v0 {
namespace proxy {

/// One client connection. While it is idle it is this small object with one pending callback. From the
/// first byte of a request to its end it has a session. What a simple request needs runs in plain functions,
/// from one event to the next; what has to wait otherwise runs as a coroutine, one at a time, and the
/// functions go on behind it. Owned by its worker, which it leaves by itself.
class Connection {
 public:
  /// Where a connection comes from.
  struct Origin {
    std::string peer_address;                       ///< IP address as text
    std::shared_ptr<const ListenerState> listener;  ///< which took it
    ClientTable::Slot slot{};                       ///< counts it for its address
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

  /// There is a response: begins to send it. May end the connection.
  void answered();
  /// Runs stages and handler, or what is left of them, as a coroutine.
  void run_stages();

 private:
  enum class Step { complete, blocked, refused, closed };

  static void awake(void* self, Wake why);
  void idle();
  void begin_serving();
  template <class T, class F>
  void spawn(Task<T> task, F then);

  void serve();
  bool has_more();
  void go_on(bool is_over);
  void rest();
  void end();
  bool take_head(Step step);
  Step advance_head();
  Task<Step> read_head();
  Task<> refuse();
  Peer peer();
  void begin_body();
  bool begin_request();
  bool answer();
  Task<> finish_answer(Responder::Sending sending, bool is_tunnel);
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
  bool is_first_ = true;              // no request was answered yet
  bool keep_alive_ = false;           // another request may follow
  bool is_watching_ = false;
  int in_a_row_ = 0;                  // requests that were answered without a turn for others
  std::uint64_t requests_ = 0;        // that were begun
  std::unique_ptr<Session> session_;  // while serving
  net::Wheel::Deadline patience_;     // after this, look whether the client is still there
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
