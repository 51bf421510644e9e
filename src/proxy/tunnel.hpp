/// \file
/// Bytes both ways, once an upstream has switched protocols (RFC 9110 7.8), e.g. to WebSocket.
#pragma once

#include "proxy/buffer.hpp"
#include "proxy/worker.hpp"

#include <gw/transport.hpp>

#include <cstdint>
#include <optional>

namespace gw {
inline namespace v0 {
namespace proxy {

/// Relays between two transports until both directions have ended. The end of one direction is passed on, and the other goes on
/// (half-close). If one side breaks, or nothing has moved in either direction for the idle time, both are cut: their peers see an
/// error and not an end, which would look as if all had been said.
///
/// While nothing moves a tunnel holds no buffer. It reads once for every turn of the event loop, so that others have theirs.
class Tunnel {
 public:
  /// One side: its transport, a buffer that may hold bytes it has sent already, and what it means if it breaks.
  struct End {
    End(Transport& t, Buffer& e, Failure b) : transport(t), early(e), broken(b) {}
    Transport& transport;
    Buffer& early;
    Failure broken;
  };

  Tunnel(Worker& worker, End client, End upstream, Duration idle) : worker_(worker), client_(client), upstream_(upstream), idle_(idle) {}
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  /// Relays; ends soon after both directions have, or after `cut`.
  Task<> run();
  /// Ends both sides now, because of `failure`.
  void cut(Failure failure);

  /// Why it was cut; nothing if both directions have ended by themselves.
  const std::optional<Failure>& failure() const noexcept { return failure_; }
  /// Bytes relayed to the upstream, and to the client.
  std::uint64_t to_upstream() const noexcept { return to_upstream_; }
  std::uint64_t to_client() const noexcept { return to_client_; }

 private:
  void start(End& from, End& to, std::uint64_t& count);
  Task<> relay(End& from, End& to, std::uint64_t& count);
  Task<bool> is_ready(Transport& transport, Side side);

  Worker& worker_;
  End client_, upstream_;
  Duration idle_;
  std::uint64_t to_client_ = 0, to_upstream_ = 0;
  std::optional<Failure> failure_;
  int running_ = 0;  // directions
  Event ended_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
