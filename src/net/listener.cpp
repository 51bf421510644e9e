#include "net/listener.hpp"

#include <asio/ip/v6_only.hpp>

#include <sys/socket.h>

namespace gw {
inline namespace v0 {
namespace net {

namespace {

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

// Out of descriptors or memory: connections stay queued; try again after this.
constexpr auto retry_after = std::chrono::milliseconds(50);

}  // namespace

Listener::Listener(asio::io_context& worker, const asio::ip::tcp::endpoint& address, Accepted accepted)
    : acceptor_(worker), retry_(worker), accepted_(std::move(accepted)) {
  acceptor_.open(address.protocol());
  acceptor_.set_option(asio::socket_base::reuse_address(true));
  acceptor_.set_option(ReusePort(true));
  // "[::]" is IPv6 alone, so that it can stand beside "0.0.0.0".
  if (address.address().is_v6()) acceptor_.set_option(asio::ip::v6_only(true));
  acceptor_.bind(address);
}

void Listener::listen() {
  acceptor_.listen(asio::socket_base::max_listen_connections);
  acceptor_.non_blocking(true);
}

void Listener::accept() {
  acceptor_.async_accept([self = shared_from_this()](std::error_code ec, asio::ip::tcp::socket socket) {
    if (!self->acceptor_.is_open()) return;
    if (!ec) self->accepted_(std::move(socket));
    // Anything else is the connection's own trouble (it was reset in the queue).
    const bool is_exhausted = ec == std::errc::too_many_files_open || ec == std::errc::too_many_files_open_in_system ||
                              ec == std::errc::not_enough_memory || ec == std::errc::no_buffer_space;
    if (is_exhausted) self->pause();
    else self->accept();
  });
}

void Listener::pause() {
  retry_.expires_after(retry_after);
  retry_.async_wait([self = shared_from_this()](std::error_code ec) {
    if (!ec && self->acceptor_.is_open()) self->accept();
  });
}

void Listener::close() {
  std::error_code ec;
  for (;;) {
    asio::ip::tcp::socket socket(acceptor_.get_executor());
    acceptor_.accept(socket, ec);
    if (ec) break;
    accepted_(std::move(socket));
  }
  acceptor_.close(ec);
  retry_.cancel();
}

Reservation::Reservation(const asio::ip::tcp::endpoint& address) {
  socket_.open(address.protocol());
  // Ports that still wait after a close are free (TIME_WAIT); ports that are listened on are not.
  socket_.set_option(asio::socket_base::reuse_address(true));
  if (address.address().is_v6()) socket_.set_option(asio::ip::v6_only(true));
  socket_.bind(address);
}

}  // namespace net
}  // namespace v0
}  // namespace gw
