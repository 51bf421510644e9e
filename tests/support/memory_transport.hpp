/// \file
/// A transport without a socket: what the peer sends, how much it takes at once, and which operation
/// breaks are told by the test, so that every path of the code above can be walked.
#pragma once

#include "net/waiting_transport.hpp"

#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace gw_test {

/// Breaks the Nth read, write or connect of all transports that share it.
struct Faults {
  enum class Kind {
    reset,    ///< the operation and all later ones of that transport fail
    end,      ///< the peer has closed: reads find the end, writes fail
    silence,  ///< the peer neither sends nor takes anything from then on
    other,    ///< `happens` is called, and the transport goes on
  };

  /// Counts an operation; whether it is the one that breaks.
  bool strikes() {
    if (++operations != fail_at) return false;
    if (happens) happens();
    return kind != Kind::other;
  }

  Kind kind = Kind::reset;
  std::size_t fail_at = 0;  ///< from 1; 0: nothing breaks
  std::function<void()> happens;
  std::size_t operations = 0;
};

/// One end of a connection; the test is the other end.
///
/// Bytes of the peer arrive in fragments, one for every wait: a read between two waits finds nothing.
/// Writes take `room` bytes between two waits. So no code gets away with assuming more.
class MemoryTransport final : public gw::net::WaitingTransport, public std::enable_shared_from_this<MemoryTransport> {
 public:
  static constexpr std::size_t whole = static_cast<std::size_t>(-1);

  MemoryTransport(asio::io_context& io, gw::net::Wheel& wheel, Faults& faults, std::size_t fragment = whole, std::size_t room = whole)
      : WaitingTransport(wheel), io_(io), faults_(faults), fragment_(fragment), room_(room), room_left_(room) {}

  // --- the peer ---------------------------------------------------------------------------------

  /// The peer sends `bytes`.
  void receive(std::string_view bytes) {
    if (is_silent_) return;
    coming_ += bytes;
    announce(gw::Side::read);
  }
  /// The peer finishes, behind what it has sent.
  void receive_end() {
    is_ending_ = !is_silent_;
    announce(gw::Side::read);
  }
  /// The peer breaks the connection: what it has sent and nobody has read is lost.
  void receive_reset() { break_off(Faults::Kind::reset); }
  /// Called after every write, with all that was written so far.
  std::function<void(std::string_view written)> on_write;
  /// Called when nothing more will be written.
  std::function<void()> on_shutdown;
  /// All that was written.
  const std::string& written() const noexcept { return written_; }
  bool is_closed() const noexcept { return is_closed_; }
  /// Whether the peer saw an error, not an end.
  bool was_reset() const noexcept { return was_reset_; }
  /// Whether the peer, or a fault, broke the connection.
  bool is_broken() const noexcept { return has_broken_; }
  bool has_shut_down() const noexcept { return is_shut_; }
  /// From now on the peer takes nothing.
  void stop_taking() { room_ = room_left_ = 0; }
  /// From now on it takes everything: so does one that connects.
  void start_taking() {
    room_ = room_left_ = whole;
    announce(gw::Side::write);
  }

  // --- the transport ----------------------------------------------------------------------------

  std::error_code connected() override {
    std::error_code ec;
    strike(ec);
    return ec;
  }

  std::size_t read(asio::mutable_buffer into, std::error_code& ec) override {
    if (strike(ec)) return 0;
    if (is_silent_) return ec = asio::error::would_block, 0;
    if (arrived_.empty()) return ec = has_ended_ ? std::error_code(asio::error::eof) : asio::error::would_block, 0;
    const std::size_t n = std::min(arrived_.size(), into.size());
    std::memcpy(into.data(), arrived_.data(), n);
    arrived_.erase(0, n);
    ec.clear();
    return n;
  }

