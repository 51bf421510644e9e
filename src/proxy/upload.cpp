/// \file
/// The part of a call that sends the body of a request, and keeps what is little of it for another try.
#include "proxy/call.hpp"

#include "exception_text.hpp"
#include "proxy/fields.hpp"

#include <asio/co_spawn.hpp>

namespace gw {
inline namespace v0 {
namespace proxy {

void Call::begin_upload() {
  if (is_upload_complete_ || is_upload_begun_) return;
  is_upload_begun_ = is_uploading_ = true;
  keeps_body_ = is_repeatable_ && retries_left_ > 0 && body_size_.value_or(0) <= upstream_->options.retries.body;
  keep(first_content_);
  ++users_;
  ++calls_->uploads;
  asio::co_spawn(worker_.io, upload(), [this](std::exception_ptr thrown) {
    is_uploading_ = false;
    if (thrown) {
      worker_.shared.log(LogLevel::error, "the source of a request body threw: " + detail::text_of(thrown));
      abandon(Failure(Error::handler_failed));
    }
    // Since the response ended nobody has watched the connection.
    if (has_ended_ && !is_aborted_ && lease_ && !lease_.transport().is_quiet()) lease_.close();
    if (has_ended_ && !is_aborted_) finish_lease();
    Calls& calls = *calls_;
    --calls.uploads;
    const bool is_awaited = waits_ != nullptr;  // then the call stays
    drop();
    calls.upload_ended.notify();
    if (is_awaited) end_pause(false);
  });
}

Task<> Call::upload() {
  const bool is_chunked = !body_size_;
  std::string framed;  // chunk framing; the content itself is not copied
  for (;;) {
    std::optional<Chunk> chunk = body_.ready();
    if (!chunk) {
      const Result<Chunk> next = co_await body_.read();
      if (is_aborted_) co_return;
      if (!next) {
        abandon(next.error());
        co_return;
      }
      chunk = *next;
    }
    uploaded_ += chunk->size();
    if (body_size_ && (chunk->empty() ? uploaded_ != *body_size_ : uploaded_ > *body_size_)) {
      abandon(Failure(Error::handler_failed));  // a source that lied about its size
      co_return;
    }
    keep(*chunk);
    if (is_detached_) {
      if (has_head_ || !keeps_body_) co_return;
      is_kept_whole_ = chunk->empty();
      if (is_kept_whole_) co_return;
      continue;
    }
    framed.clear();
    Gather pieces;
    if (!chunk->empty()) {
      if (is_chunked) h1::append_chunk_head(framed, chunk->size());
      pieces.add(framed);
      pieces.add(*chunk);
      if (is_chunked) pieces.add("\r\n");
    } else if (is_chunked) {
      append_last_chunk(framed, body_.trailers());
      pieces.add(framed);
    }
    std::error_code ec;
    if (!pieces.empty()) ec = co_await pieces.write(lease_.transport(), timeouts_->body);
    if (is_aborted_) co_return;
    if (ec == asio::error::timed_out && !has_head_) abandon(Failure(Error::upstream_timeout, Origin::upstream));
    // Else the upstream has stopped reading. It may have answered already; let that be read. If it has not, another may get it all.
    if (ec && (!keeps_body_ || has_head_ || failure_)) co_return;
    if (ec || is_detached_) {
      is_detached_ = true;
      is_kept_whole_ = chunk->empty();
      if (is_kept_whole_) co_return;
      continue;
    }
    if (chunk->empty()) {
      is_upload_complete_ = true;
      co_return;
    }
  }
}

void Call::stop_upload() {
  if (!is_sending()) return;
  is_aborted_ = true;
  lease_.close();
  body_.cancel();
}

// Keeps what is uploaded, as long as it is little.
void Call::keep(std::string_view content) {
  if (!keeps_body_) return;
  keeps_body_ = kept_.size() + content.size() <= upstream_->options.retries.body;
  if (keeps_body_) kept_.append(content);
  else kept_.clear();
}

// The whole body behind the head.
void Call::compose_replay(HeadText& out) {
  tail_.clear();
  first_content_ = kept_;
  is_upload_complete_ = true;
  if (body_size_) return;
  if (!kept_.empty()) {
    h1::append_chunk_head(tail_, kept_.size());
    out.put(tail_);
    tail_ = "\r\n";
  }
  append_last_chunk(tail_, body_.trailers());
}

// Whether all of the body can be sent once more.
bool Call::can_repeat_body() const noexcept {
  if (!has_body_) return true;
  if (body_size_.value_or(0) > upstream_->options.retries.body) return false;
  return !is_upload_begun_ || (keeps_body_ && (is_upload_complete_ || is_kept_whole_));
}

// What of the body another call can send.
std::optional<Body> Call::body_again() {
  if (!is_running_) return std::move(body_);  // nothing was looked at
  if (!has_body_) return Body();
  if (is_upload_begun_) return can_repeat_body() ? std::optional(Body(kept_)) : std::nullopt;
  if (is_upload_complete_) return Body(std::string(first_content_));
  return first_content_.empty() ? std::optional(std::move(body_)) : std::nullopt;
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
