#include "net/socket_transport.hpp"

#include <asio/post.hpp>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace gw {
inline namespace v0 {
namespace net {

namespace {

std::error_code last_error() noexcept {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return asio::error::would_block;
  return {errno, asio::error::get_system_category()};
}

// The functions of libc are points of cancellation: in a program with threads each takes two locked instructions to be one, which
// nobody needs here.
ssize_t receive(int socket, void* into, std::size_t size, int flags) noexcept {
  return ::syscall(SYS_recvfrom, socket, into, size, flags, nullptr, nullptr);
}
ssize_t send(int socket, const void* from, std::size_t size) noexcept {
  return ::syscall(SYS_sendto, socket, from, size, MSG_NOSIGNAL, nullptr, 0);
}

// What the system holds for a client beyond its window. By itself it takes megabytes for one that reads slowly, out of reach of any
// deadline: they look sent.
constexpr int unsent_most = 128 * 1024;

// Up to here it is cheaper to copy the pieces together than to have the system look at each.
constexpr std::size_t copied_most = 2048;

ssize_t send_copied(int socket, std::span<const asio::const_buffer> pieces, std::size_t total) noexcept {
  std::array<char, copied_most> together;
  char* end = together.data();
  for (const asio::const_buffer& piece : pieces) end = std::copy_n(static_cast<const char*>(piece.data()), piece.size(), end);
  return send(socket, together.data(), total);
}

ssize_t send_gathered(int socket, std::span<const asio::const_buffer> pieces) noexcept {
  std::array<iovec, 16> vectors;
  const std::size_t count = std::min(pieces.size(), vectors.size());
  for (std::size_t i = 0; i < count; ++i) vectors[i] = {const_cast<void*>(pieces[i].data()), pieces[i].size()};
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  return ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

}  // namespace

std::shared_ptr<SocketTransport> SocketTransport::adopt(int socket, const Loop& loop) {
  auto transport = std::make_shared<SocketTransport>(socket, loop);
  ::setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_most, sizeof unsent_most);
  // Out of memory for the set: closed, so that the first read says so.
  if (loop.poller.add(socket, *transport)) transport->close();
  return transport;
}

std::shared_ptr<SocketTransport> SocketTransport::connect(const asio::generic::stream_protocol::endpoint& address, const Loop& loop, std::error_code& ec) {
  const int socket = ::socket(address.data()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return ec = last_error(), nullptr;
  auto transport = std::make_shared<SocketTransport>(socket, loop);
  if (::connect(socket, address.data(), static_cast<socklen_t>(address.size())) != 0 && errno != EINPROGRESS) return ec = last_error(), nullptr;
  ec = loop.poller.add(socket, *transport);
  transport->may_write_ = false;
  return ec ? nullptr : transport;
}

std::error_code SocketTransport::connected() {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return last_error();
  return {error, asio::error::get_system_category()};
}

SocketTransport::SocketTransport(int socket, const Loop& loop) : WaitingTransport(loop.wheel), io_(loop.io), poller_(loop.poller), socket_(socket) {
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

SocketTransport::~SocketTransport() {
  if (was_destroyed_) *was_destroyed_ = true;
  if (socket_ < 0) return;
  poller_.remove(socket_, *this);
  ::close(socket_);
}

std::size_t SocketTransport::read(asio::mutable_buffer into, std::error_code& ec) {
  ssize_t n;
  do n = receive(socket_, into.data(), into.size(), 0);
  while (n < 0 && errno == EINTR);
  // Less than asked for: the next bytes, or the end, come with an event of their own. An end that
  // came with these bytes does not, which is why it is remembered.
  if (n < static_cast<ssize_t>(into.size())) may_read_ = has_ended_;
  if (n > 0) return ec.clear(), static_cast<std::size_t>(n);
  if (n < 0) ec = last_error();
  else ec = is_broken_ ? asio::error::connection_reset : static_cast<std::error_code>(asio::error::eof);
  return 0;
}

std::size_t SocketTransport::write(std::span<const asio::const_buffer> pieces, std::error_code& ec) {
  std::size_t total = 0;
  for (const asio::const_buffer& piece : pieces) total += piece.size();
  ssize_t n;
  do n = pieces.size() == 1    ? send(socket_, pieces[0].data(), total)
         : total <= copied_most ? send_copied(socket_, pieces, total)
                                : send_gathered(socket_, pieces);
  while (n < 0 && errno == EINTR);
  if (n >= 0) return ec.clear(), static_cast<std::size_t>(n);
  ec = last_error();
  if (ec == asio::error::would_block) may_write_ = false;
  // EPIPE: the peer's end was there before the connection broke, or the error was told before.
  else if (ec != asio::error::broken_pipe) is_broken_ = true;
  return 0;
}

bool SocketTransport::is_gone() {
  char byte;
  const ssize_t n = ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

bool SocketTransport::is_quiet() {
  char byte;
  return ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void SocketTransport::shutdown_write() { ::shutdown(socket_, SHUT_WR); }

void SocketTransport::close() {
  if (socket_ < 0) return;
  poller_.remove(socket_, *this);
  ::close(socket_);
  socket_ = -1;
  may_read_ = may_write_ = has_ended_ = true;
  // Whoever waits learns it, but not from inside this call.
  for (const Side side : {Side::read, Side::write})
    if (is_armed(side)) arm(side);
}

void SocketTransport::reset() {
  // A close that does not linger drops what is unsent and tells the peer so.
  const linger at_once{1, 0};
  if (socket_ >= 0) ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void SocketTransport::arm(Side side) {
  bool& is_posted = is_notice_posted_[static_cast<std::size_t>(side)];
  if (is_posted || !(side == Side::read ? may_read_ : may_write_)) return;
  // Not from inside the call that begins to wait.
  is_posted = true;
  asio::post(io_, [self = shared_from_this(), side] {
    self->is_notice_posted_[static_cast<std::size_t>(side)] = false;
    if (self->is_armed(side)) self->notify_ready(side);
  });
}

void SocketTransport::on_events(std::uint32_t events) {
  bool was_destroyed = false;
  was_destroyed_ = &was_destroyed;
  const bool has_broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
  if (has_broken || (events & EPOLLRDHUP)) has_ended_ = true;
  if (has_ended_ || (events & EPOLLIN)) {
    may_read_ = true;
    if (is_armed(Side::read) && !is_notice_posted_[0]) notify_ready(Side::read);
    if (was_destroyed) return;
  }
  if (has_broken || (events & EPOLLOUT)) {
    may_write_ = true;
    if (is_armed(Side::write) && !is_notice_posted_[1]) notify_ready(Side::write);
    if (was_destroyed) return;
  }
  was_destroyed_ = nullptr;
}

}  // namespace net
}  // namespace v0
}  // namespace gw
