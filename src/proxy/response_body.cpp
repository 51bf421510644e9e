/// \file
/// The part of a call that reads the content of the response, and gives the connection back behind it.
#include "proxy/call.hpp"

namespace gw {
inline namespace v0 {
namespace proxy {

std::optional<Chunk> Call::ready() {
  while (!has_ended_ && !buffer_.empty() && !failure_) {
    const Result<h1::BodyPiece> piece = codec_->body(buffer_.content());
    if (!piece) {
      failure_ = piece.error();
      break;
    }
    buffer_.consume(piece->consumed);
    if (piece->ended) end_response();
    if (!piece->content.empty()) return piece->content;
    if (piece->consumed == 0) break;
  }
  return has_ended_ ? std::optional<Chunk>(Chunk{}) : std::nullopt;
}

Task<Result<Chunk>> Call::read() {
  for (;;) {
    if (const std::optional<Chunk> chunk = ready()) co_return *chunk;
    if (failure_) co_return *failure_;
    buffer_.make_room();
    std::error_code ec;
    const std::size_t n = lease_.transport().read(buffer_.room(), ec);
    if (ec == asio::error::would_block) {
      const Wake wake = co_await lease_.transport().until(Side::read, timeouts_->body);
      if (wake == Wake::timed_out) {
        tell(Sign::failed);
        co_return Failure(Error::upstream_timeout, Origin::upstream);
      }
    } else if (ec == asio::error::eof) {
      const Result<> end = codec_->end_of_input();
      if (!end) co_return end.error();
      end_response();
    } else if (ec) {
      if (!failure_) tell(Sign::failed);
      co_return Failure(Error::upstream_reset, Origin::upstream);
    } else {
      buffer_.commit(n);
    }
  }
}

std::optional<std::uint64_t> Call::size() const {
  switch (codec_->framing()) {
    case h1::Framing::none: return 0;
    case h1::Framing::length: return codec_->length();
    default: return std::nullopt;
  }
}

void Call::end_response() {
  has_ended_ = true;
  // Before the client has the end, and may ask again: the endpoint is free for that.
  count_out();
  finish_lease();
}

void Call::finish_lease() {
  if (!lease_ || is_sending()) return;
  // Bytes behind the response belong to nobody; a connection that has some cannot be trusted.
  if (is_upload_complete_ && !awaits_continue_ && codec_->keep_alive() && buffer_.empty() && !failure_) lease_.give_back(upstream_->options);
  else lease_.close();
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
