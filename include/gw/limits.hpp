/// \file
/// Level 1: the bounds on what a client can hold or grow, and how long anything may take.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace gw {
inline namespace v0 {

using namespace std::chrono_literals;

/// Time unit of every deadline; deadlines are kept to about 50 ms.
using Duration = std::chrono::milliseconds;

/// How long the client side may take. Each must be above zero.
struct Timeouts {
  Duration client_header = 10s;  ///< from the first byte of a request to the end of its head; then 408
  Duration client_idle = 75s;    ///< between two requests; then the connection closes
  Duration client_body = 30s;    ///< between two pieces of a request body; then 408. See also `Limits::body_rate`
  Duration client_write = 30s;   ///< until the client takes the next piece of a response; then the connection closes. See also `write_rate`
  Duration drain = 30s;          ///< from stop() until running requests are cut

  bool operator==(const Timeouts&) const noexcept = default;
};

/// How much one client, or all of them, may use. docs/limits.md has the reasons for the defaults.
struct Limits {
  std::size_t head = 16 * 1024;           ///< bytes of request line and fields; then 431. Also of an upstream's response head; then 502
  std::size_t fields = 100;               ///< fields of a head, and of a trailer section; then 431
  std::size_t target = 8 * 1024;          ///< bytes of the request target; then 414
  std::uint64_t body = 1024 * 1024 * 1024;  ///< bytes of a request body; then 413
  std::size_t trailers = 8 * 1024;        ///< bytes of a trailer section, with its empty line; then 431. Also of an upstream's response; then it is cut
  /// Bytes of the chunk extensions of a body, beyond as many as it has content; then 400. Also of an upstream's response; then it is cut.
  std::size_t chunk_extensions = 4 * 1024;
  std::size_t connections = 10000;        ///< client connections of the gateway; then 503
  std::size_t connections_per_client = 0;  ///< of them from one IPv4 address or IPv6 /64, unless a listener trusts it; then 503. 0: no limit
  std::uint64_t requests_per_connection = 10000;  ///< the last of them gets "Connection: close". 0: no limit
  /// Bytes per second of a request body that a client must send while gw waits for it. Slower, it uses up `Timeouts::client_body`,
  /// pause for pause; then 408. 0: no limit.
  std::uint32_t body_rate = 240;
  /// The same of a response that a client must take, and `Timeouts::client_write`; then the connection closes.
  std::uint32_t write_rate = 240;

  bool operator==(const Limits&) const noexcept = default;
};

}  // namespace v0
}  // namespace gw
