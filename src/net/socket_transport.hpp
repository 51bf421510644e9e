/// \file
/// Stream sockets as a transport: TCP and Unix sockets.
#pragma once

#include "net/poller.hpp"
#include "net/waiting_transport.hpp"

#include <asio/generic/stream_protocol.hpp>

namespace gw {
inline namespace v0 {
namespace net {

/// A connected TCP or Unix socket, or one that is being connected. Owned by `shared_ptr`: what it notifies
/// may drop it.
///
/// Whether a side is ready is remembered between events, so that neither a wait nor a read that
/// could only find nothing costs a system call.
class SocketTransport final : public WaitingTransport, public std::enable_shared_from_this<SocketTransport>, private Poller::Watcher {
 public:
  /// Where the transport lives.
  struct Loop {
    asio::io_context& io;
    Poller& poller;
    Wheel& wheel;
  };

  /// Takes over a connected, non-blocking socket.
  static std::shared_ptr<SocketTransport> adopt(int socket, const Loop& loop);
  /// Begins to connect to `address`: wait for `Side::write`, then ask `connected`. Null and `ec` if
  /// it failed already.
  static std::shared_ptr<SocketTransport> connect(const asio::generic::stream_protocol::endpoint& address, const Loop& loop, std::error_code& ec);

  SocketTransport(int socket, const Loop& loop);
  ~SocketTransport() override;

  std::error_code connected() override;
  std::size_t read(asio::mutable_buffer into, std::error_code& ec) override;
  std::size_t write(std::span<const asio::const_buffer> pieces, std::error_code& ec) override;
  bool is_gone() override;
  bool is_quiet() override;
  bool has_news() const noexcept override { return may_read_ || Poller::has_event(*this); }
  void shutdown_write() override;
  void close() override;
  void reset() override;

 private:
  void arm(Side side) override;
  void on_events(std::uint32_t events) override;

  asio::io_context& io_;
  Poller& poller_;
  int socket_;
  std::array<bool, 2> is_notice_posted_{};  // a side was found ready when it was armed
  bool may_read_ = false;    // a read may find something
  bool may_write_ = true;    // a write may find room
  bool* was_destroyed_ = nullptr;  // of `on_events` that runs: what it notifies may drop this object
  bool has_ended_ = false;   // the peer has finished or the connection broke: every read finds that
  bool is_broken_ = false;   // a write was told; the system tells an error once, and then it looks like an end
};

}  // namespace net
}  // namespace v0
}  // namespace gw
