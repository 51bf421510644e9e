/// \file
/// TCP as a transport.
#pragma once

#include "net/waiting_transport.hpp"

#include <asio/ip/tcp.hpp>

namespace gw {
inline namespace v0 {
namespace net {

/// A connected TCP socket. Owned by `shared_ptr`, because a pending wait keeps it alive.
class TcpTransport final : public WaitingTransport, public std::enable_shared_from_this<TcpTransport> {
 public:
  /// Takes over a connected socket and makes it non-blocking and without Nagle's delay.
  TcpTransport(asio::ip::tcp::socket socket, Wheel& wheel);

  std::size_t read(asio::mutable_buffer into, std::error_code& ec) override;
  std::size_t write(std::span<const asio::const_buffer> pieces, std::error_code& ec) override;
  bool is_gone() override;
  bool is_quiet() override;
  void shutdown_write() override;
  void close() override;

 private:
  void arm(Side side) override;

  asio::ip::tcp::socket socket_;
};

}  // namespace net
}  // namespace v0
}  // namespace gw
