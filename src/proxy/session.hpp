/// \file
/// What a client connection needs while a request is under way, and only then.
#pragma once

#include "h1/codec.hpp"
#include "proxy/exchange.hpp"
#include "proxy/pace.hpp"
#include "proxy/responder.hpp"

#include <optional>

namespace gw {
inline namespace v0 {
namespace proxy {

class Connection;
class Tunnel;

/// The memory of a request: buffer, codec, context. An idle connection has none; workers recycle them.
/// It is the source of the request's body and the client of its exchange.
struct Session final : Body::Source, Client {
  explicit Session(Worker& w) : worker(w), exchange(w, *this), responder(*this) {}

  /// A request body that nobody wanted is read up to so many bytes, so that the connection can be used again.
  static constexpr std::uint64_t discarded_at_most = 256 * 1024;

  /// Gets ready for a connection and its transport, under the worker's present limits.
  void begin(Connection& c, Transport& t);
  /// Those of the worker's present configuration for what a route may have of its own.
  void use_gateway_bounds();
  /// Gives the buffer back.
  void end();

  std::optional<Chunk> ready() override;
  Task<Result<Chunk>> read() override;
  void cancel() override;
  std::optional<std::uint64_t> size() const override;
  const Headers& trailers() const override { return codec->trailers(); }

  void answered() override;
  void stalled() override;
  Task<> interim(const Response& response) override;
  void set_bounds(const Bounds& bounds) override;
  void limit_body(std::uint64_t limit) override;

  /// Whether the client sends nothing of the body before it is told to go on (RFC 9110 10.1.1).
  bool is_client_waiting() const {
    return codec->expects_continue() && !has_sent_continue && buffer.empty() && exchange.context.bytes_received() == 0;
  }

  Worker& worker;
  Connection* connection = nullptr;
  Transport* transport = nullptr;
  Exchange exchange;
  Responder responder;
  Timeouts timeouts;
  std::uint32_t body_rate = 0;      ///< `Limits::body_rate`
  std::uint32_t write_rate = 0;     ///< `Limits::write_rate`
  bool has_own_bounds = false;      ///< of the route; those of the next request are the gateway's again
  std::optional<h1::RequestCodec> codec;
  std::uint64_t codec_of = 0;       ///< the number of the snapshot whose limits it has; 0: there is none
  Buffer buffer;
  /// When the head began that did not come in one piece.
  std::optional<std::chrono::steady_clock::time_point> head_began;
  Pace pace;                        ///< of the request's body
  bool is_last = false;             ///< the connection has had its `Limits::requests_per_connection`
  Tunnel* tunnel = nullptr;         ///< while the connection is one
  bool has_ended = true;            ///< the request's body was read to its end
  bool is_cancelled = false;        ///< it will not be read on
  bool has_sent_continue = false;
  std::optional<Failure> failure;   ///< the request's body cannot be read
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
