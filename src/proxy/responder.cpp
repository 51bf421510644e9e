#include "proxy/responder.hpp"

#include "exception_text.hpp"
#include "proxy/connection.hpp"
#include "proxy/fields.hpp"
#include "proxy/session.hpp"

namespace gw {
inline namespace v0 {
namespace proxy {

using detail::ContextAccess;

namespace {

// Up to here it costs less to copy content behind the head than to gather two pieces.
constexpr std::size_t copied_most = 1024;

}  // namespace

Responder::Sending Responder::begin() {
  Context& c = s_.exchange.context;
  try {
    const ResponseFraming framing = frame();
    const std::optional<Chunk> first = has_ended_ ? std::nullopt : c.res.body.ready();
    // Not sooner: a body may be user code, and let another response compose its head in the same memory.
    HeadText& head = s_.worker.head;
    head.clear();
    append_response_head(head, c.res, framing, s_.worker.date());
    const bool goes_with_head = first && framing_ == h1::Framing::length && first->size() <= copied_most;
    if (goes_with_head) head.put(*first);
    pieces_.clear();
    pieces_.add(head.text());
    if (first && !(goes_with_head ? count_chunk(*first) : add_chunk(*first))) return Sending::failed;
  } catch (...) {
    return note_thrown(std::current_exception());
  }
  ContextAccess::set_head_sent(c);
  const std::error_code ec = pieces_.write_now(*s_.transport);
  if (ec == asio::error::would_block) head_ = std::move(s_.worker.head);
  if (ec && ec != asio::error::would_block) return Sending::failed;
  return !ec && has_ended_ ? Sending::done : Sending::waiting;
}

Task<bool> Responder::finish(Sending sending) {
  Context& c = s_.exchange.context;
  for (;;) {
    if (sending == Sending::waiting) {
      // The body may be user code, which may throw.
      std::exception_ptr thrown;
      try {
        sending = co_await stream();
      } catch (...) {
        thrown = std::current_exception();
      }
      if (thrown) sending = note_thrown(thrown);
    }
    if (sending == Sending::done) co_return true;
    // While nothing was sent there can be another response; it is a text, so this happens once.
    if (c.is_head_sent() || !c.res.body.is_stream()) {
      // Here an end would look like that of the response.
      if (framing_ == h1::Framing::until_close) s_.transport->reset();
      co_return false;
    }
    c.fail(Failure(Error::handler_failed));
    sending = begin();
  }
}

Responder::Sending Responder::note_thrown(const std::exception_ptr& thrown) {
  Context& c = s_.exchange.context;
  c.log(LogLevel::error, "the body of the response threw: " + detail::text_of(thrown));
  ContextAccess::set_failure(c, Failure(Error::handler_failed));
  return Sending::failed;
}

// Decides how the response ends.
ResponseFraming Responder::frame() {
  Context& c = s_.exchange.context;
  Response& r = c.res;

  const bool is_head = c.req.method == Method::head;
  const bool has_body = !is_head && r.status >= 200 && r.status != 204 && r.status != 304;
  has_ended_ = !has_body;
  ResponseFraming framing;
  framing.client = c.req.version;
  const std::optional<std::uint64_t> size = r.body.size();
  if (has_body) {
    framing_ = size ? h1::Framing::length : c.req.version == Version::http11 ? h1::Framing::chunked : h1::Framing::until_close;
  } else {
    // What a handler would have sent is known; what an upstream said is in its Content-Length.
    framing_ = is_head && !r.body.is_stream() && !r.headers.has("content-length") ? h1::Framing::length : h1::Framing::none;
  }
  framing.framing = framing_;
  framing.length = length_ = size.value_or(0);

  // A body that the client still sends is read to its end first, if that is not much.
  const bool is_body_bounded = s_.has_ended || (s_.codec->framing() == h1::Framing::length && s_.codec->length() <= Session::discarded_at_most &&
                                                (!s_.codec->expects_continue() || s_.has_sent_continue));
  keep_alive_ = framing.keep_alive = s_.codec->keep_alive() && framing_ != h1::Framing::until_close && is_body_bounded && !s_.worker.is_draining && !s_.is_last &&
                                     !(c.failure() && c.failure()->origin == Origin::client && s_.failure);
  return framing;
}

// Counts a piece of a body of known size. False if it is not the body that was announced.
bool Responder::count_chunk(Chunk chunk) {
  Context& c = s_.exchange.context;
  // The size ends the body with its last byte; a source that lied about it cannot be passed on.
  const std::uint64_t left = length_ - c.bytes_sent();
  if (chunk.size() > left || (chunk.empty() && left > 0)) return false;
  ContextAccess::add_bytes_sent(c, chunk.size());
  has_ended_ = chunk.size() == left;
  return true;
}

// Adds a piece of the body, framed, and notes its end. False as `count_chunk`.
bool Responder::add_chunk(Chunk chunk) {
  Context& c = s_.exchange.context;
  if (framing_ == h1::Framing::length) {
    pieces_.add(chunk);
    return count_chunk(chunk);
  }
  ContextAccess::add_bytes_sent(c, chunk.size());
  has_ended_ = chunk.empty();
  framed_.clear();
  if (framing_ == h1::Framing::chunked) {
    if (chunk.empty()) append_last_chunk(framed_, c.res.body.trailers());
    else h1::append_chunk_head(framed_, chunk.size());
  }
  pieces_.add(framed_);
  pieces_.add(chunk);
  if (framing_ == h1::Framing::chunked && !chunk.empty()) pieces_.add("\r\n");
  return true;
}

// Writes the pieces, and waits for a client that takes them slowly.
Task<bool> Responder::write(Pace& pace) {
  for (;;) {
    const std::size_t before = pieces_.size();
    const std::error_code ec = pieces_.write_now(*s_.transport);
    pace.moved(before - pieces_.size());
    if (ec != asio::error::would_block) co_return !ec;
    const Duration left = pace.wait(s_.timeouts.client_write, s_.write_rate);
    if (left.count() <= 0 || co_await s_.transport->until(Side::write, left) == Wake::timed_out) {
      s_.worker.counters.reached(pace.has_stalled() ? Limit::client_write : Limit::write_rate);
      // Or the system would go on to offer what it holds, for as long as the client likes.
      s_.transport->reset();
      co_return false;
    }
    pace.resume();
  }
}

// Sends what did not fit yet and the rest of the body.
Task<Responder::Sending> Responder::stream() {
  Context& c = s_.exchange.context;
  Pace pace;
  for (;;) {
    if (!co_await write(pace)) co_return Sending::failed;
    if (has_ended_) co_return Sending::done;
    std::optional<Chunk> chunk = c.res.body.ready();
    if (!chunk) {
      const Result<Chunk> next = co_await c.res.body.read();
      if (!next) {
        ContextAccess::set_failure(c, next.error());
        co_return Sending::failed;
      }
      chunk = *next;
    }
    if (!add_chunk(*chunk)) {
      ContextAccess::set_failure(c, Failure(Error::handler_failed));
      co_return Sending::failed;
    }
  }
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
