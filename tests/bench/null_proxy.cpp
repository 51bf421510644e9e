/// \file
/// A proxy that reads nothing of what it passes on: one connection to the origin for each of a client, bytes from one to the other.
/// What it costs is what the system costs; the rest is what a proxy adds.
///
///     gw_null_proxy PORT ORIGIN_PORT
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace {

struct Pair;

/// One end of a pair, and what it has read that the other end has not taken yet.
struct End {
  int socket = -1;
  Pair* pair = nullptr;
  std::unique_ptr<char[]> kept;
  std::size_t begin = 0, end = 0;
};

struct Pair {
  End client, origin;
  bool is_over = false;
};

constexpr std::size_t piece = 64 * 1024;
char bytes[piece];

sockaddr_in loopback(const char* port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  return address;
}

void watch(int set, int socket, void* who, unsigned events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = who;
  ::epoll_ctl(set, EPOLL_CTL_ADD, socket, &event);
}

/// Sends all of `size` bytes, or keeps what does not fit. False if the connection is gone.
bool pass(End& from, int to, const char* data, std::size_t size) {
  const ssize_t sent = ::send(to, data, size, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return false;
  const std::size_t done = sent > 0 ? static_cast<std::size_t>(sent) : 0;
  if (done == size) return from.begin = from.end = 0, true;
  if (!from.kept) from.kept = std::make_unique<char[]>(piece);
  if (data != from.kept.get() + from.begin) {
    for (std::size_t i = done; i < size; ++i) from.kept[i - done] = data[i];
    from.begin = 0;
    from.end = size - done;
  } else {
    from.begin += done;
  }
  return true;
}

/// Moves what there is from one end to the other.
bool pump(End& from, End& to) {
  for (;;) {
    if (from.end > from.begin && !pass(from, to.socket, from.kept.get() + from.begin, from.end - from.begin)) return false;
    if (from.end > from.begin) return true;
    const ssize_t size = ::recv(from.socket, bytes, piece, 0);
    if (size < 0 && errno == EAGAIN) return true;
    if (size <= 0 || !pass(from, to.socket, bytes, static_cast<std::size_t>(size))) return false;
    if (size < static_cast<ssize_t>(piece)) return true;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: gw_null_proxy PORT ORIGIN_PORT\n", stderr), 2;
  const sockaddr_in here = loopback(argv[1]), there = loopback(argv[2]);
  const int on = 1;
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 || ::listen(listener, 4096) != 0)
    return std::perror("gw_null_proxy"), 1;
  const int set = ::epoll_create1(0);
  watch(set, listener, nullptr, EPOLLIN);

  std::vector<std::unique_ptr<Pair>> over;
  for (;;) {
    epoll_event events[128];
    const int count = ::epoll_wait(set, events, 128, -1);
    for (int i = 0; i < count; ++i) {
      End* const end = static_cast<End*>(events[i].data.ptr);
      if (!end) {
        const int client = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        if (client < 0) continue;
        const int origin = ::socket(AF_INET, SOCK_STREAM, 0);
        if (::connect(origin, reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0) return std::perror("gw_null_proxy"), 1;
        ::fcntl(origin, F_SETFL, O_NONBLOCK);
        auto pair = std::make_unique<Pair>();
        for (const int socket : {client, origin}) ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        pair->client.socket = client;
        pair->origin.socket = origin;
        pair->client.pair = pair->origin.pair = pair.get();
        for (End* e : {&pair->client, &pair->origin}) watch(set, e->socket, e, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
        pair.release();
        continue;
      }
      Pair& pair = *end->pair;
      if (pair.is_over) continue;
      End& other = end == &pair.client ? pair.origin : pair.client;
      // The end has bytes, or room for what the other end has read.
      if (pump(*end, other) && (other.end == other.begin || pump(other, *end))) continue;
      pair.is_over = true;
      ::close(pair.client.socket);
      ::close(pair.origin.socket);
      over.emplace_back(&pair);
    }
    over.clear();
  }
}
