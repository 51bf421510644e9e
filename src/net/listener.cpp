#include "net/listener.hpp"

#include <asio/ip/v6_only.hpp>

#include <sys/socket.h>

#include <cerrno>

namespace gw {
inline namespace v0 {
namespace net {

namespace {

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

// Out of memory, or of descriptors without a spare one: connections stay queued; try again after this.
constexpr auto retry_after = std::chrono::milliseconds(50);
// Then the connections that are there already get their turn.
constexpr int accepted_at_once = 64;

bool is_exhausted(int error) noexcept { return is_out_of_descriptors(error) || error == ENOMEM || error == ENOBUFS; }

}  // namespace

Listener::Listener(asio::io_context& worker, Spare& spare, const asio::ip::tcp::endpoint& address, Accepted accepted, Refused refused)
    : acceptor_(worker), retry_(worker), accepted_(std::move(accepted)), refused_(std::move(refused)), spare_(spare) {
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
  acceptor_.async_wait(asio::socket_base::wait_read, [self = shared_from_this()](std::error_code ec) {
    if (ec || !self->acceptor_.is_open()) return;
    for (int i = 0; i < accepted_at_once && self->accept_one(); ++i) continue;
    if (is_exhausted(errno)) self->pause();
    else self->accept();
  });
}

// Takes one connection from the queue. False, and errno, if there is none or it cannot be had.
bool Listener::accept_one() {
  asio::ip::tcp::endpoint client;
  const int socket = spare_.keep([&] { return take(client); });
  if (socket < 0 && is_out_of_descriptors(errno)) return refuse_one();
  // One that was reset in the queue is no reason to leave the others there.
  if (socket < 0) return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
  accepted_(socket, client);
  errno = 0;
  return true;
}

// Answers one connection of the queue with the spare descriptor. The system does not say whether there is one before it has a
// descriptor for it. False, and errno, as above.
bool Listener::refuse_one() {
  int error = 0;
  const auto answer = [&] {
    asio::ip::tcp::endpoint client;
    const int socket = take(client);
    if (socket < 0) error = errno;
    else refused_(socket);
  };
  if (!spare_.lend(answer)) return false;
  errno = error;
  return error == 0;
}

// The next connection of the queue; -1 and errno if there is none.
int Listener::take(asio::ip::tcp::endpoint& client) {
  socklen_t size = static_cast<socklen_t>(client.capacity());
  const int socket = ::accept4(acceptor_.native_handle(), client.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket >= 0) client.resize(size);
  return socket;
}

void Listener::pause() {
  retry_.expires_after(retry_after);
  retry_.async_wait([self = shared_from_this()](std::error_code ec) {
    if (!ec && self->acceptor_.is_open()) self->accept();
  });
}

void Listener::close() {
  while (accept_one()) continue;
  std::error_code ignored;
  acceptor_.close(ignored);
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
