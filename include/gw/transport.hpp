/// \file
/// Level 3: one end of a connection, whatever carries its bytes.
#pragma once

#include <gw/task.hpp>

#include <asio/buffer.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <system_error>

namespace gw {
inline namespace v0 {

/// Why a wait on a transport ended.
enum class Wake : std::uint8_t {
  ready,      ///< try again: bytes, room, an end or an error is there
  timed_out,  ///< the deadline passed
  cancelled,  ///< somebody called `interrupt`
};

/// The two directions of a transport; each has at most one waiter.
enum class Side : std::uint8_t { read, write };

/// One end of a connection: reads and writes that never wait, and waiting for them as a separate
/// step. What waits is a coroutine (`until`) or, for idle connections, a plain callback (`watch`),
/// which costs no frame and no buffer. Belongs to one worker's thread.
///
/// Implementations: sockets (src/net/socket_transport.hpp) and, for tests, memory.
class Transport {
 public:
  virtual ~Transport() = default;
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// How connecting ended, once `Side::write` was ready. Success for what was connected from the start.
  virtual std::error_code connected() { return {}; }
  /// Reads what is there. Sets `asio::error::would_block` if that is nothing yet, `asio::error::eof`
  /// at the end that the peer has sent; a connection that broke is another error, also if a `write` was told first. Bytes read.
  virtual std::size_t read(asio::mutable_buffer into, std::error_code& ec) = 0;
  /// Writes as much as fits now, gathered from `pieces`. Sets `would_block` if that is nothing. Bytes written.
  virtual std::size_t write(std::span<const asio::const_buffer> pieces, std::error_code& ec) = 0;
  /// Whether a `read` would find the end or an error now; looks without taking bytes.
  virtual bool is_gone() = 0;
  /// Whether a `read` would find anything now: bytes, the end, or an error.
  virtual bool is_quiet() = 0;
  /// Whether something is known to have arrived that nobody was told of yet. Costs no system call: what has come a moment ago may be missed.
  virtual bool has_news() const noexcept { return false; }
  /// Tells the peer that nothing more will be written.
  virtual void shutdown_write() = 0;
  /// Closes at once; waits end with `Wake::ready` and the next read or write fails. Idempotent.
  virtual void close() = 0;
  /// The same, but the peer sees an error, not an end; what it has not read yet may be lost to it.
  virtual void reset() = 0;

  /// Waits until `side` is worth trying again, at most for `limit`.
  virtual Task<Wake> until(Side side, std::chrono::milliseconds limit) = 0;
  /// Calls `wake(object, why)` once, when `side` is worth trying again or `limit` has passed.
  virtual void watch(Side side, std::chrono::milliseconds limit, void (*wake)(void*, Wake), void* object) = 0;
  /// Forgets the callback of `watch`, if it has not been called.
  virtual void unwatch(Side side) = 0;
  /// Ends a pending `until` of `side` with `Wake::cancelled`, before returning.
  virtual void interrupt(Side side) = 0;
};

}  // namespace v0
}  // namespace gw
