/// \file
/// Small blocking sockets for tests: a client that understands responses, and the listening end of a
/// server that the test plays itself. Written apart from gw's own codec, so that both must be right.
#pragma once

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace gw_test {

/// A response, or what came of it.
struct Reply {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case; the last one of a name
  std::string body;
  bool is_complete = false;  ///< its framing said so; false if the connection ended before
};

/// A connected socket whose operations wait, at most for 20 s.
class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {
    const timeval limit{20, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), unread_(std::move(other.unread_)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() { close(); }

  /// Sends all; false if the peer is gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  /// Tells the peer that nothing more comes.
  void finish() { ::shutdown(descriptor_, SHUT_WR); }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  /// Closes with an error for the peer.
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

  /// All bytes up to and including `mark`, or up to the end of the connection.
  std::string read_until(std::string_view mark) {
    for (;;) {
      const std::size_t at = unread_.find(mark);
      if (at != unread_.npos) return take(at + mark.size());
      if (!receive()) return take(unread_.size());
    }
  }
  /// `size` bytes, or fewer at the end of the connection.
  std::string read(std::size_t size) {
    while (unread_.size() < size && receive()) continue;
    return take(std::min(size, unread_.size()));
  }
  /// Everything up to the end of the connection.
  std::string read_all() {
    while (receive()) continue;
    return take(unread_.size());
  }

  /// Whether the connection ended with an error, as far as it was read.
  bool was_reset() const noexcept { return was_reset_; }

  /// One response; `has_body` is false for one to HEAD.
  Reply read_reply(bool has_body = true) {
    Reply reply;
    std::string head = read_until("\r\n\r\n");
    if (!head.ends_with("\r\n\r\n")) return reply;
    REQUIRE(head.compare(0, 9, "HTTP/1.1 ") == 0);
    reply.status = std::stoi(head.substr(9, 3));
    for (std::size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
      const std::size_t end = head.find("\r\n", at), colon = head.find(": ", at);
      std::string name = head.substr(at, colon - at);
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      reply.headers[name] = head.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
    reply.is_complete = true;
    if (!has_body || reply.status < 200 || reply.status == 204 || reply.status == 304) return reply;
    if (reply.headers.count("transfer-encoding")) {
      read_chunks(reply);
    } else if (reply.headers.count("content-length")) {
      const std::size_t size = std::stoul(reply.headers["content-length"]);
      reply.body = read(size);
      reply.is_complete = reply.body.size() == size;
    } else {
      reply.body = read_all();
    }
    return reply;
  }

 private:
  void read_chunks(Reply& reply) {
    reply.is_complete = false;
    for (;;) {
      const std::string line = read_until("\r\n");
      if (!line.ends_with("\r\n")) return;
      const std::size_t size = std::stoul(line, nullptr, 16);
      if (size == 0) break;
      reply.body += read(size);
      if (read(2) != "\r\n") return;
    }
    for (;;) {
      const std::string line = read_until("\r\n");
      if (!line.ends_with("\r\n")) return;
      if (line == "\r\n") break;
    }
    reply.is_complete = true;
  }

  bool receive() {
    char bytes[16384];
    const ssize_t n = ::recv(descriptor_, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) throw std::runtime_error("nothing came for 20 s");
    was_reset_ = n < 0;
    if (n <= 0) return false;
    unread_.append(bytes, static_cast<std::size_t>(n));
    return true;
  }
  std::string take(std::size_t size) {
    std::string taken = unread_.substr(0, size);
    unread_.erase(0, size);
    return taken;
  }

  int descriptor_;
  std::string unread_;
  bool was_reset_ = false;
};

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// A client of 127.0.0.1.
class HttpClient : public Socket {
 public:
  explicit HttpClient(std::uint16_t port) : Socket(connected(port)) {}

  /// Asks and reads the answer; the connection stays.
  Reply ask(std::string_view method, std::string_view target, std::string_view fields = {}, std::string_view body = {}) {
    std::string request;
    request.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: example.com\r\n").append(fields);
    if (!body.empty()) request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    request.append("\r\n").append(body);
    send(request);
    return read_reply(method != "HEAD");
  }
  Reply get(std::string_view target) { return ask("GET", target); }

  /// Whether somebody listens there.
  static bool can_connect(std::uint16_t port) {
    try {
      HttpClient client(port);
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  }

 private:
  static int connected(std::uint16_t port) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return descriptor;
    ::close(descriptor);
    throw std::runtime_error("connection refused");
  }
};

/// One answer over a connection of its own.
inline Reply get(std::uint16_t port, std::string_view target) {
  HttpClient client(port);
  return client.get(target);
}

/// A listening socket on 127.0.0.1; the test answers what comes.
class TestServer {
 public:
  TestServer() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    REQUIRE(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(descriptor_, 16) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    const timeval limit{20, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~TestServer() { ::close(descriptor_); }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  /// "127.0.0.1:41233".
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  /// The next connection; fails if none comes within 20 s.
  Socket accept() {
    const int descriptor = ::accept(descriptor_, nullptr, nullptr);
    REQUIRE(descriptor >= 0);
    return Socket(descriptor);
  }

 private:
  int descriptor_;
  std::uint16_t port_ = 0;
};

}  // namespace gw_test
