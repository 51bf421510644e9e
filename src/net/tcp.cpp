#include "net/tcp.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

namespace gw {
inline namespace v0 {
namespace net {

namespace {

// The calls go to the system directly: Asio's synchronous operations poll the descriptor's state
// around each of them.
std::error_code last_error() noexcept {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return asio::error::would_block;
  return {errno, asio::error::get_system_category()};
}

}  // namespace

TcpTransport::TcpTransport(asio::ip::tcp::socket socket, Wheel& wheel) : WaitingTransport(wheel), socket_(std::move(socket)) {
  std::error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

std::size_t TcpTransport::read(asio::mutable_buffer into, std::error_code& ec) {
  ssize_t n;
  do n = ::recv(socket_.native_handle(), into.data(), into.size(), 0);
  while (n < 0 && errno == EINTR);
  if (n > 0) return ec.clear(), static_cast<std::size_t>(n);
  ec = n == 0 ? std::error_code(asio::error::eof) : last_error();
  return 0;
}

std::size_t TcpTransport::write(std::span<const asio::const_buffer> pieces, std::error_code& ec) {
  std::array<iovec, 16> vectors;
  const std::size_t count = std::min(pieces.size(), vectors.size());
  for (std::size_t i = 0; i < count; ++i) vectors[i] = {const_cast<void*>(pieces[i].data()), pieces[i].size()};
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  ssize_t n;
  do n = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n >= 0) return ec.clear(), static_cast<std::size_t>(n);
  ec = last_error();
  return 0;
}

bool TcpTransport::is_gone() {
  char byte;
  const ssize_t n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

bool TcpTransport::is_quiet() {
  char byte;
  return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void TcpTransport::shutdown_write() {
  std::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

void TcpTransport::close() {
  std::error_code ignored;
  socket_.close(ignored);
}

void TcpTransport::arm(Side side) {
  socket_.async_wait(side == Side::read ? asio::ip::tcp::socket::wait_read : asio::ip::tcp::socket::wait_write,
                     [self = shared_from_this(), side](std::error_code) { self->notify_ready(side); });
}

}  // namespace net
}  // namespace v0
}  // namespace gw