  std::size_t write(std::span<const asio::const_buffer> pieces, std::error_code& ec) override {
    if (strike(ec)) return 0;
    if (is_silent_) return ec = asio::error::would_block, 0;
    if (has_broken_by_end_ || is_shut_) return ec = asio::error::broken_pipe, 0;
    std::size_t taken = 0;
    for (const asio::const_buffer& piece : pieces) {
      const std::size_t n = std::min(piece.size(), room_left_);
      written_.append(static_cast<const char*>(piece.data()), n);
      if (room_ != whole) room_left_ -= n;
      taken += n;
    }
    if (taken == 0) return ec = asio::error::would_block, 0;
    ec.clear();
    if (on_write) on_write(written_);
    return taken;
  }

  bool is_gone() override { return has_broken_ || (arrived_.empty() && (has_ended_ || (is_ending_ && coming_.empty()))); }
  bool is_quiet() override {
    // What is found to be there can be read.
    if (arrived_.empty()) arrive();
    return arrived_.empty() && !has_ended_ && !has_broken_;
  }
  void shutdown_write() override {
    if (!std::exchange(is_shut_, true) && on_shutdown) on_shutdown();
  }

  void close() override {
    if (is_closed_) return;
    is_closed_ = true;
    for (const gw::Side side : {gw::Side::read, gw::Side::write}) announce(side);
  }
  void reset() override {
    was_reset_ = was_reset_ || !is_closed_;
    close();
  }

 private:
  bool strike(std::error_code& ec) {
    if (is_closed_) return ec = asio::error::bad_descriptor, true;
    if (has_broken_) return ec = asio::error::connection_reset, true;
    if (!faults_.strikes()) return false;
    break_off(faults_.kind);
    if (has_broken_) ec = asio::error::connection_reset;
    return has_broken_;
  }

  void break_off(Faults::Kind kind) {
    arrived_.clear();
    coming_.clear();
    if (kind == Faults::Kind::silence) {
      is_silent_ = true;
      is_ending_ = has_ended_ = false;
      return;
    }
    const bool is_reset = kind == Faults::Kind::reset;
    (is_reset ? has_broken_ : has_ended_) = true;
    has_broken_by_end_ = !is_reset;
    // Whoever waits on the other side hears of it, too.
    announce(gw::Side::read);
    announce(gw::Side::write);
  }

  void arm(gw::Side) override {
    announce(gw::Side::read);
    announce(gw::Side::write);
  }

  // If there is news for a side that is waited for, it arrives in the next turn of the event loop.
  void announce(gw::Side side) {
    const bool is_read = side == gw::Side::read;
    const bool is_over = is_closed_ || has_broken_ || has_ended_;
    const bool is_ready = is_over || (!is_silent_ && (is_read ? !arrived_.empty() || !coming_.empty() || is_ending_ : room_ > 0));
    bool& is_announced = is_read ? is_read_announced_ : is_write_announced_;
    if (!is_ready || is_announced || !is_armed(side)) return;
    is_announced = true;
    asio::post(io_, [self = shared_from_this(), side, is_read, &is_announced] {
      is_announced = false;
      if (is_read) self->arrive();
      else self->room_left_ = self->room_;
      if (self->is_armed(side)) self->notify_ready(side);
    });
  }

  void arrive() {
    const std::size_t n = std::min(fragment_, coming_.size());
    arrived_ += coming_.substr(0, n);
    coming_.erase(0, n);
    if (n == 0 && is_ending_) has_ended_ = true;
  }

  asio::io_context& io_;
  Faults& faults_;
  std::size_t fragment_, room_, room_left_;
  std::string coming_;   // sent by the peer, still on its way
  std::string arrived_;  // to be read
  std::string written_;
  bool is_ending_ = false, has_ended_ = false;
  bool has_broken_ = false, has_broken_by_end_ = false;
  bool is_silent_ = false;
  bool is_closed_ = false, is_shut_ = false, was_reset_ = false;
  bool is_read_announced_ = false, is_write_announced_ = false;
};

}  // namespace gw_test
