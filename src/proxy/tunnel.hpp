/// \file
/// Bytes both ways, once an upstream has switched protocols (RFC 9110 7.8), e.g. to WebSocket.
#pragma once

#include "proxy/buffer.hpp"
#include "proxy/worker.hpp"

#include <gw/transport.hpp>

#include <cstdint>

namespace gw {
inline namespace v0 {
namespace proxy {

/// Relays between two transports until both directions have ended. The end of one direction is
/// passed on, the other goes on (half-close). Closes both when either breaks, or when nothing has
/// moved in either direction for the idle time.
class Tunnel {
 public:
  Tunnel(Worker& worker, Duration idle) : worker_(worker), idle_(idle) {}

  /// One side: its transport, and a buffer that may hold bytes it has sent already.
  struct End {
    End(Transport& t, Buffer& b) : transport(t), buffer(b) {}
    Transport& transport;
    Buffer& buffer;
  };

  Task<> run(End client, End upstream);

  /// Bytes relayed to the upstream, and to the client.
  std::uint64_t to_upstream() const noexcept { return to_upstream_; }
  std::uint64_t to_client() const noexcept { return to_client_; }

 private:
  Task<> relay(End from, Transport& to, std::uint64_t& count);

  Worker& worker_;
  Duration idle_;
  std::uint64_t to_client_ = 0, to_upstream_ = 0;
  bool is_broken_ = false;
  bool is_other_running_ = false;
  net::Event other_ended_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
