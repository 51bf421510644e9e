/// \file
/// One listening socket of one worker.
#pragma once

#include "net/spare.hpp"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <functional>
#include <memory>

namespace gw {
inline namespace v0 {
namespace net {

/// Accepts connections for one worker. Several workers bind the same address with SO_REUSEPORT, and
/// the system spreads connections over them. Owned by `shared_ptr`: a pending accept keeps it.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  /// Called on the worker's thread for every connection: a non-blocking socket, which is the
  /// callee's to close, and where it comes from.
  using Accepted = std::function<void(int socket, const asio::ip::tcp::endpoint& client)>;

  /// Called for a connection that cannot be kept, since the process may open no more descriptors: says so to it, and closes it
  /// before it returns. The descriptor is that of the `Spare`; clients are not left in the queue.
  using Refused = std::function<void(int socket)>;

  /// Binds; connections queue up from `listen` on. Throws std::system_error.
  Listener(asio::io_context& worker, Spare& spare, const asio::ip::tcp::endpoint& address, Accepted accepted, Refused refused);

  /// Starts queueing connections. Throws std::system_error. From any one thread, before `accept`.
  void listen();
  /// Starts accepting. On the worker's thread.
  void accept();
  /// Accepts what is queued, so that nobody is reset, and closes the socket. On the worker's thread.
  void close();

 private:
  bool accept_one();
  bool refuse_one();
  int take(asio::ip::tcp::endpoint& client);
  void pause();

  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  Accepted accepted_;
  Refused refused_;
  Spare& spare_;
};

/// Holds an address for this process while its listeners bind: a socket bound without SO_REUSEPORT,
/// which fails if another process listens there. Throws std::system_error.
class Reservation {
 public:
  explicit Reservation(const asio::ip::tcp::endpoint& address);
  /// The address with the port that the system chose for port 0.
  asio::ip::tcp::endpoint address() const { return socket_.local_endpoint(); }

 private:
  asio::io_context io_{1};
  asio::ip::tcp::socket socket_{io_};
};

}  // namespace net
}  // namespace v0
}  // namespace gw
