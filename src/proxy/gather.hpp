/// \file
/// Several pieces of text, written as one.
#pragma once

#include <gw/transport.hpp>

#include <array>
#include <span>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace proxy {

/// Up to eight pieces that go out in order with as few system calls as possible. Views: the text
/// must stay until all is written.
class Gather {
 public:
  Gather() noexcept = default;

  /// Forgets all pieces.
  void clear() noexcept { first_ = count_ = 0; }
  void add(std::string_view piece) noexcept {
    GW_ASSERT(count_ < pieces_.size());
    if (!piece.empty()) pieces_[count_++] = asio::const_buffer(piece.data(), piece.size());
  }
  bool empty() const noexcept { return first_ == count_; }
  /// The bytes that are left.
  std::size_t size() const noexcept {
    std::size_t all = 0;
    for (std::size_t i = first_; i < count_; ++i) all += pieces_[i].size();
    return all;
  }

  /// Writes what fits now. `would_block` if something is left.
  std::error_code write_now(Transport& transport) {
    while (!empty()) {
      std::error_code ec;
      std::size_t n = transport.write(std::span(pieces_).subspan(first_, count_ - first_), ec);
      if (ec) return ec;
      while (n > 0) {
        const std::size_t part = std::min(n, pieces_[first_].size());
        pieces_[first_] += part;
        n -= part;
        if (pieces_[first_].size() == 0) ++first_;
      }
    }
    first_ = count_ = 0;
    return {};
  }

  /// Writes all, waiting at most `limit` for each piece of room; `timed_out` if there is none.
  Task<std::error_code> write(Transport& transport, std::chrono::milliseconds limit) {
    for (;;) {
      const std::error_code ec = write_now(transport);
      if (ec != asio::error::would_block) co_return ec;
      if (co_await transport.until(Side::write, limit) == Wake::timed_out) co_return asio::error::timed_out;
    }
  }

 private:
  std::array<asio::const_buffer, 8> pieces_;
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
